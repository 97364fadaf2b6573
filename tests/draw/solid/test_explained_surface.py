from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape.draw.elements import finer
from landscape.draw.look import scale, theme
from landscape.draw.look.style import Style
from landscape.draw.solid import by_vtk, hidden_parts, meshes, stage, trail, view
from landscape.draw.solid.explained_surface import surface
from landscape.errors import LandscapeError
from landscape.store.scans.records import Point

SMALL = Style(dpi=100)
"""Where letters and marks are looked at: a third of the resolution takes a tenth of the time."""


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pixels(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


def rendered(scan, *, path=True, width=400):
    colours, box = scale.of(scan, paths=True), stage.box_of(scan)
    laid = trail.of(scan, colours, box)
    # From well above, where the path doesn't stand before itself.
    seen = view.fitted(box, -125.0, 48.0, width)
    mesh = meshes.surface(*finer.of(scan, "train_loss", colours), colours, box)
    picture = by_vtk.picture(scan.paths, mesh, colours, box, seen, laid if path else None).astype(
        int
    )
    return picture, colours, box, seen, laid


def near(picture, pixel, reach=3):
    column, row = (round(float(value)) for value in pixel)
    row = picture.shape[0] - 1 - row
    return picture[row - reach : row + reach + 1, column - reach : column + reach + 1].reshape(
        -1, 3
    )


def test_vtk_draws_surface_path_and_balls_where_the_camera_says(planted, gl):
    scan = planted.escape()
    picture, _, box, seen, laid = rendered(scan, width=700)
    # On the plateau nothing stands before the path, which runs above it.
    balls = np.array([drop.ball for drop in laid.drops if drop.ball[0] > -0.1])
    assert len(balls) >= 3
    for ball in balls:
        white = near(picture, seen.project(ball)[0], 1).mean(axis=0)
        assert white.min() > 215
    # Beside the path the plateau has the colour of its loss: green, little blue.
    beside = box.place(np.array([[30.0, -12.0]]), np.array([0.0]))
    beside[0, 2] = laid.relief.height(beside)[0]
    green = near(picture, seen.project(beside)[0]).mean(axis=0)
    wanted = 255 * np.array(theme.LOSS(beside[0, 2] / box.height)[:3])
    assert np.abs(green / green.sum() - wanted / wanted.sum()).max() < 0.05
    assert (picture[0, 0] > 250).all()


def test_the_projection_runs_over_the_surface_in_the_colours_of_its_steps(planted, gl):
    scan = planted.escape()
    path = scan.paths[0]
    # Without true losses there is no tube, but every step has its place on the plane.
    unknown = replace(path, true_loss=np.full(len(path.step), np.nan))
    picture, _, _, seen, laid = rendered(replace(scan, paths=(unknown,)), width=700)
    assert laid.tubes == []
    [track] = laid.tracks
    shown = track.points[:, 0] > -0.1
    for point, colour in zip(track.points[shown][5::60], track.colours[shown][5::60], strict=True):
        drawn = near(picture, seen.project(point)[0], 0)[0]
        assert np.abs(drawn - 255 * colour[:3]).max() < 40


def test_the_path_is_left_out_where_its_losses_are_not(planted, gl):
    scan = planted.random(31, 31)
    with_path, _, _, seen, laid = rendered(scan)
    without, *_ = rendered(scan, path=False)
    tube = max(laid.tubes, key=lambda tube: len(tube.points))
    at = seen.project(tube.points[np.ptp(tube.points[:, 2]) / 2 < tube.points[:, 2]][0])[0]
    assert np.abs(near(with_path, at) - near(without, at)).max() > 60


def test_peaks_are_cut_not_flattened(planted, gl):
    """Above the cap there is nothing: the background is seen in place of a plateau."""
    scan = replace(planted.bowl(31, 31), paths=(), points=())
    picture, colours, box, seen, _ = rendered(scan, path=False, width=900)
    assert colours.capped
    corners = box.place(
        np.array([[a, b] for a in (-0.95, 0.95) for b in (-0.95, 0.95)]), np.ones(4)
    )
    pixels = seen.project(corners)
    # Behind the farthest corner there is nothing but the walls' grey lines.
    spread = np.ptp(near(picture, pixels[pixels[:, 1].argmax()], 2), axis=1)
    assert spread.max() < 12


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["pyvista", "matplotlib"])
def test_both_renderers_carry_the_same_letters(planted, gl, renderer):
    figure = surface(planted.escape(21, 13), renderer=renderer, style=SMALL)
    found = texts(figure)
    for wanted in (
        "training loss (1,437 samples)",
        "validation loss (360 samples)",
        "best → end",
        "random direction",
        "loss (log scale)",
        "start",
        "best",
        "end",
        "2.30 ignoring the input",
        "cut at 4.61: twice that of ignoring the input",
        "path at its true training loss",
        "its projection onto the surface",
        "beneath or behind the surface",
    ):
        assert wanted in found
    picture = pixels(figure)
    assert (picture.max(axis=2) - picture.min(axis=2) > 60).mean() > 0.05
    # Nothing is cut off at the figure's edge.
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (edge == 255).all()


def test_a_failed_probe_means_matplotlib(planted, no_gl, monkeypatch):
    monkeypatch.setattr(by_vtk, "picture", None)
    figure = surface(planted.bowl(11, 11), style=SMALL)
    assert "training loss (1,437 samples)" in texts(figure)


def test_a_failed_probe_is_an_error_where_pyvista_was_asked_for(planted, no_gl):
    with pytest.raises(LandscapeError) as refused:
        surface(planted.bowl(5, 5), renderer="pyvista")
    assert str(refused.value) == (
        "renderer pyvista: no OpenGL (a test says so): on Debian or Ubuntu: "
        "apt-get install libegl1, or take renderer matplotlib"
    )


def test_an_unknown_renderer_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        surface(planted.bowl(5, 5), renderer="povray")
    assert str(refused.value) == ("renderer must be one of auto, pyvista, matplotlib, got 'povray'")


def test_a_line_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        surface(planted.line())
    assert str(refused.value) == (
        "a surface figure needs a scan of a plane, got one along a line: draw its curve"
    )


def test_plotters_are_closed_when_drawing_fails(planted, gl, monkeypatch):
    import pyvista

    closed = []
    close = pyvista.Plotter.close
    monkeypatch.setattr(pyvista.Plotter, "close", lambda self: (closed.append(1), close(self)))
    monkeypatch.setattr(by_vtk, "_floor", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rendered(planted.bowl(5, 5))
    assert closed


def places(scan):
    colours, box = scale.of(scan, paths=True), stage.box_of(scan)
    found = trail.of(scan, colours, box).places
    return {point.name: place for point, place in found}, colours, box


def test_marks_stand_at_true_losses(planted):
    scan = planted.random()
    at, colours, box = places(scan)
    start = scan.paths[0].true_loss[0]
    assert at["start"][2] == pytest.approx(box.height * colours.position(start))
    # No path knows a loss there: the point stands on the surface.
    at, colours, box = places(replace(scan, paths=()))
    assert at["end"][2] == pytest.approx(box.height * colours.position(np.array(0.45)))


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["pyvista", "matplotlib"])
def test_marks_have_the_shapes_of_the_contour(planted, gl, renderer):
    panel = surface(planted.escape(21, 13), renderer=renderer, style=SMALL).axes[0]
    found = {line.get_marker(): line.get_markerfacecolor() for line in panel.lines}
    for name in ("start", "end", "best"):
        assert found[theme.MARKS[name].marker] == theme.MARKS[name].colour


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["pyvista", "matplotlib"])
def test_a_path_beneath_the_surface_shines_through_in_dashes(planted, gl, renderer):
    scan = planted.escape(31, 19)
    path = scan.paths[0]
    over = replace(path, true_loss=np.full(len(path.step), 4.5))
    under = replace(path, true_loss=0.8 * path.plane_loss)
    points = (Point("end", (float(path.xy[80, 0]), float(path.xy[80, 1])), int(path.step[80])),)
    found = {}
    for name, one in (("over", over), ("under", under)):
        figure = surface(replace(scan, paths=(one,), points=points), renderer=renderer, style=SMALL)
        said = "beneath or behind the surface" in texts(figure)
        dashes = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
        [mark] = [
            line for line in figure.axes[0].lines if line.get_marker() == theme.MARKS["end"].marker
        ]
        found[name] = said, sum(len(c.get_segments()) for c in dashes) > 20, mark.get_alpha() < 1
    assert found["under"] == (True, True, True)
    assert not found["over"][2]


def test_dashes_are_even_and_only_where_a_line_is_hidden():
    line = np.column_stack([np.linspace(0, 100, 401), np.zeros(401)])
    unseen = line[:, 0] < 60
    found = [line[run, 0] for run in hidden_parts.dashes(line, unseen, 6, 4)]
    assert [(run[0], run[-1]) for run in found] == [(10.0 * k, 10.0 * k + 6) for k in range(6)]


def test_a_point_that_is_cut_off_is_said_to_be(planted):
    figure = surface(planted.bowl(21, 21), renderer="matplotlib", style=SMALL)
    assert "start (step 0; above the cut or over a hole)" in texts(figure)
    assert "end (step 4,500)" in texts(figure)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_reduced_pictures_keep_level_and_place(factor):
    ramp = np.broadcast_to(np.arange(20, 200, dtype=np.uint8)[:, None, None], (180, 60, 3))
    small = by_vtk.reduced(ramp, factor)
    assert small.shape == (180 // factor, 60 // factor, 3)
    middles = ramp[:, 0, 0].reshape(-1, factor).mean(axis=1)
    np.testing.assert_allclose(small[5:-5, 3, 0], middles[5:-5], atol=0.51)
    assert (by_vtk.reduced(np.full((12, 12, 3), 255, np.uint8), factor) == 255).all()


@pytest.mark.slow
@pytest.mark.parametrize(("dpi", "look"), [(300, "paper"), (80, "paper"), (100, "talk")])
def test_pixels_of_the_rendering_are_pixels_of_the_png(planted, gl, monkeypatch, dpi, look):
    drawn = []
    monkeypatch.setattr(
        by_vtk, "picture", lambda *given: drawn.append(given) or np.zeros((9, 9, 3), np.uint8)
    )
    figure = surface(planted.bowl(5, 5), style=Style(dpi=dpi, theme=look))
    [seen] = {(given[4].width, given[4].height) for given in drawn}
    # The second panel shows less than its rendering: the loss axis is the first one's.
    axes = figure.axes[0].get_window_extent()
    assert seen == (pytest.approx(axes.width, abs=1), pytest.approx(axes.height, abs=1))
    wide = figure.get_figwidth() * figure.dpi
    assert wide == pytest.approx(7.2 * dpi, abs=1)


@pytest.mark.slow
def test_the_constant_output_s_loss_is_a_pane(planted, gl):
    """Where the ground is lower, the pane's edge is what is seen at that loss."""
    scan = replace(planted.bowl(15, 15), paths=(), points=(), constant_loss=1.0)
    colours, box = scale.of(scan), stage.box_of(scan)
    corners = stage.pane(box, colours)
    np.testing.assert_allclose(colours.loss(corners[:, 2] / box.height), 1.0)
    shown, colours, box, seen, _ = rendered(scan, path=False, width=600)
    mesh = meshes.surface(*finer.of(scan, "train_loss", colours), colours, box)
    bare = replace(colours, constant=np.nan)
    without = by_vtk.picture((), mesh, bare, box, seen, None).astype(int)
    assert (np.abs(shown - without).max(axis=2) > 40).sum() > 300
    labels = texts(surface(scan, renderer="matplotlib", style=SMALL))
    assert "ignoring the input" in labels


@pytest.mark.parametrize("loss", [np.nan, 1e6, 1e-9])
def test_without_such_a_loss_in_the_box_there_is_no_pane(planted, loss):
    scan = replace(planted.escape(9, 9), constant_loss=loss)
    colours = scale.through([scan.measures["train_loss"]], constant=loss)
    assert stage.pane(stage.box_of(scan), colours) is None

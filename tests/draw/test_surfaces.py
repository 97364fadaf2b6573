from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape import draw
from landscape.draw import meshes, scale, solid, stage, surfaces
from landscape.errors import LandscapeError


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pixels(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


def rendered(scan, *, path=True, size=(400, 340)):
    colours, box = scale.of(scan, paths=True), stage.frame(scan)
    seen = stage.view(scan, colours, box, size)
    mesh = meshes.surface(scan.x, scan.y, scan.measures["train_loss"], colours, box)
    return solid.picture(scan, mesh, colours, box, seen, path=path).astype(int), colours, box, seen


def near(picture, pixel, reach=3):
    column, row = (round(float(value)) for value in pixel)
    row = picture.shape[0] - 1 - row
    return picture[row - reach : row + reach + 1, column - reach : column + reach + 1].reshape(
        -1, 3
    )


def test_vtk_draws_surface_path_and_balls_where_the_camera_says(planted, gl):
    scan = planted.random(31, 31)
    picture, colours, box, seen = rendered(scan)
    places = {point.name: place for point, place in stage.places(scan, colours, box)}
    green = near(picture, seen.project(places["start"])[0], 2).mean(axis=0)
    assert green[1] > green[0] + 40
    assert green[1] > green[2] + 40
    # Far corners are high: yellow-green, so little blue.
    corner = box.place(np.array([[-0.97, 0.97]]), np.array([0.0]))
    corner[0, 2] = box.height * float(
        colours.position(planted.random_loss(np.array(-0.97), np.array(0.97)))
    )
    high = near(picture, seen.project(corner)[0]).mean(axis=0)
    assert min(high[0], high[1]) > high[2] + 40
    assert (picture[0, 0] > 250).all()


def test_the_path_is_left_out_where_its_losses_are_not(planted, gl):
    scan = planted.random(31, 31)
    with_path, _, _, _ = rendered(scan)
    without, colours, box, seen = rendered(scan, path=False)
    at = seen.project(stage.places(scan, colours, box)[0][1])[0]
    assert np.abs(near(with_path, at) - near(without, at)).max() > 60


def test_peaks_are_cut_not_flattened(planted, gl):
    """Above the cap there is nothing: the background is seen in place of a plateau."""
    scan = replace(planted.bowl(31, 31), paths=(), points=())
    picture, colours, box, seen = rendered(scan, path=False)
    assert colours.capped
    corners = box.place(
        np.array([[a, b] for a in (-0.95, 0.95) for b in (-0.95, 0.95)]), np.ones(4)
    )
    pixels = seen.project(corners)
    # Behind the farthest corner there is nothing but the walls' grey lines.
    spread = np.ptp(near(picture, pixels[pixels[:, 1].argmax()], 2), axis=1)
    assert spread.max() < 12


@pytest.mark.parametrize("renderer", ["pyvista", "matplotlib"])
def test_both_renderers_carry_the_same_letters(planted, gl, renderer):
    figure = draw.surface(planted.escape(21, 13), renderer=renderer)
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
        "2.30 best constant output",
        "cut at 4.61: twice the best constant output's loss",
        "path at its true training loss",
    ):
        assert wanted in found
    picture = pixels(figure)
    assert (picture.max(axis=2) - picture.min(axis=2) > 60).mean() > 0.05
    # Nothing is cut off at the figure's edge.
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (edge == 255).all()


def test_a_failed_probe_means_matplotlib(planted, no_gl, monkeypatch):
    monkeypatch.setattr(solid, "picture", None)
    figure = draw.surface(planted.bowl(11, 11))
    assert "training loss (1,437 samples)" in texts(figure)


def test_a_failed_probe_is_an_error_where_pyvista_was_asked_for(planted, no_gl):
    with pytest.raises(LandscapeError) as refused:
        draw.surface(planted.bowl(5, 5), renderer="pyvista")
    assert str(refused.value) == (
        "renderer pyvista: no OpenGL (a test says so): on Debian or Ubuntu: "
        "apt-get install libegl1, or take renderer matplotlib"
    )


def test_an_unknown_renderer_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        draw.surface(planted.bowl(5, 5), renderer="povray")
    assert str(refused.value) == ("renderer must be one of auto, pyvista, matplotlib, got 'povray'")


def test_a_line_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        draw.surface(planted.line())
    assert str(refused.value) == (
        "a surface figure needs a scan of a plane, got one along a line: draw its curve"
    )


def test_plotters_are_closed_when_drawing_fails(planted, gl, monkeypatch):
    import pyvista

    closed = []
    close = pyvista.Plotter.close
    monkeypatch.setattr(pyvista.Plotter, "close", lambda self: (closed.append(1), close(self)))
    monkeypatch.setattr(solid, "_floor", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rendered(planted.bowl(5, 5))
    assert closed


def test_marks_stand_at_true_losses(planted):
    scan = planted.random()
    colours, box = scale.of(scan, paths=True), stage.frame(scan)
    places = {point.name: place for point, place in stage.places(scan, colours, box)}
    start = scan.paths[0].true_loss[0]
    assert places["start"][2] == pytest.approx(box.height * colours.position(start))
    # No path knows a loss there: the point stands on the surface.
    lone = replace(scan, paths=())
    places = {point.name: place for point, place in stage.places(lone, colours, box)}
    assert places["end"][2] == pytest.approx(box.height * colours.position(np.array(0.45)))


def test_a_point_that_is_cut_off_is_said_to_be(planted):
    figure = draw.surface(planted.bowl(21, 21), renderer="matplotlib")
    assert "start (step 0; above the cut or over a hole)" in texts(figure)
    assert "end (step 4,500)" in texts(figure)


def test_the_view_is_chosen_to_show_a_valley_behind_a_ridge(planted):
    ridge = planted.scan(
        planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0)),
        np.linspace(-1, 1, 41),
        np.linspace(-1, 1, 41),
        lambda x, y: (
            1 + 3.5 * np.exp(-(((y + 0.5) / 0.1) ** 2)) - 0.9 * np.exp(-(((y + 0.25) / 0.1) ** 2))
        ),
    )
    colours, box = scale.of(ridge), stage.frame(ridge)
    seen = stage.view(ridge, colours, box, (400, 340))
    assert seen.eye[1] > 0


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_reduced_pictures_keep_level_and_place(factor):
    ramp = np.broadcast_to(np.arange(20, 200, dtype=np.uint8)[:, None, None], (180, 60, 3))
    small = solid.reduced(ramp, factor)
    assert small.shape == (180 // factor, 60 // factor, 3)
    middles = ramp[:, 0, 0].reshape(-1, factor).mean(axis=1)
    np.testing.assert_allclose(small[5:-5, 3, 0], middles[5:-5], atol=0.51)
    assert (solid.reduced(np.full((12, 12, 3), 255, np.uint8), factor) == 255).all()


def test_pixels_of_the_rendering_are_pixels_of_the_png():
    assert surfaces.PIXELS_PER_INCH == 300

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape import draw
from landscape.draw.elements import marks
from landscape.draw.look import scale, theme
from landscape.draw.look.style import Style
from landscape.draw.solid import stage, trail


@pytest.mark.parametrize("renderer", ["pyvista", "matplotlib"])
def test_one_panel_in_a_column_labelled_on_the_spot(planted, gl, renderer):
    figure = draw.surface(planted.escape(21, 13), renderer=renderer, style=Style(dpi=100))
    assert figure.get_figwidth() == 3.25
    assert not figure.legends
    panel = figure.axes[-1]
    said = [text.get_text() for text in panel.texts]
    assert {"start, step 0", "end, step 5,355"} <= {text.split("\n")[0] for text in said}
    area = panel.get_position().width * panel.get_position().height
    assert area >= 0.7


def test_labels_cover_neither_each_other_nor_the_axes_names(planted, no_gl):
    figure = draw.surface(planted.escape(21, 13), style=Style(dpi=100))
    figure.canvas.draw()
    panel = figure.axes[-1]
    boxes = {text: text.get_window_extent() for text in panel.texts}
    named = [text for text in boxes if ", step" in text.get_text()]
    assert named
    for text in named:
        for other, box in boxes.items():
            mine = boxes[text]
            width = min(mine.x1, box.x1) - max(mine.x0, box.x0)
            height = min(mine.y1, box.y1) - max(mine.y0, box.y0)
            assert other is text or width <= 0 or height <= 0


def test_a_plane_has_one_scale_from_above_and_as_a_surface(planted, no_gl):
    scan = planted.escape(21, 13)
    pictures = [make(scan, style=Style(dpi=80)) for make in (draw.contour, draw.surface)]
    limits = [figure.axes[0].get_xlim() for figure in pictures]
    assert limits[0] == limits[1]


def test_a_mark_below_all_that_is_shown_stands_on_the_surface(planted):
    """The run was at a lower loss than any of the plane: a place beneath the box says nothing."""
    scan = planted.bowl(21, 21)
    path = replace(scan.paths[0], true_loss=np.full(len(scan.paths[0].step), 1e-9))
    scan = replace(scan, paths=(path,))
    colours, box = scale.of(scan, shown=("train_loss",)), stage.box_of(scan)
    laid = trail.of(scan, colours, box)
    # The start is where the plane is above the cap: nothing is there to stand on.
    assert {point.name for point, _ in laid.places} == {"best", "end"}
    for _, place in laid.places:
        assert place[2] == pytest.approx(laid.relief.height(place[None])[0])


def test_the_box_holds_what_is_shown_and_little_else(planted, no_gl):
    """Of a plane that lies above the cap but for a basin in its middle."""
    scan = planted.scan(
        planted.plane("random", ("u", "v"), "filter-normalized units", (1.0, 1.0)),
        np.linspace(-1, 1, 21),
        np.linspace(-1, 1, 21),
        lambda x, y: 0.1 * np.exp(9 * np.hypot(x - 0.2, y)),
    )
    colours = scale.of(scan, shown=("train_loss",))
    where = stage.occupied(scan, {"train_loss": colours})
    below = scan.measures["train_loss"] <= colours.high
    rows, columns = below.any(axis=1), below.any(axis=0)
    for k, (axis, held) in enumerate(((scan.x, rows), (scan.y, columns))):
        assert axis[held].min() - 0.1 == pytest.approx(where.low[k])
        assert axis[held].max() + 0.1 == pytest.approx(where.high[k])
    # Units of both axes keep one length.
    box = stage.box_of(scan, where)
    sides = where.high - where.low
    assert box.size[0] / box.size[1] == pytest.approx(sides[0] / sides[1])
    assert max(box.size) == 1
    whole = planted.bowl(15, 15)
    shown = stage.occupied(whole, {"train_loss": scale.of(whole, shown=("train_loss",))})
    assert (shown.low == -1).all()
    assert (shown.high == 1).all()


def test_explain_brings_the_legend_back(planted, no_gl):
    figure = draw.surface(planted.escape(9, 7), style=Style(explain=True, dpi=100))
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "path at its true training loss" in entries


@pytest.mark.slow
@pytest.mark.parametrize("camera", [None, (-145.0, 36.0), (-35.0, 52.0), (55.0, 20.0)])
def test_long_names_of_axes_stay_on_the_page(planted, no_gl, camera):
    """And off the line beneath the picture."""
    scan = planted.escape(9, 7)
    names = ("the slow drift of the last half, explained", "sharpest direction of the end")
    scan = replace(scan, plane=replace(scan.plane, labels=names))
    figure = draw.surface(scan, style=Style(camera=camera, dpi=100))
    figure.canvas.draw()
    panel = figure.axes[-1]
    said = {text.get_text().replace("\n", " "): text.get_window_extent() for text in panel.texts}
    picture, page = panel.get_window_extent(), figure.bbox
    for name in ("the slow drift of the last half", "sharpest direction of the end"):
        box = said[name]
        assert box.y0 >= picture.y0 - 1, name
        assert page.x0 - 1 <= box.x0, name
        assert box.x1 <= page.x1 + 1, name


def test_colours_are_those_of_the_bar(planted, gl):
    """A flat place lit from above is no darker than its colour, by little lighter."""
    scan = planted.bowl(21, 21)
    colours = {0.3: None, 2.0: None}
    for loss in colours:
        flat = np.full((21, 21), loss)
        flat[0, 0], flat[0, 1] = 0.1, 10.0
        bare = replace(planted.with_losses(scan, flat), paths=(), points=(), constant_loss=np.nan)
        style = Style(camera=(-60.0, 50.0), cap=np.inf, dpi=100)
        figure = draw.surface(bare, renderer="pyvista", style=style)
        picture = np.asarray(figure.axes[-1].images[0].get_array())
        high, wide = picture.shape[:2]
        found = picture[int(0.5 * high), int(0.55 * wide), :3] / 255
        wanted = np.array(theme.LOSS(np.log(loss / 0.1) / np.log(100))[:3])
        brighter = found.mean() / wanted.mean()
        assert 0.97 < brighter < 1.1, loss
        # Of the same hue.
        turned = found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted)
        assert turned > 0.99, loss


def test_a_mark_that_the_surface_hides_is_faint_and_said_to_be(planted, no_gl):
    """Behind a wall across the plane, seen from its other side."""
    scan = planted.bowl(41, 41)
    x = np.linspace(-1, 1, 41)
    dip = np.exp(-((x[:, None] / 0.3) ** 2) - ((x - 0.75) / 0.2) ** 2)
    loss = 0.5 + 3 * np.exp(-(((x - 0.2) / 0.15) ** 2)) - 0.1 * dip
    path = replace(scan.paths[0], true_loss=np.ones(len(scan.paths[0].step)))
    scan = planted.with_losses(replace(scan, paths=(path,), points=()), loss)
    said = {}
    for azimuth in (-90.0, 90.0):
        axes = draw.surface(scan, renderer="matplotlib", style=Style(camera=(azimuth, 25.0))).axes[
            -1
        ]
        [cross] = [line for line in axes.lines if line.get_marker() == theme.LOWEST.marker]
        [text] = [one.get_text() for one in axes.texts if one.get_text().startswith("lowest")]
        said[azimuth] = (cross.get_alpha(), text.endswith("\nbehind the surface"))
    assert said == {-90.0: (marks.BEHIND, True), 90.0: (1.0, False)}


@pytest.mark.slow
@pytest.mark.parametrize("camera", [(-125.0, 38.0), (-55.0, 38.0), (-100.0, 44.0)])
def test_between_the_axes_letters_and_the_note_is_no_empty_band(planted, no_gl, camera):
    figure = draw.surface(planted.escape(21, 21), style=Style(camera=camera))
    figure.canvas.draw()
    panel = figure.axes[-1]
    dpi = figure.get_dpi()
    lowest = min(text.get_window_extent().y0 for text in panel.texts if text.get_text()) / dpi
    assert 0 <= lowest - panel.get_window_extent().y0 / dpi <= 0.08

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape import draw
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


def test_the_path_has_one_colour_and_is_pale_where_the_plane_has_another_loss(planted):
    scan = planted.bowl(15, 15)
    colours, box = scale.of(scan, paths=True), stage.box_of(scan)
    whole = trail.of(scan, colours, box)
    plain = trail.plain(whole, theme.PATH)
    assert not plain.tracks
    assert not plain.drops
    solid = np.array([*theme.matplotlib.colors.to_rgb(theme.PATH), 1.0])
    pale = theme.faded(solid[None])[0]
    assert any(tube.pale.any() for tube in plain.tubes)
    for tube in plain.tubes:
        np.testing.assert_allclose(tube.colours[tube.pale], np.tile(pale, (tube.pale.sum(), 1)))
        rest = ~tube.pale
        np.testing.assert_allclose(tube.colours[rest], np.tile(solid, (rest.sum(), 1)))


def test_a_dot_of_a_path_is_no_pole(planted):
    scan = planted.random(15, 15)
    laid = trail.of(scan, scale.of(scan, paths=True), stage.box_of(scan))
    assert laid.tubes
    assert not trail.plain(laid, theme.PATH).tubes


def test_explain_brings_the_legend_back(planted, no_gl):
    figure = draw.surface(planted.escape(9, 7), style=Style(explain=True, dpi=100))
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "path at its true training loss" in entries


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

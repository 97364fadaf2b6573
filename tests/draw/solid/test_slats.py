"""Slats: flat and evenly lit along the path, the run at its own loss, gaps where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape import draw
from landscape.draw.elements.columns import Columns
from landscape.draw.look.style import Style
from landscape.draw.solid import slats
from landscape.errors import LandscapeError


@pytest.fixture
def parts(planted):
    valley = planted.valley()
    where = Columns.of(valley)
    scale = slats.scale_of(valley)
    return valley, where, scale, slats.box_of(valley, where, 5.0)


def test_a_slat_is_flat_along_the_path_and_lit_alike(parts):
    valley, where, scale, box = parts
    mesh = slats.boards(valley, where, scale, box)
    points, normals = (
        values.reshape(24, 2, slats.FINE, 3) for values in (mesh.points, mesh.normals)
    )
    np.testing.assert_array_equal(points[:, 0, :, 1:], points[:, 1, :, 1:])
    np.testing.assert_array_equal(normals[:, 0], normals[:, 1])
    # No normal leans along the path, so that nothing is shaded by the slat beside it.
    assert (normals[..., 0] == 0).all()
    # Each column is a slat, and no triangle reaches from one to the next.
    board = mesh.faces // (2 * slats.FINE)
    assert (board == board[:, :1]).all()
    assert set(board[:, 0]) == set(range(24))


def test_heights_are_the_losses(parts):
    valley, where, scale, box = parts
    mesh = slats.boards(valley, where, scale, box)
    points = mesh.points.reshape(24, 2, slats.FINE, 3)
    # Every sixth of 121 points is one of the 21 that were measured.
    measured = points[:, 0, ::6, 2]
    wanted = box.height * scale.position(valley.measures["train_loss"])
    np.testing.assert_allclose(measured, wanted, atol=1e-12)
    left = (where.left + slats.GAP) / where.width - 0.5
    np.testing.assert_allclose(points[:, 0, 0, 0], left)


def test_normals_are_those_of_the_slope_across(planted):
    """On a slat whose height is a straight line the normal stands at a right angle to it."""
    valley = planted.valley(3, jump=None)
    line = np.exp(np.linspace(-1, 1, 21))[None].repeat(3, axis=0)
    valley = replace(valley, measures={"train_loss": line}, constant_loss=np.nan)
    where = Columns.of(valley)
    scale = slats.scale_of(valley)
    box = slats.box_of(valley, where, 5.0)
    mesh = slats.boards(valley, where, scale, box)
    along = mesh.points[slats.FINE - 1] - mesh.points[0]
    np.testing.assert_allclose(mesh.normals @ along, 0, atol=1e-9)


def test_the_run_stands_at_its_own_loss_and_has_a_gap_where_it_leapt(parts):
    valley, where, scale, box = parts
    laid = slats.walked(valley, where, scale, box)
    assert len(laid.tubes) == 2
    assert all((tube.points[:, 1] == 0).all() for tube in laid.tubes)
    heights = np.concatenate([tube.points[:, 2] for tube in laid.tubes])
    assert heights.max() <= box.height
    places = {point.name: (point.step, place) for point, place in laid.places}
    assert [places[name][0] for name in ("start", "best", "end")] == [0, 600, 920]
    best = box.height * float(scale.position(valley.path.loss.min()))
    np.testing.assert_allclose(places["best"][1][2], best)


def test_what_is_not_measured_is_left_out(parts):
    valley, where, scale, box = parts
    losses = valley.measures["train_loss"].copy()
    losses[4:] = np.nan
    begun = replace(valley, measures={"train_loss": losses})
    mesh = slats.boards(begun, where, scale, box)
    assert set(mesh.faces.ravel() // (2 * slats.FINE)) == {0, 1, 2, 3}


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["pyvista", "matplotlib"])
def test_it_is_drawn_with_labels_that_touch_nothing(planted, gl, renderer):
    figure = draw.KINDS["slats"](planted.valley(8, jump=5), style=Style(renderer=renderer))
    figure.canvas.draw()
    panel = figure.axes[-1]
    said = {text.get_text(): text.get_window_extent() for text in panel.texts}
    marks = [text for text in said if ", step" in text]
    assert {text.split(",")[0] for text in marks} == {"start", "best", "end"}
    assert "training step" in said
    for text in marks:
        for other, box in said.items():
            mine = said[text]
            width = min(mine.x1, box.x1) - max(mine.x0, box.x0)
            height = min(mine.y1, box.y1) - max(mine.y0, box.y0)
            assert other is text or width <= 0 or height <= 0, (text, other)


def test_a_valley_that_was_not_begun(planted):
    empty = planted.valley()
    nothing = np.full_like(empty.measures["train_loss"], np.nan)
    bare = replace(empty, measures={"train_loss": nothing}, measured=np.zeros(nothing.shape, bool))
    with pytest.raises(LandscapeError) as refused:
        draw.KINDS["slats"](bare)
    assert str(refused.value) == (
        "a valley's figure needs a row that is measured, got none; go on with --resume"
    )

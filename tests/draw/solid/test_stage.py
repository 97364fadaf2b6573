"""From where a surface is looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import scale, theme
from landscape.draw.solid import stage, trail, view
from landscape.draw.solid.meshes import Frame
from landscape.store.scans.records import Point


def sees(eye, place, box, colours, loss):
    """Whether the line from a place to the eye is above the surface by the loss' own formula."""
    line = np.linspace(place + np.array([0, 0, 0.012]), eye, 2000)
    low, high = box.window.low, box.window.high
    there = low + (line[:, :2] / box.size + 0.5) * (high - low)
    surface = box.height * colours.position(loss(*there.T))
    # What is above the box isn't drawn.
    drawn = (there >= low).all(axis=1) & (there <= high).all(axis=1) & (surface <= box.height)
    return bool((line[drawn, 2] > surface[drawn]).all())


def test_the_view_is_chosen_to_show_a_valley_behind_a_ridge(planted):
    def loss(x, y):
        ridge = 3.5 * np.exp(-(((y + 0.5) / 0.1) ** 2))
        return 1 + ridge - 0.9 * np.exp(-(((y + 0.2) / 0.25) ** 2))

    ridge = planted.scan(
        planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0)),
        np.linspace(-1, 1, 41),
        np.linspace(-1, 1, 41),
        loss,
    )
    colours, box = scale.of(ridge), stage.box_of(ridge)
    seen = view.best_view(box, trail.of(ridge, colours, box), 400)
    xy = np.column_stack([np.linspace(-0.9, 0.9, 19), np.full(19, -0.2)])
    floor = box.place(xy, colours.position(loss(*xy.T)))
    assert np.mean([sees(seen.eye, place, box, colours, loss) for place in floor]) > 0.9
    # From beyond the ridge, as low as a habit.
    low = view.fitted(box, -110.0, 32.0, 400)
    assert not any(sees(low.eye, place, box, colours, loss) for place in floor)


@pytest.mark.parametrize("turns", range(4))
def test_the_view_shows_the_best_weights_in_a_narrow_valley_beneath_a_plateau(planted, turns):
    """Held against the surface's own formula along the line to the eye, however it is turned."""
    a = turns * np.pi / 2

    def loss(x, y):
        across, along = (
            x * np.cos(a) + y * np.sin(a),
            -x * np.sin(a) + y * np.cos(a),
        )
        valley = 2.2 * np.exp(-(((across + 0.7) / 0.25) ** 2)) * np.exp(-((along / 0.9) ** 2))
        walls = 2.5 * np.exp(-(((across + 1.05) / 0.1) ** 2)) + 2.5 * (along < -0.8)
        return 2.3 - valley + walls

    scan = planted.scan(
        planted.plane("event", ("a", "b"), "distance in weight space", (1.0, 1.0)),
        np.linspace(-1, 1, 61),
        np.linspace(-1, 1, 61),
        loss,
    )
    back = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    xy = np.linspace([-0.7, 0.0], [0.8, 0.5], 9) @ back
    own = loss(*xy.T)
    marked = (
        Point("best", (float(xy[0, 0]), float(xy[0, 1])), 0),
        Point("end", (float(xy[-1, 0]), float(xy[-1, 1])), 8 * 45),
    )
    scan = replace(scan, paths=(planted.path(xy, own, own, 0 * own),), points=marked)
    colours, box = scale.of(scan), stage.box_of(scan)
    laid = trail.of(scan, colours, box)
    seen = view.best_view(box, laid, 400)
    assert len(laid.places) == 2
    for _, place in laid.places:
        assert sees(seen.eye, place, box, colours, loss)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_path_runs_from_left_to_right_where_nothing_is_hidden(planted, mirrored):
    flat = planted.scan(
        planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0)),
        np.linspace(-1, 1, 21),
        np.linspace(-1, 1, 21),
        lambda x, y: 1 + 0.1 * x + 0.1 * y,
    )
    x = np.linspace(-0.8, 0.8, 9) * (-1 if mirrored else 1)
    loss = 1 + 0.1 * x
    along = planted.path(np.column_stack([x, 0 * x]), loss, loss, 0 * x)
    flat = replace(flat, paths=(along,))
    colours, box = scale.of(flat), stage.box_of(flat)
    laid = trail.of(flat, colours, box)
    ends = view.best_view(box, laid, 400).project(laid.tracks[0].points[[0, -1]])
    assert ends[1, 0] > ends[0, 0]


@pytest.mark.parametrize("share", [0.4, 1.0, 1.6])
@pytest.mark.parametrize("azimuth", [-125.0, -35.0, 70.0])
def test_the_box_fills_the_panel(share, azimuth):
    """No room is left but for letters, whatever the plane's shape."""
    longer = max(1.0, share)
    box = Frame(PlaneWindow(np.zeros(2), np.ones(2)), (1 / longer, share / longer), stage.HEIGHT)
    seen = view.fitted(box, azimuth, 44.0, 1000)
    pixels = seen.project(stage.corners(box))
    inch = theme.DPI
    low, high = pixels.min(axis=0), [seen.width, seen.height] - pixels.max(axis=0)
    assert low[0] == pytest.approx(view.LEFT * inch, abs=0.06 * seen.width)
    assert high[0] == pytest.approx(view.RIGHT * inch, abs=0.06 * seen.width)
    assert high[1] == pytest.approx(view.TOP * inch, abs=3)
    assert view.BOTTOM * inch - 3 <= low[1] <= 0.46 * inch + 3

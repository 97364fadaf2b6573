"""From where a surface is looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import scale, theme
from landscape.draw.solid import stage, trail, view
from landscape.draw.solid.meshes import Frame


def test_the_view_is_chosen_to_show_a_valley_behind_a_ridge(planted):
    ridge = planted.scan(
        planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0)),
        np.linspace(-1, 1, 41),
        np.linspace(-1, 1, 41),
        lambda x, y: (
            1 + 3.5 * np.exp(-(((y + 0.5) / 0.1) ** 2)) - 0.9 * np.exp(-(((y + 0.2) / 0.25) ** 2))
        ),
    )
    colours, box = scale.of(ridge), stage.box_of(ridge)
    seen = view.best_view(box, trail.of(ridge, colours, box), 400)
    assert seen.eye[1] > 0


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

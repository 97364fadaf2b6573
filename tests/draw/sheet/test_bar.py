"""The colour bar above a panel: its numbers fit on the page and beside each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from landscape.draw.figures.contour import contour
from landscape.draw.look.style import Style


@pytest.mark.slow
@pytest.mark.parametrize("width", [2.5, 3.25])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.2561, 0.3202),
        (0.11, 1.001),
        (1e-7, 1.2345e-6),
        (2.0, 2000.5),
        (1.23e12, 9.9e14),
        (1e-9, 3.3e4),
    ],
)
@pytest.mark.parametrize("constant", [float("nan"), 2.303])
def test_numbers_are_whole_on_the_page_and_apart(planted, low, high, width, constant):
    base = planted.random(15, 15)
    loss = np.linspace(low, high, 225).reshape(15, 15)
    one = planted.with_losses(base, loss, constant_loss=constant)
    figure = contour(one, style=Style(width=width))
    figure.canvas.draw()
    whole = figure.bbox
    [bar] = [axes for axes in figure.axes if hasattr(axes, "_colorbar")]
    low_end, high_end = sorted(bar.get_xlim())
    shown = [
        tick.label1.get_window_extent()
        for tick in bar.xaxis.get_major_ticks()
        if tick.label1.get_text() and low_end <= tick.get_loc() <= high_end
    ]
    boxes = [box for box in shown if box.width]
    assert boxes
    for box in boxes:
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
    for left, right in pairwise(sorted(boxes, key=lambda box: box.x0)):
        assert left.x1 < right.x0


def test_a_tick_before_the_grey_has_its_number(planted):
    """The last line, at 4, stands 0.1 inches before the cap at 4.6."""
    loss = np.geomspace(0.42, 9.0, 225).reshape(15, 15)
    figure = contour(planted.with_losses(planted.random(15, 15), loss, constant_loss=2.3026))
    [bar] = [axes for axes in figure.axes if hasattr(axes, "_colorbar")]
    figure.draw_without_rendering()
    shown = {tick.get_loc(): tick.label1.get_text() for tick in bar.xaxis.get_major_ticks()}
    assert shown[4.0] == "4"

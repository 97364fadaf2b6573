from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from landscape import draw


@pytest.mark.parametrize("low", [0.09, 1e-4, 2.2])
def test_numbers_beside_the_losses_leave_each_other_room(planted, low):
    scan = planted.escape(21, 21)
    [path] = scan.paths
    losses = np.append(40.0, np.geomspace(3 * low, low, len(path.step) - 1))
    figure = draw.contour(replace(scan, paths=(replace(path, true_loss=losses),)))
    figure.canvas.draw()
    [strip] = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
    bottom, top = strip.get_ylim()
    shown = [
        label.get_window_extent()
        for tick, label in zip(strip.get_yticks(), strip.get_yticklabels(), strict=True)
        if bottom <= tick <= top
    ]
    assert shown
    shown.sort(key=lambda box: box.y0)
    assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(shown))


def test_only_losses_of_steps_that_follow_each_other_are_joined(planted):
    scan = planted.escape(21, 21)
    [path] = scan.paths
    step = np.concatenate([[0, 10, 11, 12], 20 + 10 * np.arange(len(path.step) - 4)])
    loss = np.linspace(2.0, 1.0, len(step))
    figure = draw.contour(replace(scan, paths=(replace(path, step=step, true_loss=loss),)))
    [strip] = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
    dots, joined = (line for line in strip.lines if len(line.get_xdata()) >= len(step))
    assert (dots.get_marker(), dots.get_linestyle()) == ("o", "None")
    np.testing.assert_array_equal(dots.get_xdata(), step)
    x = np.asarray(joined.get_xdata())
    pairs = [(a, b) for a, b in pairwise(x) if np.isfinite([a, b]).all()]
    assert pairs == [(10, 11), (11, 12)]

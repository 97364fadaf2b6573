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

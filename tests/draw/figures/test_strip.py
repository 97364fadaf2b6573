from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from landscape import draw
from landscape.store.trajectories.trajectory import Event

HAPPENED = (("plateau", 0, 100), ("spike", 150, 200), ("recovery", 200, 300))
"""So near each other that their names take several rows beneath the losses."""


@pytest.mark.parametrize("happened", [(), HAPPENED])
@pytest.mark.parametrize("low", [0.09, 7e-4, 1e-4, 2.2])
def test_numbers_beside_the_losses_leave_each_other_room(planted, low, happened):
    scan = planted.escape(21, 21)
    [path] = scan.paths
    losses = np.append(40.0, np.geomspace(3 * low, low, len(path.step) - 1))
    events = tuple(Event(*one, "planted") for one in happened)
    path = replace(path, true_loss=losses, events=events)
    # Beneath two panels the strip is low.
    style = draw.Style(panels=("train", "validation")) if happened else draw.Style()
    figure = draw.contour(replace(scan, paths=(path,)), style=style)
    figure.canvas.draw()
    [strip] = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
    bottom, top = strip.get_ylim()
    shown = [
        label.get_window_extent()
        for tick, label in zip(strip.get_yticks(), strip.get_yticklabels(), strict=True)
        if bottom <= tick <= top
    ]
    assert len(shown) >= 2
    shown.sort(key=lambda box: box.y0)
    # Half a digit's width: closer, two numbers are read as one.
    assert all(one.y1 + 0.03 * figure.dpi <= other.y0 for one, other in pairwise(shown))


def test_only_losses_of_three_steps_that_follow_each_other_are_joined(planted):
    scan = planted.escape(21, 21)
    [path] = scan.paths
    step = np.concatenate([[0, 3, 4, 10, 11, 12], 20 + 10 * np.arange(len(path.step) - 6)])
    loss = np.linspace(2.0, 1.0, len(step))
    figure = draw.contour(replace(scan, paths=(replace(path, step=step, true_loss=loss),)))
    [strip] = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
    dots, joined = (line for line in strip.lines if len(line.get_xdata()) > 2)
    assert (dots.get_marker(), dots.get_linestyle()) == ("o", "None")
    np.testing.assert_array_equal(dots.get_xdata(), step)
    # Of two, 3 and 4, it would be a stray.
    assert list(joined.get_xdata()) == [10, 11, 12]


@pytest.mark.parametrize("least", [0.0, 0.1])
def test_the_strip_is_of_the_training_loss_beneath_both_panels(planted, least):
    scan = planted.escape(21, 21)
    [path] = scan.paths
    losses = np.where(np.isfinite(path.true_loss), np.maximum(path.true_loss, 0.1), 0.1)
    losses[3] = least  # a loss of 0 has no logarithm
    scan = replace(scan, paths=(replace(path, true_loss=losses),))
    for shown in (("train",), ("train", "validation")):
        figure = draw.contour(scan, style=draw.Style(panels=shown))
        [strip] = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
        assert strip.get_ylabel() == "training loss"
        tall = strip.get_window_extent()
        name = strip.yaxis.label.get_window_extent()
        assert tall.y0 <= name.y0
        assert name.y1 <= tall.y1
        assert ("logarithmic" in figure.drawn) == (strip.get_yscale() == "log") == (least > 0)


@pytest.mark.parametrize(("count", "points"), [(6, 2.8), (100, 1.47), (600, 1.2)])
def test_fewer_losses_are_larger_dots(planted, count, points):
    scan = planted.escape(5, 5)
    [path] = scan.paths
    rows = np.linspace(0, len(path.step) - 1, count).astype(int)
    fields = ("xy", "distance_from_plane", "true_loss", "plane_loss")
    some = {name: getattr(path, name)[rows] for name in fields}
    few = replace(path, step=10 * np.arange(count), **some)
    figure = draw.contour(replace(scan, paths=(few,)))
    [strip] = [axes for axes in figure.axes if axes.get_xlabel() == "training step"]
    [dots] = [line for line in strip.lines if line.get_marker() == "o"]
    assert dots.get_markersize() == pytest.approx(points, abs=0.01)
    low, high = strip.get_ylim()
    assert sum(low < tick < high for tick in strip.get_yticks()) >= 2

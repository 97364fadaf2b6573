"""Searches side by side find what each one finds alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.curvature.critical import critical
from landscape.curvature.searches import alone, together

ENDS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -2.0]])
SLOPES = (-1.0, -2.1, -1e-3)
"""Along the last one the loss rises, whatever is said of it."""


class Counted:
    """Half a quadratic of points (n, 2) about (1, 0.3), and all that was asked for."""

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def __call__(self, points: np.ndarray) -> np.ndarray:
        self.asked.append(points)
        return 0.5 * ((points - [1.0, 0.3]) ** 2 @ [1.0, 7.0])


def test_together_they_find_what_each_finds_alone():
    losses = Counted()
    searching = together(losses, ENDS, [critical(0.5, slope) for slope in SLOPES])
    counts = []
    while True:
        try:
            counts.append(next(searching))
        except StopIteration as ended:
            found = ended.value
            break
    alone_counts = []
    for end, slope, one in zip(ENDS, SLOPES, found, strict=True):
        other = Counted()
        np.testing.assert_equal(
            alone(
                critical(0.5, slope),
                lambda s, end=end, other=other: float(other(s * end[None])[0]),
            ),
            one,
        )
        alone_counts.append(len(other.asked))
    # L(s, 0) is back where it was at 2, L(0, s) at 0.6; the other way it only rises.
    assert found == pytest.approx([2.0, 0.6, math.nan], rel=0.1, nan_ok=True)
    # Everybody's next places at once, and what all of them begin with once.
    assert counts == [len(points) for points in losses.asked]
    assert sum(counts) == sum(alone_counts) - 2
    assert len(counts) == max(alone_counts) - 1
    assert sum((points == 0).all(1).sum() for points in losses.asked) == 1


def test_a_search_that_asks_for_nothing_is_done_at_once():
    losses = Counted()
    searching = together(losses, ENDS[:1], [critical(math.nan, -1.0)])
    with pytest.raises(StopIteration) as ended:
        next(searching)
    assert math.isnan(ended.value.value[0])
    assert losses.asked == []

"""The height of a barrier, against a plain loop and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.scan.barriers import Barrier, barrier, highest

T = np.linspace(0, 1, 5)
NONE = np.full(5, math.nan)


def test_against_a_plain_loop():
    generator = np.random.default_rng(0)
    for _ in range(50):
        t = np.sort([0, *generator.random(9), 1])
        losses, accuracies = generator.random((2, 11))
        losses[[0, -1]] /= 10  # so that the highest place isn't an end
        found = barrier(t, losses, accuracies)
        above = [
            (loss - ((1 - s) * losses[0] + s * losses[-1]), s)
            for s, loss in zip(t, losses, strict=True)
        ]
        assert (found.loss, found.at) == pytest.approx(max(above))
        assert found.ratio == pytest.approx(found.loss / max(losses[0], losses[-1]))
        errors = [100 * (1 - accuracy) for accuracy in accuracies]
        points = [
            error - ((1 - s) * errors[0] + s * errors[-1])
            for s, error in zip(t, errors, strict=True)
        ]
        assert found.error == pytest.approx(max(points))


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1, 1, 3, 1, 2], Barrier(1.5, 0.75, math.nan, 0.5)),
        ([1, 0, 0, 0, 2], Barrier(0, 0, math.nan, 0)),
        ([0, 0, 0, 0, 0], Barrier(0, 0, math.nan, 0)),
        ([0, 0, 1, 0, 0], Barrier(1, math.inf, math.nan, 0.5)),
        ([-1, 0, -1, -1, -1], Barrier(1, math.nan, math.nan, 0.25)),
        ([1, 1, math.nan, 1, 1], Barrier(math.inf, math.inf, math.nan, 0.5)),
        ([1, math.inf, 1, 1, 1], Barrier(math.inf, math.inf, math.nan, 0.25)),
        ([1, 1, 1, 1, math.inf], Barrier(math.nan, math.nan, math.nan, math.nan)),
    ],
)
def test_by_hand(losses, expected):
    found = barrier(T, np.array(losses, float), NONE)
    assert vars(found) == pytest.approx(vars(expected), nan_ok=True)


def test_nothing_stands_out_of_a_valley():
    assert highest(T, (T - 0.3) ** 2) == (0, 0)

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.curvature.critical import critical_step


class Counted:
    """A loss along an update, and how often it was asked."""

    def __init__(self, loss):
        self.loss, self.count = loss, 0

    def __call__(self, step: float) -> float:
        self.count += 1
        return self.loss(step)


@pytest.mark.parametrize("curvature", [1e-3, 0.7, 40.0, 1e6])
@pytest.mark.parametrize("off", [0.3, 1.0, 3.0])
def test_on_a_quadratic_it_is_two_over_the_curvature(curvature, off):
    # L(w - s g) with g along an eigenvector: L0 + (1 - s h)² h d² / 2
    loss = Counted(lambda s: 1.0 + 0.5 * curvature * (1 - s * curvature) ** 2)
    found = critical_step(loss, off * 2 / curvature, -(curvature**2))
    assert 2 / found == pytest.approx(curvature, rel=0.1)
    # The origin's, the guess's, one where a parabola says, and one to close in.
    assert loss.count <= 4


@pytest.mark.parametrize("off", [0.1, 0.6, 1.7, 10.0])
@pytest.mark.parametrize("bend", [-0.3, 0.3, 3.0])
def test_near_to_a_quadratic_it_takes_five_losses(bend, off):
    # -s + s² + bend s³ is zero at the step; the first rise is where the bracket says.
    loss = Counted(lambda s: 2.0 - s + s**2 + bend * s**3)
    exact = 2 / (1 + math.sqrt(1 + 4 * bend)) if bend > -0.25 else None
    found = critical_step(loss, off * (exact or 1.0), -1.0)
    if exact is None:  # it falls for ever: -s + s² - 0.3 s³ has no other zero
        assert found == math.inf
    else:
        assert found == pytest.approx(exact, rel=0.1)
        assert loss.count <= 6


def test_far_guesses_take_more_losses():
    loss = Counted(lambda s: (1 - s) ** 2)
    assert critical_step(loss, 1e-5, -2.0) == pytest.approx(2, rel=0.1)
    assert critical_step(loss, 1e6, -2.0) == pytest.approx(2, rel=0.1)
    assert loss.count < 50


@pytest.mark.parametrize(
    ("loss", "guess", "slope", "expected"),
    [
        (lambda s: -s, 0.1, -1.0, math.inf),  # falls for ever
        (lambda s: 1.0, 0.1, -1e-9, math.nan),  # a plateau: no step lowers it
        (lambda s: 1.0 + s, 0.1, -1e-9, math.nan),  # every step raises it
        (lambda s: math.nan, 0.1, -1.0, math.nan),
        (lambda s: (1 - s) ** 2, 0.0, -2.0, math.nan),
        (lambda s: (1 - s) ** 2, math.inf, -2.0, math.nan),
        (lambda s: 1.0 + s**2, 0.1, 0.0, math.nan),  # at a minimum
    ],
)
def test_where_there_is_none(loss, guess, slope, expected):
    np.testing.assert_equal(critical_step(loss, guess, slope), expected)


def test_a_loss_that_breaks_has_risen():
    found = critical_step(lambda s: (1 - s / 10) ** 2 if s < 3 else math.inf, 1.0, -0.2)
    assert found == pytest.approx(3, rel=0.1)

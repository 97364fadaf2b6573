from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.diagnose.critical import critical_step


@pytest.mark.parametrize("wrong", [1, 1e-4, 1e5])
def test_on_a_quadratic_it_is_two_over_the_curvature_along_the_gradient(wrong):
    curvature = np.diag([3.0, 1.0, 0.2])
    w = np.array([1.0, -2.0, 5.0])
    slope = curvature @ w
    exact = 2 * slope @ slope / (slope @ curvature @ slope)

    def loss(step):
        at = w - step * slope
        return float(at @ curvature @ at) / 2

    assert critical_step(loss, wrong * exact) == pytest.approx(exact, rel=1e-3)


def test_the_first_of_several():
    # Falls, rises above the start at 1, falls below it between 2 and 3, rises for good.
    def loss(step):
        return step * (step - 1) * (step - 2) * (step - 3) * -1 + 10

    def other(step):
        return -loss(step)

    assert critical_step(other, 1.3) == pytest.approx(1, rel=1e-3)


def test_a_loss_that_stays_lower_has_none():
    assert critical_step(lambda step: math.exp(-step), 1.0) == math.inf


def test_a_loss_that_does_not_fall_by_more_than_rounding_tells_nothing():
    assert math.isnan(critical_step(lambda step: 2.3 - 1e-8 * step * (2 - step), 1.0))
    assert math.isnan(critical_step(lambda step: 2.3 + step, 1.0))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_losses_that_are_not_finite_are_higher(value):
    assert critical_step(lambda step: 1 - step if step < 0.7 else value, 1.0) == pytest.approx(
        0.7, rel=1e-3
    )


def test_at_a_loss_that_is_not_finite_there_is_none():
    assert math.isnan(critical_step(lambda step: math.nan, 1.0))

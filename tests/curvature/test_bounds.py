"""Bounds of stability, against what torch.optim.SGD does on a quadratic."""

from __future__ import annotations

import math

import pytest
import torch

from landscape.curvature.bounds import bounds
from landscape.errors import LandscapeError

RATE = 0.1


def grows(curvature: float, **settings: float) -> bool:
    """Whether steps on curvature w^2 / 2 grow."""
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=RATE, **settings)
    for _ in range(600):
        optimizer.zero_grad()
        (curvature * weight.square() / 2).sum().backward()
        optimizer.step()
    return not abs(float(weight.detach())) < 1


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 2.0])
def test_full_batch_steps_grow_above_the_bound_alone(momentum, nesterov, weight_decay):
    settings = {
        "momentum": momentum,
        "nesterov": nesterov and momentum > 0,
        "weight_decay": weight_decay,
    }
    edge = bounds(RATE, **settings).full_batch
    assert not grows(0.99 * edge, **settings)
    assert grows(1.01 * edge, **settings)


def test_values():
    found = bounds(0.1, momentum=0.9)
    assert (found.descent, found.full_batch, found.noisy) == pytest.approx((20, 38, 2))
    assert bounds(0.1, momentum=0.9, nesterov=True).full_batch == pytest.approx(3.8 / 0.28)


@pytest.mark.parametrize(
    ("sharpness", "error", "place"),
    [
        (1.9, 0, "below"),
        (1.9, 0.04, "below"),
        (1.9, 0.06, "between"),
        (20, 0, "between"),
        (39, 0.4, "above"),
        (39, 0.6, "between"),
        (math.nan, 0, "unknown"),
    ],
)
def test_a_sharpness_is_placed_with_its_error(sharpness, error, place):
    assert bounds(0.1, momentum=0.9).place(sharpness, error) == place


@pytest.mark.parametrize(
    ("rate", "momentum", "message"),
    [
        (0.0, 0.0, "bounds need a learning rate above 0, got 0.0"),
        (math.nan, 0.0, "bounds need a learning rate above 0, got nan"),
        (0.1, 1.0, "bounds need a momentum of at least 0 and below 1, got 1.0"),
    ],
)
def test_settings_that_have_none(rate, momentum, message):
    with pytest.raises(LandscapeError) as caught:
        bounds(rate, momentum=momentum)
    assert str(caught.value) == message

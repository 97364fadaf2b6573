from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.diagnose.connectivity import connectivity, curves
from landscape.diagnose.thresholds import Thresholds
from landscape.problem import Problem, half_square


class Ring(nn.Module):
    """Its weights lie in a ring-shaped valley: the loss is ½(‖w‖² − 1)²."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, inputs):
        return (self.w.square().sum() - 1) * inputs


@pytest.fixture(scope="module")
def ring():
    inputs = torch.ones(8, 1)
    return Problem(Ring(), (inputs, torch.zeros(8, 1)), loss=half_square)


NETWORKS = np.array([[1.0, 0.0], [0.0, 1.0], [np.cos(0.02), np.sin(0.02)]]) * np.sqrt(1.1)


def test_curves_take_the_place_of_high_lines_alone(ring):
    limits = Thresholds(barrier_ratio=1.0)
    lines = connectivity.between(ring, NETWORKS, thresholds=limits).line
    assert curves.high(lines, limits) == [(0, 1), (1, 2)]
    done = []
    found = curves.curves_between(
        ring, NETWORKS, lines, thresholds=limits, listener=lambda *at: done.append(at)
    )
    assert found.trained == 2
    assert done == [(1, 2), (2, 2)]
    assert found.notes == ()
    # The line's middle has ‖w‖² = 0.55, off the ring by 0.45: ½·0.45² over the ends' ½·0.1².
    assert lines.loss[0, 1] == pytest.approx((0.45**2 - 0.1**2) / 2, rel=1e-3)
    assert found.loss[0, 1] < 0.1 * lines.loss[0, 1]
    assert found.loss[0, 1] == found.loss[1, 0]
    assert found.loss[0, 2] == lines.loss[0, 2]


def test_nothing_is_trained_between_connected_floors(ring):
    limits = Thresholds(barrier_ratio=1e6)
    lines = connectivity.between(ring, NETWORKS, thresholds=limits).line
    found = curves.curves_between(ring, NETWORKS, lines, thresholds=limits)
    assert found.trained == 0
    np.testing.assert_array_equal(found.ratio, lines.ratio)

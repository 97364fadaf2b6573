from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape import plane
from landscape.problem import Problem
from landscape.scan import grid
from landscape.scan.findings import barrier, summed_up
from landscape.store.scans.records import Plane, Scan


def line(x, losses, *, kind="line", label="random direction", **more) -> Scan:
    where = Plane(
        kind,
        np.zeros(100, np.float32),
        np.full((1, 100), 0.5, np.float32),
        (label,),
        "filter-normalized units",
    )
    measures = {"train_loss": np.asarray(losses, float), "train_accuracy": np.full(len(x), 0.5)}
    measured = np.ones(len(x), bool)
    return Scan(where, np.asarray(x, float), np.empty(0), measures, measured, **more)


def between(x, losses, ends=(0.0, 1.0)) -> Scan:
    return line(x, losses, label="a → b", settings={"between": list(ends)})


def test_no_barrier_on_a_convex_line():
    x = np.linspace(-0.2, 1.2, 141)
    found = barrier(between(x, 1 + (x - 0.3) ** 2))
    assert found["train_nats"] == pytest.approx(0, abs=1e-12)


def test_barrier_of_a_double_well():
    x = np.linspace(-2, 2, 401)
    found = barrier(between(x, (x**2 - 1) ** 2, (-1, 1)))
    assert found["train_nats"] == pytest.approx(1, abs=1e-9)
    assert found["train_at"] == pytest.approx(0.5)
    assert found["train_error_points"] == 0
    assert found["train_ratio"] is None  # the larger end's loss is 0


def test_barrier_beside_ends_of_unequal_height():
    x = np.linspace(0, 1, 101)
    found = barrier(between(x, 1 + x + np.sin(np.pi * x)))
    assert found["train_nats"] == pytest.approx(1)
    assert found["train_ratio"] == pytest.approx(0.5)


def test_no_barrier_without_its_ends_on_the_grid():
    x = np.linspace(0.005, 1.005, 101)
    scan = summed_up(between(x, x))
    assert "barrier" not in scan.findings
    assert scan.remarks == ("Barrier: undetermined, the two weights aren't both grid points.",)


class Wells(nn.Module):
    """(x_0^2 - 1)^2 and 2,000 quadratic coordinates."""

    def __init__(self):
        super().__init__()
        self.x = nn.Parameter(torch.zeros(1, 2001))

    def forward(self, inputs):
        x = self.x[0]
        loss = (x[0] ** 2 - 1) ** 2 + (x[1:] ** 2).sum() / 2
        return loss.expand(len(inputs), 1)


def test_a_barrier_hides_between_noisy_iterates_and_shows_between_floors(planted):
    inputs = torch.zeros(4, 1)
    made = Problem(Wells(), (inputs, inputs), loss=lambda outputs, _: outputs[:, 0])
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 2001))
    weights = np.zeros((4, 2001))
    weights[:2, 0] = weights[2:, 0] = -1, 1
    weights[:2, 1:] = noise[:, 1:]
    trajectory = planted(made, weights).trajectory
    heights = []
    for ends in ((0, 1), (2, 3)):
        where = plane.line_through(trajectory, *ends)
        distance = where.points[1].xy[0]
        scan = grid(made, where, size=41, extent=f"0:{distance!r}")
        heights.append(barrier(scan)["train_nats"])
    assert heights[0] == pytest.approx(0, abs=1e-6)
    assert heights[1] == pytest.approx(1, abs=1e-4)

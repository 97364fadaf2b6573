from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape import plane
from landscape.problem import Problem
from landscape.scan import grid
from landscape.scan.findings import barrier, radius, summed_up, width
from landscape.store.scans.records import Plane, Scan, Spread


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


X = np.linspace(-1, 1, 201)


def test_width_of_a_parabola():
    found = width(line(X, 3 + 2.5 * X**2))
    assert found.radii == pytest.approx([0.2, 0.2], abs=1e-3)
    assert found.quantile(0.5) == pytest.approx(0.2, abs=1e-3)
    assert found.distances == pytest.approx([1.0, 1.0], abs=5e-3)  # 1 is 5 in weight space
    record = found.record()
    assert (record["rays"], record["planes"], record["beyond"]) == (2, 1, 0)
    assert record["unit"] == "filter-normalized units"


def test_width_over_several_directions():
    curvatures = np.array([1.0, 2, 4, 8, 16])
    losses = curvatures[:, None] * X**2
    spread = Spread(
        np.arange(5), {"train_loss": losses}, np.ones((5, 201), bool), np.full((5, 1), 5.0)
    )
    found = width(line(X, losses[0], spread=spread))
    radii = np.sqrt(0.1 / curvatures)
    assert sorted(found.radii) == pytest.approx(sorted(np.repeat(radii, 2)), abs=1e-3)
    assert found.quantile(0.5) == pytest.approx(radii[2], abs=1e-3)
    assert found.quantile(0.25) == pytest.approx(radii[3], abs=1e-3)
    assert found.planes == 5


def test_what_never_rises_lies_beyond_the_grid():
    flat = line(X, np.where(X < 0, X**2, 0))
    found = summed_up(flat)
    assert found.findings["width"]["upper"] is None
    assert found.findings["width"]["beyond"] == 1
    assert found.findings["width"]["median"] == pytest.approx(np.sqrt(0.1), abs=1e-3)
    assert any("beyond 1 filter-normalized units" in text for text in found.remarks)


def test_rays():
    ray = np.array([0.0, 1, 2, 3])
    assert radius(ray, np.array([0, 0, 0.2, 1])) == pytest.approx(1.5)
    assert radius(ray, np.array([0, 0.1, 0, 0])) == 1
    assert radius(ray, np.zeros(4)) == np.inf
    assert radius(ray, np.array([0, 0, np.nan, 0])) == 2
    assert radius(ray, np.array([0, 0, np.inf, 0])) == 2
    assert radius(ray, np.array([np.nan, 0, 0, 0])) is None


BETWEEN = line(X, X**2, label="best → final", settings={"between": [0.0, 1.0]})
THROUGH_TWO = replace(BETWEEN, plane=replace(BETWEEN.plane, normalization="none"))


@pytest.mark.parametrize(
    "scan",
    [
        line(X + 0.001, X**2),  # the origin is between two points
        line(X, np.where(X == 0, np.nan, 1)),
        THROUGH_TWO,
        replace(line(X, X**2), measured=X < 0.5),
    ],
)
def test_an_undetermined_width(scan):
    assert width(scan) is None


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

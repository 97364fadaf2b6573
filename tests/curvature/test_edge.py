"""The edge of stability (Cohen et al., 2021): full-batch descent ends at sharpness 2 / eta."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature import along_run, sharpness
from landscape.curvature.bounds import bounds
from landscape.curvature.hessian import Hessian
from landscape.problem import Problem, half_square
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import steps

RATE = 0.1


def made(seed: int) -> Problem:
    """A tanh network 5-40-40-1 on 200 Gaussian inputs, y = sin 3 x_0 + x_1 x_2."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(200, 5, generator=generator)
    targets = (3 * inputs[:, 0]).sin() + inputs[:, 1] * inputs[:, 2]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Linear(5, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1)
        )
    return Problem(model, (inputs, targets[:, None]), loss=half_square)


def descended(
    problem: Problem, *, count: int = 4000, first: int = 2000, every: int = 200
) -> np.ndarray:
    """Weights of some steps of full-batch descent (n, P)."""
    settings = Settings(lr=RATE, batch_size=200, steps=count)
    return np.stack(
        [
            step.weights.numpy().copy()
            for number, step in enumerate(steps(problem, settings))
            if number >= first and number % every == 0
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_sharpness_hovers_at_the_bound(recorded, seed):
    problem = made(seed)
    path = descended(problem)
    trajectory = recorded(problem, path)
    rows = range(len(path))
    found = along_run.measure_curvature(problem, trajectory, rows, count=1, products=60, probes=0)
    assert np.median(found.eigenvalues[:, 0]) * RATE == pytest.approx(2, abs=0.05)
    hessian = Hessian(problem, dtype=torch.float64)
    hessian.move(path[-1])
    exact = np.linalg.eigvalsh(np.stack([hessian @ row for row in np.eye(hessian.size)]))
    assert found.eigenvalues[-1, 0] == pytest.approx(exact[-1], rel=1e-3)
    assert found.critical_step[-1] == pytest.approx(RATE, rel=0.5)
    # Of the full batch, batch sharpness is the curvature along the gradient, up to the bound too.
    batch = sharpness.measure(problem, trajectory, rows, batch_size=200)
    assert np.median(batch.value) < 1.05 * bounds(RATE).full_batch


def test_sharpness_rises_from_far_below(recorded):
    problem = made(0)
    path = descended(problem, count=181, first=0, every=60)
    trajectory = recorded(problem, path)
    found = along_run.measure_curvature(
        problem, trajectory, range(4), count=1, products=60, probes=0
    )
    sharpest = found.eigenvalues[:, 0]
    edge = bounds(RATE).descent
    assert sharpest[0] < 0.2 * edge
    assert 0.9 * edge < sharpest.max() < 1.2 * edge
    assert np.isnan(found.trace).all()

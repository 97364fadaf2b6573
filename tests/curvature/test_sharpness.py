"""Batch sharpness, against dense Hessians of every batch."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.curvature import sharpness
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.problem import Problem, flat, half_square

DECAY = 0.3


def quartic(outputs, targets):
    return ((outputs - targets) ** 8).mean(1)


def made(*, model: nn.Module | None = None, samples: int = 7) -> Problem:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = model or nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    inputs = torch.randn(samples, 3, generator=generator, dtype=torch.float64)
    return Problem(network.double(), (inputs, torch.randint(2, (samples,), generator=generator)))


def every(problem: Problem, size: int, decay: float) -> tuple[float, float]:
    """Sharpness and noise from all batches there are, each with its dense Hessian."""
    inputs, targets = problem.train
    weights = flat(problem.model).numpy().astype(np.float32)  # as a trajectory holds them
    curved, slopes = [], []
    for batch in map(list, combinations(range(len(inputs)), size)):
        hessian = Hessian(Problem(problem.model, (inputs[batch], targets[batch])))
        hessian.move(weights)
        matrix = np.stack([hessian @ row for row in np.eye(hessian.size)])
        slope = hessian.gradient()[1] + decay * weights
        curved.append(slope @ matrix @ slope)
        slopes.append(slope)
    squares = [slope @ slope for slope in slopes]
    mean = np.mean(slopes, 0)
    return np.mean(curved) / np.mean(squares), 1 - mean @ mean / np.mean(squares)


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.0, DECAY])
@pytest.mark.parametrize("size", [1, 3])
def test_against_every_batch_there_is(recorded, size, decay):
    problem = made()
    trajectory = recorded(problem, [flat(problem.model)])
    found = sharpness.measure(
        problem, trajectory, [0], batch_size=size, batches=400, weight_decay=decay
    )
    exact, noise = every(problem, size, decay)
    assert 0 < found.error[0] < 0.2 * exact
    assert found.value[0] == pytest.approx(exact, abs=4 * found.error[0])
    assert found.noise[0] == pytest.approx(noise, abs=0.1)
    assert (found.batch_size, found.batches) == (size, 400)


def test_the_error_is_the_one_it_says(recorded):
    problem = made()
    trajectory = recorded(problem, [flat(problem.model)])
    found = [
        sharpness.measure(problem, trajectory, [0], batch_size=2, batches=25, seed=seed)
        for seed in range(25)
    ]
    spread = np.std([one.value[0] for one in found], ddof=1)
    assert np.mean([one.error[0] for one in found]) == pytest.approx(spread, rel=0.4)


@pytest.mark.parametrize("size", [7, 100])
def test_of_the_full_batch(recorded, size):
    problem = made()
    found = sharpness.measure(
        problem, recorded(problem, [flat(problem.model)]), [0], batch_size=size
    )
    exact, _ = every(problem, 7, 0.0)
    assert found.value[0] == pytest.approx(exact, rel=1e-9)
    assert (found.error[0], found.noise[0], found.batch_size, found.batches) == (0, 0, 7, 1)


def test_where_every_gradient_is_zero_there_is_none(recorded):
    problem = Problem(
        nn.Linear(3, 1).double(), (torch.zeros(5, 3).double(), torch.zeros(5, 1)), loss=half_square
    )
    found = sharpness.measure(problem, recorded(problem, [np.zeros(4)]), [0], batch_size=2)
    assert math.isnan(found.value[0])
    assert math.isnan(found.error[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("at", [1e30, math.inf, math.nan])
def test_where_a_run_has_diverged_there_is_none(recorded, at):
    problem = Problem(
        nn.Linear(3, 1).double(), (torch.ones(5, 3).double(), torch.zeros(5, 1)), loss=quartic
    )
    found = sharpness.measure(problem, recorded(problem, [np.full(4, at)]), [0], batch_size=2)
    assert np.isnan([found.value[0], found.error[0], found.noise[0]]).all()


def test_batchnorm_normalizes_by_the_batch(recorded):
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 2))
    problem = made(model=model)
    trajectory = recorded(problem, [flat(problem.model)])
    found = sharpness.measure(problem, trajectory, [0], batch_size=7)
    # The same written out, with the mean and variance over all samples inside of the graph.
    inputs, targets = problem.train
    names = [name for name, _ in problem.model.named_parameters()]
    shapes = [p.shape for p in problem.model.parameters()]

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes])
        state = dict(
            zip(names, (p.view(s) for p, s in zip(parts, shapes, strict=True)), strict=True)
        )
        hidden = inputs @ state["0.weight"].T
        normal = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt()
        normal = normal * state["1.weight"] + state["1.bias"]
        outputs = normal @ state["2.weight"].T + state["2.bias"]
        return functional.cross_entropy(outputs, targets)

    vector = torch.from_numpy(trajectory.row_weights(0)).double()
    slope = torch.func.grad(loss)(vector)
    matrix = torch.func.hessian(loss)(vector)
    assert found.value[0] == pytest.approx(
        float(slope @ matrix @ slope / (slope @ slope)), rel=1e-9
    )


def test_no_batches_are_refused(recorded):
    problem = made()
    with pytest.raises(LandscapeError) as caught:
        sharpness.measure(problem, recorded(problem, [flat(problem.model)]), batch_size=0)
    assert str(caught.value) == "batches and their size must be at least 1, got 64 of 0"

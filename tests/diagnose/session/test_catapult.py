"""The catapult of two-layer linear networks (Lewkowycz et al., 2020): known steps, known edges."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature import MEMORY, along_run
from landscape.curvature.bounds import bounds
from landscape.curvature.hessian import Hessian
from landscape.curvature.jump import jump, stretch, subspace
from landscape.curvature.krylov import top
from landscape.diagnose.session import movement
from landscape.problem import Problem, flat, half_square
from landscape.sgd import endings, escapes
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import steps


class Linear(nn.Module):
    """f(x) = v . u x / sqrt(n), with Gaussian u and v: lambda is |u|^2 / n + |v|^2 / n."""

    def __init__(self, width: int, seed: int):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.u = nn.Parameter(torch.randn(width, generator=generator, dtype=torch.float64))
        self.v = nn.Parameter(torch.randn(width, generator=generator, dtype=torch.float64))

    def forward(self, inputs):
        return inputs * (self.u @ self.v) / len(self.u) ** 0.5


def made(width: int, seed: int) -> Problem:
    """One sample, x = 1 and y = 0."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return Problem(Linear(width, seed), (one, 0 * one), loss=half_square)


def state(weights: np.ndarray) -> tuple[float, float]:
    """Output f and the tangent kernel lambda."""
    u, v = np.split(weights, 2)
    return float(u @ v) / len(u) ** 0.5, float(u @ u + v @ v) / len(u)


def descended(problem: Problem, rate: float, count: int) -> np.ndarray:
    """Weights of every step (T + 1, P) of full-batch descent."""
    settings = Settings(lr=rate, batch_size=1, steps=count)
    return np.stack([step.weights.numpy().copy() for step in steps(problem, settings)])


@pytest.mark.parametrize("factor", [1.0, 2.5, 3.5])
def test_steps_obey_the_closed_form(factor):
    problem = made(100, 0)
    _, start = state(flat(problem.model).numpy())
    rate = factor / start
    path = [state(weights) for weights in descended(problem, rate, 60)]
    for (f, kernel), (after_f, after_kernel) in pairwise(path):
        factor_f = 1 - rate * kernel + rate**2 * f**2 / 100
        assert after_f == pytest.approx(f * factor_f, rel=1e-10, abs=1e-10)
        moved = rate * f**2 / 100 * (rate * kernel - 4)
        assert after_kernel == pytest.approx(kernel + moved, rel=1e-10)


def test_it_leaves_along_the_top_eigenvector_and_lands_where_it_is_flatter(recorded):
    problem = made(400, 1)
    start = flat(problem.model).numpy()
    rate = 3.0 / state(start)[1]
    path = descended(problem, rate, 200)
    losses = np.array([state(weights)[0] ** 2 / 2 for weights in path])
    peak = int(losses.argmax())
    assert losses[peak] > 20 * losses[0]
    assert losses[-1] < 1e-6
    # Rows: before the jump, while the loss grows on the way up, and where it landed.
    trajectory = recorded(problem, [path[0], path[3], path[-1]], losses[[0, 3, -1]])
    found = along_run.measure_curvature(
        problem, trajectory, [0, 2], count=1, products=30, samples=None
    )
    limit = bounds(rate)
    assert found.eigenvalues[0, 0] > limit.descent > found.eigenvalues[1, 0]
    # At the minimum f = 0 the only eigenvalue that isn't zero is the kernel.
    assert found.eigenvalues[1, 0] == pytest.approx(state(path[-1])[1], rel=1e-5)
    leap = jump(problem, trajectory, 0, 1, count=1)
    assert leap.along_top > 0.99
    assert leap.chance == pytest.approx(1 / 800)
    assert jump(problem, trajectory, 0, 2, count=1).after < limit.descent


@pytest.mark.parametrize("every", [1, 25])
def test_the_part_looks_from_before_the_spike_to_its_peak(recorded, every, monkeypatch):
    problem = made(200, 1)
    rate = 3.0 / state(flat(problem.model).numpy())[1]
    path = descended(problem, rate, 200)[::every]
    losses = np.array([state(weights)[0] ** 2 / 2 for weights in path])
    trajectory = recorded(problem, path, losses)
    # The fixture's rows are ten steps apart; these are as many as they were trained.
    trajectory = replace(trajectory, step=every * np.arange(len(path)))
    none = {"batch_loss": np.empty(0)}
    monkeypatch.setattr(type(trajectory), "scalars", lambda self: none)
    step = trajectory.step
    first = int(np.argmax(losses > losses[0])) if every == 1 else 1
    end = first + int(np.argmax(losses[first:] < losses[0]))
    limits = escapes.RiseLevels(losses[0], losses[0])
    excursion = escapes.Excursion(first, end, first, limits, losses[0])
    rules = escapes.EventRules(spike_rows=10)
    ending = endings.of(losses, losses[0], 0.0, rules.ending)
    course = escapes.Course(step, losses, losses[0], 0 * losses, 0, (excursion,), ending, rules)
    context = SimpleNamespace(
        course=course,
        subject=SimpleNamespace(problem=problem, trajectory=trajectory),
        memory=MEMORY,
    )
    found = movement.measure_jump(context, lambda share: None)
    assert found.after < 0.9 * found.before
    if every == 1:
        assert found.peak == int(losses.argmax())
        assert found.along_top > 0.5
        # By the time it is back the move along the top eigenvector has cancelled.
        back = jump(problem, trajectory, found.first, found.last, count=1, peak=None)
        whole = trajectory.row_weights(found.last).astype(float)
        whole -= trajectory.row_weights(found.first)
        top_vector = subspace(problem, trajectory, found.first, count=1).vectors[0]
        assert (top_vector @ whole) ** 2 / (whole @ whole) < 0.5
        assert back.last == found.last
    else:
        assert np.isnan(found.along_top)


def test_rows_of_the_flight_recorder_bring_the_start_nearer(recorded, monkeypatch):
    problem = made(10, 0)
    start = flat(problem.model).numpy()
    losses = [1.0, np.nan, np.nan, np.nan, 2.0, 0.5]
    trajectory = recorded(problem, [start] * 6, losses)
    trajectory = replace(trajectory, step=np.array([0, 30, 40, 45, 100, 200]))
    batch = np.ones(200)
    batch[[30, 40, 45]] = 2.0, 3.0, 9.0
    monkeypatch.setattr(type(trajectory), "scalars", lambda self: {"batch_loss": batch})
    assert stretch(trajectory, 0, 200) == (1, 3, 5)
    # Nothing lies within twenty steps before this peak.
    batch[45] = 1.5
    batch[40] = 1.5
    batch[30] = 9.0
    assert stretch(trajectory, 0, 200) == (0, 1, 5)


def test_curvature_of_the_whole_path_is_the_closed_form():
    # H has on the diagonal blocks f' f'^T / n and couples u with v by f / sqrt(n).
    problem = made(30, 2)
    hessian = Hessian(problem, dtype=torch.float64)
    f, kernel = state(flat(problem.model).numpy())
    # In the plane of (v, u) and (u, v) it is 2 by 2; everywhere else +-f / sqrt(n).
    u, v = np.split(flat(problem.model).numpy(), 2)
    first = np.concatenate([v, u]) / 30**0.5
    second = np.concatenate([u, v]) / 30**0.5
    cross = f / 30**0.5
    both = np.linalg.qr(np.stack([first, second]).T)[0]
    swap = np.roll(np.eye(60), 30, axis=0)
    small = both.T @ (np.outer(first, first) + cross * swap) @ both
    exact = np.linalg.eigvalsh(small)[-1]
    assert top(hessian, 1).values[0] == pytest.approx(exact, rel=1e-9)
    assert kernel == pytest.approx(first @ first)


def edge(factor: float, seed: int, width: int = 1000) -> bool:
    """Whether descent at eta = factor / lambda_0 diverges."""
    problem = made(width, seed)
    _, start = state(flat(problem.model).numpy())
    settings = Settings(lr=factor / start, batch_size=1, steps=400)
    with np.errstate(over="ignore"):
        for step in steps(problem, settings):
            output, _ = state(step.weights.numpy())
            if not abs(output) < 1e6:
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_it_diverges_above_four_over_the_kernel_alone(seed):
    assert not edge(3.9, seed)
    assert edge(4.1, seed)

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.diagnose.motion import replica_spread
from landscape.problem import Problem

ROWS, SIZE, COUNT = 33, 600, 4


@pytest.fixture
def problem():
    data = torch.zeros(4, SIZE), torch.zeros(4, dtype=torch.int64)
    return Problem(nn.Linear(SIZE, 1, bias=False), data)


def drift(rng):
    """The same way every time, with a little of its own."""
    return np.arange(ROWS)[:, None] * np.ones(SIZE) + 0.01 * rng.standard_normal((ROWS, SIZE))


def walk(rng):
    return np.cumsum(rng.standard_normal((ROWS, SIZE)), 0)


def confined(rng):
    return rng.standard_normal((ROWS, SIZE))


@pytest.mark.parametrize(
    ("motion", "ratio", "cosine"),
    [(drift, 0.0, 1.0), (walk, 1.0, 0.0), (confined, 0.5, -0.5)],
)
def test_ratio_and_cosine_of_planted_motions(recorded, problem, motion, ratio, cosine):
    paths = []
    for seed in range(COUNT):
        path = motion(np.random.default_rng(seed))
        path[0] = 0 if motion is not confined else np.random.default_rng(99).standard_normal(SIZE)
        paths.append(path)
    runs = [recorded(problem, path) for path in paths]
    found = replica_spread.spread_of(runs, paths[0][0].astype(np.float32).astype(float))
    assert found.count == COUNT
    assert found.ratio == pytest.approx(ratio, abs=0.08)
    assert found.half_cosine == pytest.approx(cosine, abs=0.05)
    assert found.ratio_error < 0.08
    assert found.steps == 10 * (ROWS - 1) - 10 * (ROWS - 1) // 16
    # These have no sketches.
    assert math.isnan(found.lag_ratio)
    assert math.isnan(found.dimension)


def test_ratio_is_the_mean_over_pairs(recorded, problem):
    rng = np.random.default_rng(5)
    start = rng.standard_normal(SIZE)
    ends = start + rng.standard_normal((3, SIZE)) * [[1.0], [2.0], [0.5]]
    runs = [
        recorded(problem, np.linspace(start, end, ROWS).astype(np.float32).astype(float))
        for end in ends
    ]
    found = replica_spread.spread_of(runs, start)
    pairs = [np.sum((ends[i] - ends[j]) ** 2) for i, j in ((0, 1), (0, 2), (1, 2))]
    expected = np.mean(pairs) / (2 * np.mean(np.sum((ends - start) ** 2, 1)))
    assert found.ratio == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_how_each_moves_is_read_off_its_sketches(every_step):
    trajectory = every_step.trajectory
    found = replica_spread.spread_of([trajectory, trajectory], trajectory.row_weights(0))
    assert found.ratio == pytest.approx(0, abs=1e-6)
    w = np.stack([trajectory.row_weights(row) for row in range(40, 640)]).astype(float)
    half, eighth = (((w[lag:] - w[:-lag]) ** 2).sum(1).mean() for lag in (300, 75))
    # A sketch of 256 numbers is off by 4.4 % in each distance.
    assert found.lag_ratio == pytest.approx(half / eighth, rel=0.1)
    moves = w[75::25] - w[:-75:25]
    gram = moves @ moves.T
    apart = np.abs(np.subtract.outer(np.arange(len(moves)), np.arange(len(moves)))) >= 3
    dimension = np.diag(gram).mean() ** 2 / (gram[apart] ** 2).mean()
    assert found.dimension == pytest.approx(dimension, rel=0.25)

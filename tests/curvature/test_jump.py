"""The sharpest directions and how a move lay to them, against dense Hessians."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.curvature.jump import jump, subspace
from landscape.problem import flat


def test_subspace(run, dense):
    problem, trajectory = run
    pairs = subspace(problem, trajectory, 1, count=3)
    values, vectors = np.linalg.eigh(dense(problem, trajectory.row_weights(1)))
    np.testing.assert_allclose(pairs.values, values[:-4:-1], rtol=1e-3)
    assert pairs.vectors.shape == (3, 75)
    np.testing.assert_allclose(np.abs(pairs.vectors @ vectors[:, :-4:-1]), np.eye(3), atol=0.02)


def test_a_jump_along_the_top_eigenvector(recorded, tanh, dense):
    problem = tanh
    start = flat(problem.model).numpy()
    values, vectors = np.linalg.eigh(dense(problem, start))
    move = 3 * vectors[:, -1] + 4 * vectors[:, 0]
    trajectory = recorded(problem, [start, start + move, start])
    found = jump(problem, trajectory, 0, 1, count=2)
    assert (found.first, found.last, found.count) == (0, 10, 2)
    assert found.before == pytest.approx(values[-1], rel=1e-3)
    after = np.linalg.eigvalsh(dense(problem, trajectory.row_weights(1)))[-1]
    assert found.after == pytest.approx(after, rel=1e-3)
    assert found.along_top == pytest.approx(9 / 25, abs=0.01)
    assert found.along_subspace == pytest.approx(9 / 25, abs=0.01)
    assert found.chance == pytest.approx(2 / 75)
    assert math.isnan(jump(problem, trajectory, 0, 2, count=2).along_top)

"""Movement inside and outside of the sharpest directions, against a dense Hessian."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.jump import subspace
from landscape.diagnose.motion import diffusion, distances
from landscape.problem import Problem, half_square

SIZE, ROWS, SHARP = 40, 257, 3


def test_shares_of_a_movement_with_known_directions(recorded):
    generator = np.random.default_rng(0)
    # Linear regression: H = XᵀX/n, whose eigenvectors are known without a product.
    basis = np.linalg.qr(generator.standard_normal((SIZE, SIZE)))[0]
    curvatures = np.concatenate([[40.0, 30.0, 20.0], np.full(SIZE - SHARP, 0.1)])
    inputs = math.sqrt(SIZE) * np.sqrt(curvatures)[:, None] * basis.T
    np.testing.assert_allclose(inputs.T @ inputs / SIZE, (basis * curvatures) @ basis.T, atol=1e-9)
    data = torch.from_numpy(inputs), torch.zeros(SIZE, 1, dtype=torch.float64)
    problem = Problem(nn.Linear(SIZE, 1, bias=False).double(), data, loss=half_square)

    held = 3 * generator.standard_normal((ROWS, SHARP))
    free = np.cumsum(generator.standard_normal((ROWS, SIZE - SHARP)), 0) / 10
    w = np.concatenate([held, free], axis=1) @ basis.T
    trajectory = recorded(problem, w)

    pairs = subspace(problem, trajectory, 0, count=SHARP, samples=None)
    np.testing.assert_allclose(pairs.values, curvatures[:SHARP], rtol=1e-3)
    parts = diffusion.measure(distances.measure(trajectory, subspace=pairs.vectors)).parts

    def msd(positions: np.ndarray, lag: int) -> float:
        return float(((positions[lag:] - positions[:-lag]) ** 2).sum(1).mean())

    whole = msd(w, 128)
    for name, alone in (("subspace", held), ("bulk", free)):
        assert parts[name].share == pytest.approx(msd(alone, 128) / whole, rel=1e-3)
        assert parts[name].ratio == pytest.approx(msd(alone, 128) / msd(alone, 32), rel=1e-3)
        a, b = alone[128] - alone[0], alone[256] - alone[128]
        cosine = a @ b / math.sqrt((a @ a) * (b @ b))
        assert parts[name].half_cosine == pytest.approx(cosine, abs=2e-3)
    assert (parts["subspace"].dimensions, parts["bulk"].dimensions) == (SHARP, 0)

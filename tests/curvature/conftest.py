from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.hessian import Hessian
from landscape.problem import Problem, flat
from landscape.store.trajectories.trajectory import Trajectory


class Planted:
    """A symmetric matrix with given eigenvalues that counts its products."""

    def __init__(self, values: Any, seed: int = 0) -> None:
        draw = np.random.default_rng(seed).standard_normal((len(values), len(values)))
        vectors = np.linalg.qr(draw)[0]
        self.matrix = vectors @ np.diag(values) @ vectors.T
        self.size = len(values)
        self.products = 0

    def __matmul__(self, vector: np.ndarray) -> np.ndarray:
        self.products += 1
        return self.matrix @ vector


@pytest.fixture
def matrix_of() -> type[Planted]:
    return Planted


@pytest.fixture
def tanh() -> Problem:
    """A network of 75 weights in float64, and 60 samples of three classes."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3)).double()
    inputs = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    return Problem(model, (inputs, torch.randint(3, (60,), generator=generator)))


@pytest.fixture
def dense() -> Callable[..., np.ndarray]:
    """The whole Hessian at some weights, over all samples or those with given indices."""

    def build(problem: Problem, weights: Any, indices: Any = None) -> np.ndarray:
        hessian = Hessian(problem, dtype=torch.float64)
        hessian.move(weights)
        if indices is not None:
            hessian.select(indices)
        return np.stack([hessian @ row for row in np.eye(hessian.size)])

    return build


@pytest.fixture
def run(recorded: Callable[..., Trajectory], tanh: Problem) -> tuple[Problem, Trajectory]:
    """A problem and two rows of weights."""
    start = flat(tanh.model).numpy().astype(np.float32)
    later = start + np.random.default_rng(0).standard_normal(len(start)).astype(np.float32) / 3
    return tanh, recorded(tanh, [start, later])

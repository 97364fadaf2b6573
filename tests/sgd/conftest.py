from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.problem import Problem


@pytest.fixture
def mlp() -> Callable[..., nn.Module]:
    """Make a network of 4 inputs, 3 classes and 43 weights, the same one every time."""

    def make(*between: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 5), *(between or [nn.Tanh()]), nn.Linear(5, 3))
        return model.to(dtype)

    return make


@pytest.fixture
def problem(mlp) -> Callable[..., Problem]:
    """Make a problem of 50 training samples and 20 validation samples, no two alike."""

    def make(model: nn.Module | None = None, **fields: Any) -> Problem:
        model = mlp() if model is None else model
        dtype = next(model.parameters()).dtype
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(70, 4, generator=generator, dtype=torch.float64).to(dtype)
        targets = torch.randint(3, (70,), generator=generator)
        data = {"train": (inputs[:50], targets[:50]), "validation": (inputs[50:], targets[50:])}
        return Problem(model, **(data | fields))

    return make


class Spy:
    """An augmentation that changes nothing and remembers the batches it saw."""

    def __init__(self) -> None:
        self.batches: list[Tensor] = []
        self.generators: list[torch.Generator] = []

    def __call__(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        self.batches.append(inputs.clone())
        self.generators.append(generator)
        return inputs

    def indices(self, problem: Problem) -> list[list[int]]:
        """Tell which training samples each batch held: no two samples are alike."""
        inputs, _ = problem.train
        return [
            [int((inputs == sample).all(1).nonzero()) for sample in batch] for batch in self.batches
        ]


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def trajectory_of() -> Callable[..., np.ndarray]:
    """Collect the weights (T + 1, P) of every step, in the model's own precision."""

    def collect(steps: Any) -> np.ndarray:
        return np.stack([step.weights.numpy().copy() for step in steps])

    return collect

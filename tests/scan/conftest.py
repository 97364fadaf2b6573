from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem import Problem
from landscape.problem.weights import tied
from landscape.scan.job import Job
from landscape.sgd import Options, Recorder, Settings, Step, steps
from landscape.store import Run
from landscape.store.scans import scanfile
from landscape.store.scans.records import Scan


def dense() -> nn.Module:
    """A network of 4 inputs, 3 classes and 43 weights."""
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


def normalized() -> nn.Module:
    """The same with BatchNorm and dropout: 53 weights."""
    return nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.4), nn.Linear(5, 3)
    )


MODELS: dict[str, Callable[[], nn.Module]] = {"dense": dense, "normalized": normalized}


@pytest.fixture
def problem() -> Callable[..., Problem]:
    """Make a problem, the same one every time; 20 of its samples are for validation."""

    def make(model: str | nn.Module = "dense", samples: int = 50, **fields: Any) -> Problem:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = model if isinstance(model, nn.Module) else MODELS[model]()
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(samples + 20, 4, generator=generator)
        targets = torch.randint(3, (samples + 20,), generator=generator)
        train, validation = (inputs[20:], targets[20:]), (inputs[:20], targets[:20])
        return Problem(network, **({"train": train, "validation": validation} | fields))

    return make


class Oracle:
    """Losses in float64, of a model built on its own and loaded by its state dict."""

    def __init__(self, model: str = "dense") -> None:
        self.model = MODELS[model]().double().eval()

    def put(self, weights: np.ndarray, buffers: Mapping[str, np.ndarray]) -> None:
        state = {name: torch.from_numpy(np.asarray(value)) for name, value in buffers.items()}
        offset = 0
        for name, parameter in self.model.named_parameters():
            part = np.asarray(weights[offset : offset + parameter.numel()], np.float64)
            state[name] = torch.from_numpy(part).reshape(parameter.shape)
            offset += parameter.numel()
        assert offset == len(weights)
        self.model.load_state_dict(state)

    def recompute(self, inputs: Tensor) -> None:
        """Take BatchNorm's statistics from all inputs at once, as in training."""
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.train()
                module.momentum = 1.0
        with torch.no_grad():
            self.model(inputs.double())
        self.model.eval()

    def measure(self, data: tuple[Tensor, Tensor]) -> tuple[float, float]:
        inputs, targets = data
        with torch.no_grad():
            outputs = self.model(inputs.double())
        hits = (outputs.argmax(1) == targets).double().mean()
        return float(functional.cross_entropy(outputs, targets)), float(hits)


@pytest.fixture
def oracle() -> type[Oracle]:
    return Oracle


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Run]:
    """Train a problem for some steps and return the run."""
    numbers = count()

    def make(
        problem: Problem,
        *,
        count: int = 30,
        record: str = "3",
        options: Options | None = None,
        **values: Any,
    ) -> Run:
        settings = Settings(**{"lr": 0.3, "batch_size": 10, "steps": count, **values})
        folder = tmp_path / f"run-{next(numbers)}"
        with Recorder(folder, problem, settings, record=record, options=options) as recorder:
            for step in steps(problem, settings):
                recorder.record(step)
        return recorder.run

    return make


@pytest.fixture
def planted(tmp_path: Path) -> Callable[..., Run]:
    """Record given weights (T, P) of a problem, as if a training had passed through them."""
    numbers = count()

    def make(
        problem: Problem, weights: np.ndarray, *, record: str = "1", options: Options | None = None
    ) -> Run:
        copy = tied(problem.model, layout=problem.layout)
        folder = tmp_path / f"planted-{next(numbers)}"
        with Recorder(folder, problem, record=record, options=options) as recorder:
            for step, row in enumerate(weights):
                copy.move(np.asarray(row, np.float32))
                recorder.record(Step(step, copy.model, copy.vector, None))
        return recorder.run

    return make


@pytest.fixture
def finish() -> Callable[[Job], Scan]:
    """Run a job to its end and read its file."""

    def run(job: Job) -> Scan:
        for _ in job.run():
            pass
        return scanfile.load(job.path)

    return run

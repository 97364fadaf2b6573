from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import landscape as ls
from landscape.door.runs import HeldRun


@pytest.fixture
def blobs() -> ls.Problem:
    """A network of 4 inputs, 3 classes and 43 weights, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(70, 4, generator=generator)
    targets = torch.randint(3, (70,), generator=generator)
    return ls.Problem(model, (inputs[20:], targets[20:]), (inputs[:20], targets[:20]))


@pytest.fixture(scope="module")
def moons(tmp_path_factory: pytest.TempPathFactory) -> HeldRun:
    """A short run on moons; nothing of it was scanned."""
    problem = ls.Problem.builtin("mlp", "moons", width=8)
    return ls.train(problem, lr=0.3, epochs=2, to=tmp_path_factory.mktemp("runs") / "moons")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A current folder of the test's own."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)

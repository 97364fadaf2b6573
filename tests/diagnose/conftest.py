from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.diagnose.subject import Subject
from landscape.problem import Layout, Problem, builtin
from landscape.problem.weights import buffers
from landscape.sgd import Recorder, Settings, steps
from landscape.store import Run, read
from landscape.store.shards import Writer
from landscape.store.trajectory import CADENCE, MEASURES, Trajectory


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Trajectory]:
    """Write a trajectory of a problem's model with given weights (T, P) and losses."""
    numbers = count()

    def make(problem: Problem, weights: Any, losses: Any = None) -> Trajectory:
        losses = np.arange(len(weights), 0, -1) if losses is None else losses
        folder = tmp_path / f"recorded-{next(numbers)}"
        (folder / "shards").mkdir(parents=True)
        writer = Writer(folder, Layout.of(problem.model).to_records())
        for row, vector in enumerate(weights):
            writer.add_row(
                10 * row,
                CADENCE,
                np.asarray(vector, np.float32),
                buffers(problem.model),
                dict.fromkeys(MEASURES, np.nan) | {"train_loss": float(losses[row])},
            )
        writer.flush()
        return Trajectory.open(folder / "trajectory.h5")

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Run, Problem]]:
    """Train a small network once for each set of settings; tests must copy what they change."""
    made: dict[str, tuple[Run, Problem]] = {}

    def train(depth: int = 1, width: int = 8, **values: Any) -> tuple[Run, Problem]:
        key = f"{depth} {width} {values}"
        if key not in made:
            settings = Settings(**values)
            problem = builtin(
                model="mlp", data="moons", depth=depth, width=width, seed=settings.seed
            )
            with Recorder(tmp_path_factory.mktemp("trained") / "run", problem, settings) as run:
                for step in steps(problem, settings):
                    run.record(step)
            made[key] = run.run, problem
        return made[key]

    return train


@pytest.fixture
def escaped(trained: Any, tmp_path: Path) -> tuple[Run, Problem]:
    """A run that learned, left and stayed away: most of its last hidden layer died. A copy."""
    run, problem = trained(depth=2, lr=1.0, momentum=0.9, epochs=12, seed=2)
    return read(shutil.copytree(run.folder, tmp_path / "escaped")), problem


@pytest.fixture
def learned(trained: Any, tmp_path: Path) -> tuple[Run, Problem]:
    """A run that learns well, without momentum. A copy."""
    run, problem = trained(lr=0.3, epochs=24)
    return read(shutil.copytree(run.folder, tmp_path / "learned")), problem


@pytest.fixture(scope="session")
def every_step(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A run whose weights and sketches were recorded at every step."""
    settings = Settings(lr=0.3, steps=640)
    problem = builtin(model="mlp", data="moons", depth=1, width=32)
    folder = tmp_path_factory.mktemp("every-step") / "run"
    with Recorder(folder, problem, settings, record="1") as run:
        for step in steps(problem, settings):
            run.record(step)
    return Subject(run.run, problem)

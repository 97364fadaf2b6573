from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landscape.diagnose.trainings.subject import Subject
from landscape.problem import Problem, builtin
from landscape.sgd import Recorder, Settings, steps
from landscape.store import Run, read


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

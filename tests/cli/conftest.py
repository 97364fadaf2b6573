from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from landscape_cli.main import app


class Result(NamedTuple):
    code: int
    out: str
    err: str


Landscape = Callable[..., Result]


@pytest.fixture(scope="session")
def landscape() -> Landscape:
    """Call the command in this process: ``landscape("train", "--lr", "0.1")``."""

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture(scope="session")
def trained(landscape: Landscape, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of a small network; tests must not change it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = landscape("train", *SMALL, "-o", folder)
    assert result.code == 0, result.err
    return folder


SMALL = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 2, "--lr", 0.3)

MEASURE = ("scan", "--no-figures")
"""Scan where figures don't matter: drawing a small scan takes ten times as long as measuring it."""

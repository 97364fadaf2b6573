from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from landscape_cli.main import app

Command = Callable[..., str]
MOONS = ("--model", "mlp", "--data", "moons", "--width", 8, "--batch-size", 16)
SMALL = ("--size", "9")


@pytest.fixture(scope="session")
def command() -> Command:
    """Call the command in this process; return what it prints."""

    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, [*map(str, arguments), "-q"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.stderr
        return str(result.stdout)

    return call


@pytest.fixture(scope="session")
def runs(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a small network: one that escapes, one that learns and drifts, one that diverges.

    The escaped one is scanned and diagnosed, with trainings, the drifting one diagnosed without,
    of the diverged one only the losses are known. Their folders' names are hostile.
    """
    folder = tmp_path_factory.mktemp("runs")
    escaped, drifting, diverged = (folder / name for name in NAMES)
    command("train", *MOONS, "--lr", 0.5, "--momentum", 0.9, "--epochs", 12, "-o", escaped)
    command("scan", escaped, "--plane", "valley", *SMALL)
    command("scan", escaped, "--plane", "event", *SMALL)
    command("diagnose", escaped, "--epochs", 1, "--orders", 2)
    command("train", *MOONS, "--lr", 0.1, "--epochs", 12, "-o", drifting)
    command("diagnose", drifting, "--no-intervene")
    command("train", *MOONS, "--lr", 3000, "--epochs", 2, "-o", diverged)
    return folder


NAMES = ("<script>alert(1)<", '"><img src=x onerror=alert(1)>', "diverged & 'gone'")
"""A folder's name holds no slash: it can't end an element, but it can begin one."""


@pytest.fixture(scope="session")
def sweep(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rates and two seeds, diagnosed."""
    folder = tmp_path_factory.mktemp("sweeps") / "<b>rates"
    command("train", *MOONS, "--lr", "0.1,0.5", "--seeds", 2, "--epochs", 3, "-o", folder)
    command("diagnose", folder)
    return folder

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from landscape.plane.choice import PlaneChoice
from landscape.report import run_page
from landscape.scan.prepare import prepare
from landscape.scan.request import GridChoice, Request
from landscape.sgd import problem_of
from landscape.store import read
from landscape_cli.main import app

Command = Callable[..., str]
MOONS = ("--model", "mlp", "--data", "moons", "--width", 8, "--batch-size", 16)


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

    The escaped one is scanned and diagnosed, with trainings; of the drifting one only units were
    looked at, of the diverged one nothing. Their folders' names are hostile.
    """
    folder = tmp_path_factory.mktemp("runs")
    escaped, drifting, diverged = (folder / name for name in NAMES)
    command("train", *MOONS, "--lr", 0.5, "--momentum", 0.9, "--epochs", 12, "-o", escaped)
    scan(escaped, "valley", "event")
    command("diagnose", escaped, "--epochs", 1, "--orders", 1)
    command("train", *MOONS, "--lr", 0.1, "--epochs", 12, "-o", drifting)
    command("diagnose", drifting, "--only", "units")
    command("train", *MOONS, "--lr", 1e12, "--epochs", 2, "-o", diverged)
    return folder


def scan(folder: Path, *kinds: str) -> None:
    """Scan a few points of these planes, without the figures that the command draws."""
    run = read(folder)
    request = Request(PlaneChoice(kinds=kinds), GridChoice("7"))
    for job in prepare(run, problem_of(run), request):
        for _ in job.run():
            pass


@pytest.fixture(scope="session")
def pages(runs: Path) -> dict[str, str]:
    """The runs' pages, by the names of their folders."""
    return {name: run_page.page(runs / name) for name in NAMES}


NAMES = ("<script>alert(1)<", '"><img src=x onerror=alert(1)>', "diverged & 'gone'")
"""A folder's name holds no slash: it can't end an element, but it can begin one."""


@pytest.fixture(scope="session")
def sweep(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rates and two seeds, diagnosed."""
    folder = tmp_path_factory.mktemp("sweeps") / "<b>rates"
    command("train", *MOONS, "--lr", "0.1,0.5", "--seeds", 2, "--epochs", 3, "-o", folder)
    command("diagnose", folder)
    return folder

"""A few of the trials of `disturbances`, which do many by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .cli.mounts import refusal
from .disturbances import FAULTS, MOUNTED, Done, wrong_end

ROOT = Path(__file__).parents[1]


def trials(count: int, *names: str) -> str:
    """What so many trials of each of some commands and faults print."""
    command = [sys.executable, "tests/disturbances.py", str(count), "0", "1000", *names]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_each_fault_once_and_some_more_kills() -> None:
    faults = [one for one in FAULTS if one not in MOUNTED or not refusal()]
    named = [f"train:{one}" for one in faults if one != "worker"]
    names = [*named, "scan:kill", "scan:ctrl-c", "scan --workers 2:kill", "scan --workers 2:worker"]
    said = trials(1, *names)
    assert "wrong" not in said
    assert len(said.splitlines()) == len(names)


@pytest.mark.parametrize(
    ("done", "fault", "wrong"),
    [
        (Done(0, "", ""), "kill", ""),
        (Done(-9, "", ""), "kill", ""),
        (Done(-9, "", ""), "full", "exit code -9, "),
        (Done(1, "", "landscape: error: a\n"), "full", ""),
        (Done(1, "", "landscape: error: a\nlandscape: error: b\n"), "full", "exit code 1, "),
        (Done(1, "", ""), "full", "exit code 1, "),
        (Done(130, "", "landscape: interrupted; what was recorded is saved\n"), "ctrl-c", ""),
        (Done(130, "", ""), "ctrl-c", "no word of it: "),
        (Done(130, "", "landscape: interrupted\nTraceback"), "ctrl-c", "a traceback: "),
        (Done(1, "", "landscape: error: unforeseen x\n"), "full", "a traceback: "),
        (Done(1, "", "OpenBLAS error: Memory allocation still failed\n"), "memory", ""),
        (Done(1, "", "OpenBLAS error: Memory allocation still failed\n"), "full", "exit code 1, "),
    ],
)
def test_how_a_command_may_end(done: Done, fault: str, wrong: str) -> None:
    found = wrong_end(done, fault)
    assert found.startswith(wrong)
    assert bool(found) == bool(wrong)

"""What is said where memory runs out, whoever notices it first."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys

import pytest

from landscape_cli import faults

REMEDY = "; give less to do at a time, or free some"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 8.00 EiB"),
        RuntimeError("can't start new thread"),
        ImportError("_core.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_memory_in_other_words(error):
    said = f"{type(error).__name__}: {error}"
    assert faults.told(error) == f"memory ran out ({said}){REMEDY}"


def test_no_memory_for_the_log_either(monkeypatch):
    def none_left(error: Exception) -> str:
        raise MemoryError

    monkeypatch.setattr(faults, "_write", none_left)
    assert faults.told(KeyError("x")) == f"memory ran out (KeyError: 'x'){REMEDY}"


ENOUGH_FOR_NUMPY = 3 * 10**8
"""Bytes; a library of torch's alone is larger."""


def test_a_command_that_gets_no_memory_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "landscape_cli", "train", "-o", str(tmp_path / "new"), "-q"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ENOUGH_FOR_NUMPY,) * 2),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("landscape: error: memory ran out (ImportError: ")
    assert done.stderr.endswith(f"{REMEDY}\n")
    assert done.stderr.count("\n") == 1

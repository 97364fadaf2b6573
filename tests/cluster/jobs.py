"""Tasks that worker processes can import."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path

from landscape import cluster
from landscape.errors import LandscapeError


def square(number: int) -> int:
    return number * number


def awkward(number: int) -> int:
    """Fail in three ways, and work for other numbers."""
    if number == 1:
        raise LandscapeError("number must not be 1, got 1")
    if number == 2:
        return 1 // 0
    if number == 3 and os.environ.get("MAY_DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def unpicklable(number: int) -> object:
    return lambda: number


def too_large_to_send(_: int) -> bytes:
    """A result that fits once, and not again as it is sent."""
    result = bytes(2**27)
    there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (there + 2**26, there + 2**26))
    return result


def process(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def imported(module: str) -> bool:
    return module in sys.modules


def talk(number: int) -> bool:
    for done in range(3):
        cluster.report([number, done])
        time.sleep(0.05)
    return cluster.reporting()


def patient(file: str) -> None:
    """Work until told to stop; then say so in a file."""
    try:
        # Within: it may be told to stop as soon as it is seen to have started.
        Path(file).with_suffix(".started").touch()
        while True:
            cluster.report(0)  # so often that it is what sees first that nobody is there any more
    except KeyboardInterrupt:
        Path(file).write_text("put away")
        raise


def patient_then_square(task: tuple[str, int]) -> int:
    """Work until told to stop, or square a number where there is no file."""
    file, number = task
    if file:
        patient(file)
    else:
        time.sleep(1)
    return number * number

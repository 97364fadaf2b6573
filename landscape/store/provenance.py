"""Who made a file: command, versions, time."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import landscape

LIBRARIES = ("torch", "numpy", "h5py", "matplotlib", "pyvista")


_added: ContextVar[tuple[str, Sequence[str]]] = ContextVar("_added", default=("", ()))


def command() -> str:
    """The command line, as it could be typed again; what a file of settings added is in it."""
    words = sys.argv[1:]
    subcommand, added = _added.get()
    if added and subcommand in words:
        at = words.index(subcommand) + 1
        words = [*words[:at], *added, *words[at:]]
    return shlex.join([Path(sys.argv[0]).name, *words])


@contextmanager
def completed(subcommand: str, added: Sequence[str]) -> Iterator[None]:
    """Within it, `command` has options that weren't typed, behind the subcommand's name."""
    token = _added.set((subcommand, added))
    try:
        yield
    finally:
        _added.reset(token)


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries that results depend on."""
    found = {"landscape": landscape.__version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in LIBRARIES}

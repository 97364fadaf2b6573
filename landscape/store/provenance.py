"""Who made a file: command, versions, time."""

from __future__ import annotations

import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import landscape

LIBRARIES = ("torch", "numpy", "h5py", "matplotlib", "pyvista")


def command() -> str:
    """The command line, as it could be typed again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries that results depend on."""
    found = {"landscape": landscape.__version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in LIBRARIES}

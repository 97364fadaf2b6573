"""Small file systems of their own, in a mount namespace that ends with its process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f'"{sys.executable}" -c "from landscape_cli.main import app; app()"'
"""``landscape`` in a script."""


def script(place: Path, lines: str, *, size: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script with a tmpfs of ``size`` at ``place``; ``$LANDSCAPE`` is the command."""
    reason = refusal()
    if reason:
        pytest.skip(reason)
    place.mkdir()
    # Nobody outside sees the mount, and nothing must be taken down.
    begin = f"set -e; mount -t tmpfs -o size={size} tmpfs '{place}'; set +e; cd '{place}'\n"
    lines = lines.replace("$LANDSCAPE", COMMAND)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", begin + lines], capture_output=True, text=True
    )


def refusal() -> str:
    """Why no file system can be mounted here; empty if one can."""
    if shutil.which("unshare") is None:
        return "no unshare here to mount a small disk with"
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"],
        capture_output=True,
        text=True,
    )
    return f"no mount namespace here: {tried.stderr.strip()}" if tried.returncode else ""

"""Progress of a scan on the disk: one process at a time, now and then, complete each time."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from landscape.errors import LandscapeError
from landscape.store import lock
from landscape.store.files import remove_unfinished
from landscape.store.scans import scanfile, valleyfile
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley

SAVE_SECONDS = 10.0
TIMES = 20
"""Saving takes at most a twentieth of the time."""

FileState = tuple[int, int] | None
"""A file's time and size; None where there is none."""


def state(path: Path) -> FileState:
    """What tells a file from the same file written since."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


class Saver:
    """Has the scan file to itself, and saves when it is time to: ``with Saver(...) as saver``.

    Every ``seconds`` or 20 times as long as the last save took, whichever is longer; with 0 each
    time it is asked. The lock dies with its process.
    """

    def __init__(self, path: Path, seconds: float, seen: FileState) -> None:
        """``seen`` is the file's `state` when the scan was made ready."""
        self.path, self._seconds, self._seen = path, seconds, seen
        self.written = False

    def __enter__(self) -> Saver:
        """Lock the file.

        Raises:
            LandscapeError: another process has it, or has written it since it was read.
        """
        self._lock = lock.hold(
            self.path.with_name(f".{self.path.name}.lock"),
            f"a scan must be made by one process at a time, another one is at work on {self.path}",
        )
        if state(self.path) != self._seen:
            lock.release(self._lock)
            raise LandscapeError(
                f"{self.path} must stay as it was read, another process has written it since; "
                "go on with --resume"
            )
        remove_unfinished(self.path)
        self._saved, self._took = time.monotonic(), 0.0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let others have it."""
        lock.release(self._lock)

    def offer(self, scan: Scan | Valley) -> None:
        """Save if it is time to."""
        due = max(self._seconds, TIMES * self._took) if self._seconds else 0.0
        if time.monotonic() - self._saved >= due:
            self.save(scan)

    def save(self, scan: Scan | Valley) -> None:
        """Save now.

        Raises:
            LandscapeError: the disk is full or the folder can't be written; what was there stays.
        """
        started = time.monotonic()
        if isinstance(scan, Valley):
            valleyfile.save(self.path, scan)
        else:
            scanfile.save(self.path, scan)
        self.written = True
        self._saved = time.monotonic()
        self._took = self._saved - started

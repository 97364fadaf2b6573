"""One process at a time writes a run or a scan; the lock dies with its owner."""

from __future__ import annotations

import errno
import warnings
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from landscape.errors import LandscapeError

NAME = ".lock"
PATIENCE = 0.2
"""Seconds to wait for a lock: who only looks whether there is one, has it for a moment (`held`)."""
WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)
"""What a file system says that has no locks, as some network file systems."""


def acquire(folder: Path) -> BaseFileLock:
    """Lock a run's folder for this process.

    Raises:
        LandscapeError: another process has it, or the folder can't be written.
    """
    return hold(
        folder / NAME,
        f"a run must be trained by one process at a time, another one is at work on {folder}",
    )


def hold(file: Path, taken: str) -> BaseFileLock:
    """Lock by a file of that name for this process; ``taken`` says what it means if one can't.

    Raises:
        LandscapeError: another process has it, or its folder can't be written.
    """
    try:
        return _locked(file)
    except Timeout as error:
        raise LandscapeError(f"{taken}; wait for it, or end it first") from error
    except OSError as error:
        raise LandscapeError(f"{file.parent} must be writable, got: {error.strerror}") from error


def _locked(file: Path) -> BaseFileLock:
    """A lock by the file system or, where it has none, by a file that names its process.

    Raises:
        Timeout: another process has it.
        OSError: the file can't be made.
    """
    lock: BaseFileLock = FileLock(file, timeout=PATIENCE)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        warnings.warn(
            f"the file system of {file.parent} has no locks ({error.strerror}): a file that names "
            "this process stands in, which other machines can't check",
            stacklevel=2,
        )
        if file.stat().st_size == 0:  # what the attempt made; one that is held names its process
            file.unlink()
        lock = SoftFileLock(file, timeout=0)
        lock.acquire()
    return lock


def release(lock: BaseFileLock) -> None:
    """Let others have it, and leave nothing behind."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def held(folder: Path) -> bool:
    """Whether a process is at work on a run's folder."""
    if not (folder / NAME).exists():
        return False
    try:
        lock = _locked(folder / NAME)
    except Timeout:
        return True
    lock.release()
    return False

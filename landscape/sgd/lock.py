"""One process at a time writes a run or a scan; the lock dies with its owner."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from landscape.errors import LandscapeError

NAME = ".lock"


def acquire(folder: Path) -> FileLock:
    """Lock a run's folder for this process.

    Raises:
        LandscapeError: another process has it, or the folder can't be written.
    """
    return hold(
        folder / NAME,
        f"a run must be trained by one process at a time, another one is at work on {folder}",
    )


def hold(file: Path, taken: str) -> FileLock:
    """Lock by a file of that name for this process; ``taken`` says what it means if one can't.

    Raises:
        LandscapeError: another process has it, or its folder can't be written.
    """
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise LandscapeError(f"{taken}; wait for it, or end it first") from error
    except OSError as error:
        raise LandscapeError(f"{file.parent} must be writable, got: {error.strerror}") from error
    return lock


def release(lock: FileLock) -> None:
    """Let others have it, and leave nothing behind."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def held(folder: Path) -> bool:
    """Whether a process is at work on a run's folder."""
    if not (folder / NAME).exists():
        return False
    lock = FileLock(folder / NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False

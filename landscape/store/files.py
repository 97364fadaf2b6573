"""Files written complete and renamed: there in full or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from landscape.errors import LandscapeError


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, as far as they aren't there.

    Raises:
        LandscapeError: a file is in its place, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandscapeError(
            f"{folder} must be a folder that can be written to, got: {error.strerror}"
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; an existing file at
            ``path`` is left as it was.
    """
    temporary = unfinished(path)
    try:
        with temporary.open("xb") as stream:  # not through a link that lies there
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise LandscapeError(
            f"{path} must be writable, got: {error.strerror}; "
            f"{'it is as it was before' if path.exists() else 'nothing was written'}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def unfinished(path: Path, ending: str = "") -> Path:
    """Under which name this process writes a file before it is renamed to ``path``.

    What this process or one that has ended left there is removed.

    Args:
        path: what the file will be called.
        ending: what the temporary name has to end with, for programs that go by that.
    """
    for process, left in _unfinished(path):
        if process == os.getpid() or not runs(process):
            _remove(left)
    return path.with_name(f".{path.name}.{os.getpid()}{ending}")


def remove_unfinished(path: Path) -> None:
    """Remove what kills left of ``path``, on any machine; for whoever alone writes it."""
    for _, left in _unfinished(path):
        _remove(left)


def runs(process: int) -> bool:
    """Whether a process of that number is at work on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def _unfinished(path: Path) -> Iterator[tuple[int, Path]]:
    """Files under the names that processes write ``path`` under, with the process's number."""
    start = f".{path.name}."
    with suppress(OSError), os.scandir(path.parent) as entries:  # where there is nothing to read
        for name in [entry.name for entry in entries if entry.name.startswith(start)]:
            number = name.removeprefix(start).partition(".")[0]
            if number.isdecimal():
                yield int(number), path.with_name(name)


def _remove(left: Path) -> None:
    with suppress(OSError):  # somebody else's, or gone by now
        left.unlink()

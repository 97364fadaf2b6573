"""Names that files and options give to files and folders, and which kinds of file are opened.

Whoever makes a path of such a name has it checked here first: a folder may come from anybody, and a
name such as ``../other`` would lead out of it.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from landscape.errors import LandscapeError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SHARD = re.compile(r"shards/[0-9]+\.h5", re.ASCII)
KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What is never opened, whatever it is called."""


def plain(name: object, *, what: str, place: Path | None = None, remedy: str) -> str:
    """The name, if it is one component of a path that stays where it is put.

    Args:
        name: as it was read or typed.
        what: whose name it is: ``a run's name``.
        place: the file that it stands in; None for an option.
        remedy: what to do where it isn't.

    Raises:
        LandscapeError: it is no text or empty, holds a slash or a control character, or begins
            with a dot (as ``..`` does).
    """
    if (
        not isinstance(name, str)
        or not name
        or "/" in name
        or name.startswith(".")
        or CONTROL.search(name)
    ):
        raise LandscapeError(
            f"{what}{'' if place is None else f' in {place}'} must be one plain name, without "
            f"slashes, control characters or a dot at its start, got {name!r}; {remedy}"
        )
    return name


def shard(name: object, index: Path) -> str:
    """The path of a shard from the run's folder, if it is one that a recording writes.

    Raises:
        LandscapeError: it isn't ``shards/NUMBER.h5``.
    """
    if not isinstance(name, str) or not SHARD.fullmatch(name):
        raise LandscapeError(
            f"{index} must list its shards as shards/NUMBER.h5, got {name!r}; "
            "put it back from a copy"
        )
    return name


def relative(place: object, *, what: str, file: Path, remedy: str) -> str:
    """A path from one run's folder to another's, which may well lie elsewhere; it is only read.

    Raises:
        LandscapeError: it is no text, empty, absolute, or holds a control character.
    """
    is_text = isinstance(place, str) and place and not CONTROL.search(place)
    if not isinstance(place, str) or not is_text or place.startswith("/"):
        raise LandscapeError(
            f"{what} in {file} must be a relative path without control characters, got {place!r}; "
            f"{remedy}"
        )
    return place


def check_regular(path: Path) -> os.stat_result:
    """Refuse what one could wait for without end, or that does something when it is read.

    Raises:
        LandscapeError: a FIFO, a socket or a device is there.
        OSError: nothing is there.
    """
    status = path.stat()
    found = KINDS.get(stat.S_IFMT(status.st_mode))
    if found is not None:
        raise LandscapeError(f"{path} must be a regular file, got {found}; put a copy of one there")
    return status


def read_text(path: Path) -> str:
    """A file's text, UTF-8.

    Raises:
        LandscapeError: as for `check_regular`.
        OSError: it can't be read.
        ValueError: it isn't UTF-8.
    """
    check_regular(path)
    return path.read_text(encoding="utf-8")

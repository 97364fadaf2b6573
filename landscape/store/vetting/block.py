"""The 512 bytes before an HDF5 file, which HDF5 skips: the checksum of everything after them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

BLOCK = 512
"""Bytes of the user block."""
MARK = b"landscape sha256 "
NONSENSE = "nonsense"
PIECE = 2**20
SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""What an HDF5 file without a user block begins with."""


def block(checksum: str) -> bytes:
    """The block that promises a checksum."""
    return (MARK + checksum.encode("latin-1") + b"\n").ljust(BLOCK, b"\0")


def stamped(content: bytes) -> bytes:
    """A file's bytes with the block that promises their checksum before them."""
    return block(hashlib.sha256(content).hexdigest()) + content


def digest(path: Path) -> str:
    """The checksum of a file as it is now: SHA-256 of what comes after the block."""
    with path.open("rb") as stream:
        stream.seek(BLOCK)
        return _digest(stream)


def promised(path: Path) -> str:
    """The checksum that stands in a file; empty in one without, `NONSENSE` in a damaged one."""
    with path.open("rb") as stream:
        return _promised(stream.read(BLOCK))


def is_whole(path: Path) -> bool | None:
    """Whether a file has the checksum that it promises; None where it promises none.

    Read in one go: another process may put a new file in its place meanwhile.
    """
    with path.open("rb") as stream:
        found = _promised(stream.read(BLOCK))
        return None if found in ("", NONSENSE) else _digest(stream) == found


def _digest(stream: IO[bytes]) -> str:
    found = hashlib.sha256()
    while piece := stream.read(PIECE):
        found.update(piece)
    return found.hexdigest()


def _promised(first: bytes) -> str:
    if first.startswith(SIGNATURE):
        return ""
    found = first[len(MARK) :][:64].decode("latin-1")
    return found if first == block(found) else NONSENSE

"""The 512 bytes before an HDF5 file, which HDF5 skips: the checksum of everything after them."""

from __future__ import annotations

import hashlib
from pathlib import Path

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
        found = hashlib.sha256()
        while piece := stream.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def promised(path: Path) -> str:
    """The checksum that stands in a file; empty in one without, `NONSENSE` in a damaged one."""
    with path.open("rb") as stream:
        first = stream.read(BLOCK)
    if first.startswith(SIGNATURE):
        return ""
    found = first[len(MARK) :][:64].decode("latin-1")
    return found if first == block(found) else NONSENSE

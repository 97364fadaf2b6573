"""HDF5 files written complete and renamed, and read with errors a user can act on."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from landscape.errors import LandscapeError

CACHE_BYTES = 2**18
"""HDF5 keeps this much of every data set read, of every shard; its default is 32 times as much."""


def write(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write an HDF5 file that is there in full or not at all.

    The memory it takes is the file's size.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; an existing file at
            ``path`` is left as it was.
    """
    write_bytes(path, image(path.name, fill))


def image(name: str, fill: Callable[[h5py.File], None]) -> bytes:
    """An HDF5 file's bytes, built in memory: h5py aborts the process at exit after a full disk."""
    with h5py.File(name, "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it.

    Raises:
        LandscapeError: as for `write`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
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


def remove_unfinished(path: Path) -> None:
    """Remove what kills left of `write_bytes`; for whoever alone writes ``path``."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if left.suffix[1:].isdigit():
            left.unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Any HDF5 file, open for reading.

    Raises:
        LandscapeError: it isn't there or isn't HDF5.
    """
    if not path.is_file():
        raise LandscapeError(f"file {path} must exist, found none")
    try:
        file = h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES)
    except OSError as error:
        raise LandscapeError(
            f"{path} must be an HDF5 file, got one that can't be read as such: {error}"
        ) from error
    with file:
        yield file


@contextmanager
def reading(path: Path, format_name: str, version: int) -> Iterator[h5py.File]:
    """An HDF5 file of ours, open for reading.

    Raises:
        LandscapeError: it isn't there, isn't HDF5, or has another format or a newer version.
    """
    with opened(path) as file:
        found = file.attrs.get("format")
        if found != format_name:
            raise LandscapeError(f"{path} must be of format {format_name}, got {found}")
        if file.attrs["version"] > version:
            raise LandscapeError(
                f"{path} must be of version {version} or older, got {file.attrs['version']}; "
                "install a newer landscape"
            )
        yield file

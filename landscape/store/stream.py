"""Large HDF5 files, written in bounded memory, complete or not at all, with their own checksum.

HDF5 never sees a write fail: after a full disk h5py would abort the process at its exit. Its
writes go through an object that remembers the failure, and what came of it is deleted.
"""

from __future__ import annotations

import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.files import unfinished
from landscape.store.vetting import gate
from landscape.store.vetting.block import BLOCK, block, digest

ROWS_PER_CHUNK_BYTES = 2**17


def write(path: Path, fill: Callable[[h5py.File], None]) -> tuple[int, str]:
    """Write an HDF5 file under a temporary name, rename it; its size and its checksum.

    The checksum is the SHA-256 of the bytes after the first 512, in hexadecimal digits; it stands
    in those 512 bytes too. Ctrl-C waits until the file is there.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; an existing file at
            ``path`` is left as it was.
    """
    temporary = unfinished(path)
    with uninterrupted():
        try:
            written = _write(temporary, fill)
            temporary.replace(path)
            gate.note(path)
        except OSError as error:
            raise LandscapeError(
                f"{path} must be writable, got: {error.strerror or error}; "
                f"{'it is as it was before' if path.exists() else 'nothing was written'}"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
    return written


def create(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """A dataset with checksums: reading a damaged part of it raises instead of lying."""
    return group.create_dataset(name, shape, dtype, chunks=_chunk(shape, dtype), fletcher32=True)


PIECE = 2**20
"""Numbers of a vector that are copied at a time."""


class InPieces(ABC):
    """A vector that is nowhere as a whole: `put` writes it piece by piece, NumPy takes a copy."""

    ndim = 1

    def __init__(self, size: int, dtype: Any) -> None:
        self.shape, self.dtype = (size,), np.dtype(dtype)

    @abstractmethod
    def pieces(self) -> Iterator[NDArray[Any]]:
        """Its numbers in order, some at a time."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The numbers, in memory of their own."""
        del copy
        return filled(self.pieces(), self.shape[0], self.dtype if dtype is None else dtype)


def filled(pieces: Iterable[NDArray[Any]], size: int, dtype: Any) -> NDArray[Any]:
    """The vector that the pieces make, in memory."""
    found, start = np.empty(size, dtype), 0
    for piece in pieces:
        found[start : start + len(piece)] = piece
        start += len(piece)
    return found


def put(into: h5py.Dataset, value: Any, place: int | None = None) -> None:
    """Write an array into a data set, or into its row ``place``."""
    if not isinstance(value, InPieces):
        into[... if place is None else place] = value
        return
    start = 0
    for piece in value.pieces():
        columns = slice(start, start + len(piece))
        into[columns if place is None else (place, columns)] = piece
        start += len(piece)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C inside takes effect afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    received: list[tuple[Any, ...]] = []
    previous = signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if previous is None else previous)
        if received and callable(previous):
            previous(*received[0])


def _write(path: Path, fill: Callable[[h5py.File], None]) -> tuple[int, str]:
    # Not through a link that lies there.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        target = _Target(descriptor)
        try:
            # From version 1.10 on, HDF5 keeps checksums of its own structures too.
            with h5py.File(target, "w", userblock_size=BLOCK, libver=("v110", "v110")) as file:
                fill(file)
        except Exception:
            if target.error is None:
                raise
        if target.error is not None:
            raise target.error
        found = digest(path)
        os.pwrite(descriptor, block(found), 0)
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size, found
    finally:
        os.close(descriptor)


def _chunk(shape: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    """About 128 kB: some whole rows, or an equal part of a long one."""
    rows, *inside = shape
    row = h5py.h5t.py_create(dtype).get_size()
    for length in inside:
        row *= length
    most = max(1, ROWS_PER_CHUNK_BYTES // max(1, row))
    if len(inside) == 1 and row > ROWS_PER_CHUNK_BYTES:
        parts = -(-row // ROWS_PER_CHUNK_BYTES)
        return 1, -(-inside[0] // parts)
    # Equal parts of all rows: HDF5 stores the last chunk in full, however little is in it.
    chunks = max(1, -(-rows // most))
    return max(1, -(-rows // chunks)), *inside


class _Target:
    """A file for HDF5 to write to that never fails; ``error`` is what went wrong."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.position = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = (0, self.position, os.fstat(self.descriptor).st_size)[whence]
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def write(self, content: Any) -> int:
        rest = memoryview(content).cast("B")
        length = len(rest)
        try:
            while len(rest) and self.error is None:
                written = os.pwrite(self.descriptor, rest, self.position)
                self.position += written
                rest = rest[written:]
        except OSError as error:
            self.error = error
        return length

    def readinto(self, into: Any) -> int:
        found = os.pread(self.descriptor, len(into), self.position)
        into[: len(found)] = found
        self.position += len(found)
        return len(found)

    def read(self, count: int = -1) -> bytes:
        found = os.pread(self.descriptor, count, self.position)
        self.position += len(found)
        return found

    def truncate(self, size: int | None = None) -> int:
        size = self.position if size is None else size
        try:
            os.ftruncate(self.descriptor, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def flush(self) -> None:
        pass

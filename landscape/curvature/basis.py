"""The orthonormal vectors that an iteration keeps: in memory, or on disk where they are large."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landscape import quantities
from landscape.errors import LandscapeError
from landscape.store.scans.records import Floats

MEMORY = 2**28
"""Bytes that an iteration's vectors take in memory at most, unless told otherwise."""
BLOCK = 2**16
"""So many columns of all vectors are looked at together."""
FULL = (errno.ENOSPC, errno.EDQUOT)


class KeptVectors(Protocol):
    """Rows of P numbers, orthonormal as far as whoever puts them there sees to it."""

    def __len__(self) -> int:
        """How many there is room for."""

    def put(self, number: int, vector: Floats) -> NDArray[Any]:
        """Keep a vector as this row, and return it as it is kept."""

    def outside(self, count: int, vector: Floats) -> Floats:
        """What of a vector, which may be overwritten, is orthogonal to the first ``count`` rows."""

    def combined(self, weights: Floats) -> NDArray[Any]:
        """The sums (k, P) of the first n rows by ``weights`` (k, n)."""

    def become(self, weights: Floats) -> None:
        """Put these sums in place of the first k rows."""


def basis(room: int, size: int, *, memory: int = MEMORY) -> KeptVectors:
    """Room for so many vectors of ``size`` numbers, in float64 if that takes at most ``memory``.

    Else they are in float32 in a file in the folder for temporary files, which is said. It has no
    name there, so that nothing is left of it however the process ends.

    Raises:
        LandscapeError: that folder has no room for them.

    >>> type(basis(20, 1000)).__name__
    'InMemory'
    """
    return InMemory(room, size) if 8 * room * size <= memory else OnDisk(room, size)


class InMemory:
    """In float64."""

    def __init__(self, room: int, size: int) -> None:
        self.rows = np.empty((room, size))  # touched row by row

    def __len__(self) -> int:
        """How many there is room for."""
        return len(self.rows)

    def put(self, number: int, vector: Floats) -> NDArray[Any]:
        """Keep a vector as this row."""
        row: NDArray[Any] = self.rows[number]
        row[:] = vector
        return row

    def outside(self, count: int, vector: Floats) -> Floats:
        """What of a vector is orthogonal to the first ``count`` rows."""
        known = self.rows[:count]
        for _ in range(2):  # once leaves rounding errors of the size of what was subtracted
            vector = vector - (known @ vector) @ known
        return vector

    def combined(self, weights: Floats) -> NDArray[Any]:
        """The sums (k, P) of the first n rows by ``weights`` (k, n)."""
        return np.asarray(weights @ self.rows[: weights.shape[1]])

    def become(self, weights: Floats) -> None:
        """Put these sums in place of the first k rows."""
        count, of = weights.shape
        for start in range(0, self.rows.shape[1], BLOCK):  # within the same memory
            columns = slice(start, start + BLOCK)
            self.rows[:count, columns] = weights @ self.rows[:of, columns]


class OnDisk:
    """In float32, in a file; a block of columns of it is in memory at a time."""

    def __init__(self, room: int, size: int) -> None:
        self._room, self._size = room, size
        self._folder = tempfile.gettempdir()
        takes = quantities.size(self._place(room, 0))
        if (free := shutil.disk_usage(self._folder).free) < self._place(room, 0):
            raise self._full(f"{quantities.size(free)} free")
        warnings.warn(
            f"{room} vectors of {size:,} weights, of which eigenvalues are made, take {takes} in a "
            f"temporary file in {self._folder}; TMPDIR names another folder",
            stacklevel=2,
        )
        self._file = tempfile.TemporaryFile(prefix="landscape-", buffering=0)  # noqa: SIM115, closed with this object

    def __len__(self) -> int:
        """How many there is room for."""
        return self._room

    def put(self, number: int, vector: Floats) -> NDArray[Any]:
        """Keep a vector as this row, rounded."""
        rounded = vector.astype(np.float32)
        self._write(number, 0, rounded)
        return rounded

    def outside(self, count: int, vector: Floats) -> Floats:
        """What of a vector is orthogonal to the first ``count`` rows."""
        along, left = np.zeros(count), np.zeros(count)
        for columns, rows in self._blocks(count):
            along += rows @ vector[columns]
        # What was subtracted leaves rounding errors of its size: once more, a reading less.
        for columns, rows in self._blocks(count):
            vector[columns] -= along @ rows
            left += rows @ vector[columns]
        for columns, rows in self._blocks(count):
            vector[columns] -= left @ rows
        return vector

    def combined(self, weights: Floats) -> NDArray[Any]:
        """The sums (k, P) of the first n rows by ``weights`` (k, n), in float32."""
        found = np.empty((len(weights), self._size), np.float32)
        for columns, rows in self._blocks(weights.shape[1]):
            found[:, columns] = weights @ rows
        return found

    def become(self, weights: Floats) -> None:
        """Put these sums in place of the first k rows."""
        for columns, rows in self._blocks(weights.shape[1]):
            for number, part in enumerate((weights @ rows).astype(np.float32)):
                self._write(number, columns.start, part)

    def _blocks(self, count: int) -> Iterator[tuple[slice, Floats]]:
        """Blocks of columns of the first rows, in float64."""
        for start in range(0, self._size, BLOCK):
            stop = min(start + BLOCK, self._size)
            rows = np.empty((count, stop - start), np.float32)
            for number, row in enumerate(rows):
                self._read(number, start, row)
            yield slice(start, stop), rows.astype(np.float64)

    def _full(self, has: str) -> LandscapeError:
        needs = quantities.size(self._place(self._room, 0))
        return LandscapeError(
            f"eigenvalues of {self._size:,} weights need {needs} for vectors in the folder for "
            f"temporary files, {self._folder}, got {has}; name another one in TMPDIR"
        )

    def _place(self, number: int, start: int) -> int:
        return 4 * (number * self._size + start)

    def _write(self, number: int, start: int, values: NDArray[np.float32]) -> None:
        left, place = memoryview(values.data).cast("B"), self._place(number, start)
        while len(left):
            try:
                done = os.pwrite(self._file.fileno(), left, place)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise self._full(os.strerror(error.errno).lower()) from error
            left, place = left[done:], place + done

    def _read(self, number: int, start: int, into: NDArray[np.float32]) -> None:
        left, place = memoryview(into.data).cast("B"), self._place(number, start)
        while len(left):
            done = os.preadv(self._file.fileno(), [left], place)
            if not done:
                raise OSError(f"row {number} of the vectors must be there, their file ends before")
            left, place = left[done:], place + done

"""Large arrays that are kept for later in a file, where they take no memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from landscape.store.stream import PIECE, InPieces, filled

LARGE = 2**22
"""Bytes; smaller arrays stay in memory."""


class Shelved(InPieces):
    """A vector in a file that nobody else sees and that is gone with it.

    NumPy takes it as an array: its numbers are read each time anew.
    """

    def __init__(self, pieces: Iterable[NDArray[Any]], size: int, dtype: Any, folder: Path) -> None:
        super().__init__(size, dtype)
        self._file = tempfile.TemporaryFile(  # noqa: SIM115, closed with this object
            dir=folder, prefix=".shelf-"
        )
        for piece in pieces:
            piece.tofile(self._file)

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Its numbers in order, some at a time."""
        self._file.seek(0)
        while len(found := np.fromfile(self._file, self.dtype, PIECE)):
            yield found


def kept(pieces: Iterable[NDArray[Any]], size: int, dtype: Any, folder: Path) -> NDArray[Any]:
    """The vector that the pieces make, or what reads it from a file in ``folder`` if it is large.

    >>> import numpy as np
    >>> kept([np.arange(2.0), np.ones(1)], 3, np.float64, Path("."))
    array([0., 1., 1.])
    """
    if size * np.dtype(dtype).itemsize >= LARGE:
        return cast(NDArray[Any], Shelved(pieces, size, dtype, folder))
    return filled(pieces, size, dtype)

"""Large arrays that are kept for later in a file, where they take no memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

LARGE = 2**22
"""Bytes; smaller arrays stay in memory."""


class Shelved:
    """An array in a file that nobody else sees and that is gone with it.

    NumPy and HDF5 take it as an array: its numbers are read each time anew.
    """

    def __init__(self, values: NDArray[Any], folder: Path) -> None:
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim
        self.nbytes = values.nbytes
        self._file = tempfile.TemporaryFile(  # noqa: SIM115, closed with this object
            dir=folder, prefix=".shelf-"
        )
        values.tofile(self._file)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The numbers, in memory of their own."""
        del copy
        self._file.seek(0)
        found = np.fromfile(self._file, self.dtype).reshape(self.shape)
        return found if dtype is None else found.astype(dtype, copy=False)


def shelved(values: NDArray[Any], folder: Path) -> NDArray[Any]:
    """The array, or in its place what reads it from a file in ``folder`` where it is large.

    >>> import numpy as np
    >>> small = np.arange(3.0)
    >>> shelved(small, Path(".")) is small
    True
    """
    return values if values.nbytes < LARGE else cast(NDArray[Any], Shelved(values, folder))

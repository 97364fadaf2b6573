"""Arrays in NumPy's .npy and .npz files; what they declare is looked at before any is read."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from landscape.quantities import size

Array: TypeAlias = NDArray[Any]

MAGIC = b"\x93NUMPY"
TIMES, FLOOR = 20, 64 * 2**20
"""So many times the bytes of an archive its arrays may take, or so many bytes if that is more."""
UNREADABLE = (
    *(ValueError, LookupError, EOFError, OSError, RuntimeError, SyntaxError, TypeError),
    *(MemoryError, OverflowError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What NumPy and zipfile raise about a file that is none of theirs."""


def read(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> Array | dict[str, Array]:
    """A .npy file's array, or an archive's arrays by name; what isn't wanted comes empty.

    Raises:
        UNREADABLE: one of them; it isn't such a file, holds objects, or declares more than its
            bytes can be.
    """
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) == MAGIC:
            stream.seek(0)
            declared, start = _declared(stream)
            if declared != path.stat().st_size - start:
                raise ValueError(
                    f"it declares {declared} bytes and holds {path.stat().st_size - start}"
                )
            stream.seek(0)
            return np.asarray(np.load(stream, allow_pickle=False))
        with zipfile.ZipFile(stream) as archive:
            names = _named(archive)
            _check_sizes(archive, [member for name, member in names.items() if wanted(name)], path)
            return {
                name: _array(archive, member) if wanted(name) else np.empty(0)
                for name, member in names.items()
            }


def _named(archive: zipfile.ZipFile) -> Mapping[str, str]:
    return {name.removesuffix(".npy"): name for name in archive.namelist()}


def _check_sizes(archive: zipfile.ZipFile, members: list[str], path: Path) -> None:
    """Before anything is unpacked: a few kilobytes can stand for gigabytes of zeros."""
    total = 0
    for member in members:
        with archive.open(member) as stream:
            total += _declared(stream)[0]
    most = max(FLOOR, TIMES * path.stat().st_size)
    if total > most:
        raise ValueError(
            f"its arrays declare {size(total)}, {size(path.stat().st_size)} should hold "
            f"{size(most)} at most; write it with numpy.savez, uncompressed"
        )


def _array(archive: zipfile.ZipFile, member: str) -> Array:
    with archive.open(member) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _declared(stream: IO[bytes]) -> tuple[int, int]:
    """How many bytes an array has by its header, and where it begins."""
    version = np.lib.format.read_magic(stream)
    readers: Mapping[tuple[int, int], Callable[[IO[bytes]], Any]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"its arrays are of version {version}, known are 1.0 and 2.0")
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    if not all(isinstance(one, int) and one >= 0 for one in shape):
        raise ValueError(f"an array's shape is {shape}")
    return math.prod(shape) * dtype.itemsize, stream.tell()

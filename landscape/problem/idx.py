"""The IDX format of MNIST and its kin: a magic number, the lengths, then plain bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.problem.downloads import read

UNSIGNED_BYTES = 8


def load(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file, gzipped or not.

    Raises:
        LandscapeError: another format or number of dimensions, or too few or too many bytes.
    """
    content = read(path)
    magic = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if content[:4] != magic:
        raise LandscapeError(
            f"an IDX file of bytes in {dimensions} dimensions must start with {magic.hex(' ')}, "
            f"got {content[:4].hex(' ') or 'nothing'} in {path}; download it again"
        )
    start = 4 + 4 * dimensions
    lengths = np.frombuffer(content[4:start].ljust(4 * dimensions, b"\0"), dtype=">u4")
    shape: tuple[Any, ...] = tuple(lengths.tolist())
    whole = start + math.prod(shape)
    if len(content) != whole:
        raise LandscapeError(
            f"an IDX file must have the length that its header promises, {whole} bytes, "
            f"got {len(content)} in {path}; download it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)

"""How far a scan reaches on each axis."""

from __future__ import annotations

import numpy as np

from landscape.errors import LandscapeError
from landscape.store.scans.records import Floats

AUTO = "auto"
MARGIN = 0.15
"""Room beside the path, as a share of its range."""
FLAT = 1e-3
"""An axis that is fitted by itself is at least this share as long as the longest."""
SMALLEST, LARGEST = 2, 501

Range = tuple[float, float]


def parse(text: str, xy: Floats) -> tuple[Range, ...]:
    """Each axis' range from ``1.0``, ``xmin:xmax:ymin:ymax`` or ``auto``.

    ``xy`` (T, D) are the path's coordinates: ``auto`` holds them all, with a margin, and gives
    every axis the width of the widest, so that a path along one axis sees equally far sideways.

    Raises:
        LandscapeError: anything else, or a minimum that isn't below its maximum.
    """
    dimensions = xy.shape[1]
    if text == AUTO:
        return around(xy)
    try:
        numbers = [float(part) for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers = [-numbers[0], numbers[0]] * dimensions
    wanted = "xmin:xmax" if dimensions == 1 else "xmin:xmax:ymin:ymax"
    if len(numbers) != 2 * dimensions or not np.isfinite(numbers).all():
        raise LandscapeError(f"extent must be a number, {wanted} or auto, got {text}")
    ranges = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    for low, high in ranges:
        if low >= high:
            raise LandscapeError(f"extent must have its minimum below its maximum, got {text}")
    return ranges


def axes(size: str, ranges: tuple[Range, ...]) -> tuple[Floats, ...]:
    """Each axis' coordinates, both ends included, from a size such as ``51`` or ``51x31``.

    A range that is symmetric about 0 has, at an odd size, exactly 0 in its middle.

    >>> [axis.tolist() for axis in axes("3x2", ((-1.0, 1.0), (0.0, 4.0)))]
    [[-1.0, 0.0, 1.0], [0.0, 4.0]]

    Raises:
        LandscapeError: a size below 2 or above 501, or one for more axes than there are.
    """
    parts = size.lower().split("x")
    if not all(part.strip().isdecimal() for part in parts) or len(parts) not in (1, len(ranges)):
        form = "digits" if len(ranges) == 1 else "digits or NXxNY"
        example = "51" if len(ranges) == 1 else "51 or 51x31"
        raise LandscapeError(f"size must be {form}, as in {example}, got {size}")
    counts = [int(part) for part in parts]
    for count in counts:
        if not SMALLEST <= count <= LARGEST:
            raise LandscapeError(
                f"size must be at least {SMALLEST} and at most {LARGEST}, got {count}"
            )
    if len(counts) < len(ranges):
        counts = counts * len(ranges)
    return tuple(_axis(*r, count) for r, count in zip(ranges, counts, strict=True))


def _axis(low: float, high: float, count: int) -> Floats:
    # linspace may miss 0 by a rounding error; (2i - n) / n doesn't.
    middle, half = (low + high) / 2, (high - low) / 2
    inner: Floats = middle + half * (2 * np.arange(count) - (count - 1)) / (count - 1)
    inner[0], inner[-1] = low, high
    return inner


def around(xy: Floats, *, each: bool = False) -> tuple[Range, ...]:
    """Ranges that hold all points (n, D) and the origin, with a margin, as wide on every axis.

    Or each axis ``each`` as wide as the points are there, where they aren't all at one place.

    Raises:
        LandscapeError: they are the origin alone.
    """
    finite = xy[np.isfinite(xy).all(1)]
    low, high = finite.min(0), finite.max(0)
    # The origin is the picture's subject: it is always inside.
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    width = float((high - low).max())
    if width == 0:
        raise LandscapeError(
            "extent auto needs a path that moved, this one is a point; give a number"
        )
    own = np.maximum(high - low, FLAT * width) if each else np.full(len(low), width)
    middle, half = (low + high) / 2, own * (0.5 + MARGIN)
    return tuple((float(m - h), float(m + h)) for m, h in zip(middle, half, strict=True))

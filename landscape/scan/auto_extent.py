"""How far a scan reaches where nobody said: the path, or until the loss has risen."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.basis import product
from landscape.plane.extent import Range, around
from landscape.store.scans.records import Floats, Plane

TINY = 0.15
"""A path below this share of the surroundings' width is no reason to look closer."""
FINEST, FARTHEST = 1e-7, 4.0
"""Bounds of the search, as shares of the distance from zero to the origin."""
BISECTIONS = 6

LossAt = Callable[[Floats], float]


def radius(plane: Plane, loss_at: LossAt, *, rise: float) -> tuple[float, str]:
    """The coordinate at which the loss is ``rise`` times the origin's, and that in words.

    The mean of the losses at both ends of every axis; infinite and NaN ones have risen. Rounded
    to two digits. Where it never gets there within four times the origin's distance from zero,
    that distance. Some thirty losses.

    Raises:
        LandscapeError: the origin's loss isn't positive and finite.
    """
    dimensions = len(plane.directions)
    start = loss_at(np.zeros(dimensions))
    if not np.isfinite(start) or start <= 0:
        raise LandscapeError(
            f"extent auto needs a positive loss at the origin to see it rise, got {start:g}; "
            "give a number"
        )
    length = math.sqrt(product(plane.origin, plane.origin)) or 1.0
    whole = length / float(np.mean(plane.norms))

    def risen(reach: float) -> bool:
        corners = np.concatenate([np.eye(dimensions), -np.eye(dimensions)]) * reach
        mean = float(np.mean([loss_at(corner) for corner in corners]))
        return not mean < rise * start

    low, high = FINEST * whole, whole / 16
    while not risen(high):
        low, high = high, 2 * high
        if high > FARTHEST * whole:
            return _round(whole), f"as far as ‖w‖: the loss never gets {rise:g} times the origin's"
    while low < high / 2 and risen(below := high / 4):
        high = below
    low = max(low, high / 4)
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if risen(middle) else (middle, high)
    return _round(high), f"to where the loss is {rise:g} times the origin's"


def ranges(
    plane: Plane, path: Floats, loss_at: LossAt, *, subject: str, rise: float, each: bool = False
) -> tuple[tuple[Range, ...], str]:
    """Each axis' range for ``auto``, and how it came about in words; none where it is the path's.

    ``path`` (n, D) are the coordinates of the paths and of the marked points; `PlaneKind.subject`
    says whether these are to be covered, ``each`` whether every axis by itself. Where they are a
    point, or a dot beside that, the range goes out until the loss has risen, and always holds the
    marked points of the plane itself.

    Raises:
        LandscapeError: as for `radius`.
    """
    dimensions = len(plane.directions)
    every = np.concatenate([path[np.isfinite(path).all(1)], np.zeros((1, dimensions))])
    width = float(np.ptp(every, axis=0).max())
    if subject == "path" and width > 0:
        return around(every, each=each), ""
    reach, why = radius(plane, loss_at, rise=rise)
    if subject == "either" and width >= TINY * 2 * reach:
        return around(every), ""
    marked = max((abs(c) for point in plane.points for c in point.xy), default=0.0)
    reach = max(reach, _round(1.2 * marked))
    return ((-reach, reach),) * dimensions, why


def range_between(distance: float, count: int) -> Range:
    """A line's range around two weights at 0 and ``distance``, both of them grid points.

    A fifth of the points lie beyond each, as far as that goes.
    """
    margin = round(0.2 * (count - 1)) if count > 4 else 0
    spacing = distance / (count - 1 - 2 * margin)
    return -margin * spacing, distance + margin * spacing


def _round(value: float) -> float:
    return float(f"{value:.2g}")

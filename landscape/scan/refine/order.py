"""In which order the points of a grid are measured: the whole plane first, then finer and finer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

COARSEST = 7
"""Points an axis of the first level: 2 % of a 51 x 51 grid."""

Rows = NDArray[np.int64]
"""Flat indices of grid points."""


def levels(shape: Sequence[int], coarsest: int = COARSEST) -> list[Rows]:
    """The points of a grid, level by level; each level halves the spacing of the one before.

    The first has ``coarsest`` points an axis, the corners among them. Within a level the grid's
    own order.
    """
    axes = [first(count, coarsest) for count in shape]
    taken = np.zeros(shape, bool)
    found = []
    while not taken.all():
        now = np.zeros(shape, bool)
        now[np.ix_(*axes)] = True
        found.append(np.flatnonzero(now & ~taken))
        taken |= now
        axes = [_halved(axis) for axis in axes]
    return found


def coarse_to_fine(shape: Sequence[int]) -> Rows:
    """All points of a grid in the order of their `levels`."""
    return np.concatenate(levels(shape))


def first(count: int, coarsest: int = COARSEST) -> Rows:
    """The first level's indices on an axis of ``count`` points, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, coarsest)).round()).astype(np.int64)


def _halved(axis: Rows) -> Rows:
    return np.unique(np.concatenate([axis, (axis[1:] + axis[:-1]) // 2]))

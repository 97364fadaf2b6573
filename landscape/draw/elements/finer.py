"""A grid's losses on a finer one, to be drawn: exact at its points, smooth between them.

The interpolant is piecewise cubic in the position on a scale, the mean of both orders of going
along x and along y. Nothing is shown that wasn't measured nearby: a value lies within those of the
four by four points around it, where all four corners of a cell lie on one side of the cap it does
too, and a cell with a corner that isn't finite has none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from landscape.draw.look.scale import Scale
from landscape.store.scans.records import Floats, Scan

POINTS, MOVING, FEW = 240, 120, 40
"""So many a side make lines look smooth in print, in what moves, and where matplotlib paints each
triangle."""
STEEPEST = 3.0
"""Times the smaller of the two secants beside a point: steeper, a cubic would overshoot (Fritsch
and Carlson, 1980)."""


class FineGrid(NamedTuple):
    """Losses ``loss[i, j]`` at (x[i], y[j])."""

    x: Floats
    y: Floats
    loss: Floats


def of(scan: Scan, measure: str, scale: Scale, points: int = POINTS) -> FineGrid:
    """Return a measure of a plane on a grid of about ``points`` a side, that of the scan in it.

    What was measured keeps its value to the bit; NaN lies between points that aren't finite.
    """
    loss = scan.measures[measure]
    parts = [max(1, -(-points // (len(axis) - 1))) for axis in (scan.x, scan.y)]
    x, y = (_divided(axis, n) for axis, n in zip((scan.x, scan.y), parts, strict=True))
    fine = scale.loss(between(scan.x, scan.y, scale.position(loss), x, y))
    fine[:: parts[0], :: parts[1]] = loss
    return FineGrid(x, y, fine)


def between(x: Floats, y: Floats, position: Floats, columns: Floats, rows: Floats) -> Floats:
    """Interpolate ``position[i, j]`` at ``columns`` by ``rows`` within the grid."""
    finite = np.where(np.isfinite(position), position, np.nan)
    one = _along(y, _along(x, finite, columns).T, rows).T
    other = _along(x, _along(y, finite.T, rows).T, columns)
    low, high = _ends(finite)
    cells = np.ix_(cell(x, columns), cell(y, rows))
    found = (one + other) / 2
    # A NaN stays one; where a cell has none, so have its ends.
    return np.asarray(np.clip(found, low[cells], high[cells]))


def _divided(axis: Floats, parts: int) -> Floats:
    shares = np.arange(parts) / parts
    inner = axis[:-1, None] + shares * np.diff(axis)[:, None]
    return np.append(inner.ravel(), axis[-1])


def _ends(position: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest that each cell may show."""
    around = np.pad(position, 1, mode="edge")
    blocks = np.lib.stride_tricks.sliding_window_view(around, (4, 4)).reshape(
        position.shape[0] - 1, position.shape[1] - 1, 16
    )
    known = np.isfinite(blocks)
    low = np.where(known, blocks, np.inf).min(axis=2)
    high = np.where(known, blocks, -np.inf).max(axis=2)
    corners = np.stack([position[:-1, :-1], position[1:, :-1], position[:-1, 1:], position[1:, 1:]])
    high = np.where((corners <= 1).all(axis=0), np.minimum(high, 1.0), high)
    low = np.where((corners >= 1).all(axis=0), np.maximum(low, 1.0), low)
    return low, high


def _along(grid: Floats, values: Floats, wanted: Floats) -> Floats:
    """Interpolate (n, m) values along their first axis; at a grid point the value itself."""
    slopes = _slopes(grid, values)
    at = cell(grid, wanted)
    length = np.diff(grid)[at][:, None]
    t = (wanted - grid[at])[:, None] / length
    start, end = values[at], values[at + 1]
    found = (
        (1 + 2 * t) * (1 - t) ** 2 * start
        + t * (1 - t) ** 2 * length * slopes[at]
        + t**2 * (3 - 2 * t) * end
        + t**2 * (t - 1) * length * slopes[at + 1]
    )
    # Beside a gap as well, where the sum is NaN.
    return np.asarray(np.where(t == 0, start, np.where(t == 1, end, found)))


def _slopes(grid: Floats, values: Floats) -> Floats:
    """Slopes at the points (n, m), of third order or of what a gap leaves, none too steep."""
    secant = np.diff(values, axis=0) / np.diff(grid)[:, None]
    gap = np.full((1, values.shape[1]), np.nan)
    left, right = np.concatenate([gap, secant]), np.concatenate([secant, gap])
    slope = np.full(values.shape, np.nan)
    for around in ((-2, -1, 0, 1, 2), (-1, 0, 1), (0, 1, 2), (-2, -1, 0), (0, 1), (-1, 0)):
        known = _derivative(grid, values, around)
        slope = np.where(np.isnan(slope), known, slope)
    steepest = STEEPEST * np.fmin(np.abs(left), np.abs(right))
    slope = np.clip(slope, -steepest, steepest)
    # Where values rise on both sides it must not fall.
    both = np.fmin(np.sign(left), np.sign(right)), np.fmax(np.sign(left), np.sign(right))
    slope = np.where(both[0] >= 0, np.maximum(slope, 0), slope)
    slope = np.where(both[1] <= 0, np.minimum(slope, 0), slope)
    return np.asarray(np.nan_to_num(slope))


def _derivative(grid: Floats, values: Floats, around: tuple[int, ...]) -> Floats:
    """Derivatives at the points of the polynomials through those ``around`` each; NaN without."""
    found = np.full(values.shape, np.nan)
    count = len(grid)
    for k in range(max(0, -around[0]), count - max(0, around[-1])):
        rows = k + np.array(around)
        off = (grid[rows] - grid[k]) / (grid[rows[-1]] - grid[rows[0]])
        # Weights that are exact for powers up to the number of points.
        powers = np.arange(len(around))
        weights = np.linalg.solve(off[None, :] ** powers[:, None], (powers == 1).astype(float))
        found[k] = weights @ values[rows] / (grid[rows[-1]] - grid[rows[0]])
    return found


def cell(grid: Floats, wanted: Floats) -> NDArray[np.intp]:
    """Return the number of the cell that each wanted coordinate lies in, an end's beyond an end."""
    return np.clip(np.searchsorted(grid, wanted, side="right") - 1, 0, len(grid) - 2)

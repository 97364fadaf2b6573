"""Principal components of a trajectory, by way of its Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import CADENCE, Trajectory

CHUNK_BYTES = 64 * 2**20


def rows_between(
    trajectory: Trajectory, first: str | int | None = None, last: str | int | None = None
) -> NDArray[np.int64]:
    """The cadence rows from one step to another, both included and recorded; None: all of them.

    Raises:
        LandscapeError: no such step, or the two in the wrong order.
    """
    ends = [
        trajectory.step[trajectory.row(where)] if where is not None else default
        for where, default in ((first, 0), (last, trajectory.step[-1]))
    ]
    if ends[0] >= ends[1]:
        raise LandscapeError(
            f"--from must be a step before --to, got {ends[0]} and {ends[1]}; swap them"
        )
    inside = (trajectory.step >= ends[0]) & (trajectory.step <= ends[1])
    return np.flatnonzero((trajectory.kind & CADENCE > 0) & inside)


def components(
    trajectory: Trajectory,
    *,
    count: int,
    rows: NDArray[np.int64] | None = None,
    moves: NDArray[np.bool_] | None = None,
    dtype: type[np.floating] = np.float64,
) -> tuple[NDArray[Any], Floats]:
    """Leading principal directions (k, P), orthonormal, and each one's share of the variance.

    Of the cadence rows (or ``rows``) with finite weights, about their mean. k is ``count`` or,
    where the rows span less, fewer. ``moves`` (P,): of these entries alone. The Gram matrix of
    differences to a reference row is double-centred: without the reference, float32 weights would
    lose the small differences between them. Memory: T x T, 64 MB of columns and the directions in
    ``dtype``; the weights are read twice.
    """
    if rows is None:
        rows = rows_between(trajectory)
    reference = trajectory.row("final")
    chunks = columns_of(trajectory)
    gram = np.zeros((len(rows), len(rows)))
    for columns in chunks:
        block = differences(trajectory, rows, reference, columns)
        if moves is not None:
            block[:, ~moves[columns]] = 0
        gram += block @ block.T
    finite = np.isfinite(np.diag(gram))
    rows, gram = rows[finite], gram[np.ix_(finite, finite)]
    centre = np.eye(len(rows)) - 1 / len(rows)
    values, vectors = np.linalg.eigh(centre @ gram @ centre)
    # Ascending order; below rounding there is no direction any more.
    kept = [k for k in range(len(rows) - 1, -1, -1) if values[k] > 1e-12 * values[-1]][:count]
    directions = np.empty((len(kept), trajectory.size), dtype)
    for columns in chunks:
        block = differences(trajectory, rows, reference, columns)
        if moves is not None:
            block[:, ~moves[columns]] = 0
        block -= block.mean(0)
        directions[:, columns] = (vectors[:, kept].T @ block) / np.sqrt(values[kept])[:, None]
    return directions, values[kept] / values.sum()


def columns_of(trajectory: Trajectory) -> list[slice]:
    """Blocks of columns that are 64 MB at most in float64, all recorded rows of them."""
    step = max(1, CHUNK_BYTES // (8 * len(trajectory.step)))
    return [slice(at, at + step) for at in range(0, trajectory.size, step)]


def differences(
    trajectory: Trajectory, rows: NDArray[np.int64], reference: int, columns: slice
) -> Floats:
    """Some columns of w_row - w_reference in float64, (rows, columns); infinities become NaN."""
    block = trajectory.weights(slice(None), columns)
    found: Floats = np.empty((len(rows), block.shape[1]))
    for row, into in zip(rows, found, strict=True):
        np.subtract(block[row], block[reference], out=into, dtype=np.float64)
    del block
    # Products of infinities would warn; either way the row drops out.
    found[np.isinf(found)] = np.nan
    return found

"""How far the weights of recorded steps are from each other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.plane.principal import columns_of, differences
from landscape.store.measured.weights import Distances, LagCurve
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import CADENCE, Trajectory

MOST = 1000
"""More rows than that are thinned evenly: work and result grow with their square."""
POINTS = 512
"""How many stretches of equal length a run's sketches are read at."""
BINS_AN_OCTAVE = 3


def measure(
    trajectory: Trajectory,
    *,
    rows: NDArray[np.int64] | None = None,
    subspace: Floats | None = None,
    most: int = MOST,
) -> Distances:
    """Distances between snapshots, exact: float64 products of differences to one of them.

    Of the cadence rows (or ``rows``) with finite weights. ``subspace`` (k, P) has orthonormal rows
    whose coordinates come with. Memory: T × T and 64 MB of columns; the weights are read once.

    Raises:
        LandscapeError: fewer than two rows with finite weights, or only some tensors recorded.
    """
    rows = np.flatnonzero(trajectory.kind & CADENCE) if rows is None else rows
    chosen = _thinned(rows, most)
    reference = trajectory.row("final")
    base, length = trajectory.row_weights(reference), 0.0
    gram = np.zeros((len(chosen), len(chosen)))
    onto = np.zeros(len(chosen))
    coordinates = None if subspace is None else np.zeros((len(chosen), len(subspace)))
    for columns in columns_of(trajectory):
        block = differences(trajectory, chosen, reference, columns)
        gram += block @ block.T
        own = base[columns].astype(np.float64)
        onto += block @ own
        length += float(own @ own)
        if coordinates is not None and subspace is not None:
            coordinates += block @ subspace[:, columns].T
    finite = np.isfinite(np.diag(gram))
    if finite.sum() < 2:
        raise LandscapeError(
            f"distances need at least two rows with finite weights, got {finite.sum()}; "
            "record more often"
        )
    gram, onto = gram[np.ix_(finite, finite)], onto[finite]
    return Distances(
        trajectory.step[chosen[finite]],
        _squared(gram),
        np.sqrt(np.maximum(length + 2 * onto + np.diag(gram), 0)),
        None if coordinates is None else coordinates[finite],
        of=len(rows) if len(rows) > len(chosen) else 0,
    )


def sketched(
    trajectory: Trajectory,
    *,
    first: int = 0,
    last: int | None = None,
    points: int = POINTS,
) -> Distances:
    """Estimated distances between evenly spaced steps from ``first`` to ``last``.

    From the count sketch of every step; the error of each is 1/√(2m) of it, 4.4 % for m = 256.
    The last weights of a run begin no step and have no sketch.

    Raises:
        LandscapeError: no sketches were recorded, or of fewer than two of these steps.
    """
    about = trajectory.sketch_seed()
    if about is None:
        raise LandscapeError(
            f"{trajectory.path} must hold sketches, found none; "
            "measure distances between snapshots, or train again with sketches"
        )
    end = int(trajectory.step[-1]) if last is None else last
    stride = max(1, (end - first) // points)
    taken = trajectory.sketches(slice(first, end + 1, stride)).astype(np.float64)
    step = first + stride * np.arange(len(taken), dtype=np.int64)
    finite = np.isfinite(taken).all(1)
    if finite.sum() < 2:
        raise LandscapeError(
            f"distances need sketches of at least two steps from {first} to {end}, "
            f"got {finite.sum()}; choose a longer stretch"
        )
    norms = trajectory.scalars()["weight_norm"][step]
    found = between(taken[finite], step[finite])
    return Distances(
        found.step,
        found.squared,
        norms[finite],
        source="sketch",
        error=1 / math.sqrt(2 * taken.shape[1]),
    )


def between(weights: Floats, step: NDArray[np.int64] | None = None) -> Distances:
    """Distances between the rows of ``weights`` (T, P) in memory; steps 0, 1, ... by default."""
    centred = weights.astype(np.float64) - weights[-1]
    steps = np.arange(len(weights), dtype=np.int64) if step is None else step
    norms = np.linalg.norm(weights.astype(np.float64), axis=1)
    return Distances(steps, _squared(centred @ centred.T), norms)


def since(distances: Distances, step: int) -> Distances | None:
    """Those between steps from ``step`` on; None where there are fewer than two."""
    late = distances.step >= step
    if late.sum() < 2:
        return None
    return replace(
        distances,
        step=distances.step[late],
        squared=distances.squared[np.ix_(late, late)],
        norm=None if distances.norm is None else distances.norm[late],
        coordinates=None if distances.coordinates is None else distances.coordinates[late],
    )


def by_lag(distances: Distances) -> LagCurve:
    """How distance grows with the number of steps between."""
    first, second = np.triu_indices(len(distances.step), 1)
    lags = (distances.step[second] - distances.step[first]).astype(np.float64)
    squared = distances.squared[first, second]
    bins = np.floor(BINS_AN_OCTAVE * np.log2(lags)).astype(np.int64)
    columns = [
        (lags[here].mean(), squared[here].mean(), squared[here].min(), squared[here].max())
        for here in (bins == index for index in np.unique(bins))
    ]
    lag, mean, low, high = np.array(columns).T
    pairs = np.unique(bins, return_counts=True)[1]
    return LagCurve(lag, np.sqrt(mean), np.sqrt(low), np.sqrt(high), pairs)


def _squared(gram: Floats) -> Floats:
    diagonal = np.diag(gram)
    found = diagonal[:, None] + diagonal - 2 * gram
    np.fill_diagonal(found, 0)
    positive: Floats = np.maximum((found + found.T) / 2, 0)
    return positive


def _thinned(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    kept: NDArray[np.int64] = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    return kept

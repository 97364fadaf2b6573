"""A trajectory projected onto a plane by least squares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.plane import random_walk
from landscape.store.scans.records import Floats, Plane
from landscape.store.trajectories.trajectory import CADENCE, Trajectory

CHUNK_BYTES = 64 * 2**20
BLOCK = 2**18
"""So many columns are taken in float64 at a time."""


@dataclass(frozen=True)
class Projection:
    """Where a trajectory's T rows lie relative to a plane of D directions.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> from landscape.plane import pca
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> found = project(recorded, pca(recorded))
    >>> found.xy.shape == (len(recorded.step), 2), found.share_in_plane > found.chance
    (True, True)
    """

    xy: Floats
    """(T, D) least-squares coordinates; NaN where the weights aren't finite."""
    distance_from_plane: Floats
    """(T,) Euclidean distance between the weights and their projection."""
    share_in_plane: float
    """Share of the path's variance (squared distance from its mean) that lies in the plane.

    Of the rows with finite weights; NaN where the path is a point.
    """
    chance: float
    """What a random plane holds of it on average: D / P."""
    walk: float = float("nan")
    """What the first D principal components hold of a random walk of these cadence rows."""
    arc: float = float("nan")
    """How nearly the cadence rows' coordinates are a random walk's: see `random_walk.arc`."""


def coordinates(displacements: Floats, directions: NDArray[Any]) -> tuple[Floats, Floats]:
    """Least-squares coordinates (n, D) of displacements (n, P), and their residuals' norms (n,).

    Solves the directions' Gram matrix, so they need be neither unit vectors nor orthogonal.

    Raises:
        LandscapeError: the directions (D, P) are linearly dependent.
    """
    return _coordinates(lambda part: displacements[:, part].copy(), len(displacements), directions)


def _coordinates(
    displacements: Callable[[slice], Floats], count: int, directions: NDArray[Any]
) -> tuple[Floats, Floats]:
    """The same, of displacements that are given some columns at a time, as new arrays."""
    gram = _gram(directions)
    lengths = np.sqrt(np.diag(gram))
    # Cosines, not products: a short direction is as independent as a long one.
    if not lengths.all() or np.linalg.cond(gram / np.outer(lengths, lengths)) > 1e12:
        raise LandscapeError(
            "a plane's directions must be linearly independent and not zero, these aren't; "
            "take another seed"
        )
    products, squares = np.zeros((len(directions), count)), np.zeros(count)
    for part, basis in _parts(directions):
        products += basis @ displacements(part).T
    xy: Floats = np.linalg.solve(gram, products).T.astype(np.float64)
    for part, basis in _parts(directions):
        residuals = displacements(part)
        residuals -= xy @ basis
        squares += np.einsum("np,np->n", residuals, residuals)
    return xy, np.sqrt(squares)


def _gram(directions: NDArray[Any]) -> Floats:
    found = np.zeros((len(directions), len(directions)))
    for _, basis in _parts(directions):
        found += basis @ basis.T
    return found


def _parts(directions: NDArray[Any]) -> Iterator[tuple[slice, Floats]]:
    """Blocks of columns of directions (D, P) in float64."""
    for start in range(0, directions.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        yield part, directions[:, part].astype(np.float64)


def project(trajectory: Trajectory, plane: Plane) -> Projection:
    """Project all recorded rows; reads the weights some rows at a time (64 MB, or one row).

    Memory beside these: a quarter of a million columns in float64, and up to four million weights a
    vector of them where not all rows are read together; rows of more are read twice.

    By least squares, whatever the angle between the directions: the point of the plane that is
    nearest to the weights.

    >>> from landscape.plane.still import StillWeights
    >>> row = StillWeights(
    ...     *(None, np.zeros(1, int), np.ones(1, int), {}),
    ...     parameters=[{"name": "w", "shape": [3], "offset": 0}],
    ...     vector=np.array([3.0, 2.0, 5.0], np.float32),
    ... )
    >>> slanted = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]], np.float32)
    >>> found = project(row, Plane("mine", np.zeros(3, np.float32), slanted, ("u", "v"), ""))
    >>> found.xy.round(6).tolist(), found.distance_from_plane.tolist()
    ([[1.0, 2.0]], [5.0])
    """
    size = len(plane.origin)
    rows = max(1, CHUNK_BYTES // (8 * size))
    parts, distances = [], []
    together, single = rows >= len(trajectory.step), rows == 1
    total = np.zeros(0 if together or single else size)
    squares = whole = 0.0
    for start in range(0, len(trajectory.step), rows):
        displacements = _displacements(trajectory.weights(slice(start, start + rows)), plane.origin)
        count = min(rows, len(trajectory.step) - start)
        xy, distance = _coordinates(displacements, count, plane.directions)
        parts.append(xy)
        distances.append(distance)
        for part, _ in _parts(plane.directions):
            finite = displacements(part)
            if not np.isfinite(distance).all():
                finite = finite[np.isfinite(distance)]
            here = finite.sum(0)
            if together:
                whole += float(here @ here)
            elif not single:
                total[part] += here
            squares += float(np.einsum("tp,tp->", finite, finite))
        del displacements  # not beside the next rows
    xy = np.concatenate(parts)
    measured = xy[np.isfinite(xy).all(1)]
    if single and not together:
        whole = _of_sum(trajectory, plane.origin, np.isfinite(np.concatenate(distances)))
    elif not together:
        whole = float(total @ total)
    # Variance about the mean: it doesn't depend on where the plane's origin lies.
    variance = squares - whole / len(measured)
    centred = measured - measured.mean(0)
    inside = float(np.einsum("td,de,te->", centred, _gram(plane.directions), centred))
    share = inside / variance if variance > 0 else float("nan")
    cadence = trajectory.kind & CADENCE > 0
    steps = trajectory.step[cadence]
    return Projection(
        xy,
        np.concatenate(distances),
        share,
        chance=len(plane.directions) / size,
        walk=random_walk.share(steps, len(plane.directions)),
        arc=random_walk.arc(steps, xy[cadence]),
    )


def _of_sum(
    trajectory: Trajectory, origin: NDArray[np.float32], finite: NDArray[np.bool_]
) -> float:
    """|Σ (w - origin)|² over some rows, read some columns at a time."""
    most = max(1, CHUNK_BYTES // (8 * len(finite)))

    def of(part: slice) -> float:  # a function's own: no part's weights beside the next one's
        total = np.zeros(len(origin[part]))
        for row, used in zip(trajectory.weights(slice(None), part), finite, strict=True):
            if used:
                total += np.subtract(row, origin[part], dtype=np.float64)
        return float(total @ total)

    return sum(of(slice(start, start + most)) for start in range(0, trajectory.size, most))


def _displacements(
    weights: NDArray[np.float32], origin: NDArray[np.float32]
) -> Callable[[slice], Floats]:
    """Some columns of w - origin (T, P) in float64; NaN in rows that aren't finite throughout."""
    lost = ~(np.isfinite(weights).all(1) & np.isfinite(origin).all())

    def columns(part: slice) -> Floats:
        found: Floats = np.subtract(weights[:, part], origin[part], dtype=np.float64)
        found[lost] = np.nan
        return found

    return columns

"""A trajectory projected onto a plane by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.plane import random_walk
from landscape.store.scans.records import Floats, Plane
from landscape.store.trajectories.trajectory import CADENCE, Trajectory

CHUNK_BYTES = 64 * 2**20


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
    basis: Floats = directions.astype(np.float64)
    gram = basis @ basis.T
    lengths = np.linalg.norm(basis, axis=1)
    # Cosines, not products: a short direction is as independent as a long one.
    if not lengths.all() or np.linalg.cond(gram / np.outer(lengths, lengths)) > 1e12:
        raise LandscapeError(
            "a plane's directions must be linearly independent and not zero, these aren't; "
            "take another seed"
        )
    xy: Floats = np.linalg.solve(gram, basis @ displacements.T).T.astype(np.float64)
    residuals = displacements - xy @ basis
    return xy, np.sqrt(np.einsum("np,np->n", residuals, residuals))


def project(trajectory: Trajectory, plane: Plane) -> Projection:
    """Project all recorded rows; reads the weights some rows at a time (64 MB).

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
    origin = plane.origin.astype(np.float64)
    rows = max(1, CHUNK_BYTES // (8 * len(origin)))
    parts, distances = [], []
    total = np.zeros_like(origin)
    squares = 0.0
    for start in range(0, len(trajectory.step), rows):
        displacements = trajectory.weights(slice(start, start + rows)) - origin
        displacements[~np.isfinite(displacements).all(1)] = np.nan
        xy, distance = coordinates(displacements, plane.directions)
        parts.append(xy)
        distances.append(distance)
        finite = displacements[np.isfinite(distance)]
        total += finite.sum(0)
        squares += float(np.einsum("tp,tp->", finite, finite))
    xy = np.concatenate(parts)
    measured = xy[np.isfinite(xy).all(1)]
    # Variance about the mean: it doesn't depend on where the plane's origin lies.
    variance = squares - float(total @ total) / len(measured)
    basis = plane.directions.astype(np.float64)
    centred = measured - measured.mean(0)
    inside = float(np.einsum("td,de,te->", centred, basis @ basis.T, centred))
    share = inside / variance if variance > 0 else float("nan")
    cadence = trajectory.kind & CADENCE > 0
    steps = trajectory.step[cadence]
    return Projection(
        xy,
        np.concatenate(distances),
        share,
        chance=len(basis) / len(origin),
        walk=random_walk.share(steps, len(basis)),
        arc=random_walk.arc(steps, xy[cadence]),
    )

"""Planes and lines along random directions."""

from __future__ import annotations

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.choice import AT, PlaneChoice
from landscape.plane.moving import Parameters
from landscape.plane.normalization import NORMALIZATIONS, ZERO, gaussian, normalized
from landscape.store.scans.records import Plane
from landscape.store.trajectories.trajectory import Trajectory


def random(
    trajectory: Trajectory,
    *,
    at: str | int = AT,
    seed: int = PlaneChoice.seed,
    normalize: str = PlaneChoice.normalize,
    include_1d: bool = PlaneChoice.include_1d,
    parameters: Parameters | None = None,
) -> Plane:
    """The plane through w_at along two random directions, scaled to the weights.

    Nearly orthogonal, as random directions are in many dimensions; `Plane.cosine` tells.
    ``parameters`` says which tensors move, and their filters; None: as the trajectory does.
    """
    return _random(trajectory, "random", 2, at, seed, normalize, include_1d, parameters)


def line(
    trajectory: Trajectory,
    *,
    at: str | int = AT,
    seed: int = PlaneChoice.seed,
    normalize: str = PlaneChoice.normalize,
    include_1d: bool = PlaneChoice.include_1d,
    parameters: Parameters | None = None,
) -> Plane:
    """The line through w_at along one random direction, the first of `random`'s."""
    return _random(trajectory, "line", 1, at, seed, normalize, include_1d, parameters)


def _random(
    trajectory: Trajectory,
    kind: str,
    count: int,
    at: str | int,
    seed: int,
    normalize: str,
    include_1d: bool,
    parameters: Parameters | None,
) -> Plane:
    tensors = trajectory.parameters if parameters is None else parameters
    row = trajectory.row(at)
    origin = trajectory.row_weights(row)
    directions = [
        normalized(draw, origin, tensors, normalize=normalize, include_1d=include_1d)
        for draw in gaussian(trajectory.size, seed=seed, count=count)
    ]
    if not all(direction.any() for direction in directions):
        raise LandscapeError(ZERO)
    labels = ("random direction",) if count == 1 else ("random direction 1", "random direction 2")
    return Plane(
        kind=kind,
        origin=origin,
        directions=np.stack(directions).astype(np.float32),
        labels=labels,
        unit=NORMALIZATIONS[normalize].unit,
        buffers=trajectory.buffers(row),
        seed=seed,
        normalization=normalize,
        ignored="none" if include_1d else "1-D",
        origin_step=int(trajectory.step[row]),
        origin_name=str(at),
        batchnorm="saved",
    )

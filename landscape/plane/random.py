"""Planes and lines along random directions."""

from __future__ import annotations

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.choice import AT, PlaneChoice
from landscape.plane.moving import Parameters
from landscape.plane.normalization import NORMALIZATIONS, ZERO, draws, normalized
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

    Each filter of a direction is as long as that of the weights (``normalize="filter"``, Li et al.,
    2018), so that 1 on an axis is a step as long as the weights themselves, layer by layer.

    >>> import torch
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem
    >>> model = torch.nn.Linear(6, 4, bias=False)
    >>> still = StillWeights.of(Problem(model, (torch.zeros(2, 6), torch.tensor([0, 1]))))
    >>> plane = random(still, seed=1)
    >>> u = torch.from_numpy(plane.directions[0]).reshape(4, 6)
    >>> bool(torch.allclose(u.norm(dim=1), model.weight.norm(dim=1)))
    True
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
    """The line through w_at along one random direction, the first of `random`'s.

    Options and unit are those of `random`.

    >>> import torch
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem
    >>> problem = Problem(torch.nn.Linear(6, 4), (torch.zeros(2, 6), torch.tensor([0, 1])))
    >>> still = StillWeights.of(problem)
    >>> bool((line(still).directions[0] == random(still).directions[0]).all())
    True
    """
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
    directions = np.zeros((count, trajectory.size), np.float32)
    drawn = draws(trajectory.size, seed=seed, count=count)
    for draw, out in zip(drawn, directions, strict=True):
        normalized(draw, origin, tensors, normalize=normalize, include_1d=include_1d, out=out)
    if not all(direction.any() for direction in directions):
        raise LandscapeError(ZERO)
    labels = ("random direction",) if count == 1 else ("random direction 1", "random direction 2")
    return Plane(
        kind=kind,
        origin=origin,
        directions=directions,
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

"""Planes that hold the sharpest direction: with the run's slow drift, or with a random one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from landscape.curvature import MEMORY
from landscape.errors import LandscapeError
from landscape.plane import slices
from landscape.plane.basis import DISTANCE, orthonormal, point
from landscape.plane.choice import AT, PlaneChoice
from landscape.plane.moving import Parameters, only_moving
from landscape.plane.normalization import ZERO, draws, normalized
from landscape.store.scans.records import Floats, Plane
from landscape.store.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from landscape.problem.problem import Problem

SHARE = 0.5
"""The window is the last half of the steps at the last learning rate,"""
DROPPED = 16
"""less one part in so many at its start: a start far off would be most of the movement."""


def window(trajectory: Trajectory) -> int:
    """The first step of the rows that count as settled."""
    last = int(trajectory.step[trajectory.row("final")])
    rates = trajectory.scalars().get("learning_rate", np.empty(0))[:last]
    changes = np.flatnonzero(np.diff(rates)) + 1
    start = int(changes[-1]) if len(changes) else int(trajectory.step[0])
    length = round(SHARE * (last - start))
    return last - length + length // DROPPED


def lacking(trajectory: Trajectory) -> str:
    """What a run would need to have a drift to show; empty where it has one."""
    end, first = trajectory.row("final"), window(trajectory)
    last = int(trajectory.step[end])
    if not (trajectory.step[:end] >= first).any():
        return f"weights that were recorded between step {first} and {last}, found none"
    middle = _middle(trajectory)
    # A piece after the other: this is asked before a scan's memory is shared out.
    rows = zip(trajectory.pieces(end), trajectory.pieces(middle), strict=True)
    if all(np.array_equal(one, other) for one, other in rows):
        return f"weights that moved after step {trajectory.step[middle]}, these didn't"
    return ""


def _middle(trajectory: Trajectory) -> int:
    """The row before the last weights that is nearest to the window's middle."""
    end, first = trajectory.row("final"), window(trajectory)
    before = np.flatnonzero(trajectory.step[:end] >= first)
    middle = (first + int(trajectory.step[end])) / 2
    return int(before[np.abs(trajectory.step[before] - middle).argmin()])


def drift(
    problem: Problem,
    trajectory: Trajectory,
    *,
    seed: int = PlaneChoice.seed,
    device: str = "auto",
    memory: int = MEMORY,
) -> Plane:
    """The plane through the last weights along the run's slow drift and the sharpest direction.

    x is w_T − w_{T/2}, from the middle of the settled window to its end: what is left of the
    movement once it has averaged out. y is the Hessian's top eigenvector at the end, made
    orthogonal to it. Both have length 1. Some forty Hessian-vector products.

    Raises:
        LandscapeError: the weights don't move there, or curvature can't be had.
    """
    if why := lacking(trajectory):
        raise LandscapeError(f"plane drift needs {why}; take plane along")
    end, middle = trajectory.row("final"), _middle(trajectory)
    origin, half = trajectory.row_weights(end), trajectory.row_weights(middle)
    moved = origin.astype(np.float64) - half
    movement = only_moving(moved, problem.layout.to_records())
    sharp, curvature = _sharpest(problem, trajectory, end, seed, device, memory)
    step, last = int(trajectory.step[middle]), int(trajectory.step[end])
    plane = Plane(
        kind="drift",
        origin=origin,
        directions=orthonormal(
            [movement, sharp], what="the drift and the sharpest direction"
        ).astype(np.float32),
        labels=(f"slow drift, steps {step:,} to {last:,}", _words(curvature)),
        unit=DISTANCE,
        buffers=trajectory.buffers(end),
        seed=seed,
        normalization="none",
        ignored="none",
        origin_step=last,
        origin_name="final",
        batchnorm="recompute",
    )
    return replace(plane, points=(point(plane, f"step {step:,}", step, half),))


def sharpest(
    problem: Problem,
    trajectory: Trajectory,
    *,
    at: str | int = AT,
    seed: int = PlaneChoice.seed,
    normalize: str = PlaneChoice.normalize,
    include_1d: bool = PlaneChoice.include_1d,
    parameters: Parameters | None = None,
    device: str = "auto",
    memory: int = MEMORY,
) -> Plane:
    """The plane through some weights along a random direction and the sharpest one.

    x is drawn and scaled to the weights as on a random plane, then both are made of length 1; y is
    the Hessian's top eigenvector. At right angles they are as nearly as chance has it. Some forty
    Hessian-vector products.

    Raises:
        LandscapeError: no such weights, nothing is left of the random direction, or curvature
            can't be had.
    """
    row = trajectory.row(at)
    origin = trajectory.row_weights(row)
    tensors = problem.layout.to_records() if parameters is None else parameters
    draw = next(draws(trajectory.size, seed=seed))
    drawn = normalized(draw, origin, tensors, normalize=normalize, include_1d=include_1d)
    length = float(np.linalg.norm(drawn))
    if length == 0:
        raise LandscapeError(ZERO)
    sharp, curvature = _sharpest(problem, trajectory, row, seed, device, memory)
    return Plane(
        kind="sharpest",
        origin=origin,
        directions=np.stack([drawn / length, sharp]).astype(np.float32),
        labels=("random direction", _words(curvature)),
        unit=DISTANCE,
        buffers=trajectory.buffers(row),
        seed=seed,
        normalization=normalize,
        ignored="none" if include_1d else "1-D",
        origin_step=int(trajectory.step[row]),
        origin_name=str(at),
        batchnorm="saved",
    )


def _sharpest(
    problem: Problem, trajectory: Trajectory, row: int, seed: int, device: str, memory: int
) -> tuple[Floats, float]:
    from landscape.curvature.hessian import Hessian

    hessian = Hessian(problem, device=device, memory=memory)
    hessian.move(trajectory.row_weights(row), trajectory.buffers(row))
    found = slices.sharpest(hessian, None, seed=seed)
    return found.direction.astype(np.float64), found.curvature


def _words(curvature: float) -> str:
    return f"sharpest direction at the origin, λ = {curvature:.3g}"

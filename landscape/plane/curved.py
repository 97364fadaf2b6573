"""Planes along the directions in which the loss curves most, and down the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landscape.curvature import MEMORY
from landscape.curvature.krylov import top
from landscape.errors import LandscapeError
from landscape.plane.basis import DISTANCE, orthonormal
from landscape.plane.choice import AT, PlaneChoice
from landscape.plane.named_weights import NamedWeights, find_weights
from landscape.store.scans.records import Plane, Point
from landscape.store.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from landscape.curvature.hessian import Hessian
    from landscape.problem.problem import Problem

TOLERANCE = 1e-3
"""Residual relative to an eigenvalue. The curvature along a direction is off by its square; in a
cluster of equal eigenvalues, as on a plateau, less would mean telling apart what is alike."""


def hessian(
    problem: Problem,
    trajectory: Trajectory,
    *,
    at: str | int = AT,
    seed: int = PlaneChoice.seed,
    device: str = "auto",
    memory: int = MEMORY,
) -> Plane:
    """The plane through w_at along the Hessian's two eigenvectors of largest eigenvalue.

    Of the full training loss in eval mode, with the recorded BatchNorm statistics; of its block of
    the tensors that move (``problem.layout``), where some don't. Both have
    length 1; the sign is the one that makes an eigenvector's largest entry positive. ``seed`` is
    where the iteration starts. Costs some fifty Hessian-vector products;
    graphs take at most three quarters of ``memory`` (bytes), the iteration's vectors the rest, or a
    file.

    Raises:
        LandscapeError: no such weights, or curvature can't be had.

    >>> import torch
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem, half_square
    >>> x = torch.tensor([[3.0, 0.0], [0.0, 1.0]])  # the Hessian is X'X / 2 = diag(4.5, 0.5)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = Problem(model, (x, torch.zeros(2, 1)), loss=half_square)
    >>> plane = hessian(problem, StillWeights.of(problem))
    >>> plane.labels
    ('Hessian eigenvector 1, λ = 4.5', 'Hessian eigenvector 2, λ = 0.5')
    >>> np.abs(plane.directions).round(3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    matrix = _at(problem, find_weights(trajectory, at), device, memory)
    found = top(matrix.block, 2, tolerance=TOLERANCE, seed=seed, memory=matrix.of_vectors)
    labels = tuple(
        f"Hessian eigenvector {k}, λ = {value:.3g}" for k, value in enumerate(found.values, start=1)
    )
    # Read again: while products are taken there is no vector more in memory than they need.
    place = find_weights(trajectory, at)
    return _plane("hessian", place, matrix.embedded(found.vectors), labels, seed)


def gradient(
    problem: Problem,
    trajectory: Trajectory,
    *,
    at: str | int = AT,
    seed: int = PlaneChoice.seed,
    device: str = "auto",
    memory: int = MEMORY,
) -> Plane:
    """The plane through w_at down the gradient (x) and along the sharpest direction (y).

    x is minus the full training loss's gradient, y the Hessian's top eigenvector made orthogonal
    to it; both have length 1. Where the learning rate was recorded, a step of plain gradient
    descent, which ends at x = η‖g‖, is a point of the plane.

    Raises:
        LandscapeError: as for `hessian`, or the gradient is zero.

    >>> import torch
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem, half_square
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 0.0]]))
    >>> x = torch.tensor([[1.0, 1.0], [1.0, -3.0]])  # the gradient is X'X w / 2 = (1, -1)
    >>> problem = Problem(model, (x, torch.zeros(2, 1)), loss=half_square)
    >>> (gradient(problem, StillWeights.of(problem)).directions[0] * 2**0.5).round(3).tolist()
    [-1.0, 1.0]
    """
    place = find_weights(trajectory, at)
    matrix = _at(problem, place, device, memory)
    _, slope = matrix.gradient()
    length = float(np.linalg.norm(slope))
    if not np.isfinite(length) or length == 0:
        raise LandscapeError(
            f"plane gradient needs a gradient that isn't zero, ‖g‖ is {length:g} at {place.name}; "
            "take plane hessian or random"
        )
    pair = top(matrix.block, 1, tolerance=TOLERANCE, seed=seed, memory=matrix.of_vectors)
    [sharpest] = matrix.embedded(pair.vectors)
    cosine = abs(float(sharpest @ slope)) / length
    directions = orthonormal([-slope, sharpest], what="the gradient and the top eigenvector")
    sharp = f"λ = {pair.values[0]:.3g}, |cos| to x {cosine:.2f}"
    labels = (
        f"descent (−gradient), ‖g‖ = {length:.3g}",
        f"top eigenvector, at a right angle to x, {sharp}",
    )
    points: tuple[Point, ...] = ()
    rate = _learning_rate(trajectory, place.step) if "@" not in place.name else float("nan")
    if np.isfinite(rate) and rate > 0:
        points = (Point("one step, η‖g‖", (rate * length, 0.0), place.step),)
    return _plane("gradient", place, directions, labels, seed, points)


def _learning_rate(trajectory: Trajectory, step: int) -> float:
    rates = trajectory.scalars()["learning_rate"]
    return float(rates[min(step, len(rates) - 1)]) if len(rates) else float("nan")


def _at(problem: Problem, place: NamedWeights, device: str, memory: int) -> Hessian:
    from landscape.curvature.hessian import Hessian

    found = Hessian(problem, device=device, memory=memory)
    found.move(place.weights, place.buffers)
    return found


def _plane(
    kind: str,
    place: NamedWeights,
    directions: NDArray[Any],
    labels: tuple[str, ...],
    seed: int,
    points: tuple[Point, ...] = (),
) -> Plane:
    return Plane(
        kind=kind,
        origin=place.weights,
        directions=directions.astype(np.float32, copy=False),
        labels=labels,
        unit=DISTANCE,
        buffers=place.buffers,
        seed=seed,
        normalization="none",
        ignored="none",
        origin_step=place.step,
        origin_name=place.name,
        batchnorm="saved",
        points=points,
    )

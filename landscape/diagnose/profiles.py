"""Loss and error along a path between networks, a line or a polyline, and its barrier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.problem.batchnorm import has_statistics, recompute
from landscape.problem.problem import Problem
from landscape.scan.barriers import barrier
from landscape.scan.evaluator import PointEvaluator
from landscape.store.measured.paths import Profile
from landscape.store.records import Floats, Plane

POINTS = 11
"""Points on a line, ends included: an odd number, so that the middle is one of them."""


Measure = Callable[[NDArray[Any]], tuple[float, float]]
"""Training loss and accuracy at weights (P,)."""


def measurer(problem: Problem, *, device: str = "auto", precision: str = "float32") -> Measure:
    """A function that measures weights (P,), BatchNorm's statistics recomputed for them.

    Other buffers are the model's own. One pass over the training data, two with BatchNorm.
    """
    place = np.zeros(sum(p.numel() for p in problem.model.parameters()), np.float32)
    plane = Plane("line", place, place[None], ("",), "")
    evaluator = PointEvaluator(problem, plane, device=device, precision=precision)
    normalizes = has_statistics(evaluator.model)

    def measure(weights: NDArray[Any]) -> tuple[float, float]:
        evaluator.set(np.ascontiguousarray(weights), {})
        if normalizes:
            recompute(evaluator.model, evaluator.data.train)
        found = evaluator.data.on_train(evaluator.model)
        return found.loss, found.accuracy

    return measure


def line(
    problem: Problem,
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    points: int = POINTS,
    measure: Measure | None = None,
) -> Profile:
    """The straight line between weights a and b (P,)."""
    return path(problem, np.stack([a, b]), points=points, measure=measure)


def path(
    problem: Problem,
    corners: NDArray[Any],
    *,
    points: int = POINTS,
    measure: Measure | None = None,
) -> Profile:
    """The polyline through corners (K, P), with ``points`` on each of its K − 1 pieces.

    Raises:
        LandscapeError: fewer than two corners or points.
    """
    check(len(corners), points)
    at = measurer(problem) if measure is None else measure
    ends = [at(corner) for corner in corners]
    pieces = [
        piece(corners[k], corners[k + 1], (ends[k], ends[k + 1]), points, at)
        for k in range(len(corners) - 1)
    ]
    lengths = [float(np.linalg.norm(d)) for d in np.diff(np.asarray(corners, np.float64), axis=0)]
    return chained(pieces, lengths)


def profile(t: Floats, values: Sequence[tuple[float, float]]) -> Profile:
    """The profile of losses and accuracies at t, from 0 to 1."""
    losses, accuracies = (np.array(column) for column in zip(*values, strict=True))
    return Profile(t, losses, accuracies, barrier(t, losses, accuracies))


def chained(pieces: Sequence[Profile], lengths: Sequence[float]) -> Profile:
    """Pieces of a path, each beginning where the last one ended, as one."""
    total = sum(lengths) or 1.0
    starts = np.cumsum([0.0, *lengths]) / total
    parts, values = [np.zeros(1)], [(pieces[0].train_loss[0], pieces[0].train_accuracy[0])]
    for piece, start, size in zip(pieces, starts, lengths, strict=False):
        parts.append(start + piece.t[1:] * size / total)
        values += zip(piece.train_loss[1:], piece.train_accuracy[1:], strict=True)
    t = np.concatenate(parts)
    t[-1] = 1.0
    return profile(t, values)


def piece(
    a: NDArray[Any],
    b: NDArray[Any],
    ends: tuple[tuple[float, float], tuple[float, float]],
    points: int,
    measure: Measure,
) -> Profile:
    """The straight line between two networks whose loss and accuracy are known."""
    t = np.linspace(0, 1, points)
    inside = [measure((1 - s) * a + s * b) for s in t[1:-1]]
    return profile(t, [ends[0], *inside, ends[1]])


def check(networks: int, points: int) -> None:
    """Refuse what makes no path.

    Raises:
        LandscapeError: fewer than 2 networks, or fewer than 3 points on a line.
    """
    if networks < 2:
        raise LandscapeError(f"barriers need at least 2 networks, got {networks}")
    if points < 3:
        raise LandscapeError(f"a line needs at least 3 points, got {points}")

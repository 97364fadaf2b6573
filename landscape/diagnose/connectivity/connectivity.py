"""Whether networks are connected by paths of low loss, and the barriers along these."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.symmetry.groups import Symmetry
from landscape.diagnose.symmetry.matching import match
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError
from landscape.problem.batchnorm import has_statistics, recompute
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.scan.barriers import barrier
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.store.measured.paths import Connectivity, Pair, PairBarriers, Profile
from landscape.store.scans.records import Floats, Plane

POINTS = 11
"""Points on a line, ends included: an odd number, so that the middle is one of them."""


Measure = Callable[[NDArray[Any]], tuple[float, float]]
"""Training loss and accuracy at weights (P,)."""


def measurer(problem: Problem, *, device: str = "auto", precision: str = "float32") -> Measure:
    """A function that measures weights (P,), BatchNorm's statistics recomputed for them.

    Other buffers are the model's own. One pass over the training data, two with BatchNorm.
    """
    place = np.zeros(problem.layout.size, np.float32)
    plane = Plane("line", place, place[None], ("",), "")
    evaluator = PointEvaluator(problem, plane, device=device, precision=precision)
    normalizes = has_statistics(evaluator.model)

    def measure(weights: NDArray[Any]) -> tuple[float, float]:
        evaluator.set(np.ascontiguousarray(weights), {})
        if normalizes:
            recompute(evaluator.model, evaluator.data.train, evaluator.objective)
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


def cost(problem: Problem, networks: int, *, points: int = POINTS, matched: bool = True) -> int:
    """Forward passes of single samples that `between` takes at most."""
    pairs = networks * (networks - 1) // 2
    evaluations = networks + pairs * (points - 2) * (2 if matched else 1)
    passes = 2 if has_statistics(problem.model) else 1
    return evaluations * passes * length(problem.train)


def between(
    problem: Problem,
    networks: NDArray[Any],
    *,
    points: int = POINTS,
    symmetry: Symmetry | None = None,
    thresholds: Thresholds | None = None,
    measure: Measure | None = None,
    seed: int = 0,
    listener: Callable[[int, int], None] = lambda done, total: None,
) -> Connectivity:
    """Barriers between all pairs of networks (K, P), such as the floors below a run's snapshots.

    Between noisy iterates barriers vanish in the noise: give floors. With ``symmetry`` the second
    network of each pair is also matched to the first; where that leaves its units in their order
    nothing is evaluated again. For the cost see `cost`. ``listener(done, total)`` hears of pairs.

    Raises:
        LandscapeError: fewer than two networks or points.
    """
    count = len(networks)
    check(count, points)
    limits = Thresholds() if thresholds is None else thresholds
    at = measurer(problem) if measure is None else measure
    weights = np.asarray(networks, np.float64)
    ends = [at(w) for w in weights]
    pairs = list(itertools.combinations(range(count), 2))
    able = symmetry is not None and bool(symmetry.groups)
    lines: dict[Pair, Profile] = {}
    matched: dict[Pair, Profile] = {}
    distance: dict[Pair, float] = {}
    nearer: dict[Pair, float] = {}
    for done, (i, j) in enumerate(pairs, 1):
        a, b, values = weights[i], weights[j], (ends[i], ends[j])
        lines[i, j] = matched[i, j] = piece(a, b, values, points, at)
        distance[i, j] = nearer[i, j] = float(np.linalg.norm(a - b))
        if symmetry is not None and able:
            found = match(symmetry, a, b, seed=seed)
            if found.after < found.before:
                nearer[i, j] = found.after
                matched[i, j] = piece(a, found.weights, values, points, at)
        listener(done, len(pairs))
    return Connectivity(
        line=_pairs(lines, count, limits),
        polyline=_pairs({pair: _chain(*pair, lines, distance) for pair in pairs}, count, limits),
        matched=_pairs(matched, count, limits) if able else None,
        moved=sum(nearer[pair] < distance[pair] for pair in pairs),
        distance=_matrix(distance, count),
        matched_distance=_matrix(nearer, count) if able else None,
        train_loss=np.array([loss for loss, _ in ends]),
        train_accuracy=np.array([accuracy for _, accuracy in ends]),
        points=points,
        reason="no symmetry was given" if symmetry is None else symmetry.reason,
        symmetric=able if symmetry is not None and symmetry.traced else None,
    )


def _chain(
    i: int, j: int, lines: Mapping[Pair, Profile], distance: Mapping[Pair, float]
) -> Profile:
    steps = [(k, k + 1) for k in range(i, j)]
    return chained([lines[step] for step in steps], [distance[step] for step in steps])


def _pairs(profiles: Mapping[Pair, Profile], count: int, thresholds: Thresholds) -> PairBarriers:
    barriers = {pair: found.barrier for pair, found in profiles.items()}

    def badness(pair: Pair) -> tuple[float, float]:
        found = barriers[pair]
        # Without classes the loss decides alone; where an end's loss isn't finite, that is worst.
        error = 0.0 if math.isnan(found.error) else found.error
        return error, math.inf if math.isnan(found.loss) else found.loss

    worst = max(barriers, key=badness)
    verdicts = [found.connects(thresholds) for found in barriers.values()]
    known = None if None in verdicts else True

    def matrix(name: str) -> Floats:
        return _matrix({pair: getattr(found, name) for pair, found in barriers.items()}, count)

    return PairBarriers(
        loss=matrix("loss"),
        ratio=matrix("ratio"),
        error=matrix("error"),
        at=matrix("at"),
        worst=profiles[worst],
        worst_pair=worst,
        connected=False if False in verdicts else known,
    )


def _matrix(values: Mapping[Pair, float], count: int) -> Floats:
    found = np.zeros((count, count))
    for (i, j), value in values.items():
        found[i, j] = found[j, i] = value
    return found

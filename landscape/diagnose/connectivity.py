"""Whether networks are connected by paths of low loss: barriers along lines and polylines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.groups import Symmetry
from landscape.diagnose.matching import match
from landscape.diagnose.profiles import (
    POINTS,
    Measure,
    chained,
    check,
    measurer,
    piece,
)
from landscape.diagnose.thresholds import Thresholds
from landscape.problem.batchnorm import has_statistics
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.store.measured.paths import Connectivity, Pair, PairBarriers, Profile
from landscape.store.records import Floats


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

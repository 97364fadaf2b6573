"""Whether networks that no straight line connects are connected by trained curves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from landscape.diagnose import curves
from landscape.diagnose.profiles import measurer
from landscape.diagnose.thresholds import Thresholds
from landscape.problem.problem import Problem
from landscape.store.measured.paths import Curved, Pair, PairBarriers


def high(lines: PairBarriers, thresholds: Thresholds) -> list[Pair]:
    """The pairs that their straight line doesn't connect: `between` trains a curve for each."""
    pairs = itertools.combinations(range(len(lines.loss)), 2)
    return [pair for pair in pairs if not lines.of(pair).connects(thresholds)]


def between(
    problem: Problem,
    networks: NDArray[Any],
    lines: PairBarriers,
    *,
    thresholds: Thresholds | None = None,
    steps: int = curves.STEPS,
    listener: Callable[[int, int], None] = lambda done, total: None,
) -> Curved:
    """Quadratic Bézier curves (Garipov et al., 2018) between networks (K, P) with high ``lines``.

    Costs `curves.cost` for each pair of `high`. ``listener(done, total)`` hears of pairs.
    """
    limits = Thresholds() if thresholds is None else thresholds
    found = {name: getattr(lines, name).copy() for name in ("loss", "ratio", "error")}
    at, notes = measurer(problem), []
    wanted = high(lines, limits)
    for done, (i, j) in enumerate(wanted, 1):
        curve = curves.connect(problem, networks[i], networks[j], steps=steps, measure=at)
        for name, matrix in found.items():
            matrix[i, j] = matrix[j, i] = getattr(curve.barrier, name)
        if curve.note:
            notes.append(f"{i} to {j}: {curve.note}")
        listener(done, len(wanted))
    return Curved(**found, trained=len(wanted), notes=tuple(notes))

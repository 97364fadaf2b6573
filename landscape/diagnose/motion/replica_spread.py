"""How far replicas part from each other, and how each of them moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from landscape.diagnose.motion import distances
from landscape.diagnose.motion.grid import COARSE, Grid
from landscape.diagnose.motion.stretches import of_several
from landscape.store.measured.trainings import Replicas
from landscape.store.measured.weights import Distances
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Trajectory

SKIPPED = 16
"""The first sixteenth of a replica isn't looked at: it may start off balance."""


def spread_of(trajectories: Sequence[Trajectory], start: Floats) -> Replicas:
    """Ratio ‖w^a − w^b‖²/(2‖w − w_N‖²) at the end, and c½, each with its error over replicas.

    The ratio is the mean over pairs divided by the mean over replicas: 0 where all drift the same
    way, 1 where they walk independently; its error is a jackknife's. All are of the same length:
    one that diverged is to be left out before.
    """
    ends = np.stack([t.row_weights(t.row("final")).astype(np.float64) for t in trajectories])
    moves = ends - start
    gram = moves @ moves.T
    ratios = [_ratio(gram[np.ix_(keep, keep)]) for keep in _leaving_one_out(len(gram))]
    count = len(gram)
    cosines = np.array([_half_cosine(t) for t in trajectories])
    read = [_sketched(t) for t in trajectories if _has_sketches(t)]
    grids, errors = [Grid.of(each, None, None) for each in read], [each.error for each in read]
    return Replicas(
        count=count,
        ratio=_ratio(gram),
        half_cosine=float(cosines.mean()),
        half_cosine_error=float(cosines.std(ddof=1) / math.sqrt(count)),
        ratio_error=(
            math.sqrt(
                (count - 1) / count * float(np.sum((np.array(ratios) - np.mean(ratios)) ** 2))
            )
            if count > 2
            else math.nan
        ),
        lag_ratio=float(np.mean([grid.ratio() for grid in grids])) if grids else math.nan,
        dimension=(
            of_several([grid.dimension(error) for grid, error in zip(grids, errors, strict=True)])
            if grids
            else math.nan
        ),
        steps=_looked_at(trajectories[0]),
    )


def _looked_at(trajectory: Trajectory) -> int:
    last = int(trajectory.step[-1])
    return last - last // SKIPPED


def _has_sketches(trajectory: Trajectory) -> bool:
    """Whether there are enough of them: the last weights have none."""
    return trajectory.sketch_seed() is not None and _looked_at(trajectory) > COARSE


def _sketched(trajectory: Trajectory) -> Distances:
    return distances.sketched(trajectory, first=int(trajectory.step[-1]) // SKIPPED)


def _leaving_one_out(count: int) -> Iterator[list[int]]:
    for left in range(count):
        yield [index for index in range(count) if index != left]


def _ratio(gram: Floats) -> float:
    count, squares = len(gram), np.diag(gram)
    if count < 2 or not squares.sum() > 0:
        return math.nan
    pairs = count * squares.sum() * 2 - 2 * gram.sum()  # Σ over ordered pairs of ‖w^a − w^b‖²
    return float(pairs / (count * (count - 1)) / (2 * squares.mean()))


def _half_cosine(trajectory: Trajectory) -> float:
    last = int(trajectory.step[-1])
    first = last // SKIPPED
    marks = [first, (last + first) // 2, last]
    a, b, c = (trajectory.row_weights(trajectory.row(m)).astype(np.float64) for m in marks)
    lengths = float(np.linalg.norm(b - a) * np.linalg.norm(c - b))
    return float((b - a) @ (c - b)) / lengths if lengths > 0 else math.nan

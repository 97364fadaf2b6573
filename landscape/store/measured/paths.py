"""What lies between networks: the loss along paths from one to another, and its barriers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from landscape.store.scans.records import Floats

Pair: TypeAlias = tuple[int, int]
BARRIER_ERROR, BARRIER_RATIO = 2.0, 2.0
"""† Unless told otherwise, networks are connected below so many error points and below so many
times the larger end's loss."""


class BarrierLimits(Protocol):
    """Where connection ends, such as `diagnose.Thresholds`."""

    @property
    def barrier_error(self) -> float:
        """In error points."""

    @property
    def barrier_ratio(self) -> float:
        """In the larger end's losses."""


@dataclass(frozen=True)
class PathKind:
    """A kind of path between networks, in words, and how it is drawn."""

    along: str
    """In what evidence means."""
    figure: str
    """In a figure's legend."""
    page: str
    """In the page's table; ``{trained}`` is the number of trained curves."""
    colour: str
    """``train``, ``validation``, ``purple`` or ``green``."""
    dashes: str | tuple[float, tuple[float, ...]]


PATHS: Mapping[str, PathKind] = {
    "line": PathKind(
        along="along straight lines",
        figure="straight line",
        page="straight",
        colour="train",
        dashes="-",
    ),
    "polyline": PathKind(
        along="from floor to floor",
        figure="through the floors between",
        page="from floor to floor",
        colour="validation",
        dashes=(0, (4, 1.6)),
    ),
    "curve": PathKind(
        along="along trained Bézier curves",
        figure="Bézier curve",
        page="straight, and along {trained} trained curves",
        colour="purple",
        dashes=(0, (5, 1.2, 1.2, 1.2)),
    ),
    "matched": PathKind(
        along="along lines after weight matching",
        figure="line, units matched",
        page="straight, units matched",
        colour="green",
        dashes=(0, (1.2, 1.2)),
    ),
}
"""By the name of `Connectivity.paths`."""


@dataclass(frozen=True)
class Barrier:
    """How far a path between two networks rises above the straight line between their values.

    Infinite where the loss between them isn't finite, NaN where it isn't defined.
    """

    loss: float
    """max over t of L(w_t) − [(1 − t) L(a) + t L(b)], in nats for cross-entropy; at least 0."""
    ratio: float
    """``loss`` over the larger end's loss; NaN where that is negative."""
    error: float
    """The same of the training error, in points (percent); NaN where there are no classes."""
    at: float
    """The t of ``loss``: the share of the path's length."""

    def connects(self, limits: BarrierLimits) -> bool | None:
        """Whether error and ratio lie below their limits; None where neither is defined."""
        compared = ((self.error, limits.barrier_error), (self.ratio, limits.barrier_ratio))
        known = [value < limit for value, limit in compared if not math.isnan(value)]
        return all(known) if known else None


@dataclass(frozen=True)
class Profile:
    """Loss and error along a path, and its barrier."""

    t: Floats
    """(n,) from 0 to 1, the share of the path's length."""
    train_loss: Floats
    """(n,)."""
    train_accuracy: Floats
    """(n,) shares; NaN where there are no classes."""
    barrier: Barrier


@dataclass(frozen=True)
class BarrierMatrices:
    """Barriers between all pairs of K networks, as matrices.

    ``loss[i, j]``, ``ratio[i, j]`` and ``error[i, j]`` are those of a `Barrier` between networks i
    and j.
    """

    loss: Floats
    """(K, K), symmetric, 0 on the diagonal; likewise:"""
    ratio: Floats
    error: Floats

    def of(self, pair: Pair) -> Barrier:
        """The barrier between two networks; where it is isn't known."""
        loss, ratio, error = (float(values[pair]) for values in self._numbers)
        return Barrier(loss, ratio, error, math.nan)

    @property
    def highest(self) -> Barrier:
        """Of each number the worst pair's; NaN where no pair has it, as without classes."""
        loss, ratio, error = (_worst(values) for values in self._numbers)
        return Barrier(loss, ratio, error, math.nan)

    @property
    def _numbers(self) -> tuple[Floats, Floats, Floats]:
        return self.loss, self.ratio, self.error


def _worst(values: Floats) -> float:
    between = values[~np.eye(len(values), dtype=bool)]
    return float(np.nanmax(between)) if not np.isnan(between).all() else math.nan


@dataclass(frozen=True)
class PairBarriers(BarrierMatrices):
    """Barriers between all pairs of K networks along one kind of path."""

    at: Floats
    worst: Profile
    """Of the pair with the largest error barrier and, among equals, the largest loss barrier."""
    worst_pair: Pair
    connected: bool | None
    """Whether all pairs are; None where it isn't defined."""


@dataclass(frozen=True)
class Connectivity:
    """What lies between K networks, in the order given: straight, step by step, and matched."""

    line: PairBarriers
    """Along straight lines."""
    polyline: PairBarriers
    """Through all networks between the two: from i by i + 1, i + 2, ... to j."""
    matched: PairBarriers | None
    """Along straight lines to the second network with its units permuted towards the first;
    None without a permutation symmetry."""
    moved: int
    """So many pairs have another order of units after matching."""
    distance: Floats
    """(K, K) Euclidean distances."""
    matched_distance: Floats | None
    train_loss: Floats
    """(K,) at the networks themselves."""
    train_accuracy: Floats
    points: int
    reason: str | None
    """Why nothing was matched; None where it was."""
    symmetric: bool | None = None
    """Whether units of the model are interchangeable; False: it was traced and none were found, so
    that there is nothing to match; None: it could not be told."""

    @property
    def count(self) -> int:
        """K."""
        return len(self.train_loss)

    @property
    def pairs(self) -> Iterator[Pair]:
        """All (i, j) with j > i."""
        return itertools.combinations(range(self.count), 2)

    def paths(self, curves: Curved | None = None) -> Mapping[str, BarrierMatrices]:
        """The barriers by kind of path, those there are: see `PATHS`."""
        kinds = {
            "line": self.line,
            "polyline": self.polyline,
            "curve": curves,
            "matched": self.matched,
        }
        return {name: found for name, found in kinds.items() if found is not None}


@dataclass(frozen=True)
class Curved(BarrierMatrices):
    """Barriers between all pairs of K networks along the line or, where that is high, a curve."""

    trained: int
    """Pairs whose line is too high, between which a curve was trained."""
    notes: tuple[str, ...]
    """Of curves that diverged or gained nothing."""

"""Positions at even times, and the numbers that tell drift, walk and confinement apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.measured.weights import Distances
from landscape.store.scans.records import Floats

COARSE, FINE = 32, 512
"""The fewest and the most stretches of equal length; a power of two."""
BLOCKS = 8
"""Stretches of starting points that errors are estimated from."""
LAGS_AN_OCTAVE = 4


@dataclass(frozen=True)
class Grid:
    """n + 1 positions that are T/n steps apart, or as nearly so as was recorded."""

    step: NDArray[np.int64]
    """(n + 1,)."""
    squared: Floats
    """(n + 1, n + 1) squared distances."""
    norm: Floats | None
    """(n + 1,) ‖w‖."""
    coordinates: Floats | None
    """(n + 1, k) in a subspace."""

    @classmethod
    def of(cls, distances: Distances, first: int | None, last: int | None) -> Self:
        """The finest grid of nearest recorded steps, none of them taken twice.

        Raises:
            LandscapeError: not even 32 stretches.
        """
        step = distances.step
        inside = np.flatnonzero(
            (step >= (step[0] if first is None else first))
            & (step <= (step[-1] if last is None else last))
        )
        count = FINE
        while count >= COARSE:
            if count < len(inside):
                chosen = inside[_nearest(step[inside], count)]
                if (np.diff(chosen) > 0).all():
                    return cls(
                        step[chosen],
                        distances.squared[np.ix_(chosen, chosen)],
                        None if distances.norm is None else distances.norm[chosen],
                        None if distances.coordinates is None else distances.coordinates[chosen],
                    )
            count //= 2
        how = ", unevenly" if len(inside) > COARSE else ""
        raise LandscapeError(
            f"diffusion needs at least {COARSE + 1} recorded steps spread evenly over its window, "
            f"got {len(inside)}{how}; record more often"
        )

    @property
    def count(self) -> int:
        """Number n of stretches."""
        return len(self.step) - 1

    @property
    def spacing(self) -> float:
        """T/n in steps."""
        return float(self.step[-1] - self.step[0]) / self.count

    def with_squared(self, squared: Floats) -> Self:
        """The same times, other distances."""
        return replace(self, squared=squared, norm=None, coordinates=None)

    def lags(self) -> NDArray[np.int64]:
        """Lags from 1 to n/2 stretches, four an octave."""
        octaves = math.log2(self.count / 2)
        return np.unique(np.round(2 ** np.arange(0, octaves + 1e-9, 1 / LAGS_AN_OCTAVE))).astype(
            np.int64
        )

    def msd(self, lag: int) -> float:
        """⟨‖w_{t+lag} − w_t‖²⟩ over all starts."""
        return float(np.diag(self.squared, lag).mean())

    def blocks(self, lags: NDArray[np.int64]) -> Floats:
        """(8, K) MSD of starts in each eighth of those that a lag allows."""
        return np.array(
            [
                [part.mean() for part in np.array_split(np.diag(self.squared, lag), BLOCKS)]
                for lag in lags
            ]
        ).T

    def inner(self, a: int, b: int, c: int, d: int) -> float:
        """(w_b − w_a)·(w_d − w_c)."""
        s = self.squared
        return float(s[a, d] + s[b, c] - s[a, c] - s[b, d]) / 2

    def half_cosine(self) -> float:
        """c½ = cos(w_{T/2} − w_0, w_T − w_{T/2})."""
        half, end = self.count // 2, self.count
        lengths = math.sqrt(self.squared[0, half] * self.squared[half, end])
        return self.inner(0, half, half, end) / lengths if lengths else math.nan

    def ratio(self) -> float:
        """R = MSD(T/2)/MSD(T/8)."""
        short = self.msd(self.count // 8)
        return self.msd(self.count // 2) / short if short else math.nan

    def dimension(self, distance_error: float = 0.0) -> float:
        """D_eff = (tr V)²/tr V² of the displacements over T/8, from 29 starts.

        Squared inner products of pairs that don't overlap estimate tr V². A sketch of m numbers
        adds 1/m = 2 ``distance_error``² of (tr V)² to them, which is taken off again.
        """
        unit, span = self.count // COARSE, COARSE // 8
        starts = np.arange(COARSE - span + 1)
        a, b = starts * unit, (starts + span) * unit
        s = self.squared
        inner = (s[np.ix_(a, b)] + s[np.ix_(b, a)] - s[np.ix_(a, a)] - s[np.ix_(b, b)]) / 2
        apart = np.subtract.outer(starts, starts) >= span
        trace = float(s[a, b].mean())
        if not trace:
            return math.nan
        squares = float((inner[apart] ** 2).mean()) / trace**2 - 2 * distance_error**2
        # What the noise of the sketch hides is at least as large as the sketch itself.
        return 1 / max(squares, 2 * distance_error**2, 1e-12)

    def hops(self) -> float:
        """Largest over median squared displacement of 32 blocks, each over its time."""
        ends = np.arange(COARSE + 1) * (self.count // COARSE)
        # Recorded steps that are nearest to an even grid may lie twice as far apart as others.
        moved = self.squared[ends[:-1], ends[1:]] / np.diff(self.step[ends])
        median = float(np.median(moved))
        return float(moved.max()) / median if median else math.nan

    def variance_ratio(self) -> float:
        """Var(last half)/Var(all)."""
        whole = float(self.squared.mean())
        late = float(self.squared[self.count // 2 :, self.count // 2 :].mean())
        return late / whole if whole else math.nan

    def correlation_time(self) -> float:
        """Steps until MSD reaches 1 − 1/e of MSD(T/2); NaN where that isn't a plateau."""
        if not self.ratio() < 1.25:
            return math.nan
        level = (1 - 1 / math.e) * self.msd(self.count // 2)
        lags = np.arange(self.count // 2 + 1)
        msd = np.array([0.0, *(self.msd(int(lag)) for lag in lags[1:])])
        reached = int(np.argmax(msd >= level))
        before, after = msd[reached - 1], msd[reached]
        return self.spacing * (reached - 1 + float((level - before) / (after - before)))

    def radial(self) -> float:
        """Share of MSD(T/2) that is a change of ‖w‖; the rest is tangential."""
        if self.norm is None:
            return math.nan
        half = self.count // 2
        whole = self.msd(half)
        changes = self.norm[half:] - self.norm[: self.count + 1 - half]
        return float((changes**2).mean()) / whole if whole else math.nan

    def aging(self, lags: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Waiting steps (4,) and MSD (4, K) of starts in each quarter; NaN where a lag has none."""
        quarter = self.count // 4
        found = np.full((4, len(lags)), math.nan)
        for column, lag in enumerate(lags):
            moved = np.diag(self.squared, lag)
            for age in range(4):
                part = moved[age * quarter : (age + 1) * quarter]
                if len(part):
                    found[age, column] = part.mean()
        return (self.step[np.arange(4) * quarter] - self.step[0]).astype(np.float64), found


def _nearest(step: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    ideal = np.linspace(step[0], step[-1], count + 1)
    right = np.clip(np.searchsorted(step, ideal), 1, len(step) - 1)
    found: NDArray[np.int64] = np.where(
        ideal - step[right - 1] <= step[right] - ideal, right - 1, right
    )
    return found

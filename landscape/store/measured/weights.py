"""Where the weights were: distances between them and to copies, and how they spread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats


@dataclass(frozen=True)
class Distances:
    """Squared distances between the weights of T steps."""

    step: NDArray[np.int64]
    """(T,) increasing."""
    squared: Floats
    """(T, T) symmetric, ‖w_i − w_j‖²."""
    norm: Floats | None = None
    """(T,) ‖w_i‖."""
    coordinates: Floats | None = None
    """(T, k) in an orthonormal basis of a subspace, about some point."""
    source: str = "snapshots"
    """``snapshots`` or ``sketch``."""
    error: float = 0.0
    """Standard error of a distance as a share of it: 1/√(2m) from sketches of m numbers."""
    of: int = 0
    """How many rows there were before they were thinned; 0: they were not."""


@dataclass(frozen=True)
class LagCurve:
    """Distance by lag, in bins of lags of equal width in log lag; K bins."""

    lag: Floats
    """(K,) mean number of steps between."""
    distance: Floats
    """(K,) root mean square of d."""
    low: Floats
    """(K,) smallest d,"""
    high: Floats
    """(K,) and largest."""
    pairs: NDArray[np.int64]
    """(K,) how many pairs."""


@dataclass(frozen=True)
class WeightDistances:
    """Distances between snapshots of the whole run, and how they grow with the lag."""

    distances: Distances
    by_lag: LagCurve
    """Of the whole run: where it learned first, that dominates."""
    settled: LagCurve | None = None
    """Of the steps since it settled alone; None: fewer than two snapshots there."""
    since: int = 0
    """From which step on."""


@dataclass(frozen=True)
class Nearest:
    """The two most similar units of a group, and how far exchanging them moves the weights."""

    units: tuple[int, int]
    distance: float
    """√2 ‖θ_i − θ_j‖, θ the weights into and out of a unit; an upper bound on the group's nearest
    copy where weights connect its units with each other."""


@dataclass(frozen=True)
class Typical:
    """‖w − πw‖ over uniformly random permutations π of all groups."""

    mean: float
    deviation: float
    """Standard deviation over the samples."""
    samples: int
    root_mean_square: float | None
    """√E‖w − πw‖², in closed form; None where weights connect units of one group."""


@dataclass(frozen=True)
class Copies:
    """Distances in weight space to measure d(w_N, w_M) by. They belong together.

    Each is None where there is no permutation symmetry, the twin's where no twin is given.
    """

    nearest: float | None
    """The least over all layers of ``by_layer``."""
    by_layer: Mapping[str, Nearest]
    """By group."""
    nearest_is_exact: bool
    """With one group no copy at all is nearer; with more it is an upper bound."""
    typical: Typical | None
    by_layer_typical: Mapping[str, float | None]
    """√E‖w − πw‖² where one group alone is permuted, √(2 Σ‖θ_i − θ̄‖²); None as above."""
    hidden_norm: float
    """√2 ‖w_hidden‖, of the weights that permutations move: near ``typical`` in a wide network."""
    twin: float | None
    twin_matched: float | None
    groups: Mapping[str, int]
    """The units of each group."""
    reason: str | None
    """Why there are no groups; None where there are."""
    meanings: Mapping[str, str]
    caveats: tuple[str, ...]
    twin_run: str | None = None
    """The twin's folder seen from the run's; None where weights were given."""


@dataclass(frozen=True)
class Submovement:
    """The movement inside a subspace, or in all that is orthogonal to it (the bulk)."""

    dimensions: int
    """Of the subspace; 0 for the bulk."""
    share: float
    """Of the squared displacement over half the window."""
    half_cosine: float
    ratio: float
    exponent: float
    samples: int = 0
    """Training samples behind the Hessian whose subspace it is,"""
    total: int = 0
    """and how many there are; 0: not a Hessian's, or not known."""


OVERSHOOT, ERRORS = 0.1, 2.0
"""† MSD falls back from its peak by so much of it, and so many standard errors: an overshoot."""
AFTER = 3
"""Lags beyond the peak that it takes to see where MSD falls back to."""


@dataclass(frozen=True)
class Overshoot:
    """MSD rises to a peak and falls back, as that of a damped oscillation does."""

    lag: float
    """Of the peak, in steps."""
    back: float
    """What it falls back to (its median at longer lags), as a share of the peak."""


@dataclass(frozen=True)
class Diffusion:
    """How the weights of one window of T steps move; MSD(τ) = ⟨‖w_{t+τ} − w_t‖²⟩.

    NaN where the window holds too few points for a number.
    """

    source: str
    """``snapshots`` or ``sketch``."""
    distance_error: float
    """Standard error of a distance as a share of it; 0 from snapshots."""
    first_step: int
    last_step: int
    window_share: float
    """T as a share of the run."""
    points: int
    """How many positions it is read from."""
    lags: Floats
    """(K,) in steps."""
    msd: Floats
    """(K,)."""
    msd_error: Floats
    """(K,) standard errors from a block bootstrap over starts."""
    exponent: float
    """Slope of log MSD in log lag, up to T/10; NaN where no power law fits there."""
    exponent_error: float
    half_cosine: float
    """c½: the cosine between the two halves' displacements; −½ confined, 0 a walk, 1 a drift."""
    half_cosine_error: float
    """1/√D_eff, and the sketch's own error."""
    dimension: float
    """D_eff = (tr V)²/tr V², from displacements at lag T/8."""
    ratio: float
    """R = MSD(T/2)/MSD(T/8): 1 confined, 4 a walk, 16 a drift."""
    variance_ratio: float
    """Var(last half)/Var(all): 1 confined, ½ a walk, ¼ a drift."""
    hops: float
    """Largest over median squared displacement of 32 blocks."""
    correlation_time: float
    """Steps after which MSD reached 1 − 1/e of its plateau; NaN where there is no plateau."""
    radial: float
    """Share of MSD(T/2) that is a change of ‖w‖; NaN where norms are not known."""
    growth: str
    """``power law``, ``logarithmic``, ``saturating`` or ``indistinguishable``, lags up to T/2."""
    growth_evidence: float
    """AIC of the next best of the three laws minus that of the best."""
    ages: Floats = field(default_factory=lambda: np.empty(0))
    """(A,) waiting steps since the window's start."""
    aging: Floats = field(default_factory=lambda: np.empty((0, 0)))
    """(A, K) MSD over ``lags`` of pairs that start within the age's quarter of the window."""
    parts: Mapping[str, Submovement] = field(default_factory=dict)
    """``subspace`` and ``bulk``, where a subspace was given."""
    gradient_cosine: float = math.nan
    """Mean cosine of consecutive gradients: the steps' own, freed of momentum."""
    update_cosine: float = math.nan
    """Mean cosine of consecutive steps, momentum included."""
    norm_balance: float = math.nan
    """2η⟨w·g⟩ / ((1+β)⟨‖Δw‖²⟩): 1 where ‖w‖ is stationary, which doesn't mean w is confined."""

    @property
    def steps(self) -> int:
        """T."""
        return self.last_step - self.first_step

    @property
    def overshoot(self) -> Overshoot | None:
        """Where MSD overshoots; None where it does not, beyond its errors."""
        if not len(self.msd) or not np.isfinite(self.msd).all():
            return None
        peak = int(self.msd.argmax())
        if len(self.msd) - peak <= AFTER:
            return None
        back = float(np.median(self.msd[peak + 1 :]))
        error = np.hypot(self.msd_error[peak], np.median(self.msd_error[peak + 1 :]))
        fallen = float(self.msd[peak]) - back
        if not fallen > max(OVERSHOOT * float(self.msd[peak]), ERRORS * float(error)):
            return None
        return Overshoot(float(self.lags[peak]), back / float(self.msd[peak]))

    @property
    def half_pairs(self) -> int:
        """How many pairs of positions lie half the window apart, overlapping ones counted."""
        return self.points - (self.points - 1) // 2

    @property
    def fitted_to(self) -> float:
        """The longest lag that the exponent is read from, in steps: T/10, or three positions."""
        spacing, count = self.steps / (self.points - 1), self.points - 1
        within = self.lags / spacing <= max(count // 10, 3) + 1e-6
        return float(self.lags[within][-1])

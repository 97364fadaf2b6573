"""How weights spread with time: mean squared displacement by lag, and what it says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose import diffusion_fits as fits
from landscape.diagnose.distances import Distances
from landscape.diagnose.grid import Grid
from landscape.store.records import Floats


@dataclass(frozen=True)
class Part:
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
    """Slope of log MSD in log lag, up to T/10."""
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
    parts: Mapping[str, Part] = field(default_factory=dict)
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


def measure(
    distances: Distances,
    *,
    first: int | None = None,
    last: int | None = None,
    run_steps: int | None = None,
    scalars: Mapping[str, Floats] | None = None,
    momentum: float = 0.0,
) -> Diffusion:
    """Read diffusion off distances between steps ``first`` and ``last`` (all of them by default).

    Of the positions nearest to an even grid of 32, 64, ... 512 stretches. ``scalars`` are a
    trajectory's, one a step; ``run_steps`` is the run's length.

    Raises:
        LandscapeError: fewer than 33 positions, spread evenly enough, in the window.
    """
    grid = Grid.of(distances, first, last)
    lags = grid.lags()
    blocks = grid.blocks(lags)
    msd = np.array([np.diag(grid.squared, lag).mean() for lag in lags])
    error = np.nanstd(blocks, axis=0, ddof=1) / np.sqrt((~np.isnan(blocks)).sum(0))
    short = lags <= max(grid.count // 10, 3)
    exponent, exponent_error = fits.exponent(lags[short], msd[short], blocks[:, short])
    growth, evidence = fits.growth(lags, msd, error)
    dimension = grid.dimension(distances.error)
    # A sketch's inner product of unit vectors has an error of 1/√m = √2 times its distances'.
    noise = math.sqrt(1 / dimension + 2 * distances.error**2) if dimension > 0 else math.inf
    ages, aging = grid.aging(lags)
    begin, end = int(grid.step[0]), int(grid.step[-1])
    return Diffusion(
        source=distances.source,
        distance_error=distances.error,
        first_step=begin,
        last_step=end,
        window_share=(end - begin) / (run_steps or int(distances.step[-1]) or 1),
        points=grid.count + 1,
        lags=lags.astype(np.float64) * grid.spacing,
        msd=msd,
        msd_error=error,
        exponent=exponent,
        exponent_error=exponent_error,
        half_cosine=grid.half_cosine(),
        half_cosine_error=noise,
        dimension=dimension,
        ratio=grid.ratio(),
        variance_ratio=grid.variance_ratio(),
        hops=grid.hops(),
        correlation_time=grid.correlation_time(),
        radial=grid.radial(),
        growth=growth,
        growth_evidence=evidence,
        ages=ages,
        aging=aging,
        parts=_parts(grid, lags[short]),
        **_of_scalars(scalars, begin, end, momentum),
    )


def _parts(grid: Grid, lags: NDArray[np.int64]) -> dict[str, Part]:
    if grid.coordinates is None:
        return {}
    differences = grid.coordinates[:, None] - grid.coordinates
    inside = (differences**2).sum(-1)
    half = grid.count // 2
    whole = float(np.diag(grid.squared, half).mean())
    found = {}
    for name, squared in (
        ("subspace", inside),
        ("bulk", np.maximum(grid.squared - inside, 0)),
    ):
        part = grid.with_squared(squared)
        msd = np.array([np.diag(squared, lag).mean() for lag in lags])
        found[name] = Part(
            grid.coordinates.shape[1] if name == "subspace" else 0,
            float(np.diag(squared, half).mean()) / whole if whole else math.nan,
            part.half_cosine(),
            part.ratio(),
            fits.exponent(lags, msd, part.blocks(lags))[0],
        )
    return found


def _of_scalars(
    scalars: Mapping[str, Floats] | None, first: int, last: int, momentum: float
) -> dict[str, float]:
    if scalars is None:
        return {}
    here = {name: values[first:last] for name, values in scalars.items()}
    pull = 2 * float(np.mean(here["learning_rate"] * here["weight_dot_gradient"]))
    spread = (1 + momentum) * float(np.mean(here["update_norm"] ** 2))
    return {
        "gradient_cosine": float(np.nanmean(here["gradient_cosine"])),
        "update_cosine": float(np.nanmean(here["update_cosine"])),
        "norm_balance": pull / spread if spread else math.nan,
    }

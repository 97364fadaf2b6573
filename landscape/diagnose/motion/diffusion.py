"""How weights spread with time: mean squared displacement by lag, and what it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.motion.grid import Grid
from landscape.store.measured.weights import Diffusion, Distances, Submovement
from landscape.store.scans.records import Floats

SAMPLES = 200
"""Bootstrap samples."""
OFF = 0.1
"""A power law fits where no lag's log MSD is farther from it: 10 %. Walks, drifts in two dimensions
or more are within; what bends inside the lags, as confinement or momentum does, is not."""
DISTINCT = 2.0
"""A difference of AIC below that tells nothing (Burnham and Anderson, 2002)."""


def fitted_exponent(lags: NDArray[np.int64], msd: Floats, blocks: Floats) -> tuple[float, float]:
    """Slope of log MSD in log lag, and its standard error; NaN where no power law fits (`OFF`).

    ``msd`` (K,) by ``lags`` (K,), ``blocks`` (B, K) of different starts: the error is the spread
    of slopes over resampled blocks (a bootstrap with a fixed seed).
    """
    if len(lags) < 2 or not (msd > 0).all():
        return math.nan, math.nan
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(blocks), size=(SAMPLES, len(blocks)))
    resampled = blocks[chosen].mean(1)
    x = np.log(lags)
    x = x - x.mean()
    logs = np.log(msd) - np.log(msd).mean()
    slope = float(logs @ x / (x @ x))
    if np.abs(logs - slope * x).max() > OFF:
        return math.nan, math.nan
    slopes = np.log(np.maximum(resampled, np.finfo(float).tiny)) @ x / (x @ x)
    return slope, float(slopes.std(ddof=1))


def fitted_growth(lags: NDArray[np.int64], msd: Floats, error: Floats) -> tuple[str, float]:
    """Which law with two parameters fits MSD (K,) best, and the next one's AIC minus its own.

    A τ^α (``power law``), a + b log τ (``logarithmic``) or A (1 − e^{−τ/s}) (``saturating``), by
    relative residuals. Neighbouring lags share their noise: an octave counts as one observation.
    ``error`` (K,) bounds what a better fit is worth. Below 2 they are ``indistinguishable``.
    """
    if len(lags) < 4 or not (msd > 0).all():
        return "indistinguishable", math.nan
    octaves = math.log2(lags[-1] / lags[0])
    noise = float(np.mean((error / msd) ** 2)) + np.finfo(float).eps
    found = sorted(
        (octaves * math.log(float(np.mean((fit(lags, msd) / msd - 1) ** 2)) + noise), name)
        for name, fit in LAWS.items()
    )
    difference = found[1][0] - found[0][0]
    return (found[0][1] if difference >= DISTINCT else "indistinguishable"), difference


def _power(lags: NDArray[np.int64], msd: Floats) -> Floats:
    design = np.stack([np.ones(len(lags)), np.log(lags)], axis=1)
    fitted: Floats = np.exp(design @ np.linalg.lstsq(design, np.log(msd), rcond=None)[0])
    return fitted


def _logarithm(lags: NDArray[np.int64], msd: Floats) -> Floats:
    return _weighted(np.stack([np.ones(len(lags)), np.log(lags)], axis=1), msd)


def _saturating(lags: NDArray[np.int64], msd: Floats) -> Floats:
    # Times beyond the lags look like a walk: the power law's.
    times = np.geomspace(lags[0] / 4, lags[-1], 40)
    fits = [_weighted(1 - np.exp(-lags[:, None] / time), msd) for time in times]
    return min(fits, key=lambda fitted: float(((fitted / msd - 1) ** 2).sum()))


def _weighted(design: Floats, msd: Floats) -> Floats:
    """The least-squares fit by relative residuals, (K,)."""
    found = np.linalg.lstsq(design / msd[:, None], np.ones(len(msd)), rcond=None)[0]
    fitted: Floats = design @ found
    return fitted


LAWS: dict[str, Callable[[NDArray[np.int64], Floats], Floats]] = {
    "power law": _power,
    "logarithmic": _logarithm,
    "saturating": _saturating,
}


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
    short = lags <= max(grid.count // 10, 3)  # as Diffusion.fitted_to
    exponent, exponent_error = fitted_exponent(lags[short], msd[short], blocks[:, short])
    growth, evidence = fitted_growth(lags, msd, error)
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


def _parts(grid: Grid, lags: NDArray[np.int64]) -> dict[str, Submovement]:
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
        found[name] = Submovement(
            grid.coordinates.shape[1] if name == "subspace" else 0,
            float(np.diag(squared, half).mean()) / whole if whole else math.nan,
            part.half_cosine(),
            part.ratio(),
            fitted_exponent(lags, msd, part.blocks(lags))[0],
        )
    return found


def _mean_known(values: Floats) -> float:
    """The mean of those that are numbers; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _of_scalars(
    scalars: Mapping[str, Floats] | None, first: int, last: int, momentum: float
) -> dict[str, float]:
    if scalars is None:
        return {}
    here = {name: values[first:last] for name, values in scalars.items()}
    pull = 2 * float(np.mean(here["learning_rate"] * here["weight_dot_gradient"]))
    spread = (1 + momentum) * float(np.mean(here["update_norm"] ** 2))
    return {
        "gradient_cosine": _mean_known(here["gradient_cosine"]),
        "update_cosine": _mean_known(here["update_cosine"]),
        "norm_balance": pull / spread if spread else math.nan,
    }

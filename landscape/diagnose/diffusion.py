"""How weights spread with time: mean squared displacement by lag, and what it says."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose import diffusion_fits as fits
from landscape.diagnose.grid import Grid
from landscape.store.measured.weights import Diffusion, Distances, Submovement
from landscape.store.records import Floats


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

"""Laws fitted to mean squared displacement by lag: its exponent, and how it grows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from landscape.store.records import Floats

SAMPLES = 200
"""Bootstrap samples."""
DISTINCT = 2.0
"""A difference of AIC below that tells nothing (Burnham and Anderson, 2002)."""


def exponent(lags: NDArray[np.int64], msd: Floats, blocks: Floats) -> tuple[float, float]:
    """Slope of log MSD in log lag, and its standard error.

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
    slopes = np.log(np.maximum(resampled, np.finfo(float).tiny)) @ x / (x @ x)
    return float(np.log(msd) @ x / (x @ x)), float(slopes.std(ddof=1))


def growth(lags: NDArray[np.int64], msd: Floats, error: Floats) -> tuple[str, float]:
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

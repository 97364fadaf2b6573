"""What the records of distances say of themselves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from landscape.diagnose.motion import diffusion, distances
from landscape.store.measured.weights import Diffusion


@pytest.fixture(scope="module")
def walked() -> Diffusion:
    """Of a walk; the tests put other curves in its place."""
    moves = np.random.default_rng(0).standard_normal((512, 40))
    return diffusion.measure(distances.between(np.cumsum(moves, axis=0)))


def with_msd(found: Diffusion, msd: np.ndarray, error: float = 0.02) -> Diffusion:
    return replace(found, msd=msd, msd_error=np.full(len(msd), error))


def test_a_damped_oscillation_overshoots(walked):
    # MSD of a stationary damped oscillator: 2 (1 − e^(−γτ) cos ωτ), the peak at tan ωτ = −γ/ω.
    lags, period = walked.lags, walked.lags[-1] / 4
    omega, gamma = 2 * math.pi / period, 0.8 / period
    msd = 2 * (1 - np.exp(-gamma * lags) * np.cos(omega * lags))
    found = with_msd(walked, msd).overshoot
    peak = (math.pi - math.atan(gamma / omega)) / omega
    assert found.lag == pytest.approx(peak, rel=0.2)
    assert found.back == pytest.approx(2 / msd.max(), rel=0.15)
    # Within its errors a fall is none.
    assert with_msd(walked, msd, error=1.0).overshoot is None


def test_what_grows_or_levels_off_does_not_overshoot(walked):
    assert walked.overshoot is None
    levels = 1 - np.exp(-walked.lags / 20)
    assert with_msd(walked, levels).overshoot is None
    falls = levels.copy()
    falls[-1] *= 0.5  # the last lag alone
    assert with_msd(walked, falls).overshoot is None


def test_pairs_half_a_window_apart_are_counted(walked):
    half = (walked.points - 1) // 2
    pairs = [(a, b) for a in range(walked.points) for b in range(walked.points) if b - a == half]
    assert walked.half_pairs == len(pairs)

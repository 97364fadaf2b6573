"""Stochastic gradient Langevin dynamics around a point, and how much its chains tell.

Of the density p(w) ~ exp(−A(w)), A(w) = nβ L(w) + γ/2 |w − w*|², a chain takes steps

    w ← w − ε/2 (nβ g(w) + γ (w − w*)) + √ε ξ,    ξ ~ N(0, 1),

with g the gradient of L, over all samples or a batch (Welling & Teh, 2011). It knows no rejection:
where A has curvature a, its variance comes out 1/(1 − εa/4) times too large, and a batch's noise
adds to that. In a direction of curvature a the chain forgets in 2/(εa) steps, its square in half.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from landscape.store.scans.records import Floats

Slopes = Callable[[Floats], tuple[Floats, Floats]]
"""Losses (C,) and gradients (C, P) at C points (C, P); of all samples or, each time, of others."""
TOLD = 64
"""Progress is told every so many steps."""


@dataclass(frozen=True)
class Tempering:
    """The density exp(−strength L(w) − tether/2 |w − w*|²)."""

    strength: float
    """nβ."""
    tether: float
    """γ."""

    def curvature(self, value: float | Floats) -> float | Floats:
        """That of the exponent where the loss has this curvature."""
        return self.strength * value + self.tether


@dataclass(frozen=True)
class Chains:
    """What C chains did after their burn-in."""

    losses: Floats
    """(T, C) of the draws."""
    last: Floats
    """(C, P) where they ended."""

    @property
    def is_finite(self) -> bool:
        """Whether all stayed where the loss is finite."""
        return bool(np.isfinite(self.losses).all() and np.isfinite(self.last).all())


def sample(
    slopes: Slopes,
    start: Floats,
    tempering: Tempering,
    *,
    step_size: float,
    burn_in: int,
    draws: int,
    chains: int,
    seed: int = 0,
    scale: Floats | None = None,
    every: int = 1,
    observe: Callable[[Floats], Floats] | None = None,
    listener: Callable[[int, int], None] = lambda done, total: None,
) -> Chains:
    """Run chains from ``start`` (P,), w*; they end early where one leaves the finite numbers.

    Args:
        step_size: ε.
        burn_in: steps that are left out,
        draws: and those that count,
        every: of which every so many is kept.
        scale: a diagonal M (P,) that preconditions: steps are −ε/2 M ∇A + √(εM) ξ, of the same
            density whatever M is; 0 where nothing moves. 1 unless given.
        observe: losses (C,) at points (C, P) of those that are kept, instead of ``slopes``'s own:
            over all samples, where these are a batch's.
        listener: ``listener(done, total)``, in steps.
    """
    generator = np.random.Generator(np.random.PCG64([seed, 4]))
    points = np.tile(np.asarray(start, np.float64), (chains, 1))
    half = step_size / 2 * (1.0 if scale is None else scale)
    spread = np.sqrt(2 * half)
    found = np.full((-(-draws // every), chains), np.nan)
    for step in range(burn_in + draws):
        losses, gradients = slopes(points)
        draw, rest = divmod(step - burn_in, every)
        if draw >= 0 and rest == 0:
            found[draw] = losses if observe is None else observe(points)
        if not np.isfinite(losses).all():
            break
        pull = tempering.strength * gradients + tempering.tether * (points - start)
        points = points - half * pull + spread * generator.standard_normal(points.shape)
        if step % TOLD == 0:
            listener(step, burn_in + draws)
    return Chains(found, points)


def effective(values: Floats) -> float:
    """The effective number of T draws of C chains (T, C), at most T C.

    T C/τ with τ = 1 + 2 Σ ρ, the autocorrelations ρ averaged over the chains and summed while
    pairs of neighbours are positive (Geyer, 1992).
    """
    count, chains = values.shape
    centred = values - values.mean(0)
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=0)) ** 2
    covariances = np.fft.irfft(spectrum, size, axis=0)[:count].mean(1) / count
    if not covariances[0] > 0:
        return float(count * chains)
    rho = covariances / covariances[0]
    pairs = rho[0 : count - count % 2 : 2] + rho[1:count:2]
    negative = np.flatnonzero(pairs <= 0)
    kept = pairs[: negative[0]] if len(negative) else pairs
    return float(count * chains / max(1.0, 2 * kept.sum() - 1))


def error(values: Floats) -> float:
    """The standard error of the mean of T draws of C chains (T, C).

    By their effective number, or by the spread of the chains' means, whichever says more.
    """
    within = float(values.std()) / math.sqrt(effective(values))
    chains = values.shape[1]
    means = values.mean(0)
    between = float(means.std(ddof=1)) / math.sqrt(chains) if chains > 1 else 0.0
    return max(within, between)

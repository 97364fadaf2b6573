"""Estimates from diffusion: pooled over replicas, and what they say of curvature and mixtures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion.grid import COARSE
from landscape.store.measured.weights import Diffusion

LEAP = 4.9
"""The least that planted leaps have as the largest over the median squared displacement."""
SIMILAR = 0.3
"""Replicas are pooled with the window if they are at most this share shorter."""
RATIO_SPREAD = 0.8
"""Standard deviation of a walk's R, as a share of it, times √(its dimensions): measured."""
CONFINED_SPREAD = 0.3
"""The same of a confined movement, at most: measured."""

REMEMBERED = 4.0
"""T(1 − β) from which the restoring bound holds with momentum, against exact autocovariances."""


@dataclass(frozen=True)
class Pooled:
    """c½ and R over one time, averaged over all movements of that length that were measured."""

    cosine: float
    """c½."""
    error: float
    """Its standard error, 1/√(effective dimensions)."""
    ratio: float
    """R."""
    ratio_dimension: float
    """Effective dimensions behind R."""
    steps: int
    """T: the time that they are of."""
    hops: float
    """Largest over median squared displacement of 32 blocks,"""
    hop_dimension: float
    """and the effective dimensions of one such movement."""


def pooled(evidence: Evidence, moved: Diffusion) -> Pooled:
    """Over the window: the run's own, averaged with its replicas' if these are about as long."""
    own = Pooled(
        moved.half_cosine,
        moved.half_cosine_error,
        moved.ratio,
        moved.dimension,
        moved.steps,
        moved.hops,
        moved.dimension,
    )
    replicas = evidence.measured.replicas
    if replicas is None or not is_as_long(replicas.steps, moved.steps):
        return own
    count, found = replicas.count, own
    if not math.isnan(replicas.half_cosine):
        cosine = (own.cosine + count * replicas.half_cosine) / (count + 1)
        # Few replicas may agree by chance: their spread can only make the error larger.
        spread = float(np.nan_to_num(replicas.half_cosine_error)) * count / (count + 1)
        found = replace(found, cosine=cosine, error=max(own.error / math.sqrt(count + 1), spread))
    if not math.isnan(replicas.lag_ratio):
        ratio = (own.ratio + count * replicas.lag_ratio) / (count + 1)
        dimension = own.ratio_dimension * (count + 1)
        found = replace(found, ratio=ratio, ratio_dimension=dimension)
    return found


def over_replicas(evidence: Evidence, moved: Diffusion) -> Pooled | None:
    """Over the length of replicas that are shorter than the window.

    The mean over the replicas and the run's own stretches of that length, each counted once. They
    are nearly independent (see `stretches`), so that effective dimensions add up; where the
    cosines are spread more than these say, their spread is the error. None where replicas are as
    long as the window, there are none, or neither has enough recorded positions.
    """
    replicas, own = evidence.measured.replicas, evidence.measured.stretches
    if replicas is None or is_as_long(replicas.steps, moved.steps):
        return None
    rows = [(replicas.count, replicas.half_cosine, replicas.half_cosine_error)]
    movement = [(replicas.count, replicas.lag_ratio, replicas.dimension)]
    noise = 0.0
    if own is not None:
        rows.append((own.count, own.half_cosine, own.half_cosine_error))
        movement.append((own.count, own.ratio, own.dimension))
        noise = own.distance_error
    movement = [row for row in movement if not any(map(math.isnan, row))]
    rows = [row for row in rows if not math.isnan(row[1])]
    if not movement or not rows:
        return None
    counts, ratios, dimensions = np.array(movement).T
    dimension = float(counts @ dimensions)
    number, cosines, errors = np.array(rows).T
    total = float(number.sum())
    spread = float(np.linalg.norm(number * np.nan_to_num(errors))) / total
    # The mean of 1/D_eff; a sketch's inner product of unit vectors is off by √2 its distances'.
    expected = math.sqrt((counts.sum() / dimension + 2 * noise**2) / total)
    return Pooled(
        cosine=float(number @ cosines) / total,
        error=max(expected, spread),
        ratio=float(counts @ ratios / counts.sum()),
        ratio_dimension=dimension,
        steps=replicas.steps,
        hops=moved.hops if own is None else max(moved.hops, own.hops),
        hop_dimension=float(dimension / counts.sum()),
    )


def is_as_long(steps: int, window: int) -> bool:
    """Whether replicas of so many steps are about as long as a window."""
    return steps >= (1 - SIMILAR) * window


def memory(momentum: float, steps: int) -> float:
    """R of a walk with momentum β over T steps, as a multiple of 4: what β alone adds to it.

    Steps are an autoregression, MSD(τ) ∝ τ (1 + β)/(1 − β) − 2β (1 − β^τ)/(1 − β)². Near 1 where
    T/8 is far above 1/(1 − β) steps.
    """

    return _walked(momentum, steps / 2) / _walked(momentum, steps / 8) / 4


def carried(momentum: float, steps: int) -> float:
    """c½ of a walk with momentum β over T steps: c₀ = MSD(T)/(2 MSD(T/2)) − 1, 0 without."""
    return _walked(momentum, steps) / (2 * _walked(momentum, steps / 2)) - 1


def _walked(momentum: float, lag: float) -> float:
    """MSD(τ) of such a walk, as a multiple of its step's."""
    rest, kept = 1 - momentum, math.pow(momentum, lag)
    return lag * (1 + momentum) / rest - 2 * momentum * (1 - kept) / rest**2


def oscillation(momentum: float, steps: int) -> float:
    """√β^{T/8}: what is left after T/8 of the amplitude of an oscillation in a bowl.

    The heavy ball's w_{t+1} = (1 + β − ηh) w_t − β w_{t−1} has complex roots of modulus √β.
    MSD(T/8) may be above its limit by as large a share, and R below 1 by it.
    """
    return math.pow(momentum, steps / 16)


def hops_line(found: Pooled, line: float) -> float:
    """What hops have to reach: ``line``, or what one walk in twenty has in so few dimensions.

    Of 32 blocks' squared displacements, each a χ² with D_eff degrees of freedom; at most `LEAP`.
    """
    if not found.hop_dimension > 0:
        return line
    likely = chi2.ppf(0.95 ** (1 / COARSE), found.hop_dimension) / chi2.median(found.hop_dimension)
    return max(line, min(LEAP, float(likely)))


@dataclass(frozen=True)
class Shares:
    """Shares of MSD(T/2) that a confined movement, a walk and a drift make up; their sum is 1.

    Independent movements add their MSD and their inner products: 1/R = a + w/4 + d/16 and
    c½ = −a/2 + d, which is solved for the three. A negative share: it is no such sum. With
    momentum a walk's part of them is w/(4 `memory`) and w c₀ (see `carried`).
    """

    confined: float
    walk: float
    drift: float


def shares(found: Pooled, momentum: float) -> Shares:
    """The three shares from c½ and R."""
    if not found.ratio > 0:
        return Shares(math.nan, math.nan, math.nan)
    walked = 1 / (4 * memory(momentum, found.steps)), carried(momentum, found.steps)
    sums = np.array([[1.0, 1.0, 1.0], [1.0, walked[0], 1 / 16], [-0.5, walked[1], 1.0]])
    confined, walk, drift = np.linalg.solve(sums, [1.0, 1 / found.ratio, found.cosine])
    return Shares(float(confined), float(walk), float(drift))


def is_no_sum(parts: Shares, found: Pooled) -> bool:
    """Whether a share is negative beyond its error: no sum of the three moves so."""
    return min(parts.confined, parts.walk, parts.drift) < least_share(found)


def least_share(found: Pooled) -> float:
    """What a share of a sum may be down to, by c½'s error."""
    return -2 * found.error


def confined_error(found: Pooled) -> float:
    """Standard error of the confined share, from those of c½ and R."""
    ratio_error = RATIO_SPREAD / math.sqrt(found.ratio_dimension)
    return math.hypot(3 / 16 * found.error, ratio_error / found.ratio) / (21 / 32)


def confined_cosine(ratio: float) -> float:
    """c½ of one curvature's confinement that has this R, 1 to 4.

    With y = e^{−hηT/(8(1−β))}, R = (1 − y⁴)/(1 − y) = 1 + y + y² + y³ and c½ = −(1 − y⁴)/2.
    """
    y = float(brentq(lambda y: 1 + y + y**2 + y**3 - ratio, 0, 1)) if 1 < ratio < 4 else 0.0
    return -(1 - y**4) / 2


def restoring_bound(evidence: Evidence, found: Pooled) -> float | None:
    """h* = x (1 − β)/(η T), x = max(1, −2 ln(1 + 2 (c½ − c₀ − 2 e))), e the error of c½ over T.

    A coordinate of curvature h has c½ = −(1 − e^{−x/2})/2 with x = h η T/(1 − β), and with
    momentum at most c₀ above that (see `carried`), from T = `REMEMBERED`/(1 − β) on. None where T
    is shorter, c½ is too uncertain for a bound, or the optimizer isn't plain SGD.
    """
    setup = evidence.setup
    rest = 1 - setup.momentum
    inside = 1 + 2 * (found.cosine - carried(setup.momentum, found.steps) - 2 * found.error)
    if not inside > 0 or not is_sgd(evidence) or found.steps * rest < REMEMBERED:
        return None
    x = max(1.0, -2 * math.log(inside))
    return x * rest / (setup.learning_rate * found.steps)


def is_sgd(evidence: Evidence) -> bool:
    """Whether criteria that are only SGD's apply: plain SGD, nothing clipped."""
    return evidence.setup.optimizer == "SGD" and not evidence.setup.clipped

"""Estimates from diffusion: pooled over replicas, and what they say of curvature and mixtures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from landscape.diagnose.diffusion import Diffusion
from landscape.diagnose.evidence import Evidence

SIMILAR = 0.3
"""Replicas are pooled with the run if their length is within this share of the window's."""
RATIO_SPREAD = 0.8
"""Standard deviation of a walk's R, as a share of it, times √(its dimensions): measured."""


@dataclass(frozen=True)
class Pooled:
    """Numbers of the run averaged with those of its replicas, where these are as long."""

    cosine: float
    """c½."""
    error: float
    """Its standard error, 1/√(effective dimensions)."""
    ratio: float
    """R."""
    ratio_dimension: float
    """Effective dimensions behind R."""


def pooled(evidence: Evidence, moved: Diffusion) -> Pooled:
    """Average over the run and its replicas, if their lengths are about the same."""
    own = Pooled(moved.half_cosine, moved.half_cosine_error, moved.ratio, moved.dimension)
    replicas = evidence.replicas
    if replicas is None or not _is_as_long(replicas.steps, moved):
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


def hint(evidence: Evidence, moved: Diffusion) -> str:
    """What would give c½ and R more dimensions, as the end of a sentence."""
    if "onset" in evidence.states:
        return "; replicas are not run after an escape"
    replicas = evidence.replicas
    if replicas is None:
        return "; run replicas"
    if _is_as_long(replicas.steps, moved):
        return ""
    epochs = math.ceil(moved.steps / evidence.setup.steps_per_epoch)
    return (
        f"; replicas ran {replicas.steps} of the window's {moved.steps} steps, "
        f"those of --epochs {epochs} could be pooled with it"
    )


def _is_as_long(steps: int, moved: Diffusion) -> bool:
    return abs(steps - moved.steps) <= SIMILAR * moved.steps


@dataclass(frozen=True)
class Shares:
    """Shares of MSD(T/2) that a confined movement, a walk and a drift make up; their sum is 1.

    Independent movements add their MSD and their inner products: 1/R = a + w/4 + d/16 and
    c½ = −a/2 + d, which is solved for the three. A negative share: it is no such sum.
    """

    confined: float
    walk: float
    drift: float


def shares(cosine: float, ratio: float) -> Shares:
    """The three shares from c½ and R."""
    confined = (1 / ratio - 1 / 4 + 3 / 16 * cosine) / (21 / 32) if ratio > 0 else math.nan
    drift = cosine + confined / 2
    return Shares(confined, 1 - confined - drift, drift)


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


def restoring_bound(evidence: Evidence, moved: Diffusion) -> float | None:
    """h* = x (1 − β)/(η T) with x = max(1, −2 ln(1 + 2 (c½ − 2 e))), e the error of c½.

    A coordinate of curvature h has c½ = −(1 − e^{−x/2})/2 with x = h η T/(1 − β). None where c½ is
    too uncertain for a bound, or the optimizer isn't plain SGD.
    """
    setup = evidence.setup
    found = pooled(evidence, moved)
    inside = 1 + 2 * (found.cosine - 2 * found.error)
    if inside <= 0 or not is_sgd(evidence):
        return None
    x = max(1.0, -2 * math.log(inside))
    return x * (1 - setup.momentum) / (setup.learning_rate * moved.steps)


def is_sgd(evidence: Evidence) -> bool:
    """Whether criteria that are only SGD's apply: plain SGD, nothing clipped."""
    return evidence.setup.optimizer == "SGD" and not evidence.setup.clipped

"""What a movement over one time is called, from its numbers over that time alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from landscape.curvature.density import Count
from landscape.diagnose.estimates import (
    CONFINED_SPREAD,
    RATIO_SPREAD,
    Pooled,
    carried,
    confined_cosine,
    confined_error,
    hops_line,
    memory,
    oscillation,
    restoring_bound,
    shares,
)
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.terms import UNDETERMINED
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.valley import is_resolved, valley_count
from landscape.store.measured.curvature import Density
from landscape.store.measured.trainings import Replicas

DRIFTING, CONFINED, MIXED = "drifting", "confined", "mixed"
WANDERING, HOPPING = "wandering-in-valley", "hopping-basins"


@dataclass(frozen=True)
class Named:
    """The name over one time, or why there is none."""

    name: str
    reason: str = ""
    """Of ``undetermined``."""
    lacks: str = ""
    """What it is undetermined for the lack of: ``replicas`` or ``dimensions``; else nothing."""
    items: Items = field(default_factory=dict)
    bound: float | None = None
    dimension: float | None = None


def judge(
    evidence: Evidence,
    found: Pooled,
    replicas: Replicas | None,
    connected: bool | None,
    thresholds: Thresholds,
) -> Named:
    """Apply the rules in their order; ``replicas`` are None where none are of that length."""
    # Comparisons with what isn't known (NaN) are false: every name asks for one that is true.
    momentum, ratio = evidence.setup.momentum, found.ratio
    cosine = found.cosine - carried(momentum, found.steps)
    added = memory(momentum, found.steps)
    is_wide = found.error**-2 >= thresholds.dimension <= found.ratio_dimension
    if cosine > thresholds.drift_cosine or ratio > added * thresholds.drift_ratio:
        if replicas is None:
            lacks = "replicas" if is_wide else "dimensions"
            return _unknown("drift or one long correlation", lacks=lacks)
        if replicas.ratio < thresholds.drift_replicas:
            return Named(DRIFTING)
        if math.isnan(replicas.ratio):
            return _unknown("it moves straight on; how far its replicas part isn't known")
        return _unknown("it moves straight on, its replicas elsewhere")
    if connected is False:
        return Named(HOPPING)
    if not is_wide:
        return _unknown("too few effective dimensions to trust c½ and R", lacks="dimensions")
    if ratio < thresholds.confined_ratio:
        return _confined(found, momentum, connected, thresholds)
    is_walk = thresholds.walk_ratio_low <= ratio <= added * thresholds.walk_ratio
    if abs(cosine) < thresholds.walk_cosine and is_walk:
        return _walking(evidence, found, replicas, connected, thresholds)
    return _mixed(found, momentum, thresholds)


def _confined(
    found: Pooled, momentum: float, connected: bool | None, thresholds: Thresholds
) -> Named:
    at_most = max(1.0, found.ratio) * (1 + 2 * RATIO_SPREAD / math.sqrt(found.ratio_dimension))
    unconfined = 4 / 3 * (1 - 1 / at_most)
    items = {
        "unconfined_share": Item(
            max(0.0, 4 / 3 * (1 - 1 / found.ratio)),
            None,
            "(4/3)(1 − 1/R): the share of MSD(T/2) that may be an unconfined walk",
        ),
        "unconfined_below": Item(
            unconfined,
            thresholds.unconfined,
            "(4/3)(1 − 1/(R + 2e)): what that share may be up to, R's error e that of a walk",
        ),
        "drift_below": Item(
            max(0.0, (found.cosine + 0.5 + 2 * found.error) / 1.5),
            None,
            "(2/3)(c½ + ½), two standard errors added: the share of MSD(T/2) that may be a drift",
        ),
    }
    if not abs(found.cosine + 0.5) <= thresholds.confined_cosine:
        return _unknown("R speaks for confinement, c½ doesn't", items)
    if oscillation(momentum, found.steps) > thresholds.oscillation:
        return _unknown(
            f"confined, or not: over {found.steps} steps oscillations from momentum aren't over, "
            "which lowers R and may hide a slow part",
            items,
        )
    doubt = 2 * CONFINED_SPREAD / math.sqrt(found.ratio_dimension)
    if found.ratio < min(1 - doubt, 1 / thresholds.confined_ratio):
        return _unknown(
            "confined, or not: R is below 1 beyond its error, so it oscillates, which may hide a "
            "slow part",
            items,
        )
    if not unconfined <= thresholds.unconfined:
        return _unknown(
            f"confined, or not: in so few dimensions {unconfined:.0%} of it may be a walk",
            items,
            lacks="dimensions",
        )
    if connected is None:
        return _unknown(
            "confined, or hopping between basins: only the barriers between floors tell", items
        )
    return Named(CONFINED, items=items)


def _mixed(found: Pooled, momentum: float, thresholds: Thresholds) -> Named:
    parts, doubt = shares(found, momentum), 2 * found.error
    # Soft directions that are not yet confined have the same R as something beside confinement.
    cosine = found.cosine - carried(momentum, found.steps)
    if cosine <= confined_cosine(found.ratio) + doubt:
        return _unknown("confined, for few correlation times, or a walk or drift beside it")
    if min(parts.walk, parts.drift) < -doubt:
        return _unknown("no sum of confinement, walk and drift has its c½ and R")
    if not found.hops < hops_line(found, thresholds.hops):
        return _unknown("confined, beside something that moves in leaps")
    least = max(thresholds.mixed_share, 2 * confined_error(found))
    if least < parts.confined < 1 - thresholds.mixed_share:
        return Named(MIXED)
    return _unknown("its numbers are those of none of the plain motions")


def _walking(
    evidence: Evidence,
    found: Pooled,
    replicas: Replicas | None,
    connected: bool | None,
    thresholds: Thresholds,
) -> Named:
    if replicas is None:
        return _unknown(
            "it moves as a walk does; whether others go elsewhere takes replicas", lacks="replicas"
        )
    if math.isnan(replicas.ratio):
        return _unknown("it moves as a walk does; how far its replicas part isn't known")
    if not replicas.ratio > thresholds.walk_replicas:
        return _unknown("it moves as a walk does, but its replicas resemble it")
    if not found.hops < hops_line(found, thresholds.hops):
        return _unknown("it moves as a walk does, in leaps")
    if connected is None:
        what = (
            "the barriers don't tell"
            if evidence.measured.connectivity
            else "no floors were measured"
        )
        return _unknown(f"a walk in a valley, or between basins: {what}")
    bound = restoring_bound(evidence, found)
    items: Items = {}
    dimension: float | None = None
    if bound is not None:
        items["restoring_below"] = Item(bound, None, BOUND.format(steps=found.steps))
        density = evidence.measured.density
        count = valley_count(density, bound)
        if density is not None and count is not None:
            dimension = count.value if is_resolved(count) else None
            items["valley_dimension"] = _valley(count, density)
    return Named(WANDERING, items=items, bound=bound, dimension=dimension)


def _valley(count: Count, density: Density) -> Item:
    meaning = (
        f"#{{λ < h*}}: Hessian eigenvalues below the bound; {count.value:.0f} ± {count.error:.0f} "
        f"over probes, {count.lower:.0f} to {count.upper:.0f} whatever lies between the nodes"
    )
    if density.samples < density.total:
        meaning += (
            f"; over {density.samples} of {density.total} samples, which makes more of it flat"
        )
    return Item(count.value if is_resolved(count) else UNDETERMINED, None, meaning)


BOUND = (
    "h*: no confinement seen for most of the squared displacement over {steps} steps, so "
    "restoring curvature along it is below this"
)


def _unknown(reason: str, items: Items | None = None, *, lacks: str = "") -> Named:
    return Named(UNDETERMINED, reason, lacks, items or {})

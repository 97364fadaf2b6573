"""How the weights move once the loss has settled: one name, by rules applied in a fixed order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from landscape.diagnose import edge, slope
from landscape.diagnose.diffusion import Diffusion
from landscape.diagnose.estimates import (
    Pooled,
    confined_cosine,
    confined_error,
    hint,
    pooled,
    restoring_bound,
    shares,
)
from landscape.diagnose.evidence import Barrier, Evidence, Spectrum, is_resolved
from landscape.diagnose.items import Item, Items
from landscape.diagnose.motion_items import numbers
from landscape.diagnose.quadrature import Count
from landscape.diagnose.thresholds import Thresholds

UNDETERMINED = "undetermined"
NAMES = (
    *("still-descending", "rising", "drifting", "confined", "mixed", "wandering-in-valley"),
    *("hopping-basins", UNDETERMINED),
)


@dataclass(frozen=True)
class Motion:
    """The motion's name and what it rests on."""

    name: str
    """One of NAMES."""
    also: tuple[str, ...] = ()
    items: Items = field(default_factory=dict)
    bound: float | None = None
    """h*: restoring curvature along most of the movement is below it; None: no bound."""
    dimension: float | None = None
    """#{λ_i < h*}: the valley's dimension at that scale; None: not resolved."""
    connected: bool | None = None
    """Whether floors below it are; None: not known."""


def decide(evidence: Evidence, thresholds: Thresholds) -> Motion:
    """Apply the rules in their order: the loss's slope, then the movement."""
    also, items = edge.judge(evidence, thresholds)
    moved = evidence.diffusion
    if moved is None:
        return _unknown("diffusion was not measured", items, also)
    items |= numbers(evidence, moved, thresholds)
    step, loss = evidence.rows.step, evidence.rows.train_loss
    inside = (step >= moved.first_step) & (step <= moved.last_step)
    change = slope.of_log_loss(step[inside], loss[inside])
    state = slope.state(change, thresholds)
    items["loss_change"] = Item(
        change.total,
        f"±{math.log(thresholds.descending):.3g}, ±{math.log(thresholds.settled):.3g}",
        f"change of log loss over the window, ± {change.error:.2g} (two standard errors): {state}",
    )
    connected = _connected(evidence, thresholds, items)
    if state in (slope.DESCENDING, slope.RISING):
        return Motion(state, also, items)
    if state == slope.UNDETERMINED:
        return _unknown("whether the loss has settled is not clear from its slope", items, also)
    found = _settled(evidence, moved, connected, thresholds, items)
    return replace(found, also=also, connected=connected)


def _settled(
    evidence: Evidence,
    moved: Diffusion,
    connected: bool | None,
    thresholds: Thresholds,
    items: Items,
) -> Motion:
    found, replicas = pooled(evidence, moved), evidence.replicas
    cosine, error, ratio = found.cosine, found.error, found.ratio
    if cosine > thresholds.drift_cosine or ratio > thresholds.drift_ratio:
        if replicas is None:
            return _unknown("drift or one long correlation: no replicas were run", items)
        if replicas.ratio < thresholds.drift_replicas:
            return Motion("drifting", items=items)
        return _unknown("it moves straight on, its replicas elsewhere", items)
    if connected is False:
        return Motion("hopping-basins", items=items)
    if error**-2 < thresholds.dimension or found.ratio_dimension < thresholds.dimension:
        return _unknown(
            f"too few effective dimensions to trust c½ and R{hint(evidence, moved)}", items
        )
    if ratio < thresholds.confined_ratio:
        return _confined(found, connected, thresholds, items)
    is_walk = thresholds.walk_ratio_low <= ratio <= thresholds.walk_ratio
    if abs(cosine) < thresholds.walk_cosine and is_walk:
        return _walking(evidence, moved, connected, thresholds, items)
    return _mixed(found, thresholds, items)


def _confined(
    found: Pooled, connected: bool | None, thresholds: Thresholds, items: Items
) -> Motion:
    items["unconfined_share"] = Item(
        max(0.0, 4 / 3 * (1 - 1 / found.ratio)),
        None,
        "(4/3)(1 − 1/R): the share of MSD(T/2) that may be an unconfined walk",
    )
    if abs(found.cosine + 0.5) > thresholds.confined_cosine:
        return _unknown("R speaks for confinement, c½ doesn't", items)
    if connected is None:
        return _unknown(
            "confined, or hopping between basins: only the barriers between floors tell", items
        )
    return Motion("confined", items=items)


def _mixed(found: Pooled, thresholds: Thresholds, items: Items) -> Motion:
    parts, doubt = shares(found.cosine, found.ratio), 2 * found.error
    # Soft directions that are not yet confined have the same R as something beside confinement.
    if found.cosine <= confined_cosine(found.ratio) + doubt:
        return _unknown("confined, for few correlation times, or a walk or drift beside it", items)
    if min(parts.walk, parts.drift) < -doubt:
        return _unknown("no sum of confinement, walk and drift has its c½ and R", items)
    least = max(thresholds.mixed_share, 2 * confined_error(found))
    if least < parts.confined < 1 - thresholds.mixed_share:
        return Motion("mixed", items=items)
    return _unknown("its numbers are those of none of the plain motions", items)


def _walking(
    evidence: Evidence,
    moved: Diffusion,
    connected: bool | None,
    thresholds: Thresholds,
    items: Items,
) -> Motion:
    replicas = evidence.replicas
    if replicas is None:
        return _unknown(
            "it moves as a walk does; whether others go elsewhere needs replicas", items
        )
    if replicas.ratio <= thresholds.walk_replicas:
        return _unknown("it moves as a walk does, but its replicas resemble it", items)
    if moved.hops >= thresholds.hops:
        return _unknown("it moves as a walk does, in leaps", items)
    if connected is None:
        what = "the barriers don't tell" if evidence.floors else "no floors were measured"
        return _unknown(f"a walk in a valley, or between basins: {what}", items)
    bound = restoring_bound(evidence, moved)
    dimension: float | None = None
    if bound is not None:
        items["restoring_below"] = Item(bound, None, BOUND)
        if evidence.spectrum is not None:
            count = evidence.spectrum.count(bound)
            if count is not None:
                dimension = count.value if is_resolved(count) else None
                items["valley_dimension"] = _valley(count, evidence.spectrum)
    return Motion("wandering-in-valley", items=items, bound=bound, dimension=dimension)


def _valley(count: Count, spectrum: Spectrum) -> Item:
    meaning = (
        f"#{{λ < h*}}: Hessian eigenvalues below the bound; {count.value:.0f} ± {count.error:.0f} "
        f"over probes, {count.lower:.0f} to {count.upper:.0f} whatever lies between the nodes"
    )
    if spectrum.samples < spectrum.total:
        meaning += (
            f"; over {spectrum.samples} of {spectrum.total} samples, which makes more of it flat"
        )
    return Item(count.value if is_resolved(count) else UNDETERMINED, None, meaning)


BOUND = (
    "h*: no confinement seen for most of the squared displacement over T steps, so restoring "
    "curvature along it is below this"
)


def _connected(evidence: Evidence, thresholds: Thresholds, items: Items) -> bool | None:
    """Whether the floors are; None where it isn't known, as between low and high barriers.

    One kind of path that is low connects them. Only where all are high, after matching too, do
    they lie in different basins.
    """
    floors = evidence.floors
    if floors is None:
        return None
    paths = {
        "line": floors.line,
        "polyline": floors.polyline,
        "curve": floors.curve,
        "matched": floors.matched,
    }
    low = []
    for name, barrier in paths.items():
        if barrier is None:
            continue
        items[f"barrier_{name}"] = Item(
            barrier.error,
            thresholds.barrier_error,
            f"worst barrier between {floors.count} floors, error points, {_PATHS[name]}; "
            f"loss ratio {barrier.ratio:.3g} against {thresholds.barrier_ratio:g}",
        )
        low.append(_is_low(barrier, _scale(evidence), thresholds))
    if True in low:
        return True
    return False if floors.matched is not None and None not in low else None


_PATHS = {
    "line": "along straight lines",
    "polyline": "from floor to floor",
    "curve": "along trained Bézier curves",
    "matched": "along lines after weight matching",
}


def _is_low(barrier: Barrier, scale: float, thresholds: Thresholds) -> bool | None:
    """Whether a barrier is low; None where it is neither low nor high, or not known."""
    few = barrier.error < thresholds.barrier_error
    flat = barrier.ratio < thresholds.barrier_ratio
    if not math.isnan(barrier.error):
        # Floors near zero loss make any ratio large: points of error alone are high.
        return True if few and flat else None if few else False
    if flat:
        return True
    high = barrier.ratio >= thresholds.barrier_ratio
    return False if high and barrier.loss > thresholds.barrier_share * scale else None


def _scale(evidence: Evidence) -> float:
    known = math.isfinite(evidence.constant_loss)
    return abs(evidence.constant_loss if known else float(evidence.rows.train_loss[0]))


def _unknown(reason: str, items: Items, also: tuple[str, ...] = ()) -> Motion:
    because = {"motion_undetermined_because": Item(reason, None, "why no motion is named")}
    return Motion(UNDETERMINED, also, items | because)

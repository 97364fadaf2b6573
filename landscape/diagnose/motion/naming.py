"""How the weights move once the loss has settled: one name, by rules applied in a fixed order.

First what the movement over one time is called from its numbers (`judge_movement`), then whether
training is at the edge of stability, then the evidence: every number beside the line that it is
held against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from landscape.curvature.bounds import Bounds, bounds
from landscape.curvature.density import Count
from landscape.diagnose.connectivity import basins
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.motion import deciding, slope
from landscape.diagnose.motion.diffusion import OFF
from landscape.diagnose.motion.estimates import (
    CONFINED_SPREAD,
    RATIO_SPREAD,
    Pooled,
    carried,
    confined_cosine,
    confined_error,
    hops_line,
    is_as_long,
    is_no_sum,
    is_sgd,
    least_share,
    memory,
    oscillation,
    over_replicas,
    pooled,
    restoring_bound,
    shares,
)
from landscape.diagnose.motion.valley import is_resolved, valley_count
from landscape.diagnose.outcome_names import UNDETERMINED
from landscape.diagnose.thresholds import Thresholds
from landscape.quantities import number, percent
from landscape.store.measured.curvature import Density
from landscape.store.measured.trainings import Replicas
from landscape.store.measured.weights import Diffusion
from landscape.store.measured.whole import StateAtStep
from landscape.store.verdicts import Remedy

DRIFTING, CONFINED, MIXED = "drifting", "confined", "mixed"
WANDERING, HOPPING = "wandering-in-valley", "hopping-basins"


@dataclass(frozen=True)
class Named:
    """The name over one time, or why there is none."""

    name: str
    reason: str = ""
    """Of ``undetermined``."""
    lacks: str = ""
    """What it is undetermined for the lack of, one of those that `would_tell` knows; or nothing
    that could be had."""
    items: Items = field(default_factory=dict)
    bound: float | None = None
    dimension: float | None = None
    remedy: Remedy | None = None


def judge_movement(
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
            return _unknown_movement("drift or one long correlation", lacks=lacks)
        if replicas.ratio < thresholds.drift_replicas:
            return Named(DRIFTING)
        if math.isnan(replicas.ratio):
            return _unknown_movement("it moves straight on; how far its replicas part isn't known")
        return _unknown_movement("it moves straight on, its replicas elsewhere", lacks="time")
    if connected is False:
        return _hopping(evidence)
    if not is_wide:
        return _unknown_movement(
            "it moves in too few independent directions to tell", lacks="dimensions"
        )
    if ratio < thresholds.confined_ratio:
        return _confined(found, momentum, connected, thresholds)
    is_walk = thresholds.walk_ratio_low <= ratio <= added * thresholds.walk_ratio
    if abs(cosine) < thresholds.walk_cosine and is_walk:
        return _walking(evidence, found, replicas, connected, thresholds)
    return _mixed(found, momentum, thresholds)


def _hopping(evidence: Evidence) -> Named:
    """Lines that are too high prove nothing: a bent path may be low."""
    if evidence.measured.curves is not None:
        return Named(HOPPING)
    return _unknown_movement(
        "no line connects its floors, matched or not, and no bent path was tried", lacks="curves"
    )


def _confined(
    found: Pooled, momentum: float, connected: bool | None, thresholds: Thresholds
) -> Named:
    unconfined = _unconfined(found)
    items = _may_be_else(found, unconfined, thresholds)
    if not abs(found.cosine + 0.5) <= thresholds.confined_cosine:
        return _unknown_movement(
            "how its distances grow speaks for confinement, how it turns back doesn't",
            items,
            lacks="time",
        )
    if oscillation(momentum, found.steps) > thresholds.oscillation:
        return _unknown_movement(
            f"confined, or not: over {found.steps} steps oscillations from momentum aren't over, "
            "which may hide a slow part",
            items,
            lacks="time",
        )
    doubt = 2 * CONFINED_SPREAD / math.sqrt(found.ratio_dimension)
    if found.ratio < min(1 - doubt, 1 / thresholds.confined_ratio):
        return _unknown_movement(
            "confined, or not: distances shrink again beyond their error, so it oscillates, which "
            "may hide a slow part",
            items,
            lacks="time",
        )
    if not unconfined <= thresholds.unconfined:
        return _unknown_movement(
            f"confined, or not: in so few dimensions {percent(unconfined)} of it may be a walk",
            items,
            lacks="dimensions",
        )
    if connected is None:
        return _unknown_movement(
            "confined, or hopping between basins: only the barriers between floors tell",
            items,
            lacks="floors",
        )
    return Named(CONFINED, items=items)


def _unconfined(found: Pooled) -> float:
    """The share of the squared displacement that may be a walk, two errors of R added."""
    at_most = max(1.0, found.ratio) * (1 + 2 * RATIO_SPREAD / math.sqrt(found.ratio_dimension))
    return 4 / 3 * (1 - 1 / at_most)


def _may_be_else(found: Pooled, unconfined: float, thresholds: Thresholds) -> Items:
    """How much of what looks confined may be a walk or a drift."""
    return {
        "unconfined_share": Item(
            max(0.0, 4 / 3 * (1 - 1 / found.ratio)),
            None,
            "(4/3)(1 − 1/R): the share of MSD(T/2) that may be an unconfined walk",
        ),
        "unconfined_below": held(
            unconfined,
            thresholds.unconfined,
            "(4/3)(1 − 1/(R + 2e)): what that share may be up to, R's error e that of a walk",
            below="too little to be anything but confined",
            above="part of it may be a walk",
        ),
        "drift_below": Item(
            max(0.0, (found.cosine + 0.5 + 2 * found.error) / 1.5),
            None,
            "(2/3)(c½ + ½), two standard errors added: the share of MSD(T/2) that may be a drift",
        ),
    }


def _mixed(found: Pooled, momentum: float, thresholds: Thresholds) -> Named:
    parts, doubt = shares(found, momentum), 2 * found.error
    # Soft directions that are not yet confined have the same R as something beside confinement.
    cosine = found.cosine - carried(momentum, found.steps)
    if cosine <= confined_cosine(found.ratio) + doubt:
        return _unknown_movement(
            "confined, for few correlation times, or a walk or drift beside it", lacks="time"
        )
    if is_no_sum(parts, found):
        return _unknown_movement("no sum of confinement, walk and drift moves so", lacks="time")
    if not found.hops < hops_line(found, thresholds.hops):
        return _unknown_movement("confined, beside something that moves in leaps", lacks="time")
    least = max(thresholds.mixed_share, 2 * confined_error(found))
    if least < parts.confined < 1 - thresholds.mixed_share:
        return Named(MIXED)
    return _unknown_movement("its numbers are those of none of the plain motions", lacks="time")


def _walking(
    evidence: Evidence,
    found: Pooled,
    replicas: Replicas | None,
    connected: bool | None,
    thresholds: Thresholds,
) -> Named:
    if replicas is None:
        return _unknown_movement(
            "it moves as a walk does; whether others go elsewhere takes replicas", lacks="replicas"
        )
    if math.isnan(replicas.ratio):
        return _unknown_movement("it moves as a walk does; how far its replicas part isn't known")
    if not replicas.ratio > thresholds.walk_replicas:
        return _unknown_movement(
            "it moves as a walk does, but its replicas resemble it", lacks="time"
        )
    if not found.hops < hops_line(found, thresholds.hops):
        return _unknown_movement("it moves as a walk does, in leaps", lacks="time")
    if connected is None:
        what = (
            "the barriers don't tell"
            if evidence.measured.connectivity
            else "no floors were measured"
        )
        return _unknown_movement(f"a walk in a valley, or between basins: {what}", lacks="floors")
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


def _unknown_movement(reason: str, items: Items | None = None, *, lacks: str = "") -> Named:
    return Named(UNDETERMINED, reason, lacks, items or {})


FEWEST = 2
"""Steps in the run's last half at which sharpness must hover at the bound."""


def judge_edge(evidence: Evidence, thresholds: Thresholds) -> tuple[tuple[str, ...], Items]:
    """``("edge-of-stability",)`` or (), and the sharpness beside its bounds.

    The Hessian's top eigenvalue counts for full batches, batch sharpness for small ones, and only
    near the upper of the two momentum bounds: in between stability is undetermined. After an
    escape the sharpness told is that before its onset; at the landing it says nothing.
    """
    setup = evidence.setup
    if not is_sgd(evidence) or not setup.learning_rate > 0:
        return (), {}
    limits = bounds(
        setup.learning_rate,
        momentum=setup.momentum,
        nesterov=setup.nesterov,
        weight_decay=setup.weight_decay,
    )
    if (onset := evidence.state("onset")) is not None:
        known = onset.step >= setup.constant_from
        return (), _items(evidence, onset, limits, "_onset", thresholds) if known else {}
    half = (int(evidence.rows.step[0]) + int(evidence.rows.step[-1])) / 2
    since = max(half, setup.constant_from)
    late = [evidence.measured.at(step) for step in evidence.measured.steep_steps if step >= since]
    hovering = [state for state in late if _hovers(evidence, state, limits, thresholds)]
    end = evidence.state("end")
    items = _items(evidence, end, limits, "", thresholds) if end is not None else {}
    return ("edge-of-stability",) if len(hovering) >= FEWEST else (), items


def _hovers(evidence: Evidence, state: StateAtStep, limits: Bounds, thresholds: Thresholds) -> bool:
    is_full = 0 < evidence.setup.samples <= evidence.setup.batch_size
    value = state.lambda_max if is_full else state.batch_sharpness
    error = 0.0 if is_full else state.batch_sharpness_error
    if value is None:
        return False
    low, high = thresholds.edge * limits.full_batch, thresholds.above_edge * limits.full_batch
    return value - 2 * error > low and value < high


def _items(
    evidence: Evidence, state: StateAtStep, limits: Bounds, suffix: str, thresholds: Thresholds
) -> Items:
    formula = "(2+2β)/((1+2β)η)" if evidence.setup.nesterov else "(2+2β)/η"
    low, high = (share * limits.full_batch for share in (thresholds.edge, thresholds.above_edge))
    where = f" at step {state.step:,}, before it left" if suffix else ""
    edge = "" if suffix else f"; the edge: {low:.3g} to {high:.3g} at {FEWEST} late steps"
    items: Items = {}
    if state.lambda_max is not None:
        items[f"sharpness{suffix}"] = held(
            state.lambda_max,
            limits.full_batch,
            f"top Hessian eigenvalue{where}; stability bound of full batches {formula}{edge}",
            below="steps without noise shrink along it",
            above="steps without noise grow along it",
        )
    if state.batch_sharpness is not None:
        least = state.batch_sharpness - 2 * state.batch_sharpness_error
        most = state.batch_sharpness + 2 * state.batch_sharpness_error
        items[f"batch_sharpness{suffix}"] = held(
            state.batch_sharpness,
            limits.noisy,
            f"± {state.batch_sharpness_error:.2g}{where}; bounds: 2(1−β)/η where noise dominates, "
            f"{formula} = {limits.full_batch:.3g} for full batches{edge}",
            below="stable" if most < limits.noisy else "within two of its errors: open",
            above="beyond both bounds"
            if least > limits.full_batch
            else "between the bounds, or within two of its errors: open",
        )
    return items


def number_items(evidence: Evidence, moved: Diffusion, thresholds: Thresholds) -> Items:
    """What is told of any movement, whatever it is called."""
    items = _of_window(evidence, moved, thresholds)
    if is_sgd(evidence) and not math.isnan(moved.norm_balance):
        items["norm_balance"] = Item(
            moved.norm_balance,
            None,
            "2η⟨w·g⟩ over (1 + β)⟨‖Δw‖²⟩: 1 where ‖w‖ is stationary, confined or not",
        )
    items["growth"] = Item(
        moved.growth,
        None,
        "law that MSD follows up to T/2; the next best is worse by "
        f"{moved.growth_evidence:.2g} (AIC, which sets misfit against noise; 2 is clear)",
    )
    if (peak := moved.overshoot) is not None:
        items["overshoot"] = Item(
            peak.lag,
            None,
            "lag in steps at which MSD has a peak, beyond its errors; at longer lags it is back "
            f"at {percent(peak.back)} of that",
        )
    if not math.isnan(moved.radial):
        items["radial"] = Item(
            moved.radial, None, "share of MSD(T/2) that is a change of ‖w‖, the rest tangential"
        )
    if (slowed := _aging(moved)) is not None:
        items["aging"] = slowed
    items |= _of_parts(moved)
    if evidence.measured.replicas is not None:
        low, high = thresholds.drift_replicas, thresholds.walk_replicas
        apart = evidence.measured.replicas.ratio
        items["replicas_ratio"] = Item(
            apart,
            f"{low:g}, {high:g}",
            f"‖w^a − w^b‖²/(2‖w − w_N‖²) of {evidence.measured.replicas.count} replicas"
            f"{_over(evidence.measured.replicas.steps)}: 0 a drift, 1 a walk",
            _which(
                apart,
                {
                    f"below {low:g}: a drift": apart < low,
                    f"above {high:g}: a walk": apart > high,
                },
            ),
        )
    return items


def _of_window(evidence: Evidence, moved: Diffusion, thresholds: Thresholds) -> Items:
    """What makes the name: c½, R, how much may be what, and the leaps."""
    found = pooled(evidence, moved)
    momentum = evidence.setup.momentum
    return {
        "window_share": Item(moved.window_share, None, "window of the motion, share of the run"),
        "window_steps": Item(moved.steps, None, "T: its length"),
        "half_cosine": _cosine_item(found, momentum, thresholds),
        "dimension": _dimension_item(
            found,
            thresholds,
            _dimensions_of(moved, found),
        ),
        "ratio": _ratio_item(found, momentum, thresholds),
        "variance_ratio": Item(
            moved.variance_ratio,
            None,
            "Var(last half)/Var(all) of the window: 1 confined, ½ a walk, ¼ a drift",
        ),
        **_shares(found, momentum),
        "exponent": _exponent_item(moved),
        "hops": held(
            moved.hops,
            hops_line(found, thresholds.hops),
            "largest over median squared displacement of 32 blocks",
            below="no leaps",
            above="leaps",
        ),
    }


def _dimensions_of(moved: Diffusion, found: Pooled) -> str:
    """What the dimensions are of: the window's D_eff, as figures have it, and what changes it."""
    text = f"effective dimensions behind c½: D_eff {number(moved.dimension, 2)} of the window"
    text += ", less for its sketch's error" if moved.distance_error > 0 else ""
    return text + (", its replicas' too" if found.ratio_dimension > moved.dimension else "")


def _exponent_item(moved: Diffusion) -> Item:
    if math.isnan(moved.exponent):
        return Item(
            "none",
            None,
            f"no power law of the lag fits MSD up to T/10: it is over {percent(OFF)} off somewhere",
        )
    return Item(
        moved.exponent,
        None,
        f"α of MSD ~ lag^α up to T/10, ± {moved.exponent_error:.2g}: 2 a drift, 1 a walk, "
        "towards 0 where it is confined",
    )


def _of_parts(moved: Diffusion) -> Items:
    """The movement in sharp directions and in the bulk."""
    items: Items = {}
    for name, part in moved.parts.items():
        where = f"the top {part.dimensions} Hessian directions" if part.dimensions else "the bulk"
        items[f"part_{name}"] = Item(
            part.share,
            None,
            f"share of MSD(T/2) in {where}; c½ {part.half_cosine:.2g}, R {part.ratio:.3g}"
            + (
                f"; the Hessian over {part.samples} of {part.total} samples"
                if part.samples < part.total
                else ""
            ),
        )
    return items


def over_shorter(evidence: Evidence, found: Pooled, thresholds: Thresholds) -> Items:
    """What is told of the movement over the length of replicas that are shorter than the window."""
    replicas, own = evidence.measured.replicas, evidence.measured.stretches
    sources = [f"{own.count} stretches of the window"] if own is not None else []
    sources += [f"{replicas.count} replicas"] if replicas is not None else []
    momentum = evidence.setup.momentum
    return {
        "replicas_steps": Item(found.steps, None, "the replicas' length; over that time:"),
        "replicas_half_cosine": _cosine_item(
            found, momentum, thresholds, f", of {' and '.join(sources)}"
        ),
        "replicas_dimension": _dimension_item(found, thresholds, "effective dimensions behind it"),
        "replicas_lag_ratio": _ratio_item(found, momentum, thresholds),
        **{
            f"replicas_{name}": replace(item, meaning=f"{item.meaning}, over that time")
            for name, item in _shares(found, momentum).items()
        },
    }


def _aging(moved: Diffusion) -> Item | None:
    """How the movement changes with waiting time, at lags up to T/8, half of a quarter."""
    if not moved.aging.size:
        return None
    known = np.flatnonzero(np.isfinite(moved.aging).all(0) & (moved.lags <= moved.steps / 8))
    if not len(known) or not moved.aging[0, known[-1]] > 0:
        return None
    first, last = moved.aging[[0, -1], known[-1]]
    return Item(
        float(last / first),
        None,
        f"MSD over {moved.lags[known[-1]]:.0f} steps in the window's last quarter over that in its "
        "first: 1 where it is as fast as then",
    )


def _over(steps: int) -> str:
    return f" over {steps} steps" if steps else ""


def _cosine_item(found: Pooled, momentum: float, thresholds: Thresholds, of: str = "") -> Item:
    """c½, and what it counts for by itself; what momentum carries on is no drift."""
    near, walk, drift = (
        thresholds.confined_cosine,
        thresholds.walk_cosine,
        thresholds.drift_cosine,
    )
    walked = carried(momentum, found.steps)
    more = found.cosine - walked
    sides = {
        f"above {drift:g}: a drift": more > drift,
        f"within {walk:g} of a walk's": abs(more) < walk,
        f"within {near:g} of −½: confined": abs(found.cosine + 0.5) <= near,
    }
    return Item(
        found.cosine,
        f"−½ ± {near:g}, ±{walk:g}, {drift:g}",
        f"c½ ± {found.error:.2g}{of}: −½ confined, {walked:.2g} a walk, 1 a drift",
        _which(found.cosine, sides),
    )


def _ratio_item(found: Pooled, momentum: float, thresholds: Thresholds) -> Item:
    """R, and what it counts for by itself; momentum adds to a walk's and a drift's."""
    added = memory(momentum, found.steps)
    confined, low = thresholds.confined_ratio, thresholds.walk_ratio_low
    high, drift = added * thresholds.walk_ratio, added * thresholds.drift_ratio
    sides = {
        f"above {drift:.3g}: a drift": found.ratio > drift,
        f"from {low:g} to {high:.3g}: a walk": low <= found.ratio <= high,
        f"below {confined:g}: confined": found.ratio < confined,
    }
    return Item(
        found.ratio,
        f"{confined:g}, {low:g} to {high:.3g}, {drift:.3g}",
        "R = MSD(T/2)/MSD(T/8): 1 confined, 4 a walk, 16 a drift",
        _which(found.ratio, sides),
    )


def _dimension_item(found: Pooled, thresholds: Thresholds, meaning: str) -> Item:
    return held(
        found.error**-2 if found.error else math.nan,
        thresholds.dimension,
        meaning,
        below="too few for c½ to tell",
        above="enough for c½ to tell",
    )


def _which(value: float, sides: Mapping[str, bool]) -> str:
    """The first that is true; that none is, of a value that is known."""
    if math.isnan(value):
        return ""
    return next((text for text, is_there in sides.items() if is_there), "between the lines: open")


def _shares(found: Pooled, momentum: float) -> Items:
    parts, least = shares(found, momentum), least_share(found)
    sides = {"below": "beyond its error, no sum of the three", "above": "may be one of a sum"}
    return {
        "share_confined": held(
            parts.confined,
            least,
            "share of MSD(T/2) that is confined, an estimate from c½ and R. The three add up to 1; "
            "by its error one may come out below 0, down to the line, and another above 1: "
            "sentences count it as 0",
            **sides,
        ),
        "share_walk": held(parts.walk, least, "share of it that is a walk", **sides),
        "share_drift": held(parts.drift, least, "share of it that is a drift", **sides),
    }


@dataclass(frozen=True)
class NamedMotion:
    """The motion's name and what it rests on."""

    name: str
    """One of `outcome_names.MOTIONS`."""
    also: tuple[str, ...] = ()
    items: Items = field(default_factory=dict)
    steps: int | None = None
    """Over so many steps: the window's, or those of its replicas; None: not of any time."""
    bound: float | None = None
    """h*: restoring curvature along most of the movement is below it; None: no bound."""
    dimension: float | None = None
    """#{λ_i < h*}: the valley's dimension at that scale; None: not resolved."""
    connected: bool | None = None
    """Whether floors below it are; None: not known."""
    remedy: Remedy | None = None
    """What would name an ``undetermined`` one."""


SLOPES = {
    slope.DESCENDING: "below the first, error included: it still falls",
    slope.RISING: "above the first, error included: it rises",
    slope.SETTLED: "within the second, error included: settled",
    slope.UNDETERMINED: "its error reaches over the lines: open",
}
"""What the loss's change over the window counts for."""


def name_motion(evidence: Evidence, thresholds: Thresholds) -> NamedMotion:
    """Apply the rules in their order: the loss's slope, then the movement."""
    also, items = judge_edge(evidence, thresholds)
    if evidence.is_for_good:
        return _unknown(deciding.MOOT, items, also)
    moved = evidence.measured.diffusion
    if moved is None:
        text, remedy = deciding.would_measure(evidence, thresholds)
        return _unknown(text, items, also, remedy)
    items |= number_items(evidence, moved, thresholds)
    if not moved.msd.any():
        return _unknown(deciding.STILL, items, also)
    step, loss = evidence.rows.step, evidence.rows.train_loss
    inside = (step >= moved.first_step) & (step <= moved.last_step)
    change = slope.of_log_loss(step[inside], loss[inside])
    state = slope.state(change, thresholds)
    items["loss_change"] = Item(
        change.total,
        f"±{math.log(thresholds.descending):.3g}, ±{math.log(thresholds.settled):.3g}",
        f"change of log loss over the window, ± {change.error:.2g} (two standard errors)",
        SLOPES[state],
    )
    connected = basins.connected(evidence, thresholds, items)
    if state in (slope.DESCENDING, slope.RISING):
        return NamedMotion(state, also, items)
    if state == slope.UNDETERMINED:
        text, more = deciding.would_tell("time", evidence, moved, thresholds)
        reason = f"whether the loss has settled is not clear from its slope{text}"
        return _unknown(reason, items, also, more)
    found = _settled(evidence, moved, connected, thresholds, items)
    return replace(found, also=also, connected=connected)


def _settled(
    evidence: Evidence,
    moved: Diffusion,
    connected: bool | None,
    thresholds: Thresholds,
    items: Items,
) -> NamedMotion:
    """The name over the window or, where it takes replicas and they are shorter, over theirs.

    Over the window alone, drifts and walks want replicas of that length, and every name enough
    effective dimensions. What is missing for is made up for over the shorter time, of which there
    are more movements. Where the window's own numbers gainsay every name, nothing is named, and
    nothing is called confined that moves on over the window.
    """
    whole, shorter = pooled(evidence, moved), over_replicas(evidence, moved)
    found = evidence.measured.replicas
    are_long = found is not None and is_as_long(found.steps, moved.steps)
    named = judge_movement(evidence, whole, found if are_long else None, connected, thresholds)
    if named.name == UNDETERMINED:
        text, remedy = deciding.would_tell(named.lacks, evidence, moved, thresholds)
        named = replace(named, reason=named.reason + text, remedy=remedy)
    if shorter is None:
        return _motion(named, moved.steps, items)
    other = judge_movement(evidence, shorter, found, connected, thresholds)
    items |= over_shorter(evidence, shorter, thresholds)
    is_growing = not whole.ratio < thresholds.walk_ratio_low
    allowed = INSTEAD.get(named.lacks, ())
    if other.name in allowed and not (other.name == CONFINED and is_growing):
        items |= _named_over("window", named, f"the window's {moved.steps}")
        return _motion(other, shorter.steps, items)
    items |= _named_over("replicas", other, f"the replicas' {shorter.steps}")
    return _motion(named, moved.steps, items)


INSTEAD = {
    "replicas": (DRIFTING, WANDERING),
    "dimensions": (DRIFTING, WANDERING, CONFINED, MIXED),
}
"""Names over a shorter time that stand where the window lacks something, by what it lacks."""


def _named_over(which: str, named: Named, steps: str) -> Items:
    found = {f"over_{which}": Item(named.name, None, f"the movement's name over {steps} steps")}
    if named.reason:
        because = Item(named.reason, None, "why it has none there")
        found[f"over_{which}_because"] = because
    return found


def _motion(named: Named, steps: int, items: Items) -> NamedMotion:
    items = items | named.items
    if named.name == UNDETERMINED:
        return _unknown(named.reason, items, remedy=named.remedy)
    items["motion_steps"] = Item(steps, None, "steps over which the motion has its name")
    return NamedMotion(
        named.name, items=items, steps=steps, bound=named.bound, dimension=named.dimension
    )


def _unknown(
    reason: str, items: Items, also: tuple[str, ...] = (), remedy: Remedy | None = None
) -> NamedMotion:
    because = {"motion_undetermined_because": Item(reason, None, "why no motion is named")}
    return NamedMotion(UNDETERMINED, also, items | because, remedy=remedy)

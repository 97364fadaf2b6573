"""The numbers behind a motion's name, each beside the lines that it is held against."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from landscape.diagnose.estimates import Pooled, carried, hops_line, is_sgd, pooled, shares
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.weights import Diffusion


def numbers(evidence: Evidence, moved: Diffusion, thresholds: Thresholds) -> Items:
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
        f"law that MSD follows up to T/2; the next best has {moved.growth_evidence:.2g} more AIC",
    )
    if not math.isnan(moved.radial):
        items["radial"] = Item(
            moved.radial, None, "share of MSD(T/2) that is a change of ‖w‖, the rest tangential"
        )
    if (slowed := _aging(moved)) is not None:
        items["aging"] = slowed
    items |= _of_parts(moved)
    if evidence.measured.replicas is not None:
        items["replicas_ratio"] = Item(
            evidence.measured.replicas.ratio,
            f"{thresholds.drift_replicas:g}, {thresholds.walk_replicas:g}",
            f"‖w^a − w^b‖²/(2‖w − w_N‖²) of {evidence.measured.replicas.count} replicas"
            f"{_over(evidence.measured.replicas.steps)}: 0 drift, 1 walk",
        )
    return items


def _of_window(evidence: Evidence, moved: Diffusion, thresholds: Thresholds) -> Items:
    """What makes the name: c½, R, how much may be what, and the leaps."""
    found = pooled(evidence, moved)
    cosine, error, ratio = found.cosine, found.error, found.ratio
    momentum = evidence.setup.momentum
    walked = carried(momentum, found.steps)
    return {
        "window_share": Item(moved.window_share, None, "window of the motion, share of the run"),
        "window_steps": Item(moved.steps, None, "T: its length"),
        "half_cosine": Item(
            cosine,
            _cosine_lines(thresholds),
            f"c½ ± {error:.2g}: −½ confined, {walked:.2g} a walk, 1 a drift",
        ),
        "dimension": Item(
            error**-2 if error else math.nan,
            thresholds.dimension,
            "effective dimensions behind c½, replicas included",
        ),
        "ratio": Item(
            ratio,
            f"{thresholds.confined_ratio:g}, {thresholds.walk_ratio_low:g} to "
            f"{thresholds.walk_ratio:g}, {thresholds.drift_ratio:g}",
            "R = MSD(T/2)/MSD(T/8): 1 confined, 4 a walk, 16 a drift",
        ),
        "variance_ratio": Item(
            moved.variance_ratio,
            None,
            "Var(last half)/Var(all) of the window: 1 confined, ½ a walk, ¼ a drift",
        ),
        **_shares(found, momentum),
        "exponent": Item(
            moved.exponent, None, f"MSD ~ lag^α, ± {moved.exponent_error:.2g}, up to T/10"
        ),
        "hops": Item(
            moved.hops,
            hops_line(found, thresholds.hops),
            "largest over median squared displacement of 32 blocks",
        ),
    }


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


def over_shorter(evidence: Evidence, found: Pooled) -> Items:
    """What is told of the movement over the length of replicas that are shorter than the window."""
    replicas, own = evidence.measured.replicas, evidence.measured.stretches
    sources = [f"{own.count} stretches of the window"] if own is not None else []
    sources += [f"{replicas.count} replicas"] if replicas is not None else []
    momentum = evidence.setup.momentum
    walked = carried(momentum, found.steps)
    return {
        "replicas_steps": Item(found.steps, None, "the replicas' length; over that time:"),
        "replicas_half_cosine": Item(
            found.cosine,
            None,
            f"c½ ± {found.error:.2g}, of {' and '.join(sources)}"
            + (f"; {walked:.2g} in a walk with this momentum" if walked else ""),
        ),
        "replicas_dimension": Item(
            found.error**-2 if found.error else math.nan,
            None,
            "effective dimensions behind it",
        ),
        "replicas_lag_ratio": Item(
            found.ratio,
            None,
            "R over it",
        ),
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
        "first: 1 where it doesn't age",
    )


def _over(steps: int) -> str:
    return f" over {steps} steps" if steps else ""


def _cosine_lines(thresholds: Thresholds) -> str:
    near = thresholds.confined_cosine
    return f"−½ ± {near:g}, ±{thresholds.walk_cosine:g}, {thresholds.drift_cosine:g}"


def _shares(found: Pooled, momentum: float) -> Items:
    parts = shares(found, momentum)
    return {
        "share_confined": Item(
            parts.confined, None, "share of MSD(T/2) that is confined, from c½ and R"
        ),
        "share_walk": Item(parts.walk, None, "share of it that is a walk"),
        "share_drift": Item(
            parts.drift, None, "share of it that is a drift; below 0: not such a sum"
        ),
    }

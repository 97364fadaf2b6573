"""The numbers behind a motion's name, each beside the lines that it is held against."""

from __future__ import annotations

import math

from landscape.diagnose.diffusion import Diffusion
from landscape.diagnose.estimates import Pooled, is_sgd, pooled, shares
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.thresholds import Thresholds


def numbers(evidence: Evidence, moved: Diffusion, thresholds: Thresholds) -> Items:
    """What is told of any movement, whatever it is called."""
    found = pooled(evidence, moved)
    cosine, error, ratio = found.cosine, found.error, found.ratio
    items: Items = {
        "window_share": Item(moved.window_share, None, "window of the motion, share of the run"),
        "half_cosine": Item(
            cosine,
            _cosine_lines(thresholds),
            f"c½ ± {error:.2g}: −½ confined, 0 a walk, 1 a drift",
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
        **_shares(found),
        "exponent": Item(
            moved.exponent, None, f"MSD ~ lag^α, ± {moved.exponent_error:.2g}, up to T/10"
        ),
        "hops": Item(
            moved.hops, thresholds.hops, "largest over median squared displacement of 32 blocks"
        ),
    }
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
    for name, part in moved.parts.items():
        where = f"the top {part.dimensions} Hessian directions" if part.dimensions else "the bulk"
        items[f"part_{name}"] = Item(
            part.share,
            None,
            f"share of MSD(T/2) in {where}; c½ {part.half_cosine:.2g}, R {part.ratio:.3g}",
        )
    if evidence.replicas is not None:
        items["replicas_ratio"] = Item(
            evidence.replicas.ratio,
            f"{thresholds.drift_replicas:g}, {thresholds.walk_replicas:g}",
            f"‖w^a − w^b‖²/(2‖w − w_N‖²) of {evidence.replicas.count} replicas: 0 drift, 1 walk",
        )
    return items


def _cosine_lines(thresholds: Thresholds) -> str:
    near = thresholds.confined_cosine
    return f"−½ ± {near:g}, ±{thresholds.walk_cosine:g}, {thresholds.drift_cosine:g}"


def _shares(found: Pooled) -> Items:
    parts = shares(found.cosine, found.ratio)
    return {
        "share_confined": Item(
            parts.confined, None, "share of MSD(T/2) that is confined, from c½ and R"
        ),
        "share_walk": Item(parts.walk, None, "share of it that is a walk"),
        "share_drift": Item(
            parts.drift, None, "share of it that is a drift; below 0: not such a sum"
        ),
    }

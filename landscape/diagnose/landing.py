"""An escape: where it led, what kind of point that is, and what the interventions say."""

from __future__ import annotations

import math

import numpy as np

from landscape.diagnose import binomial
from landscape.diagnose.evidence import Branch, Evidence, State
from landscape.diagnose.excursions import Case
from landscape.diagnose.items import Item, Items

FLAT = 1e-3
"""Curvature, as a share of that at the best weights, that counts as flat."""


def dead_layers(state: State | None) -> tuple[str, ...]:
    """Layers whose units are all dead or all saturated; () where not measured."""
    if state is None:
        return ()
    return (state.dead or ()) + (state.saturated or ())


def place(case: Case) -> tuple[str, tuple[str, ...]]:
    """Where the run landed, and the layers to name."""
    end, best = case.evidence.states.get("end"), case.evidence.states.get("best")
    if end is None or end.dead is None:
        return "undetermined", ()
    layers = dead_layers(end)
    if layers and case.course.share(case.course.end) < case.thresholds.learned:
        return "dead-plateau", layers
    before = best.partly_dead if best is not None else {}
    collapsed = tuple(
        name
        for name, share in end.partly_dead.items()
        if share > case.thresholds.collapsed and share > before.get(name, 0.0)
    )
    if layers or collapsed:
        return "partial-collapse", layers + collapsed
    return "elsewhere", ()


def points(evidence: Evidence) -> Items:
    """Gradient and curvature at the best weights and at the landing."""
    found: Items = {}
    for name, where in (("best", "best weights"), ("end", "landing")):
        state = evidence.states.get(name)
        if state is None:
            continue
        if state.gradient_norm is not None:
            found[f"gradient_norm_{name}"] = Item(
                state.gradient_norm, None, f"norm of the full-data gradient at the {where}"
            )
        if state.lambda_min is not None:
            found[f"lambda_min_{name}"] = Item(
                state.lambda_min, 0.0, f"smallest Hessian eigenvalue at the {where}"
            )
        if state.lambda_max is not None:
            found[f"lambda_max_{name}"] = Item(
                state.lambda_max, None, f"largest Hessian eigenvalue at the {where}"
            )
    kind = _kind(evidence)
    if kind is not None:
        found["landing_kind"] = Item(
            kind, None, f"curvature within {FLAT:g} of the best weights' is flat"
        )
    return found


def is_unstable(case: Case) -> bool:
    """Unstable at η: the probability of leaving again is above one half with 95 % confidence."""
    others = _others(case)
    left = sum(_left(b, case) for b in others)
    return binomial.interval(left, len(others))[0] > case.thresholds.certain


def interventions(case: Case) -> Items:
    """What trainings from the run's own snapshots did."""
    found: Items = {}
    level = _level(case)
    if others := _others(case):
        left = sum(_left(b, case) for b in others)
        low, high = binomial.interval(left, len(others))
        found["left_again"] = Item(
            left / len(others),
            case.thresholds.certain,
            f"share of {len(others)} other batch orders at the same η that left again; its 95 % "
            f"interval, {low:.2f} to {high:.2f}, must lie above",
        )
    branches = case.evidence.branches
    for start, (name, where) in _STARTS.items():
        lower = [b for b in branches if b.kind == "lower-rate" and b.start == start]
        if lower:
            found[f"lower_rate_from_{name}"] = Item(
                _median(lower), level, f"median end loss with η/10 from the {where}"
            )
    rates = [b for b in branches if b.kind == "rate" and b.start == "end"]
    for rate in sorted({b.learning_rate for b in rates}):
        same = [b for b in rates if b.learning_rate == rate]
        found[f"rate_{rate:g}_from_landing"] = Item(
            _median(same), level, f"median end loss with η = {rate:g} from the landing"
        )
    if control := [b for b in branches if b.kind == "control"]:
        found["control"] = Item(
            _median(control), level, "median end loss with the same η and batch order"
        )
    if placed := [b for b in branches if b.kind == "plateau"]:
        stuck = sum(_left(b, case) for b in placed)
        low, high = binomial.interval(stuck, len(placed))
        found["stuck_from_plateau"] = Item(
            stuck / len(placed),
            None,
            f"share of {len(placed)} trainings, over learning rates, that stay on the plateau "
            "when their weights are initialized there",
        )
        found["stuck_at_least"] = Item(
            low, None, f"where the 95 % interval of that share begins; it ends at {high:.2f}"
        )
    return found


def caveats(evidence: Evidence) -> tuple[str, ...]:
    """What limits the interventions of this run."""
    found = []
    if not any(b.kind in ("lower-rate", "other-order") for b in evidence.branches):
        found.append("Why it does not come back is not tested: no interventions were run.")
    without = any(not b.velocity for b in evidence.branches if b.kind != "plateau")
    if without and evidence.setup.momentum > 0:
        found.append("Some interventions started with velocity zero: none was recorded there.")
    return tuple(found)


_STARTS = {
    "best": ("best", "best weights"),
    "before-onset": ("onset", "last weights before the onset"),
    "end": ("landing", "landing"),
}


def _others(case: Case) -> list[Branch]:
    return [b for b in case.evidence.branches if b.kind == "other-order"]


def _kind(evidence: Evidence) -> str | None:
    end, best = evidence.states.get("end"), evidence.states.get("best")
    if end is None or end.lambda_min is None or end.lambda_max is None:
        return None
    largest = max(end.lambda_max, -end.lambda_min)
    scale = largest
    if best is not None and best.lambda_max is not None:
        scale = max(scale, best.lambda_max)
    if largest <= FLAT * scale:
        return "flat"
    if end.lambda_min < -FLAT * scale:
        return "saddle"
    return "minimum" if end.lambda_min > FLAT * scale else "flat-valley"


def _level(case: Case) -> float:
    """The loss above which a training has left, as for an excursion."""
    best = float(case.course.loss[case.course.best])
    return best + case.thresholds.excursion * (case.course.constant - best)


def _left(branch: Branch, case: Case) -> bool:
    # NaN and infinity have left as well.
    return not branch.end_loss <= _level(case)


def _median(branches: list[Branch]) -> float:
    losses = [b.end_loss if not math.isnan(b.end_loss) else math.inf for b in branches]
    return float(np.median(losses))

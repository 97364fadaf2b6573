"""What the run did to its loss: one name, by rules applied in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from landscape.curvature.bounds import bounds
from landscape.diagnose.course import OutcomeCase, course_of
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.motion import slope
from landscape.diagnose.motion.estimates import is_sgd
from landscape.diagnose.outcome_names import UNDETERMINED
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict import landing
from landscape.sgd.escapes import Course

CLEARLY = 3
"""A lower rate helps if it lowers the loss by so many times the noise."""


@dataclass(frozen=True)
class NamedOutcome:
    """The outcome's name and what it rests on."""

    name: str
    """One of `outcome_names.OUTCOMES`."""
    confidence: str = "observation"
    landing: str | None = None
    """Where an escape led, one of `outcome_names.LANDINGS`; None without an escape."""
    layers: tuple[str, ...] = ()
    """The layers that are dead, saturated or partly collapsed there."""
    also: tuple[str, ...] = ()
    items: Items = field(default_factory=dict)
    caveats: tuple[str, ...] = ()


Rule = Callable[[OutcomeCase], NamedOutcome]
"""An outcome, or one without a name where the rule doesn't apply, with what it looked at."""


def name_outcome(evidence: Evidence, thresholds: Thresholds) -> NamedOutcome:
    """Apply the rules in their order; the first that speaks decides."""
    if not evidence.weights_finite or np.isinf(evidence.rows.train_loss).any():
        return NamedOutcome(
            "diverged", items={"finite": Item(False, True, "loss and weights finite")}
        )
    course = course_of(evidence, thresholds)
    if course is None:
        return _unknown("losses of two recorded steps are needed")
    items = _stated(course, thresholds)
    case = OutcomeCase(evidence, course, thresholds)
    for rule in RULES:
        found = rule(case)
        items |= found.items
        if found.name:
            return replace(found, items=items)
    return NamedOutcome("learned", items=items)


def _never_learned(case: OutcomeCase) -> NamedOutcome:
    course, thresholds = case.course, case.thresholds
    if course.learned is not None:
        return NamedOutcome("")
    end, start = case.evidence.state("end"), case.evidence.state("start")
    layers = landing.dead_layers(end)
    ignores = landing.ignores_input(end, thresholds)
    if layers and ignores and course.share(course.end) < thresholds.learned:
        meaning = "layers whose units are all dead or saturated at the end, on all data"
        return NamedOutcome(
            "dead-plateau",
            layers=layers,
            items={"dead_layers": Item(", ".join(layers), None, meaning)}
            | landing.standstill(case.evidence),
        )
    if end is None or end.dead is None:
        return _unknown("it never learned, and whether units are dead was not measured")
    also: tuple[str, ...] = ()
    items: Items = {}
    change = slope.of_log_loss(course.steps, course.loss)
    falling = change.total + change.error < 0
    if falling:
        items["loss_change"] = Item(change.total, 0.0, "change of log loss over the run")
    slow = _far_below_bound(case, items)
    if falling and slow:
        also = ("too-slow",)
    spread = end.logit_spread
    if spread is not None and ignores and not layers:
        items["logit_spread"] = Item(
            spread,
            thresholds.asleep,
            "outputs' spread over the inputs, as a share of their scale",
        )
        at_start = start.logit_spread if start else None
        asleep = at_start is not None and at_start < thresholds.asleep
        name = "initial-plateau" if asleep else "vanishing-signal"
        return NamedOutcome(name, also=also, items=items)
    jumps = course.noise / course.scale
    items["noise"] = Item(
        jumps, thresholds.jumping, "noise of the loss in the quieter half, as a share of L₀"
    )
    if jumps > thresholds.jumping:
        return NamedOutcome("bouncing", items=items)
    if also:
        return NamedOutcome("too-slow", items=items)
    if falling and slow is None:
        return _unknown("it never learned and falls; η was not checked against its bound", items)
    return _unknown("it never learned, is live, and neither falls nor jumps", items)


def _bouncing(case: OutcomeCase) -> NamedOutcome:
    course, thresholds = case.course, case.thresholds
    count = len(course.ended)
    share = sum(e.rows for e in course.ended) / (len(course.loss) - (course.learned or 0))
    items = {
        "excursions": Item(
            count, thresholds.bouncing_excursions, "excursions above the best loss that ended"
        ),
        "excursion_share": Item(
            share, thresholds.bouncing_share, "share of the rows after learning in excursions"
        ),
    }
    if count >= thresholds.bouncing_excursions and share > thresholds.bouncing_share:
        return NamedOutcome("bouncing", items=items)
    return NamedOutcome("", items=items)


def _escaped(case: OutcomeCase) -> NamedOutcome:
    course, thresholds = case.course, case.thresholds
    last = course.last
    if last is None:
        return NamedOutcome("")
    items: Items = {
        "last_excursion_rows": Item(
            last.rows,
            max(thresholds.escape_rows, thresholds.escape_times * course.longest),
            f"rows of the excursion to the end; the longest before lasted {course.longest}",
        )
    }
    if not course.escaped:
        if last.onset is None:
            return NamedOutcome("", items=items)
        return _unknown("the run ends inside an excursion too short to be an escape", items)
    place, layers = landing.place(case)
    items |= landing.points(case.evidence, case.thresholds) | landing.interventions(case)
    also = ("unstable-at-rate",) if landing.is_unstable(case) else ()
    return NamedOutcome(
        "escaped",
        confidence="intervention" if landing.is_tested(case) else "observation",
        landing=place,
        layers=layers,
        also=also,
        items=items,
        caveats=landing.caveats(case),
    )


def _lasting_rise(case: OutcomeCase) -> NamedOutcome:
    course, thresholds = case.course, case.thresholds
    best = float(course.loss[course.best])
    rise = (course.end - best) / course.scale
    meaning = "the end's median loss over the best"
    ratio = course.end / best if best > 0 else float("inf")
    items: Items = {
        "end_over_best": Item(ratio, thresholds.rise_times, meaning),
        "end_rise": Item(rise, thresholds.rise_share, "its rise above the best, over L₀"),
    }
    if ratio > thresholds.rise_times and rise > thresholds.rise_share:
        return _unknown("lasting rise without an excursion that reaches the end", items)
    return NamedOutcome("", items=items)


def _recovered(case: OutcomeCase) -> NamedOutcome:
    thresholds = case.thresholds
    spikes = case.course.spikes
    if not spikes:
        return NamedOutcome("")
    items: Items = {"spikes": Item(len(spikes), None, "excursions that came back")}
    found = case.evidence.measured.jump
    if found is None:
        caveat = "Whether a spike was a catapult is open: curvature around it was not measured."
        return NamedOutcome("spike-recovered", items=items, caveats=(caveat,))
    items["curvature_change"] = Item(
        found.after / found.before,
        thresholds.flatter,
        "top eigenvalue after the spike over that before",
    )
    items["jump_along_top"] = Item(
        found.along_top,
        thresholds.along_top,
        "share of the squared length of the move to the peak along the top eigenvector before it",
    )
    fell = found.after < thresholds.flatter * found.before
    if fell and np.isnan(found.along_top):
        caveat = (
            "Whether a spike was a catapult is open: no weights were recorded close enough before "
            "its peak to say along what it left."
        )
        return NamedOutcome("spike-recovered", items=items, caveats=(caveat,))
    is_catapult = fell and found.along_top > thresholds.along_top
    return NamedOutcome("catapult" if is_catapult else "spike-recovered", items=items)


def _plateau(case: OutcomeCase) -> NamedOutcome:
    course, thresholds = case.course, case.thresholds
    u = course.share(course.end)
    siblings = case.evidence.siblings_share
    line = thresholds.alone if siblings is None else thresholds.siblings * siblings
    meaning = "u = (L₀ − L)/L₀ at the end"
    if siblings is not None:
        meaning += f", against {thresholds.siblings:g} of the sweep's median {siblings:.3g}"
    items: Items = {"end_share": Item(u, line, meaning)}
    half = len(course.loss) // 2
    change = slope.of_log_loss(course.steps[half:], course.loss[half:])
    if u >= line or slope.state(change, case.thresholds) != slope.SETTLED:
        return NamedOutcome("", items=items)
    end = case.evidence.state("end")
    if end is None or end.dead is None or landing.dead_layers(end):
        return _unknown("steady at a high loss; a live plateau needs units measured alive", items)
    helped = [
        b for b in case.evidence.measured.branches if b.start == "end" and b.kind == "lower-rate"
    ]
    if not helped:
        return _unknown(
            "steady at a high loss: suboptimal plateau or noise floor, which a lower rate from "
            "the end would tell",
            items,
        )
    loss = float(np.median([b.end_loss for b in helped]))
    after = course.share(loss)
    items["lower_rate_share"] = Item(after, line, "u after η/10 from the end")
    way = course.constant - float(course.loss[course.best])
    least = max(CLEARLY * course.noise, thresholds.helps * way)
    items["lower_rate_gain"] = Item(
        course.end - loss, least, "how far η/10 lowers the loss, and what would be clear"
    )
    does_help = course.end - loss > least
    if does_help and after < line:
        return _unknown("a lower rate helps, not up to the line", items)
    name = "noise-floor" if does_help else "suboptimal-plateau"
    return NamedOutcome(name, confidence="intervention", items=items)


RULES: tuple[Rule, ...] = (
    *(_never_learned, _bouncing, _escaped, _lasting_rise, _recovered, _plateau),
)


def _stated(course: Course, thresholds: Thresholds) -> Items:
    best = float(course.loss[course.best])
    return {
        "constant_loss": Item(course.constant, None, "L₀, the loss of the best constant output"),
        "best_loss": Item(best, None, f"lowest full-data loss, at step {course.step(course.best)}"),
        "end_loss": Item(course.end, None, "median full-data loss of the last rows"),
        "best_share": Item(
            course.share(best), thresholds.learned, "u = (L₀ − L)/L₀ at the best row"
        ),
    }


def _far_below_bound(case: OutcomeCase, items: Items) -> bool | None:
    thresholds = case.thresholds
    states = [case.evidence.measured.at(step) for step in case.evidence.places.values()]
    curvature = max((s.lambda_max for s in states if s.lambda_max is not None), default=None)
    setup = case.evidence.setup
    # Where the rate changed, an earlier one may have been large.
    if curvature is None or curvature <= 0 or not is_sgd(case.evidence) or setup.constant_from:
        return None
    limits = bounds(setup.learning_rate, momentum=setup.momentum, nesterov=setup.nesterov)
    share = curvature / limits.full_batch
    items["rate_over_bound"] = Item(
        share, thresholds.slow, "largest top eigenvalue over its full-batch bound at this η"
    )
    return share < thresholds.slow


def _unknown(reason: str, items: Items | None = None) -> NamedOutcome:
    reasons = {"undetermined_because": Item(reason, None, "why no outcome is named")}
    return NamedOutcome(UNDETERMINED, confidence=UNDETERMINED, items=(items or {}) | reasons)

"""Runs that were never clearly below L₀: what keeps them there.

The rules are asked in the order of `RULES`; the first that speaks decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from landscape.curvature.bounds import bounds
from landscape.diagnose.course import OutcomeCase
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.motion import slope
from landscape.diagnose.motion.estimates import is_sgd
from landscape.diagnose.verdict import landing
from landscape.diagnose.verdict.named import NamedOutcome, training_on, unknown
from landscape.quantities import counted
from landscape.store.measured.whole import StateAtStep
from landscape.store.scans.sentences import IGNORING
from landscape.store.verdicts import Remedy

FADED = 0.1
"""† Outputs' spread, as a share of that at the start, below which the signal has vanished."""
HUGE = 1.5
"""† Loss in units of L₀ above which outputs are huge rather than merely constant."""
SHORT = 50
"""† Steps of a run that is called after what it never did; a shorter one may just have begun."""

StuckRule = Callable[[OutcomeCase, Items], NamedOutcome | None]
"""A name, or None where it doesn't apply; adds to the items what it looked at."""


def name(case: OutcomeCase) -> NamedOutcome:
    """Apply the rules; what other rates do is told with the name, and may confirm it."""
    found = _by_rules(case)
    tried = landing.interventions(case)
    anywhere, at_end = (_learns(tried, *places) for places in (("landing", "start"), ("landing",)))
    # Asleep or slow networks learn at another rate; dead ones at none, from where they are.
    is_confirmed = at_end is False if found.name == "dead-plateau" else anywhere is True
    confirmed = is_confirmed and found.name in ("dead-plateau", "too-slow", "initial-plateau")
    confidence = "intervention" if confirmed else found.confidence
    return replace(found, confidence=confidence, items=found.items | tried)


def _learns(tried: Items, *places: str) -> bool | None:
    """Whether another rate makes it learn from one of these places; None: none was tried."""
    ends = tuple(f"_from_{place}" for place in places)
    found = [
        item.value <= item.threshold
        for name, item in tried.items()
        if name.startswith(("rate_", "lower_rate_"))
        and name.endswith(ends)
        and isinstance(item.value, float)
        and isinstance(item.threshold, float)
    ]
    return any(found) if found else None


def _by_rules(case: OutcomeCase) -> NamedOutcome:
    items: Items = {}
    for rule in RULES:
        if (found := rule(case, items)) is not None:
            return found
    return unknown(
        "it never learned, is alive, and neither falls nor jumps; a larger rate or a longer "
        "training would tell what holds it",
        items,
        remedy=training_on(case),
    )


def _dead(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    end = _end(case)
    layers = landing.dead_layers(end)
    if not layers or not landing.ignores_input(end, case.thresholds):
        return None
    meaning = "layers whose units are all dead or saturated at the last weights, on all data"
    items["dead_layers"] = Item(", ".join(layers), None, meaning)
    items |= landing.stuck(end, layers)
    return NamedOutcome(
        "dead-plateau", layers=layers, items=items | landing.standstill(case.evidence)
    )


def _not_measured(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    end = _end(case)
    if end is not None and end.dead is not None:
        return None
    return unknown(
        "it never learned, and whether units are dead was not measured",
        items,
        remedy=Remedy("diagnose", {"only": ("units",)}),
    )


def _short(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    """Too few steps to tell a plateau, a slow descent or jumps from how any training begins."""
    steps = case.course.step(-1) - case.course.step(0)
    if steps >= SHORT:
        return None
    items["run_steps"] = Item(
        steps, SHORT, "steps of the run", "below: too few to be called after what it never did"
    )
    return unknown(
        f"it hasn't learned, and its {counted(steps, 'step')} are too few to tell a plateau from "
        f"a start ({SHORT} are needed); training on would tell",
        items,
        remedy=Remedy("train", {"steps": 2 * SHORT}),
    )


def _saturated(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    """Bounded units at their bounds for all data, and outputs that are huge: no slope is left."""
    end = _end(case)
    if end is None:
        return None
    mostly = {
        **dict.fromkeys(end.saturated or (), 1.0),
        **{n: s for n, s in end.partly_saturated.items() if s > case.thresholds.collapsed},
    }
    if not mostly or case.course.ending.end < HUGE * case.course.constant:
        return None
    share = max(mostly.values())
    items["saturated_share"] = held(
        share,
        case.thresholds.collapsed,
        f"largest share of saturated units, of {', '.join(mostly)}",
        below="few units are stuck",
        above="most units are stuck at their bounds",
    )
    is_jumping = _jumps_by(case, items) > case.thresholds.jumping
    return NamedOutcome(
        "stuck-jumping" if is_jumping else "dead-plateau",
        layers=tuple(mostly),
        also=("saturated",),
        items=items,
    )


def _silent(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    """Alive, and the outputs hardly depend on the input."""
    end, start = _end(case), case.evidence.state("start")
    spread = end.logit_spread if end is not None else None
    if spread is None or landing.dead_layers(end):
        return None
    limits, before = case.thresholds, start.logit_spread if start is not None else None
    items["logit_spread"] = held(
        spread,
        limits.asleep,
        "outputs' spread over the inputs, as a share of their scale",
        **landing.SPREAD,
    )
    if spread >= limits.asleep:
        return None
    asleep = before is not None and before < limits.asleep
    return NamedOutcome(
        "initial-plateau" if asleep else "vanishing-signal",
        also=_slow(case, items),
        items=items,
    )


def _jumping(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    if _jumps_by(case, items) <= case.thresholds.jumping:
        return None
    return NamedOutcome("stuck-jumping", items=items)


def _falling(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    if not _falls(case, items):
        return None
    if _far_below_bound(case, items) is False:
        return unknown(
            "it never learned and still falls, at a rate that isn't small; training on would tell",
            items,
            remedy=training_on(case),
        )
    return NamedOutcome("too-slow", items=items)


def _a_little(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    """Settled a little below L₀, clear of the noise: that may be all there is to learn."""
    ending, limits = case.course.ending, case.thresholds
    u, noise = case.course.share(ending.end), ending.stretches[-1].noise * abs(ending.end)
    clear = max(limits.flat, limits.noises * noise / case.course.scale)
    if u <= clear:
        return None
    items["end_share"] = held(
        u,
        clear,
        "u = (L₀ − L)/L₀ of the loss it ends at, and what would be clear",
        below="nothing learned",
        above="it learned a little",
    )
    return NamedOutcome("learned", also=("little",), items=items)


def _at_constant(case: OutcomeCase, items: Items) -> NamedOutcome | None:
    """Flat at L₀ with outputs that still differ: too little to be of any use."""
    end, start, course = _end(case), case.evidence.state("start"), case.course
    apart = abs(course.share(course.ending.end))
    items["from_constant"] = held(
        apart,
        case.thresholds.flat,
        "|L₀ − L|/L₀ of the loss it ends at",
        below=f"at the loss of {IGNORING}",
        above=f"not at that of {IGNORING}",
    )
    if apart > case.thresholds.flat or end is None or end.logit_spread is None:
        return None
    if start is None or start.logit_spread is None:
        return None
    if end.logit_spread < FADED * start.logit_spread:
        return NamedOutcome("vanishing-signal", items=items)
    moved = float(np.abs(course.loss - course.constant).max()) / course.scale
    if moved > case.thresholds.learned:
        return None
    return NamedOutcome("initial-plateau", items=items)


RULES: tuple[StuckRule, ...] = (
    *(
        _dead,
        _not_measured,
        _short,
        _silent,
        _saturated,
        _jumping,
        _falling,
        _a_little,
        _at_constant,
    ),
)


def _end(case: OutcomeCase) -> StateAtStep | None:
    return case.evidence.state("end")


def _jumps_by(case: OutcomeCase, items: Items) -> float:
    ending = case.course.ending
    jumps = ending.stretches[-1].noise * abs(ending.end) / case.course.scale
    items["noise"] = held(
        jumps,
        case.thresholds.jumping,
        "noise of the last stretch's loss, as a share of L₀",
        below="it doesn't jump",
        above="it jumps",
    )
    return jumps


def _falls(case: OutcomeCase, items: Items) -> bool:
    change = slope.of_log_loss(case.course.steps, case.course.loss)
    if not change.total + change.error < 0:
        return False
    items["loss_change"] = held(
        change.total, 0.0, "change of log loss over the run", below="it falls", above="it rises"
    )
    return True


def _slow(case: OutcomeCase, items: Items) -> tuple[str, ...]:
    return ("too-slow",) if _falls(case, items) and _far_below_bound(case, items) else ()


def _far_below_bound(case: OutcomeCase, items: Items) -> bool | None:
    """Whether η is; None where that isn't known."""
    thresholds = case.thresholds
    states = [case.evidence.measured.at(step) for step in case.evidence.places.values()]
    curvature = max((s.lambda_max for s in states if s.lambda_max is not None), default=None)
    setup = case.evidence.setup
    # Where the rate changed, an earlier one may have been large.
    if curvature is None or curvature <= 0 or not is_sgd(case.evidence) or setup.constant_from:
        return None
    limits = bounds(setup.learning_rate, momentum=setup.momentum, nesterov=setup.nesterov)
    share = curvature / limits.full_batch
    items["rate_over_bound"] = held(
        share,
        thresholds.slow,
        "largest top eigenvalue over its full-batch bound at this η",
        below="a far larger rate is stable too",
        above="the rate isn't small",
    )
    return share < thresholds.slow

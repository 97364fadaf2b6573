"""Runs that learned and left: named with where that led and what trainings from before it say."""

from __future__ import annotations

import numpy as np

from landscape.diagnose.course import OutcomeCase, departure
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.verdict import landing, on_the_way
from landscape.diagnose.verdict.named import NamedOutcome, training_on, unknown
from landscape.diagnose.verdict.on_the_way import OnTheWay
from landscape.quantities import percent
from landscape.sgd import endings

SAME = 1.5
"""† Floors within this factor are the same."""


def name(case: OutcomeCase) -> NamedOutcome:
    """Escaped, unless the floor below the end is as low as that below the best weights."""
    way = on_the_way.of(case)
    items: Items = dict(way.items)
    came_back = case.course.left is not None and way.restless is not False
    if came_back and not _is_for_good(case):
        return _back_and_forth(case, way)
    if _has_the_same_floor(case, items):
        return NamedOutcome(
            "learned",
            "intervention",
            also=(*way.also, "noise-floor-raised"),
            items=items,
            caveats=way.caveats,
        )
    place, layers = landing.place(case)
    items |= _between(case)
    items |= landing.stuck(case.evidence.state("end"), layers)
    items |= landing.points(case.evidence, case.thresholds) | landing.interventions(case)
    return NamedOutcome(
        "escaped",
        confidence="intervention" if landing.is_tested(case) else "observation",
        landing=place,
        layers=layers,
        also=(*_early(case), *way.also, *_kept(case), *_unstable(case)),
        items=items,
        caveats=landing.caveats(case),
    )


def _back_and_forth(case: OutcomeCase, way: OnTheWay) -> NamedOutcome:
    """It left, and many rows since are near its best again."""
    if way.restless:
        return NamedOutcome("bouncing", items=way.items, caveats=way.caveats)
    back = percent(float(way.items["restless"].value or 0))
    return unknown(
        f"it left its best stretch, and of the rows since {back} are near it again, or it was "
        "away for as long before and came back; training on would tell whether it stays away",
        way.items,
        way.also,
        training_on(case),
    )


def for_good(case: OutcomeCase) -> NamedOutcome | None:
    """An escape in the last rows that needs no long stretch to be sure: nothing can move any more.

    None where the end isn't such a standstill, or the run had learned nothing before it.
    """
    ending = case.course.ending
    if ending.kind in (endings.NEVER, endings.AWAY):
        return None
    return name(case) if _is_for_good(case) else None


def _is_for_good(case: OutcomeCase) -> bool:
    """Whether nothing that tells inputs apart can move any more, and it could at the best."""
    standstill = landing.standstill(case.evidence).get("no_way_back")
    if standstill is None or standstill.value is not True:
        return False
    return landing.place(case)[0] == "dead-plateau"


def _between(case: OutcomeCase) -> Items:
    """The last logged loss that was near, and those between the lowest and being away for good."""
    course = case.course
    if course.left is None:
        return {}
    found: Items = {}
    if course.loss[course.left - 1] <= course.level:  # else it was back between two logged losses
        what = "step of the last logged loss before it left"
        found["near_step"] = Item(course.step(course.left - 1), None, what)
    if course.left <= course.best + 1:
        return found
    losses = course.loss[course.best + 1 : course.left]
    first, left = course.step(course.best), departure(case.evidence, course)
    which = f"logged losses after the lowest (step {first:,}) and before it left (step {left:,})"
    return found | {
        "lowest_step": Item(first, None, "step of the lowest logged loss"),
        "between": held(
            float(np.median(losses)),
            course.level,
            f"median of the {len(losses)} {which}",
            below="it stayed near its lowest loss until then",
            above="it wandered above its lowest loss before it left",
        ),
        "between_low": Item(float(losses.min()), None, f"lowest of the {which}"),
        "between_high": Item(float(losses.max()), None, f"highest of the {which}"),
    }


def _early(case: OutcomeCase) -> tuple[str, ...]:
    """Whether it had learned for less than an epoch."""
    course = case.course
    until = len(course.loss) if course.left is None else course.left
    below = np.flatnonzero(
        course.loss[:until] < course.constant - case.thresholds.learned * course.scale
    )
    if len(below) and course.steps[below[-1]] - course.steps[below[0]] >= course.epoch:
        return ()
    return ("early",)


def _kept(case: OutcomeCase) -> tuple[str, ...]:
    fallen = accuracy_lost(case)
    return ("accuracy-kept",) if fallen is not None and fallen < case.thresholds.points / 2 else ()


def _unstable(case: OutcomeCase) -> tuple[str, ...]:
    return ("unstable-at-rate",) if landing.is_unstable(case) else ()


def _has_the_same_floor(case: OutcomeCase, items: Items) -> bool:
    """A hotter stationary state isn't another place: a tenth of the rate leads as low from both."""
    floors = {
        start: [
            b.end_loss
            for b in case.evidence.measured.branches
            if (b.start, b.kind) == (start, "lower-rate")
        ]
        for start in ("best", "end")
    }
    if not all(floors.values()):
        return False
    best, end = (float(np.median(floors[start])) for start in ("best", "end"))
    above = (end - best) / (case.course.constant - best) if case.course.constant != best else 1.0
    items["floor_best"] = Item(best, None, "loss that η/10 reaches from the lowest logged loss")
    items["floor_end"] = held(
        end,
        SAME * best,
        "loss that η/10 reaches from the last weights",
        below="the same floor, it is hotter there and not elsewhere",
        above=f"another floor, unless under {percent(case.thresholds.near)} is lost there",
    )
    return end <= SAME * best or above < case.thresholds.near


def accuracy_lost(case: OutcomeCase) -> float | None:
    """Of the rows of the best stretch that are at its level, minus the last stretch's.

    Where what was learned shows in single rows only, no stretch is the best: the lowest row is.
    """
    accuracy = case.evidence.rows.train_accuracy
    if accuracy is None:
        return None
    kept = accuracy[np.isfinite(case.evidence.rows.train_loss)]
    found = case.course.ending.stretches
    best, last = min(found, key=lambda each: each.low), found[-1]
    if case.course.ending.glimpsed:
        before = float(kept[case.course.best])
    else:
        low = case.course.loss[best.first : best.end] <= best.low
        before = float(np.nanmedian(kept[best.first : best.end][low]))
    lost = before - float(np.nanmedian(kept[last.first : last.end]))
    return None if np.isnan(lost) else lost

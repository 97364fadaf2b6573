"""Runs that learned and didn't clearly leave: near their best, between, or inside an excursion."""

from __future__ import annotations

import numpy as np

from landscape.diagnose.course import OutcomeCase
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.motion import deciding
from landscape.diagnose.verdict import escape, landing, on_the_way
from landscape.diagnose.verdict.named import NamedOutcome, training_on, unknown
from landscape.diagnose.verdict.on_the_way import OnTheWay

CLEARLY = 3
"""A lower rate helps if it lowers the loss by so many times the noise."""


def near(case: OutcomeCase) -> NamedOutcome:
    """It ended near its best: learned, unless no level holds or others reach clearly more."""
    way = on_the_way.of(case)
    if way.restless:
        return _named("bouncing", way)
    if way.restless is None:
        return on_the_way.unsettled(case, way)
    return _held_against_others(case, way)


def between(case: OutcomeCase) -> NamedOutcome:
    """Above the best, too little to be clear: units decide, then jumps, then accuracy."""
    way, limits = on_the_way.of(case), case.thresholds
    if way.restless:
        return _named("bouncing", way)
    if landing.collapsed(case):
        return escape.name(case)
    items = way.items
    fallen = escape.accuracy_lost(case)
    if fallen is not None:
        items["accuracy_lost"] = held(
            fallen,
            limits.points,
            "accuracy at the best stretch's level minus the end's",
            below=f"no clear loss, and none below {limits.points / 2:g}",
            above="a loss",
        )
        # Accuracy is evidence of its own; the loss needs only be clear of the noise that is now.
        if fallen > limits.points and case.course.ending.own_noises > limits.noises:
            return escape.name(case)
        if fallen < limits.points / 2 and way.restless is not None:
            return _named("learned", way, "end-above-best")
    return unknown(
        "the loss it ends at is above the best stretch's, but not by much; training on, or again "
        "from the last weights and from its lowest logged loss at a tenth of the rate, would tell",
        items,
        way.also,
        training_on(case),
    )


def inside(case: OutcomeCase) -> NamedOutcome:
    """The last rows are in an excursion too short to be a stretch: what did such ones before?"""
    last = case.course.last
    assert last is not None
    way = on_the_way.of(case)
    items = way.items | {
        "last_excursion_rows": held(
            last.rows,
            max(5, round(case.thresholds.stretch * len(case.course.loss))),
            "rows of the excursion to the end",
            below="too few to tell whether it comes back",
            above="enough to be away for good",
        )
    }
    if way.restless:
        return _named("bouncing", way)
    if way.restless is None:
        return on_the_way.unsettled(case, way)
    loss = case.course.loss
    height = float(np.median(loss[last.first :]))
    if any(
        each.rows >= last.rows and loss[each.first : each.end].max() >= height
        for each in case.course.ended
    ):
        # As long and as high ones have come back before: so far it is one more of them.
        return _named("learned", way, "ended-in-excursion")
    return unknown(
        f"the run ends during an excursion of {last.rows} rows, too short to tell whether it comes "
        "back; training on would",
        items,
        way.also,
        training_on(case),
    )


def _named(name: str, way: OnTheWay, *more: str) -> NamedOutcome:
    also = tuple(each for each in way.also if each != name)
    return NamedOutcome(name, also=(*also, *more), items=way.items, caveats=way.caveats)


def _held_against_others(case: OutcomeCase, way: OnTheWay) -> NamedOutcome:
    """Whether siblings, or a tenth of the rate from its end, reach clearly more."""
    course, limits = case.course, case.thresholds
    u, siblings = course.share(course.ending.end), case.evidence.siblings_share
    helped = [
        b for b in case.evidence.measured.branches if (b.start, b.kind) == ("end", "lower-rate")
    ]
    items: Items = {"end_share": Item(u, None, "u = (L₀ − L)/L₀ of the loss it ends at")}
    found = NamedOutcome("learned", also=way.also, items=way.items | items, caveats=way.caveats)
    # Siblings' shares are of their last rows, below the last stretch where a run falls.
    behind = siblings is not None and max(u, course.share(course.end)) < limits.siblings * siblings
    if siblings is not None:
        items["siblings_share"] = Item(
            siblings, None, f"the sweep's median u; below {limits.siblings:g} of it is behind"
        )
    if not helped:
        if not behind:
            return found
        return unknown(
            "steady at a loss that siblings go clearly below: suboptimal plateau or noise floor, "
            "which a lower rate from the last weights would tell",
            way.items | items,
            way.also,
            deciding.INTERVENE,
        )
    loss = float(np.median([b.end_loss for b in helped]))
    after = course.share(loss)
    items["lower_rate_share"] = Item(after, None, "u after η/10 from the last weights")
    way_down = course.constant - float(course.loss[course.best])
    least = max(CLEARLY * course.noise, limits.helps * way_down)
    items["lower_rate_gain"] = held(
        course.ending.end - loss,
        least,
        "how far η/10 lowers the loss, and what would be clear",
        below="a lower rate doesn't help",
        above="a lower rate helps",
    )
    does_help = course.ending.end - loss > least
    if does_help and u < limits.siblings * after:
        name = "noise-floor"
    elif behind and does_help:
        reason = f"a lower rate helps, but not to where siblings are; {deciding.NOTHING}"
        return unknown(reason, way.items | items, way.also)
    else:
        name = "suboptimal-plateau" if behind else "learned"
    return NamedOutcome(
        name,
        "observation" if name == "learned" else "intervention",
        also=way.also,
        items=way.items | items,
        caveats=way.caveats,
    )

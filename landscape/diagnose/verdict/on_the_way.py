"""What happened on the way to a run's end: spikes, bouncing, a catapult, overfitting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from landscape.diagnose.course import OutcomeCase
from landscape.diagnose.items import Item, Items
from landscape.diagnose.verdict import overfitting
from landscape.sgd import endings, escapes

LATE = 3
"""Whether a level holds is looked for in so large a part of the rows at the end."""


@dataclass(frozen=True)
class OnTheWay:
    """What stands beside an outcome's name."""

    also: tuple[str, ...]
    items: Items
    caveats: tuple[str, ...] = ()
    restless: bool | None = False
    """Whether it still jumps so much that no level holds; None: too few jumps to say."""


def of(case: OutcomeCase) -> OnTheWay:
    """All of it, in the order of the page."""
    items: Items = {}
    restless = _bounces(case, items)
    also = [*_jumps(case, items)]
    caveats = _catapult(case, also, items)
    if case.course.ending.kind == endings.NEAR and _overfits(case, items):
        also.append("overfitting")
    return OnTheWay(tuple(also), items, caveats, restless)


def _jumps(case: OutcomeCase, items: Items) -> Iterator[str]:
    if spikes := case.course.spikes:
        items["spikes"] = Item(len(spikes), None, "excursions that came back, clear of the noise")
        yield f"spikes ({len(spikes)})"
    count, share = items["excursions"].value, items["excursion_share"].value
    limits = case.thresholds
    if (
        float(count or 0) >= limits.bouncing_excursions
        and float(share or 0) > limits.bouncing_share
    ):
        yield "bouncing"


def _bounces(case: OutcomeCase, items: Items) -> bool | None:
    course, limits = case.course, case.thresholds
    until = len(course.loss) if course.left is None else course.left
    ended = [each for each in course.ended if each.end <= until]
    rows = max(1, until - (course.learned or 0))
    items["excursions"] = Item(
        len(ended), limits.bouncing_excursions, "excursions above the best loss that ended"
    )
    items["excursion_share"] = Item(
        sum(each.rows for each in ended) / rows,
        limits.bouncing_share,
        "share of the rows after learning in excursions",
    )
    late = course.loss[-max(1, len(course.loss) // LATE) :]
    above = late > course.level
    # Excursions begin where it had learned for an epoch: one that jumps may never have.
    returns = int((above[:-1] & ~above[1:]).sum())
    still = LATE * returns >= limits.bouncing_excursions
    if course.left is None:
        away = float(above.mean())
        meaning = (
            "share of the last third of the rows above a quarter of the way back to L₀, from where "
            f"it returned {returns} times"
        )
    else:
        # Having left, it jumps if it is back again and again.
        back = (course.ending.best * course.ending.end) ** 0.5 if course.ending.best > 0 else 0.0
        away = float((course.loss[course.left :] <= back).mean())
        still, meaning = True, "share of the rows since it left that are nearer to the best again"
    items["restless"] = Item(away, limits.restless, meaning)
    often = max(len(ended), returns) >= limits.bouncing_excursions
    if not still or not away > limits.restless:
        return False
    return True if often else None


def _catapult(case: OutcomeCase, also: list[str], items: Items) -> tuple[str, ...]:
    found, limits = case.evidence.measured.jump, case.thresholds
    if not case.course.spikes or case.course.escaped:
        return ()
    if found is None:
        return ("Whether a spike was a catapult is open: curvature around it was not measured.",)
    items["curvature_change"] = Item(
        found.after / found.before,
        limits.flatter,
        "top eigenvalue after the spike over that before",
    )
    items["jump_along_top"] = Item(
        found.along_top,
        limits.along_top,
        "share of the squared length of the move to the peak along the top eigenvector before it",
    )
    if not found.after < limits.flatter * found.before:
        return ()
    if np.isnan(found.along_top):
        return (
            "Whether a spike was a catapult is open: no weights were recorded close enough before "
            "its peak to say along what it left.",
        )
    if found.along_top > limits.along_top:
        also.append("catapult")
    return ()


def _overfits(case: OutcomeCase, items: Items) -> bool:
    rows = case.evidence.rows
    found = overfitting.measure(rows)
    if found is None or rows.validation_loss is None or found.validation_minimum <= 0:
        return False
    losses = rows.validation_loss[np.isfinite(rows.validation_loss)]
    noise = endings.TO_DEVIATION * float(np.median(np.abs(escapes.residuals(losses))))
    ratio = found.validation_end / found.validation_minimum
    items["validation_rise"] = Item(
        ratio,
        case.thresholds.overfitting,
        f"validation loss at the end over its minimum; its noise is {noise:.2g}",
    )
    return ratio > case.thresholds.overfitting and found.rise > case.thresholds.noises * noise

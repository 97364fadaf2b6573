"""What happened on the way to a run's end: spikes, bouncing, a catapult, overfitting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from landscape.diagnose.course import OutcomeCase
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict import overfitting
from landscape.diagnose.verdict.named import NamedOutcome, training_on, unknown
from landscape.quantities import counted, percent
from landscape.sgd import endings, escapes
from landscape.sgd.escapes import Course, Excursion
from landscape.store.scans.records import Floats
from landscape.store.scans.sentences import IGNORING

LATE = 3
"""Whether a level holds is looked for in so large a part of the rows at the end."""
AHEAD = 12
"""A row is held against the lowest loss up to a twelfth of the rows later: a loss that falls while
it is noisy isn't away from where it will be in the end."""
LONGER = 3
"""After many excursions an escape is so many times as long as the longest of them."""


@dataclass(frozen=True)
class OnTheWay:
    """What stands beside an outcome's name."""

    also: tuple[str, ...]
    items: Items
    caveats: tuple[str, ...] = ()
    restless: bool | None = False
    """Whether it still jumps so much that no level holds; None: more than if one did, and less."""


def of(case: OutcomeCase) -> OnTheWay:
    """All of it, in the order of the page."""
    items: Items = {}
    restless = _bounces(case, items)
    also = [*_jumps(case, items)]
    caveats = _catapult(case, also, items)
    if case.course.ending.kind == endings.NEAR and _overfits(case, items):
        also.append("overfitting")
    return OnTheWay(tuple(also), items, caveats, restless)


def unsettled(case: OutcomeCase, way: OnTheWay) -> NamedOutcome:
    """No name where rows that are away are too many for a level that holds, too few for none."""
    return unknown(
        f"{percent(float(way.items['restless'].value or 0))} of its last third lies over a "
        f"quarter of the way from its lowest loss back to that of {IGNORING}, too much for a "
        "level that holds and not clearly jumping all through; training on would tell",
        way.items,
        way.also,
        training_on(case),
    )


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
    many = len(ended) >= limits.bouncing_excursions
    items["excursions"] = Item(
        len(ended),
        limits.bouncing_excursions,
        "excursions above the lowest loss so far that ended",
        "at or above: bouncing on the way, if they take up enough rows"
        if many
        else "below: too few for bouncing",
    )
    items["excursion_share"] = held(
        sum(each.rows for each in ended) / rows,
        limits.bouncing_share,
        "share of the rows after learning in excursions"
        + (", up to where it left" if course.left is not None else ""),
        below="too few rows for bouncing on the way",
        above="bouncing on the way, if in enough excursions",
    )
    if course.left is None:
        apart = _apart(course)[-max(1, len(course.loss) // LATE) :]
        returns = _returns(apart, limits.excursion)
        away = float((apart > limits.excursion).mean())
        meaning = (
            "share of the last third of the rows above a quarter of the way back to L₀, from where "
            f"it returned {returns} times"
        )
        # Excursions begin where it had learned for an epoch: one that jumps may never have.
        jumps = LATE * returns >= limits.bouncing_excursions
        often = max(len(ended), returns) >= limits.bouncing_excursions
    else:
        # Having left, it jumps if it is back again and again.
        back = (course.ending.best * course.ending.end) ** 0.5 if course.ending.best > 0 else 0.0
        away = float((course.loss[course.left :] <= back).mean())
        meaning = "share of the rows since it left that are nearer to the best stretch again"
        jumps, often = True, many
    items["restless"] = Item(away, limits.restless, meaning, _restless(away, course, limits))
    if jumps and often and away > limits.restless:
        return True
    # More than spikes, and no jumping all through; or not away for longer than before.
    return None if away > limits.holds or (often and _is_one_more(course, ended)) else False


def _restless(away: float, course: Course, limits: Thresholds) -> str:
    """What that share counts for."""
    holds, more = ("a level holds", "no level holds, if it jumps often enough")
    if course.left is not None:
        holds, more = ("it stays away", "it doesn't stay away, if it was back often enough")
    if away > limits.restless:
        return f"above: {more}"
    if away > limits.holds:
        return f"between {limits.holds:g} and {limits.restless:g}: open whether {holds}"
    return f"below, and not over {limits.holds:g}: {holds}"


def _is_one_more(course: Course, ended: Sequence[Excursion]) -> bool:
    """Whether what it left for isn't clearly longer than excursions that it came back from."""
    if course.left is None:
        return False
    return len(course.loss) - course.left < LONGER * max(each.rows for each in ended)


def _apart(course: Course) -> Floats:
    """(T,) how far a row lies from the best about then, as a share of the way back to L₀.

    0 where it hasn't risen there, for while the loss falls fast rows lie above what comes; and
    where nothing was learned. The best is one of medians of three rows: of T noisy ones it is low
    for no reason.
    """
    padded = np.pad(course.loss, 1, mode="edge")
    smooth = np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    before = np.minimum.accumulate(smooth)
    rows = np.arange(len(before)) + max(1, len(before) // AHEAD)
    best = before[np.minimum(rows, len(before) - 1)]
    way = course.constant - best
    there = way > course.rules.learned * course.scale
    apart = (course.loss - best) / np.where(there, way, 1.0)
    risen = 2 * (course.loss - before) > course.rules.excursion * way
    return np.asarray(np.where(there & (risen | (apart <= 0)), apart, 0.0))


def _returns(apart: Floats, line: float) -> int:
    """How often it came from above the line to less than half as far: not across it and back."""
    places = np.where(apart > line, 1, np.where(apart < line / 2, -1, 0))
    places = places[places != 0]
    return int((np.diff(places) < 0).sum())


def _catapult(case: OutcomeCase, also: list[str], items: Items) -> tuple[str, ...]:
    found, limits = case.evidence.measured.jump, case.thresholds
    if not case.course.spikes or case.course.escaped:
        return ()
    if found is None:
        return ("Whether a spike was a catapult is open: curvature around it was not measured.",)
    items["curvature_change"] = held(
        found.after / found.before,
        limits.flatter,
        "top eigenvalue after the spike over that before",
        below="flatter after it: a catapult, if it left along the top eigenvector",
        above="no flatter: no catapult",
    )
    items["jump_along_top"] = held(
        found.along_top,
        limits.along_top,
        "share of the squared length of the move to the peak along the top eigenvector before it",
        below="not along it: no catapult",
        above="along it: a catapult, if it is flatter after it",
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
    items["validation_rise"] = held(
        ratio,
        case.thresholds.overfitting,
        f"validation loss over its last {counted(found.rows, 'logged row')} (median), as a "
        f"multiple of its minimum; its noise is {noise:.2g}",
        below="no overfitting",
        above="overfitting, if clear of that noise",
    )
    return ratio > case.thresholds.overfitting and found.rise > case.thresholds.noises * noise

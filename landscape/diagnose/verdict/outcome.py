"""What the run did to its loss: one name, for what it is at its end.

The end decides first (`sgd.endings`: the last stretch that is statistically one, beside the best);
what it is called follows from `BY_ENDING`, a rule for each kind of ending. What happened on the way
stands beside the name, in ``also``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from landscape.diagnose.course import OutcomeCase, course_of
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.motion import slope
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict import escape, never_learned, stayed
from landscape.diagnose.verdict.named import NamedOutcome, Rule, unknown
from landscape.sgd import endings
from landscape.sgd.endings import Ending
from landscape.sgd.escapes import Course
from landscape.store.scans.sentences import IGNORING
from landscape.store.verdicts import Remedy

__all__ = ["BY_ENDING", "NamedOutcome", "name_outcome"]

BY_ENDING: Mapping[str, Rule] = {
    endings.NEVER: never_learned.name,
    endings.AWAY: escape.name,
    endings.NEAR: stayed.near,
    endings.BETWEEN: stayed.between,
    endings.INSIDE: stayed.inside,
}
"""By kind of ending, the rule that names the outcome."""


def name_outcome(evidence: Evidence, thresholds: Thresholds) -> NamedOutcome:
    """Name it by the rule of its ending; whatever it is, what it was read from stands with it."""
    if not evidence.weights_finite or np.isinf(evidence.rows.train_loss).any():
        finite = Item(False, True, "loss and weights finite", "no: it diverged")
        return NamedOutcome("diverged", items={"finite": finite})
    course = course_of(evidence, thresholds)
    if course is None:
        return unknown(
            "losses of two recorded steps are needed; a training that records more of them would "
            "tell",
            remedy=Remedy("train", {"record": "epoch"}),
        )
    case = OutcomeCase(evidence, course, thresholds)
    found = escape.for_good(case) or BY_ENDING[course.ending.kind](case)
    items = _stated(course, thresholds)
    if math.isfinite(evidence.loss_floor):
        items["loss_floor"] = Item(
            evidence.loss_floor, None, "the lowest loss that the outputs' range allows"
        )
    return replace(found, items=items | found.items)


def _stated(course: Course, thresholds: Thresholds) -> Items:
    ending, best = course.ending, float(course.loss[course.best])
    moving = _moving(course, thresholds)
    items: Items = {
        "constant_loss": Item(course.constant, None, f"L₀, the loss of {IGNORING}"),
        "best_loss": Item(
            best, None, f"lowest logged loss over all data, at step {course.step(course.best)}"
        ),
        "best_stretch": Item(
            ending.best,
            None,
            "level of the best stretch: rows in a row that are one but for noise. It is their "
            "median, so that the lowest logged loss, a single row, lies below it"
            if not ending.glimpsed
            else "the lowest logged loss: what was learned was lost before it made a stretch",
        ),
        "end_loss": _end(course, is_level=not moving),
        **moving,
        "best_share": held(
            course.share(ending.best),
            thresholds.learned,
            "u = (L₀ − L)/L₀ of the best stretch",
            below="no stretch shows that it learned",
            above="it learned",
        ),
    }
    return items if ending.kind == endings.NEVER else items | _beside_best(ending, thresholds)


def _end(course: Course, *, is_level: bool) -> Item:
    """The loss it ends at: a stretch's level, or the last loss where none is held."""
    first = course.step(course.ending.stretches[-1].first)
    if is_level:
        return Item(
            course.ending.end,
            None,
            f"median over the second half of the last stretch, which begins at step {first}",
        )
    # A median over rows that fall is that of its middle, and no loss that it ends at.
    return Item(
        float(course.loss[-1]),
        None,
        "the last logged loss, for it holds no level over the last stretch, which begins at step "
        f"{first}",
    )


def _beside_best(ending: Ending, thresholds: Thresholds) -> Items:
    """How far what it ends at lies above its best stretch: clear, away, near or in between."""
    return {
        "end_noises": held(
            ending.noises,
            thresholds.noises,
            "log of the loss it ends at over the best stretch's, in standard deviations of noise",
            below="noise may do that, unless all is lost again",
            above="clear of the noise",
        ),
        "end_lost": held(
            ending.lost,
            thresholds.lost,
            "share of L₀ − L_best that is lost again where it ends",
            below=f"no loss by this alone (near the best up to {thresholds.near:g})",
            above="away from its best, if clear of the noise",
        ),
        "end_times": held(
            ending.factor,
            thresholds.times,
            "the loss it ends at over the best stretch's",
            below="no loss by this alone",
            above="away from its best, if clear of the noise and not near it",
        ),
    }


def _moving(course: Course, thresholds: Thresholds) -> Items:
    """How far the last stretch still falls or rises; nothing where what it ends at is a level.

    Nor in an excursion: the last loss isn't where the stretch that holds it leads.
    """
    if course.ending.kind == endings.INSIDE:
        return {}
    last = course.ending.stretches[-1]
    rows = slice(last.first, last.end)
    change = slope.of_log_loss(course.steps[rows], course.loss[rows])
    if slope.state(change, thresholds) not in (slope.DESCENDING, slope.RISING):
        return {}
    side = -1 if change.total < 0 else 1
    return {
        "end_change": held(
            change.total,
            side * math.log(thresholds.descending),
            f"change of log loss over the last stretch, ± {change.error:.2g} (two standard errors)",
            below="it still falls, no level",
            above="it still rises, no level",
        )
    }

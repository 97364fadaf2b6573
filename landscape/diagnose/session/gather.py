"""The evidence that the verdict is read from: what the parts measured, and why others didn't."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.session import siblings
from landscape.diagnose.session.context import LEFT_OUT, Context
from landscape.diagnose.session.parts import PARTS
from landscape.diagnose.trainings import after_escape, interventions


def evidence(context: Context) -> Evidence:
    """All that is there; what isn't becomes a caveat."""
    own = context.subject.evidence
    return replace(
        own,
        measured=context.measured,
        places=_places(context),
        siblings_share=siblings.median_share(
            context.siblings.runs, own.constant_loss, context.limits.learned
        ),
        longer=context.plan.longer,
        orders_seconds=_orders_seconds(context),
        absent=tuple(f"{sentence}." for sentence in _absent(context)),
        failed=tuple(name for name, why in context.absent.items() if why != LEFT_OUT),
    )


def _places(context: Context) -> dict[str, int]:
    """The steps of the start, the best row, the end, and the last row before an escape."""
    trajectory = context.subject.trajectory
    rows = {"start": 0, "best": trajectory.row("best"), "end": trajectory.row("final")}
    if context.course is not None and context.course.escaped:
        rows["onset"] = after_escape.before_onset(context.subject, context.course)
    return {name: context.subject.step(row) for name, row in rows.items()}


def _orders_seconds(context: Context) -> float:
    """What is trained first where nobody limits the orders; NaN where those there are decide."""
    done, course = context.measured.interventions, context.course
    if done is None or done.escape is None or course is None:
        return math.nan
    if all(one.decided != "open" for one in done.escape.again):
        return math.nan
    more = interventions.plan(context.subject, course, context.limits)
    return interventions.cost(context.subject, more).seconds if more.missing else math.nan


def _absent(context: Context) -> Iterator[str]:
    yield from (f"Left out of the siblings: {reason}" for reason in context.siblings.unreadable)
    left = [name for name, reason in context.absent.items() if reason == LEFT_OUT]
    if left:
        yield f"Left out: {', '.join(left)}"
    for name, sentence in context.absent.items():
        is_unwanted = name in PARTS and not PARTS[name].wanted(context)
        if sentence != LEFT_OUT and not is_unwanted:
            yield f"Not measured: {sentence}"
    done = context.measured.interventions
    if done is not None and done.motion is not None:
        if done.motion.diverged:
            yield f"Diverged and left out: {done.motion.diverged}"
        if done.motion.reason:
            yield f"Not measured: {done.motion.reason}"

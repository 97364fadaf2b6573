"""Which steps the motion is read from."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.diagnose.course import course_of
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError

DROPPED = 16
"""One part in so many is dropped at the start: a start far off or at the bottom biases the rest."""


@dataclass(frozen=True)
class MotionWindow:
    """Steps ``first`` to ``last``, both included."""

    first: int
    last: int
    share: float
    """Of the run's steps."""


def of_run(evidence: Evidence, thresholds: Thresholds | None = None) -> MotionWindow:
    """The last part of the stretch with the last learning rate, after any escape or excursion.

    By default its last half, less the first sixteenth of that; or all after a step that was given.

    Raises:
        LandscapeError: that isn't a step of the run before its last.
    """
    limits = thresholds or Thresholds()
    step = evidence.rows.step
    total, last = int(step[-1] - step[0]), int(step[-1])
    start = max(int(step[0]), evidence.setup.constant_from)
    course = course_of(evidence, limits)
    if course is not None:
        last = course.step(-1)
        if course.left is not None:
            start = max(start, course.step(course.left))
    if (after := evidence.setup.after) is not None:
        if not int(step[0]) <= after < last:
            raise LandscapeError(
                f"after must be a step from {step[0]} to below {last}, got {after}"
            )
        return MotionWindow(after, last, (last - after) / total if total else 0.0)
    length = round(min(1.0, limits.window) * (last - start))
    first = last - length + length // DROPPED
    return MotionWindow(first, last, (last - first) / total if total else 0.0)

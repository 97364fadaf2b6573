"""How often trainings from a snapshot left the good region again, and what that decides."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.diagnose.binomial import SequentialTest, interval
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.trainings import LEAVING, LeftAgain, Trained

__all__ = ["LEAVING", "left_again", "outcomes", "sequential_test"]


def sequential_test(limits: Thresholds) -> SequentialTest:
    """The test of "unstable at η"."""
    return SequentialTest(limits.chance, limits.unstable, limits.wrong)


def outcomes(branches: Sequence[Trained], start: str, level: float) -> list[bool]:
    """Whether each training with another batch order from ``start`` left, in order of its seed."""
    tried = [b for b in branches if (b.start, b.kind) == (start, "other-order")]
    tried.sort(key=lambda branch: branch.order or 0)
    return [b.has_left(level) for b in tried]


def left_again(
    branches: Sequence[Trained], start: str, level: float, limits: Thresholds
) -> LeftAgain | None:
    """Of the trainings with other batch orders from ``start``, those that ended above ``level``.

    None where there was no such training.
    """
    left = outcomes(branches, start, level)
    if not left:
        return None
    step = next(b.start_step for b in branches if (b.start, b.kind) == (start, "other-order"))
    decided = {True: "unstable", False: "not unstable", None: "open"}[
        sequential_test(limits).decide(left)
    ]
    low, high = interval(sum(left), len(left))
    return LeftAgain(start, step, len(left), sum(left), low, high, decided)

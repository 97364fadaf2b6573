"""How often trainings from a snapshot left the good region again, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.diagnose.binomial import interval
from landscape.store.measured.trainings import LeftAgain, Trained

LEAVING = ("best", "before-onset")
"""Starts from which the run itself left."""


def left_again(branches: Sequence[Trained], start: str, level: float) -> LeftAgain | None:
    """Of the trainings with other batch orders from ``start``, those that ended above ``level``.

    None where there was no such training.
    """
    tried = [b for b in branches if (b.start, b.kind) == (start, "other-order")]
    if not tried:
        return None
    away = sum(b.has_left(level) for b in tried)
    low, high = interval(away, len(tried))
    return LeftAgain(start, tried[0].start_step, len(tried), away, low, high)

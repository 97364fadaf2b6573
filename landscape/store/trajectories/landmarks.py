"""The few recorded steps at which costly things are measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landscape.errors import LandscapeError
from landscape.store.trajectories.trajectory import Trajectory

MOST = 4


def landmarks(trajectory: Trajectory, *, most: int = MOST) -> list[int]:
    """Rows of the initialization, the best loss and the end, then of events, ``most`` in all.

    Of an event the last row before it and the last row in it, longest events first: where it
    came from and where it led. In order, each row once.
    """
    rows = [0, trajectory.row("final")]
    if not np.isnan(trajectory.measures["train_loss"]).all():
        rows.append(trajectory.row("best"))
    step = trajectory.step
    last = rows[1]
    for event in sorted(trajectory.events, key=lambda e: (e.first - e.last, e.first)):
        before = int(np.searchsorted(step, event.first, "left")) - 1
        inside = int(np.searchsorted(step, event.last, "right")) - 1
        rows += [row for row in (before, inside) if 0 <= row <= last]
    return sorted(list(dict.fromkeys(rows))[:most])


def spread(trajectory: Trajectory, *, most: int) -> list[int]:
    """``most`` rows spread over the recorded ones, landmarks among them: half at most."""
    last = trajectory.row("final")
    chosen = landmarks(trajectory, most=min(most, max(MOST, most // 2)))
    while len(chosen) < min(most, last + 1):
        widest = int(np.argmax(np.diff(chosen)))
        chosen.insert(widest + 1, (chosen[widest] + chosen[widest + 1]) // 2)
    return chosen


def checked_rows(trajectory: Trajectory, rows: Sequence[int]) -> list[int]:
    """The rows, refused where there are none or the trajectory doesn't have them.

    Raises:
        LandscapeError: it names the row and how many there are.
    """
    count = len(trajectory.step)
    if not rows:
        raise LandscapeError("rows must be at least one, got none; leave them out for a few")
    for row in rows:
        if not 0 <= row < count:
            raise LandscapeError(f"rows must be between 0 and {count - 1}, got {row}")
    return list(rows)

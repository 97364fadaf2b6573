"""Which rows there are, what they measured, and which to drop when space runs out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.trajectories.trajectory import CADENCE, DENSE, EVENT, FLIGHT

START = 0.8
"""Share of the limit at which snapshots are dropped; files need room to be written anew in."""
GOAL = 0.6
"""Share of the limit that is left then."""
OVERHEAD = 200
"""Bytes of a row or a step beside its numbers, roughly."""


def row_bytes(columns: int) -> int:
    """What a row of so many weights takes, about."""
    return 4 * columns + OVERHEAD


def check_limit(limit: int | None, columns: int, frozen: int) -> None:
    """Refuse a limit in bytes that not even the first row of so many weights is within.

    Beside it are ``frozen`` bytes of what is stored once.

    Raises:
        LandscapeError: it is too low.
    """
    least = math.ceil(row_bytes(columns) / START) + frozen
    if limit is not None and limit < least:
        beside = f" beside {frozen:,} B of frozen tensors" if frozen else ""
        raise LandscapeError(
            f"disk limit must be at least {least} B for snapshots of {columns:,} weights{beside}, "
            f"got {limit} B"
        )


class Ledger:
    """Steps, kinds and losses of the rows, in memory; decides by counting, not by looking."""

    def __init__(self, *, row_bytes: int, step_bytes: int, limit: int | None) -> None:
        """Count with so many bytes a row and an SGD step; ``limit`` bytes, or None."""
        self.row_bytes, self.step_bytes, self.limit = row_bytes, step_bytes, limit
        self.kinds: dict[int, int] = {}
        self.losses: dict[int, float] = {}
        """Full-data training losses, also of rows that were dropped since."""
        self.best: int | None = None
        """The row with the lowest finite loss."""
        self.steps = 0
        self.velocities: list[int] = []
        """Steps with a state of the optimizer that stays; their rows do too."""
        self.per_state = 1
        """So many rows' room each takes: Adam keeps two numbers a weight."""
        self.onsets: list[int] = []
        """Those of them that are from before an onset."""
        self.dropped = 0
        self.refused = 0
        """Rows that weren't recorded because nothing was left to drop."""

    def add(self, step: int, kind: int, loss: float = math.nan) -> None:
        """Note a row; a step's kinds add up."""
        self.kinds[step] = self.kinds.get(step, 0) | kind
        if math.isnan(loss):
            return
        self.losses[step] = loss
        if math.isfinite(loss) and (self.best is None or loss < self.losses[self.best]):
            self.best = step

    @property
    def bytes(self) -> int:
        """What the trajectory takes, about."""
        rows = len(self.kinds) + self.per_state * len(self.velocities)
        return rows * self.row_bytes + self.steps * self.step_bytes

    def room_for(self, rows: int, *, partly: bool = False) -> tuple[bool, list[int]]:
        """Whether that many rows fit, and the rows to drop first so that they do.

        Where they can't fit nothing is dropped, or, with ``partly``, what can be.
        """
        if self.limit is None or self.bytes + rows * self.row_bytes <= START * self.limit:
            return True, []
        goal = GOAL * self.limit - rows * self.row_bytes
        drop = self._thin(math.ceil((self.bytes - goal) / self.row_bytes))
        left = self.bytes + (rows - len(drop)) * self.row_bytes
        fits = left <= START * self.limit
        if not fits and not partly:
            return False, []
        self.forget(drop)
        self.dropped += len(drop)
        return fits, drop

    def _thin(self, count: int) -> list[int]:
        """So many rows, one after the other that leaves the smallest gap.

        The first, the last, the best and those of events stay.
        """
        steps = sorted(self.kinds)
        kept = {steps[0], steps[-1], self.best, *self.velocities}
        free = [
            step for step in steps if step not in kept and not self.kinds[step] & (FLIGHT | EVENT)
        ]
        before = dict(zip(steps[1:], steps, strict=False))
        after = dict(pairwise(steps))
        queue = [(after[step] - before[step], step) for step in free]
        heapify(queue)
        drop: list[int] = []
        while queue and len(drop) < count:
            gap, step = heappop(queue)
            if (now := after[step] - before[step]) > gap:  # a neighbour has gone meanwhile
                heappush(queue, (now, step))
                continue
            after[before[step]], before[after[step]] = after[step], before[step]
            drop.append(step)
        return sorted(drop)

    def forget(self, steps: list[int]) -> None:
        """Let go of rows that something else dropped."""
        for step in steps:
            self.kinds.pop(step, None)
        self.velocities = [step for step in self.velocities if step in self.kinds]

    def evaluated(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Steps and full-data training losses."""
        steps = sorted(self.losses)
        return np.array(steps, np.int64), np.array([self.losses[s] for s in steps])

    def info(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "best": self.best,
            "velocities": self.velocities,
            "per_state": self.per_state,
            "onsets": self.onsets,
            "dropped": self.dropped,
            "refused": self.refused,
            "steps": self.steps,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state's arrays."""
        steps, losses = self.evaluated()
        rows = np.array(sorted(self.kinds), np.int64)
        kinds = np.array([self.kinds[int(step)] for step in rows], np.int64)
        return {"step": rows, "kind": kinds, "evaluated": steps, "loss": losses}

    def restore(self, info: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state."""
        for name, array in arrays.items():
            if array.ndim != 1:
                raise ValueError(f"{name} must have one number a row, not shape {array.shape}")
        self.kinds = dict(zip(arrays["step"].tolist(), arrays["kind"].tolist(), strict=True))
        self.losses = dict(zip(arrays["evaluated"].tolist(), arrays["loss"].tolist(), strict=True))
        for name, value in info.items():
            setattr(self, name, value)
        if self.best is not None and self.best not in self.losses:
            raise ValueError(f"the best step, {self.best}, has no loss")


def is_extra(kind: int) -> bool:
    """Whether a row is there for an event alone."""
    return not kind & (CADENCE | DENSE)

"""How long a point takes by a plan, from a few of its tiles."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from landscape.scan.speed.engine import Engine, TilePlan, even
from landscape.scan.speed.strategies import Strategy
from landscape.scan.speed.totals import totals
from landscape.store.scans.records import Floats

TILES = 3
"""Batches; a single one where what is prepared of them takes memory."""
LONG = 0.05
"""Seconds; a tile that takes more is timed alone."""
FINE = 1e-6
"""Seconds; a coarser clock can't time a tile."""


class TileTrial:
    """A plan with its strategy, ready to be timed at points ``xy`` (K, D) again and again."""

    def __init__(self, engine: Engine, plan: TilePlan, way: Strategy, xy: Floats) -> None:
        self.plan = plan
        self._engine, self._way, self._xy = engine, way, xy
        samples = engine.data.train
        size = even(len(samples), plan.batch_size)
        batches = samples.batches(size, min(len(samples), (1 if way.prepares else TILES) * size))
        self._tiles: list[tuple[Any, Tensor]] = [
            (way.prepare(inputs), targets) for inputs, targets in batches
        ]
        self.tile_seconds = 0.0
        """That the last tile took."""
        self._total = sum(math.ceil(len(part) / plan.batch_size) for part in engine.sets.values())

    def seconds(self, tiles: int = TILES) -> float:
        """Of a point, from at most so many tiles, by `clock`."""
        return self._timed(self._way, tiles, clock(self._engine.vector.device))

    def seconds_in(self, way: Strategy) -> float:
        """The same on the wall, by another copy's strategy."""
        return self._timed(way, TILES, time.perf_counter)

    def _timed(self, way: Strategy, tiles: int, now: Callable[[], float]) -> float:
        chosen = self._tiles[: tiles if self.tile_seconds < LONG else 1]
        started = now()
        way.move(self._xy)
        moved = now()
        for batch, targets in chosen:
            sums = totals(self._engine.objective, way.outputs(batch), targets, len(self._xy))
        sums.tolist()
        ended = now()
        self.tile_seconds = (ended - moved) / len(chosen)
        return ((moved - started) + self.tile_seconds * self._total) / len(self._xy)


def clock(device: torch.device) -> Callable[[], float]:
    """The thread's processor time where all work is done in it: other processes don't count."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    if alone and time.get_clock_info("thread_time").resolution <= FINE:
        return time.thread_time
    return time.perf_counter

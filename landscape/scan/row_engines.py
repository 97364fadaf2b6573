"""What evaluates a valley's slices: made once, then taken from row to row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from landscape.cluster import Workers
from landscape.problem.problem import Problem
from landscape.scan import subset
from landscape.scan.speed import choosing
from landscape.scan.speed.engine import Engine
from landscape.scan.speed.options import Evaluation
from landscape.store.scans.records import Floats, Plane
from landscape.store.scans.valleys import Valley


@dataclass
class RowEngines:
    """Engines by how many samples they take: one for all of them, one for a subset.

    The model's copies, the data as it is evaluated and the traced graphs serve all rows. Those of a
    large network, whose rows take long anyway, are made anew for each, so that a row's weights and
    directions are gone before the next ones come.
    """

    problem: Problem
    evaluation: Evaluation
    _made: dict[int | None, Engine] = field(default_factory=dict)

    def chosen(self, plane: Plane, xy: Floats, pool: Workers | None) -> Engine:
        """One for all samples, by the strategy that is fastest at points ``xy`` of a plane."""
        threads = None if pool is None else pool.threads(torch.get_num_threads())
        made = choosing.engine(self.problem, plane, xy, self.evaluation, threads=threads)
        self._made[None] = made
        return made

    def at(
        self,
        plane: Plane,
        valley: Valley,
        pool: Workers | None = None,
        *,
        samples: int | None = None,
    ) -> Engine:
        """What evaluates a row's directions by the strategy that was chosen for the valley.

        On all samples, or on a random subset of ``samples`` of them. Whoever had it for another
        plane has it no more.
        """
        if (engine := self._made.get(samples)) is None:
            self._made[samples] = engine = self._new(plane, valley, pool, samples)
        else:
            engine.go_to(plane)
        return engine

    def leave(self) -> None:
        """Say that a row is done: what takes much memory goes."""
        for samples, engine in list(self._made.items()):
            if engine.large:
                self._made.pop(samples).release()

    def release(self) -> None:
        """Let go of all."""
        for engine in self._made.values():
            engine.release()
        self._made.clear()

    def _new(
        self, plane: Plane, valley: Valley, pool: Workers | None, samples: int | None
    ) -> Engine:
        problem, about = self.problem, dict[str, Any]()
        if samples is not None:
            problem, about["population"] = subset.of(problem, samples, seed=valley.seed)
        if pool is not None:
            about["threads"] = pool.threads(torch.get_num_threads())
        xy = np.zeros((1, len(plane.directions)))
        return choosing.engine(problem, plane, xy, self.evaluation, stored=valley.strategy, **about)

"""The engines that one scan takes: by one strategy, on all samples or some, here or on workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from landscape.cluster import Workers
from landscape.cluster.local import Here
from landscape.problem.problem import Problem
from landscape.scan import choose, subset
from landscape.scan.engine import Engine
from landscape.scan.farm import Farm
from landscape.scan.scanning import Source
from landscape.store.records import Floats, Plane


@dataclass(frozen=True)
class Engines:
    """Makes them."""

    problem: Problem
    xy: Floats
    """The grid's points (n, D)."""
    options: Mapping[str, Any]
    """Strategy, device, precision and memory, of `choose.engine`."""
    pool: Workers | None = None
    """None: this process."""

    def make(
        self, plane: Plane, stored: Mapping[str, Any], *, samples: int | None = None
    ) -> Engine:
        """An engine on a plane; without a strategy ``stored`` one is chosen.

        ``samples``: on a random subset of so many, drawn by the plane's seed.

        Raises:
            LandscapeError: there aren't as many samples, or a strategy that can't be.
        """
        problem, population = self.problem, None
        if samples is not None:
            problem, population = subset.of(problem, samples, seed=plane.seed)
        return choose.engine(
            problem,
            plane,
            self.xy,
            stored=stored,
            population=population,
            threads=None if self.pool is None else self.pool.threads(torch.get_num_threads()),
            **self.options,
        )

    def spread_out(self, engine: Engine) -> Source:
        """The same on the workers, if there are any."""
        if self.pool is None or isinstance(self.pool, Here):
            return engine
        return Farm(engine, self.pool)

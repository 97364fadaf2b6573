"""The weights of a model as they are now: what planes without a run go through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.problem.problem import Problem
from landscape.problem.weights import buffers, flat
from landscape.store.scans.records import Weights
from landscape.store.trajectories.trajectory import CADENCE, MEASURES, Trajectory


@dataclass(frozen=True, repr=False)
class StillWeights(Trajectory):
    """A trajectory of one row, step 0, that lies in no file: nothing was trained or measured."""

    vector: Weights = field(default_factory=lambda: np.empty(0, np.float32))
    """(P,)"""
    held: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """The model's buffers by name."""

    @classmethod
    def of(cls, problem: Problem) -> StillWeights:
        """A copy of a problem's weights and buffers."""
        layout = problem.layout
        return cls(
            path=Path("the model"),  # messages name it
            step=np.zeros(1, np.int64),
            kind=np.full(1, CADENCE, np.int64),
            measures={name: np.full(1, np.nan) for name in MEASURES},
            parameters=layout.to_records(),
            vector=flat(problem.model, layout).detach().cpu().float().numpy(),
            held=buffers(problem.model),
        )

    def part(self, rows: slice, columns: slice = slice(None)) -> NDArray[np.float32]:
        """The row, or some of its columns."""
        return self.vector[None][rows, columns].copy()

    def buffers(self, row: int) -> dict[str, NDArray[Any]]:
        """The model's own."""
        del row
        return dict(self.held)

    def constants(self) -> dict[str, NDArray[Any]]:
        """None: what is frozen stays in the model."""
        return {}

    def moments(self, step: int) -> dict[str, NDArray[Any]]:
        """None: there is no optimizer."""
        del step
        return {}

    def sketches(self, steps: slice = slice(None)) -> NDArray[np.float32]:
        """None: no step was taken."""
        del steps
        return np.empty((0, 0), np.float32)

    def sketch_seed(self) -> tuple[int, str] | None:
        """None: there are none."""
        return None

    def scalars(self) -> dict[str, NDArray[np.float64]]:
        """A learning rate of no steps."""
        return {"learning_rate": np.empty(0)}

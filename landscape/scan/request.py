"""What to scan, as it was asked for: which planes, which grid, how points are evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.choice import PlaneChoice
from landscape.plane.extent import AUTO, parse
from landscape.problem.device import resolve
from landscape.scan import measures as further
from landscape.scan.refine import caps, until_tolerance
from landscape.scan.saving import SAVE_SECONDS
from landscape.scan.speed import memory, strategies
from landscape.scan.speed.evaluator import dtype_of
from landscape.scan.speed.options import Evaluation


@dataclass(frozen=True)
class GridChoice:
    """What ``landscape scan`` is told of the grid."""

    size: str = "51"
    extent: str | None = None
    """None: each kind's own default."""
    rise: float = 10.0
    """Extent auto around an origin: to where the loss is so many times the origin's."""
    measures: Sequence[str] = ("loss", "accuracy")
    with_weight_decay: bool = False
    """Add λ/2 |w|² to training losses, λ the run's weight decay: what its steps minimise."""


@dataclass(frozen=True)
class Request:
    """What to scan; grid and evaluation are the same for each of the planes."""

    plane: PlaneChoice = field(default_factory=PlaneChoice)
    grid: GridChoice = field(default_factory=GridChoice)
    evaluation: Evaluation = field(default_factory=Evaluation)
    save_seconds: float = SAVE_SECONDS
    """Save about as often; 0: after every point."""

    def check(self) -> None:
        """Refuse what can't be, whatever the run.

        Raises:
            LandscapeError: an unknown plane or measure, or options that don't go together.
        """
        kinds.check(self.plane)
        check_grid(self.grid)
        check_evaluation(self.evaluation)
        if not self.save_seconds >= 0:
            raise LandscapeError(f"save-every must be at least 0, got {self.save_seconds:g}")
        if self.plane.planes > 1 and self.evaluation.samples is not None:
            raise LandscapeError(
                "samples are for a single plane, "
                f"got {self.plane.planes} planes; drop --planes or --samples"
            )


def check_grid(grid: GridChoice) -> None:
    """Refuse a grid that can't be, whatever the plane.

    Raises:
        LandscapeError: an unknown measure, an extent that is none on any plane, or a rise that
            isn't one.
    """
    further.check(grid.measures)
    if grid.extent not in (None, AUTO):
        on_a_line = grid.extent.count(":") == 1
        parse(grid.extent, np.zeros((1, 1 if on_a_line else 2)))
    if not grid.rise > 1:
        raise LandscapeError(f"rise must be above 1, got {grid.rise:g}")


def check_evaluation(evaluation: Evaluation) -> None:
    """Refuse an evaluation that can't be, whatever the problem.

    Raises:
        LandscapeError: a strategy, device, precision, size of memory, tolerance or cap that
            can't be.
    """
    strategies.fitting(evaluation.strategy)
    dtype_of(evaluation.precision, resolve(evaluation.device))
    memory.most(evaluation.memory)
    until_tolerance.check(evaluation.tolerance)
    caps.check(evaluation.cap)

"""A recording that a trainer's callback steers: begun, fed with losses, ended once."""

from __future__ import annotations

import atexit
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.problem.problem import Problem
from landscape.sgd.watching import Bystander, Watch, watch
from landscape.store.run import Run


class Session:
    """One training's recording."""

    def __init__(self, folder: str | Path, problem: Problem, options: dict[str, Any]) -> None:
        """Remember what to record; nothing is written before `begin`."""
        self.folder, self.problem, self.options = folder, problem, options
        self.run: Run | None = None
        self._watch: Watch | None = None
        self._losses: list[float] = []

    def begin(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, steps_per_epoch: int
    ) -> None:
        """Make the run's folder and record step 0."""
        options = {"steps_per_epoch": max(1, steps_per_epoch), **self.options}
        begun = watch(self.folder, self.problem, optimizer, model, **options)
        if isinstance(begun, Bystander):
            return
        self._watch, self.run = begun, begun.run
        # Not every trainer tells its callbacks that it failed.
        atexit.register(self.end, "failed")

    def add_loss(self, loss: Tensor | float) -> None:
        """Add a batch's share of the step's loss."""
        self._losses.append(float(loss.detach()) if isinstance(loss, Tensor) else float(loss))

    def step(self, *, mean: bool = False) -> None:
        """Record the step, if one was taken, with the sum (or mean) of its batches' losses."""
        if self._watch is None or not self._watch.taken:
            return
        loss = math.fsum(self._losses) if self._losses else math.nan
        self._watch.record(loss / len(self._losses) if mean and self._losses else loss)
        self._losses = []

    def end(self, status: str) -> None:
        """Write everything and say how it ended; only the first call counts."""
        if self._watch is None:
            return
        ended, self._watch = self._watch, None
        ended.close(status)
        self.run = ended.recorder.run
        atexit.unregister(self.end)

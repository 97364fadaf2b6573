"""What is diagnosed: a run with its problem, and the plain evidence that its files hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from landscape.diagnose.evidence import Evidence, Rows, Setup
from landscape.diagnose.symmetry import symmetry
from landscape.diagnose.symmetry.groups import Symmetry
from landscape.diagnose.trainings.trials import Start
from landscape.diagnose.units import mistakes
from landscape.diagnose.units.mistakes import Mistakes
from landscape.errors import LandscapeError
from landscape.problem import modes
from landscape.problem.baseline import constant_loss
from landscape.problem.load import function
from landscape.problem.losses import cross_entropy
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.problem.weights import tied
from landscape.sgd.training.optimizers import OWN, kind_of
from landscape.sgd.training.own import Remaker, made
from landscape.sgd.training.settings import Settings
from landscape.store.run import Run
from landscape.store.trajectories.trajectory import CADENCE, MEASURES, Trajectory

NORMALIZATIONS = (
    nn.modules.batchnorm._BatchNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.instancenorm._InstanceNorm,
)


@dataclass(frozen=True)
class Subject:
    """A run and its problem."""

    run: Run
    problem: Problem
    after: int | None = None
    """The step that the motion is read from; None: see `motion.window`."""
    again: str | Remaker | None = None
    """What makes the optimizer of a run of somebody's own loop (`own.Remaker`), or where it is."""

    @cached_property
    def trajectory(self) -> Trajectory:
        """Opened once."""
        return self.run.recording

    @cached_property
    def constant_loss(self) -> float:
        """L₀; NaN where no constant can be tried."""
        try:
            return constant_loss(self.problem)
        except (RuntimeError, ValueError, TypeError, IndexError):  # a loss that wants other outputs
            return float("nan")

    @cached_property
    def mistakes(self) -> Mistakes:
        """What is wrong with data or model before anything else."""
        try:
            return mistakes.find(self.problem)
        # Somebody's model may fail in any way at weights that are a hundred times too large.
        except (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError):
            return Mistakes()

    @cached_property
    def symmetry(self) -> Symmetry:
        """Which units may be permuted; traced once."""
        return symmetry.find(self.problem)

    @cached_property
    def cadence(self) -> NDArray[np.int64]:
        """The rows that diffusion and losses are read from."""
        measured = ~np.isnan(self.trajectory.measures["train_loss"])
        return np.flatnonzero(measured & (self.trajectory.kind & CADENCE > 0))

    @cached_property
    def end(self) -> int:
        """The last row of the cadence with finite weights."""
        final = self.trajectory.row("final")
        return int(self.cadence[self.cadence <= final][-1])

    @property
    def samples(self) -> int:
        """N of the training data."""
        return length(self.problem.train)

    @cached_property
    def own(self) -> Remaker | None:
        """The function that makes the optimizer of a loop of one's own."""
        if self.again is None or self.run.record["settings"] is not None:
            return None
        return function(self.again) if isinstance(self.again, str) else self.again

    @cached_property
    def settings(self) -> Settings | None:
        """How it was trained; None for a run of somebody's own loop, unless `own` is known."""
        if (found := self.run.record["settings"]) is not None:
            return Settings(**found)
        if self.own is None:
            return None
        rate = float(self.trajectory.scalars()["learning_rate"][-1])
        _, batch_size = made(self.own, tied(self.problem.model).model)
        return Settings(optimizer=OWN, lr=rate, batch_size=batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """1 where it isn't known."""
        known = self.run.record.get("steps_per_epoch")
        if known is None and self.settings is not None:
            known = self.settings.steps_per_epoch(self.samples)
        return int(known or 1)

    def step(self, row: int) -> int:
        """A row's step."""
        return int(self.trajectory.step[row])

    def start(self, row: int, *, moving: bool = True) -> Start:
        """A row as somewhere to start from, with what the optimizer kept if that was recorded."""
        trajectory = self.trajectory
        moments = trajectory.moments(self.step(row)) if moving else {}
        return Start(trajectory.row_weights(row), trajectory.buffers(row), moments)

    @cached_property
    def evidence(self) -> Evidence:
        """What the run's files say by themselves.

        Raises:
            LandscapeError: the run holds no two evaluated losses.
        """
        trajectory, rows = self.trajectory, self.cadence
        if len(rows) < 2:
            raise LandscapeError(
                f"a diagnosis needs at least 2 recorded losses, {self.run.folder} has {len(rows)}; "
                "train longer, or record more often"
            )
        measures = {name: trajectory.measures[name][rows] for name in MEASURES}
        known = {name: None if np.isnan(v).all() else v for name, v in measures.items()}
        return Evidence(
            rows=Rows(trajectory.step[rows], measures["train_loss"], **_without_loss(known)),
            setup=self._setup(),
            constant_loss=self.constant_loss,
            batch_losses=trajectory.scalars()["batch_loss"],
            recorded=tuple(trajectory.events),
            weights_finite=self.run.record["status"] != "non-finite",
            mistakes=self.mistakes.sentences,
            loss_floor=self.mistakes.floor,
        )

    def _setup(self) -> Setup:
        rates = self.trajectory.scalars()["learning_rate"]
        known = self.run.record["settings"]
        if known is None:  # a loop of somebody's own
            known = dict(self.run.record.get("optimizer") or {"name": "unknown"})
            known["optimizer"] = known.pop("name")
            if self.run.record.get("unrecorded"):
                known["optimizer"] += " recorded several steps at once"
            averaged = known.get("betas", [0.0])[0]  # Adam's
            if self.settings is not None:
                known["batch_size"] = self.settings.batch_size
        else:
            name = known.get("optimizer", "sgd")
            own = Settings(**known).of_optimizer()
            averaged = own.get("beta1", 0.0)
            known = {**known, "optimizer": kind_of(name).name}
        # Adam's average of gradients makes its steps resemble each other as momentum does.
        known = {**known, "momentum": averaged or known.get("momentum", 0.0)}
        # How often is known at the end; of a run that was killed, only that it might be.
        lost = self.run.record["status"] == "running" and known.get("clip") is not None
        known["clipped"] = lost or bool(self.run.record.get("clipped"))
        names = ("momentum", "nesterov", "weight_decay", "batch_size", "optimizer", "clipped")
        chosen: dict[str, Any] = {name: known[name] for name in names if name in known}
        return Setup(
            learning_rate=float(rates[-1]) if len(rates) else float("nan"),
            steps_per_epoch=self.steps_per_epoch,
            highest_rate=float(np.nanmax(rates)) if np.isfinite(rates).any() else math.nan,
            samples=self.samples,
            constant_from=_constant_from(rates),
            after=self.after,
            scale_invariant=any(
                isinstance(m, NORMALIZATIONS) for m in self.problem.model.modules()
            ),
            cross_entropy=self.problem.loss is cross_entropy,
            rectified=any(
                isinstance(m, (nn.ReLU, nn.LeakyReLU)) for m in self.problem.model.modules()
            ),
            perturbed=self.problem.augment is not None or modes.drops(self.problem.model),
            **chosen,
        )


def _without_loss(measures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in measures.items() if name != "train_loss"}


def _constant_from(rates: NDArray[np.float64]) -> int:
    """The step from which the learning rate is what it is at the end."""
    other = np.flatnonzero(rates != rates[-1]) if len(rates) else rates
    return int(other[-1]) + 1 if len(other) else 0

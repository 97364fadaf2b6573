"""The averaged weights of a training, recorded beside the weights themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from landscape.problem.problem import Problem
from landscape.problem.rebuild import to_record
from landscape.sgd import consent
from landscape.sgd.recording.intake import Intake
from landscape.sgd.recording.plan import RecordingPlan
from landscape.sgd.training.state import TrainingState
from landscape.sgd.training.train import Step
from landscape.store import run as run_folder
from landscape.store.run import Run

FOLDER = run_folder.AVERAGE
PREFIX = "averaged"
"""Of its part of a training's state."""


class AveragedRun:
    """A run of its own in RUN/average, with rows when the training's has: no scalars, no sketches.

    Its state is part of the training's, so that both go on from the same step.
    """

    def __init__(
        self,
        of: Run,
        problem: Problem,
        plan: RecordingPlan,
        step: Step,
        state: TrainingState | None,
    ) -> None:
        """Begin with the average at step 0, or go on where ``state`` was captured."""
        folder = of.folder / FOLDER
        plan = replace(plan, options=replace(plan.options, flight=0, sketch=0))
        if state is None:
            about = {"settings": None, "average_of": of.id, "optimizer": {"name": "average"}}
            kept = ("command", "record", "options", "steps_per_epoch", "samples", "parameters")
            about |= {name: of.record[name] for name in (*kept, "threads", "device")}
            about["problem"] = to_record(problem, folder)
            # What is there is ours: killed before the first flush, a training begins anew.
            self.run = run_folder.create(folder, about, overwrite=True)
            consent.remember(self.run)
            self.intake = Intake.begun(folder, problem, plan, step)
        else:
            self.run = run_folder.read(folder).update(status="running")
            mine = TrainingState(state.step, state.part(PREFIX), {"recorder": state.info[PREFIX]})
            self.intake = Intake.restored(folder, problem, plan, step, mine)

    def flush(self) -> None:
        """Bring what was recorded to the disk."""
        self.intake.writer.events = self.intake.events()
        self.intake.writer.flush()

    def added_to(self, state: TrainingState) -> TrainingState:
        """The training's state with this one's."""
        mine = self.intake.state(TrainingState(state.step), most=0)
        arrays = {f"{PREFIX}/{name}": value for name, value in mine.arrays.items()}
        info: dict[str, Any] = {**state.info, PREFIX: mine.info["recorder"]}
        return TrainingState(state.step, {**state.arrays, **arrays}, info)

    def close(self, status: str) -> None:
        """Record the last average and say how the training ended."""
        self.intake.end()
        self.flush()
        self.run = self.run.update(
            status=status,
            steps=self.intake.last.step,
            notes=self.intake.notes(),
            constant_loss=self.intake.constant_loss,
        )

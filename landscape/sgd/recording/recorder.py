"""Recording a training into a run's folder: our own steps, or anybody's loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from filelock import BaseFileLock

from landscape.errors import LandscapeError
from landscape.problem.device import described
from landscape.problem.examine import verify
from landscape.problem.problem import Problem
from landscape.problem.rebuild import to_record
from landscape.problem.samples import length
from landscape.sgd import consent
from landscape.sgd.recording.averaged import AveragedRun
from landscape.sgd.recording.cadence import DEFAULT
from landscape.sgd.recording.intake import Intake
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.plan import RecordingPlan
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.state import TrainingState
from landscape.sgd.training.train import Step
from landscape.store import lock
from landscape.store import run as run_folder
from landscape.store.hdf5 import whole
from landscape.store.run import Run
from landscape.store.trajectories import resumefile

DONE = run_folder.DONE
THEN = ", then "
"""Between devices, where a training went on on another one."""
FLUSH_SECONDS = 1.0
"""A snapshot is flushed, with what came before it, unless the last flush was less than this ago."""
SHARE = 20
"""Or less than so many times as long as that flush took: flushing takes 5 % of the time."""
LATEST_SECONDS = 60.0
"""Without a snapshot, a flush comes after this long anyway."""
RING_BYTES = 64 * 2**20
"""A larger flight recorder isn't written into resume.h5: its first steps are lost by a kill."""


class Recorder:
    """Writes steps into a run's folder; a context manager that closes what it opened.

    On leaving, the last weights are recorded with their losses and run.json says how it ended:
    finished, non-finite, interrupted or failed. ``sgd.resume`` makes one for a run that stopped.

    >>> from landscape.problem import builtin
    >>> from landscape.sgd import steps
    >>> moons, settings = builtin("mlp", "moons", width=4), Settings(lr=0.3, steps=20)
    >>> with Recorder("runs/moons", moons, settings, record="10") as recorder:
    ...     for step in steps(moons, settings):
    ...         recorder.record(step)
    >>> recorder.run.trajectory.step.tolist(), recorder.run.record["status"]
    ([0, 10, 20], 'finished')
    """

    def __init__(
        self,
        folder: str | Path,
        problem: Problem,
        settings: Settings | None = None,
        *,
        record: str = DEFAULT,
        options: Options | None = None,
        steps_per_epoch: int | None = None,
        overwrite: bool = False,
        command: str | None = None,
    ) -> None:
        """Make the run's folder.

        Args:
            folder: where; refused if something is there.
            problem: what is trained; its data is what the full-data losses are measured on.
            settings: of the training, for run.json; None for somebody's own loop.
            record: when to record weights, see `Cadence`.
            options: what else to record, and the limits; see `Options`.
            steps_per_epoch: what an epoch means to ``record``; known from ``settings``.
            overwrite: replace a run that is there.
            command: the command line for run.json; None: this process's.
        """
        folder, options = Path(folder), options or Options()
        run_folder.check_free(folder, overwrite=overwrite)
        verify(problem)  # a problem that can't work leaves no folder
        samples = length(problem.train)
        if settings is not None:
            settings = settings.on(problem)
            steps_per_epoch = settings.steps_per_epoch(samples)
        plan = RecordingPlan.of(problem, settings, record, options, steps_per_epoch)
        # A run that is being trained isn't replaced.
        old = lock.acquire(folder) if (folder / "run.json").is_file() else None
        self.run: Run = run_folder.create(
            folder,
            {
                **({} if command is None else {"command": command}),
                "settings": _used(settings),
                "record": record,
                "options": asdict(options),
                "steps_per_epoch": steps_per_epoch,
                "samples": samples,
                "parameters": plan.layout.size,
                "threads": torch.get_num_threads(),
                "problem": to_record(problem, folder),
            },
            overwrite=overwrite,
        )
        consent.remember(self.run)
        if old is not None:
            old.release()
        self._lock = lock.acquire(folder)
        self._set_up(problem, plan, None)

    @classmethod
    def reopen(
        cls,
        run: Run,
        problem: Problem,
        plan: RecordingPlan,
        state: TrainingState | None,
        held: BaseFileLock,
    ) -> Self:
        """Go on recording a run, where ``state`` was captured; what `sgd.resume` does."""
        recorder = cls.__new__(cls)
        recorder._lock, recorder.run = held, run
        recorder._set_up(problem, plan, state)
        return recorder

    def _set_up(self, problem: Problem, plan: RecordingPlan, state: TrainingState | None) -> None:
        self.problem = problem
        self._plan, self._state = plan, state
        self._intake: Intake | None = None
        self._averaged: AveragedRun | None = None
        self._flushed, self._gap = -math.inf, FLUSH_SECONDS
        self.remarks: Sequence[str] = ()
        """What the run's notes are to say besides, of whoever records."""

    def record(self, step: Step) -> None:
        """Take in one step: its scalars, and its weights if they are wanted.

        Raises:
            LandscapeError: the first one isn't step 0.
        """
        if self._intake is None:
            self._intake = self._begin(step)
            self._note_device(described(step.weights.device))
            if step.average is not None:
                self._averaged = AveragedRun(
                    self.run, self.problem, self._plan, step.average, self._state
                )
            if self._state is not None:
                return  # the step that is gone on from: all of it is there
        added = self._intake.take(step)
        if self._averaged is not None and step.average is not None:
            self._averaged.intake.take(step.average)
        waited = time.monotonic() - self._flushed
        full = self._intake.full
        if (added and waited >= self._gap) or waited >= LATEST_SECONDS or full:
            self._flush(self._intake, step.capture)

    def flush(self) -> None:
        """Bring what was recorded to the disk now."""
        if self._intake is not None:
            self._flush(self._intake, self._intake.last.capture)

    def close(self, status: str = "finished") -> None:
        """Record the last weights, write everything and say how it ended."""
        try:
            changes: dict[str, Any] = {"status": status}
            if self._intake is not None:
                finite = self._ended(self._intake, status)
                self._flush(self._intake, None)
                changes |= {
                    "steps": self._intake.last.step,
                    "notes": [*self._intake.notes(), *self.remarks],
                }
                changes["constant_loss"] = self._intake.constant_loss
                if status == "finished" and not finite:
                    changes["status"] = "non-finite"
                if clipped := self._intake.last.clipped:
                    changes["clipped"] = clipped
            if self._averaged is not None:
                self._averaged.close(changes["status"])
            self.run = self.run.update(**changes)
            if changes["status"] in DONE:
                (self.run.folder / resumefile.NAME).unlink(missing_ok=True)
        finally:
            lock.release(self._lock)

    def _ended(self, intake: Intake, status: str) -> bool:
        """Record the last weights; a model that failed may fail again, which isn't said twice."""
        try:
            return intake.end()
        except LandscapeError:
            if status == "finished":
                raise
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.close("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed")

    def _begin(self, step: Step) -> Intake:
        first = self._state.step if self._state is not None else 0
        if step.step != first:
            raise LandscapeError(f"record must be given step {first} first, got {step.step}")
        if self._state is not None:
            with whole(self.run.folder / resumefile.NAME):
                return Intake.restored(self.run.folder, self.problem, self._plan, step, self._state)
        return Intake.begun(self.run.folder, self.problem, self._plan, step)

    def _note_device(self, device: str) -> None:
        """Say in run.json where it is trained; gone on with elsewhere, that one comes after."""
        before = str(self.run.record.get("device", ""))
        last = before.rpartition(THEN)[2]
        if last != device:
            self.run = self.run.update(device=f"{before}{THEN}{device}" if before else device)

    def _flush(self, intake: Intake, capture: Callable[..., TrainingState] | None) -> None:
        started = time.monotonic()
        if self._averaged is not None:
            self._averaged.flush()
        intake.writer.events = intake.events()
        intake.writer.flush()
        if capture is not None:
            # After the trajectory: a kill in between leaves rows too many, not too few.
            state = intake.state(capture(copy=False), most=RING_BYTES)
            if self._averaged is not None:
                state = self._averaged.added_to(state)
            resumefile.save(self.run.folder, state.step, state.arrays, state.info)
        self._flushed = time.monotonic()
        self._gap = max(FLUSH_SECONDS, SHARE * (self._flushed - started))


def _used(settings: Settings | None) -> dict[str, Any] | None:
    """What a run's record says of its settings: the optimizer's own are written out."""
    return None if settings is None else asdict(settings) | settings.of_optimizer()

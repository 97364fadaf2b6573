"""One intervention: a training from a run's snapshot, recorded as a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.problem.problem import Problem
from landscape.problem.weights import Buffers, load_buffers, tied
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.recorder import DONE, Recorder
from landscape.sgd.resume import resume
from landscape.sgd.training.optimizers import OWN
from landscape.sgd.training.own import Remaker
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import Step, steps
from landscape.store import analysis, names
from landscape.store.measured.trainings import Intervention
from landscape.store.run import Run, read
from landscape.store.trajectories import resumefile

FOLDER = "interventions"
TOLD = 8
"""Progress is told every so many steps."""


@dataclass(frozen=True)
class Start:
    """Where a training starts."""

    weights: NDArray[np.float32]
    """(P,)"""
    buffers: Buffers
    moments: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """What the optimizer begins with, as `Trajectory.moments`; empty: nothing."""


def branch(run: Run, name: str) -> Path:
    """The folder of a training that branches off a run.

    Raises:
        LandscapeError: the name, which may come from a file, isn't a plain one.
    """
    names.plain(
        name,
        what="an intervention's name",
        place=run.folder / analysis.NAME,
        remedy="delete that file, and it is measured anew",
    )
    return run.folder / FOLDER / name


def place(run: Run, trial: Intervention) -> Path:
    """The trial's folder."""
    return branch(run, trial.name)


def begun(run: Run, trial: Intervention) -> Run | None:
    """The trial's own run, if it was begun: this very one, of this very run."""
    found = branch_of(run, trial)
    return read(place(run, trial)) if found == recorded(run, trial) else None


def branch_of(run: Run, trial: Intervention) -> dict[str, Any] | None:
    """What the training in the trial's folder was asked for; None where there is none."""
    folder = place(run, trial)
    if not (folder / "run.json").is_file():
        return None
    found: dict[str, Any] | None = read(folder).record.get("branch")
    return found


def is_done(run: Run, trial: Intervention) -> bool:
    """Whether it needs no more training."""
    there = begun(run, trial)
    return there is not None and there.record["status"] in DONE


def settings(run: Run, trial: Intervention) -> Settings:
    """The run's settings with what the trial changes; of somebody's own loop the trial's."""
    known = run.record["settings"]
    return replace(
        Settings(optimizer=OWN, lr=trial.lr) if known is None else Settings(**known),
        lr=trial.lr,
        steps=trial.steps,
        batch_size=trial.batch_size,
        seed=trial.seed,
        schedule=trial.schedule,
        order_from=trial.order_from,
        ema=None,
    )


def perform(
    run: Run,
    problem: Problem,
    trial: Intervention,
    start: Callable[[], Start],
    told: Callable[[float], Any],
    own: Remaker | None = None,
) -> str:
    """Train a trial, or go on with it, and say how it ended; one that is done is left as it is.

    Args:
        run: what it branches off.
        problem: the run's; not changed.
        trial: what to do.
        start: where it starts; called only if it has not begun.
        told: called with the share that is done, 0 to 1.
        own: makes the optimizer of a run of somebody's own loop.

    Raises:
        LandscapeError: it can't be trained or written, or another process is at it.
    """
    there = begun(run, trial)
    if there is not None and there.record["status"] in DONE:
        return str(there.record["status"])
    if there is not None and (there.folder / resumefile.NAME).is_file():
        recorder, rest = resume(there, problem, own=own)
    else:
        recorder, rest = _begin(run, problem, trial, start(), own)
    with recorder:
        for step in rest:
            recorder.record(step)
            if step.step % TOLD == 0:
                told(step.step / trial.steps)
    return str(recorder.run.record["status"])


def _begin(
    run: Run, problem: Problem, trial: Intervention, start: Start, own: Remaker | None
) -> tuple[Recorder, Iterator[Step]]:
    chosen, there = settings(run, trial), starting_at(problem, start)
    recorder = Recorder(
        place(run, trial),
        there,
        chosen,
        record=trial.record,
        # No flight recorder: it would write hundreds of rows for a few answers.
        options=Options(flight=0, sketch=trial.sketch),
        overwrite=True,
    )
    recorder.run = recorder.run.update(branch=recorded(run, trial), velocity=bool(start.moments))
    moments = {name: torch.from_numpy(np.array(value)) for name, value in start.moments.items()}
    return recorder, steps(there, chosen, moments=moments, own=own)


def starting_at(problem: Problem, start: Start) -> Problem:
    """The problem with a model that begins there."""
    copy = tied(problem.model, layout=problem.layout)
    copy.move(start.weights)
    load_buffers(copy.model, start.buffers)
    return replace(problem, model=copy.model)


def recorded(run: Run, trial: Intervention) -> dict[str, Any]:
    """What run.json says of a trial as ``branch``."""
    return {"of": run.id, **asdict(trial)}

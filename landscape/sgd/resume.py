"""Going on with a training that stopped: with the same weights, to the bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.plan import RecordingPlan
from landscape.sgd.recording.recorder import DONE, Recorder
from landscape.sgd.training.own import Remaker
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.state import TrainingState
from landscape.sgd.training.train import Step, steps
from landscape.store import lock
from landscape.store.run import Run, read
from landscape.store.trajectories import resumefile


def check_unfinished(run: Run) -> None:
    """Refuse a run that can't go on.

    Raises:
        LandscapeError: it is at its end, or was recorded from somebody's own loop.
    """
    status = run.record["status"]
    if "average_of" in run.record:
        raise LandscapeError(
            f"averaged weights go on with their training, {run.folder} holds only them; "
            f"give {run.folder.parent} to go on with"
        )
    if run.record["settings"] is None:
        raise LandscapeError(
            f"a run must have been trained by `landscape train` to go on, {run.folder} was "
            "recorded from a loop of your own; let that go on from its own checkpoint, watched "
            "into another folder"
        )
    if status in DONE:
        raise LandscapeError(
            f"a run must have stopped early to go on, {run.folder} is {status} after "
            f"{run.record['steps']} steps; train a new one with --output"
        )


def resume(
    run: Run, problem: Problem, *, own: Remaker | None = None
) -> tuple[Recorder, Iterator[Step]]:
    """A recorder that goes on with a run, and the steps that it lacks; the first is a repeat.

    Sets the number of threads to what the run began with. What was recorded after the last flush
    is recorded again. ``own`` makes the optimizer of a run that went on with a loop of one's own.

    Raises:
        LandscapeError: the run can't go on, another process is at work on it, or what is needed
            is damaged.

    >>> from landscape.sgd.setup import TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> begun = begin("runs/moons", setup).recorder
    >>> begun.close("interrupted")
    >>> recorder, steps = resume(begun.run, setup.make_problem())
    >>> with recorder:
    ...     for step in steps:
    ...         recorder.record(step)
    >>> recorder.run.record["status"], recorder.run.record["steps"]
    ('finished', 40)
    """
    check_unfinished(run)
    held = lock.acquire(run.folder)
    try:
        resumefile.tidy(run.folder)
        run = read(run.folder)  # another process may have been at it meanwhile
        check_unfinished(run)
        record = run.record
        options = options_of(record)
        with _known("settings"):
            settings = Settings(**record["settings"])
        torch.set_num_threads(record["threads"])
        plan = RecordingPlan.of(
            problem, settings, record["record"], options, record["steps_per_epoch"]
        )
        state = _state(run)
        first = state.step if state is not None else 0
        run = run.update(status="running", resumed=[*record.get("resumed", []), first])
    except BaseException:
        lock.release(held)
        raise
    recorder = Recorder.reopen(run, problem, plan, state, held)
    return recorder, steps(problem, settings, start=state, own=own)


def options_of(record: Mapping[str, Any]) -> Options:
    """The options that a run was recorded with, from its run.json."""
    found = record.get("options", {})
    with _known("options"):
        lists = {name: tuple(found[name]) for name in ("dense", "parameters") if name in found}
        return Options(**{**found, **lists})


@contextmanager
def _known(what: str) -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        raise LandscapeError(
            f"run.json must hold {what} that this version knows, got: {error}; put it back from a "
            "copy, or install a newer landscape"
        ) from error


def _state(run: Run) -> TrainingState | None:
    folder = run.folder
    if (folder / resumefile.NAME).exists():
        return TrainingState(*resumefile.load(folder))
    if (folder / "trajectory.h5").exists() and run.trajectory.step[-1] > 0:
        raise LandscapeError(
            f"{folder / resumefile.NAME} must exist to go on, found none; "
            "put it back from a copy, or train anew with --overwrite"
        )
    if "branch" in run.record:  # the problem's own weights aren't those that it began with
        raise LandscapeError(
            f"a run that branched off another needs {folder / resumefile.NAME} to go on, found "
            "none; `landscape diagnose` of that run begins it anew"
        )
    # Killed before the first flush was done: nothing is lost by beginning anew.
    (folder / "trajectory.h5").unlink(missing_ok=True)
    for shard in (folder / "shards").glob("*.h5"):
        shard.unlink()
    return None

"""Sweeps: a run for each combination of some settings' values, planned, trained, gone on with."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import torch

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.problem import tuning
from landscape.problem.load import file_hash
from landscape.problem.problem import Problem
from landscape.sgd.recording.recorder import DONE
from landscape.sgd.setup import TrainingSetup, begin, go_on
from landscape.sgd.training.train import Step
from landscape.store import lock, provenance
from landscape.store import run as runs
from landscape.store import sweep_folder as sweeps
from landscape.store.sweep_folder import Sweep
from landscape.store.trajectories import resumefile

BY_VALUE = ("model", "data")
"""Settings that a run's name tells by their value alone: ``cnn-lr0.1``."""
LONGEST_NAME = 100
REPORT_SECONDS = 0.2
"""A run says how far it is at most this often."""

Told = Callable[[float, Mapping[str, int]], Any]


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, before it is trained."""

    name: str
    """Its folder's name: ``lr0.1-seed0``."""
    values: Mapping[str, Any]
    """Of the varied settings."""
    setup: TrainingSetup
    command: str
    """For its run.json: what makes it."""


@dataclass(frozen=True)
class SweepPlan:
    """A sweep before it is trained."""

    varied: tuple[str, ...]
    """Names of the settings in which the runs differ."""
    arguments: tuple[str, ...]
    """What all runs share, as options of ``landscape train``; a sweep only goes on with these."""
    runs: tuple[PlannedRun, ...]


def default_name(setup: TrainingSetup, varied: Sequence[str]) -> str:
    """What a sweep's folder is called unless it is given another name."""
    words = [word for name, word in setup.subject().items() if name not in varied]
    return "-".join([*words, "by", *varied])


def combinations(varied: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Every combination of the settings' values by its run's name, the last varying fastest.

    Raises:
        LandscapeError: a setting has the same value twice.
    """
    for name, values in varied.items():
        for place, value in enumerate(values):
            if value in values[:place]:
                raise LandscapeError(f"{name} must name each value once, got {value} twice")
    found: dict[str, dict[str, Any]] = {}
    for combination in itertools.product(*varied.values()):
        chosen = dict(zip(varied, combination, strict=True))
        name = "-".join(_word(key, value) for key, value in chosen.items())
        if len(name) > LONGEST_NAME or name in found:
            name = f"{name[:LONGEST_NAME]}-{len(found)}"
        found[name] = chosen
    return found


def _word(name: str, value: Any) -> str:
    text = PurePath(value).name if isinstance(value, str) and "/" in value else str(value)
    if isinstance(value, float):
        text = f"{value:.12g}"
    plain = re.sub(r"[^A-Za-z0-9.+_-]+", "-", text).strip("-.") or "x"
    return plain if name in BY_VALUE else f"{name.replace('_', '-')}{plain}"


def plan(setup: TrainingSetup, varied: Mapping[str, Iterable[Any]]) -> SweepPlan:
    """The runs of every combination of some settings' values; names as `TrainingSetup.varied`.

    Raises:
        LandscapeError: a value can't be, or is there twice.
    """
    values = {name: list(every) for name, every in varied.items()}
    command = provenance.command()
    found = [
        PlannedRun(name, chosen, setup.varied(chosen), command)
        for name, chosen in combinations(values).items()
    ]
    return SweepPlan(tuple(values), setup.arguments(), tuple(found))


def sweep(
    folder: str | Path,
    setup: TrainingSetup,
    varied: Mapping[str, Iterable[Any]],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    told: Told = lambda done, counts: None,
) -> Sweep:
    """Train a run for every combination of some settings' values, or go on with such a sweep.

    ::

        setup = sgd.TrainingSetup(problem_settings={"model": "mlp", "data": "moons"})
        rates = sgd.sweep("runs/rates", setup, {"lr": [0.01, 0.1], "seed": range(3)}, workers=2)

    makes ``runs/rates/lr0.01-seed0`` and five more. Each is to the bit the run that `begin` with
    its settings makes alone, in as many threads. Called again, runs that are finished are kept,
    interrupted ones go on, and what is missing is trained. In a script that uses ``workers`` the
    call belongs under ``if __name__ == "__main__":``, since processes import the script.

    Args:
        folder: the sweep's.
        setup: what the runs share.
        varied: values by name, see `TrainingSetup.varied`; the last name varies fastest.
        workers: so many runs at a time, in processes that share the threads.
        scheduler: address of a Dask scheduler whose workers train instead.
        overwrite: train a sweep that is there anew.
        told: called with how many runs are done by now, parts of runs included, and counts of
            them by how they ended.

    Returns:
        The sweep; ``error`` of each of its ``runs`` says why it failed, if it did. One that fails
        doesn't stop the others.

    Raises:
        LandscapeError: a value can't be (before anything is trained), the folder holds something
            else or a sweep with other settings, or another process is at work on it.

    >>> setup = TrainingSetup(problem_settings={"model": "mlp", "data": "moons", "width": 4})
    >>> found = sweep("runs/rates", setup, {"lr": [0.1, 0.3], "steps": [5]})
    >>> [one["name"] for one in found.runs]
    ['lr0.1-steps5', 'lr0.3-steps5']
    """
    return carry_out(
        plan(setup, varied),
        Path(folder),
        workers=workers,
        scheduler=scheduler,
        overwrite=overwrite,
        told=told,
    )


def carry_out(
    planned: SweepPlan,
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    told: Told = lambda done, counts: None,
) -> Sweep:
    """Train the runs of a plan that aren't done yet; see `sweep`."""
    for run in planned.runs:
        run.setup.check()
    with cluster.workers(workers, scheduler) as pool:
        held = lock.acquire(folder) if sweeps.is_sweep(folder) else None
        try:
            made = sweeps.create(
                folder,
                varied=planned.varied,
                arguments=planned.arguments,
                threads=pool.threads(torch.get_num_threads()),
                runs=[{"name": run.name, "values": dict(run.values)} for run in planned.runs],
                overwrite=overwrite,
            )
            held = held or lock.acquire(made.folder)
            return _train_missing(planned, made, pool, told)
        finally:
            if held is not None:
                lock.release(held)


def _train_missing(planned: SweepPlan, made: Sweep, pool: cluster.Workers, told: Told) -> Sweep:
    missing = [run for run in planned.runs if not _is_done(made.folder / run.name)]
    threads, here = made.record["threads"], str(Path.cwd())
    tasks = [
        MemberTask(str((made.folder / run.name).resolve()), run.setup, run.command, threads, here)
        for run in missing
    ]
    shares: dict[int, float] = {}
    counts = Counter(kept=len(planned.runs) - len(missing))

    def show(index: int, share: float) -> None:
        shares[index] = share
        told(counts["kept"] + sum(shares.values()), counts)

    for outcome in pool.run(train_member, tasks, show):
        counts["failed" if outcome.error is not None else outcome.result or ""] += 1
        made = made.with_error(missing[outcome.index].name, outcome.error)
        show(outcome.index, 1.0)
    return made


@dataclass(frozen=True)
class MemberTask:
    """One run to be trained, in this process or another."""

    folder: str
    setup: TrainingSetup
    command: str
    threads: int
    here: str
    """The folder that relative paths are from."""


def train_member(task: MemberTask) -> str:
    """Train a run as it would be alone; say how it ended.

    A run that is there already goes on where it can, else it is trained anew.
    """
    folder = Path(task.folder)
    found = _status(folder)
    if found in DONE:
        return found
    # An own problem's prints would stand between the lines of whoever runs the sweep.
    nobody: Any = io.StringIO()
    with (
        tuning.threads(task.threads),
        contextlib.chdir(task.here),
        contextlib.redirect_stdout(nobody),
        contextlib.redirect_stderr(nobody),
    ):
        if (folder / resumefile.NAME).is_file():
            underway = go_on(runs.read(folder), _asked_for(task))
        else:
            underway = begin(folder, task.setup, overwrite=bool(found), command=task.command)
        run = underway.finish(_to_runner(underway.total))
    return str(run.record["status"])


def _asked_for(task: MemberTask) -> Problem | None:
    """The problem of own code, by the caller's word: what the run's record names may be another's.

    Raises:
        LandscapeError: that is another file's code, or it changed since.
    """
    if task.setup.problem is None:
        return None
    run = runs.read(Path(task.folder))
    expected = run.record["problem"].get("sha256")
    if (found := file_hash(task.setup.problem)) != expected:
        raise LandscapeError(
            f"{task.setup.problem} must be as it was when run {run.folder} was begun, got sha256 "
            f"{found[:12]} instead of {str(expected)[:12]}; put it back, or train anew with "
            "--overwrite"
        )
    return task.setup.make_problem()


def _to_runner(total: int) -> Callable[[Step], None]:
    last = time.monotonic()

    def told(step: Step) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            cluster.report(step.step / total)

    return told


def _status(folder: Path) -> str:
    """A run's status; empty where there is no run."""
    if not (folder / "run.json").is_file():
        return ""
    return str(runs.read(folder).record["status"])


def _is_done(folder: Path) -> bool:
    try:
        return _status(folder) in DONE
    except LandscapeError:  # its own task says what is damaged, and the others are trained
        return False

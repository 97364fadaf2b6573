"""Interventions: trainings that change one thing, each a run under RUN/interventions.

What they are is decided by how the run ended: after an escape, early ones too, those of
`after_escape`; where it never learned, other rates from its end and its start; after any other run
those of `replicas`; none where it diverged.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from landscape import cluster
from landscape.cluster.local import Here
from landscape.diagnose.evidence import LongReplicas
from landscape.diagnose.motion.deciding import FEWEST, MOST
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import after_escape, plateau, replicas
from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.trainings.trials import (
    FOLDER,
    Start,
    branch_of,
    is_done,
    perform,
    recorded,
    settings,
)
from landscape.errors import LandscapeError
from landscape.problem import tuning
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.rebuild import from_record, to_record
from landscape.sgd import endings
from landscape.sgd.escapes import Course
from landscape.sgd.recording.recorder import DONE
from landscape.sgd.training.own import Remaker
from landscape.sgd.training.train import Training
from landscape.store.measured.trainings import Intervention
from landscape.store.measured.weights import Diffusion
from landscape.store.run import read

EPOCHS = 15
"""† An intervention lasts as long as from its snapshot to the run's end, but at most this long."""
BUDGET = 600.0
"""† Seconds that replicas as long as the motion's window may take; else they last `EPOCHS` too."""
TIMED, TIMED_SECONDS = 24, 0.25
"""What the cost is estimated from: so many steps, or as many as fit the time."""


@dataclass(frozen=True)
class InterventionPlan:
    """The trainings to do."""

    kind: str
    """``escape``, ``stuck``, ``motion`` or ``none``."""
    trials: tuple[Intervention, ...]
    missing: tuple[Intervention, ...]
    """Those that are not done yet."""
    reason: str = ""
    """Why there are none, or not all."""
    longer: LongReplicas | None = None
    """Of a run that stayed: the replicas as long as its window that were too dear."""


NO_PLAN = InterventionPlan("none", (), ())


@dataclass(frozen=True)
class TrainingsCost:
    """What the missing trainings take."""

    runs: int
    epochs: float
    """Passes through the training data, of all together."""
    seconds: float
    """One after another on this machine, from a few steps timed now."""


@dataclass(frozen=True)
class Failure:
    """A training that couldn't be done."""

    name: str
    error: str


def plan(
    subject: Subject,
    course: Course,
    limits: Thresholds,
    *,
    epochs: int = EPOCHS,
    orders: int = after_escape.ORDERS,
    budget: float = 0.0,
    moved: Diffusion | None = None,
) -> InterventionPlan:
    """Choose the interventions that fit how the run ended, and what was trained already.

    A run that stayed has replicas as long as its window if those take no more than ``budget``
    seconds or are there already, as many as ``moved`` asks for or fewer.

    Of other batch orders after an escape it holds as many as may decide now, ``orders`` at most:
    when they are done, the next plan holds more or is complete.

    Raises:
        LandscapeError: ``epochs`` or ``orders`` isn't positive.
    """
    for name, value in (("epochs of an intervention", epochs), ("orders", orders)):
        if value < 1:
            raise LandscapeError(f"{name} must be at least 1, got {value}")
    if reason := _against(subject):
        return replace(NO_PLAN, reason=reason)
    too_dear: LongReplicas | None = None
    if course.ending.kind == endings.NEVER:
        kind, chosen = "stuck", list(after_escape.stuck_trials(subject, epochs))
    elif course.escaped:
        wanted = after_escape.orders_wanted(subject, course, epochs, limits, orders)
        kind, chosen = "escape", list(after_escape.trials(subject, course, epochs, wanted))
        placed = plateau.place(subject.problem, subject.start(0, moving=False))
        if placed.start is None:
            reason = f"no initialization could be put on the plateau: {placed.reason}"
            chosen = [trial for trial in chosen if trial.kind != "plateau"]
    else:
        kind = "motion"
        chosen, too_dear = _motion(subject, epochs, limits, budget, moved)
    missing = tuple(trial for trial in chosen if not is_done(subject.run, trial))
    return InterventionPlan(kind, tuple(chosen), missing, reason, too_dear)


def of_other_lengths(subject: Subject, chosen: InterventionPlan) -> tuple[int, int]:
    """How many missing trainings are there with another length, and the epochs of the longest.

    They are trained anew, in place of those: what a training tells is told at its end.
    """
    there = [
        branch["steps"]
        for trial in chosen.missing
        if (branch := branch_of(subject.run, trial)) is not None
        and branch["steps"] != trial.steps
        and branch | {"steps": 0} == recorded(subject.run, replace(trial, steps=0))
    ]
    return len(there), math.ceil(max(there, default=0) / subject.steps_per_epoch)


def _motion(
    subject: Subject, epochs: int, limits: Thresholds, budget: float, moved: Diffusion | None
) -> tuple[list[Intervention], LongReplicas | None]:
    """The trainings of a run that stayed, see `plan`, and those that were too dear."""
    short = list(replicas.trials(subject, epochs, limits))
    most = replicas.wanted(subject, moved, limits)
    if most is None:
        return short, None
    if not budget:  # those that are there count, however many
        most = MOST
    timed: tuple[float, float] | None = None
    too_dear: LongReplicas | None = None
    for count in range(most, FEWEST - 1, -1):
        long = list(replicas.trials(subject, epochs, limits, count=count))
        if long[0].steps <= short[0].steps:
            return short, None
        missing = [t for t in long if t not in short and not is_done(subject.run, t)]
        if not missing:
            return long, None
        if budget:
            timed = timed or _timed(subject, missing[0])
            seconds = _seconds(subject, missing, *timed)
            if seconds <= budget:
                return long, None
            too_dear = too_dear or LongReplicas(count, seconds, budget)
    return short, too_dear


def ended(subject: Subject, course: Course, limits: Thresholds) -> InterventionPlan:
    """Those trainings that were done before, however long they were asked to be; none is missing.

    Raises:
        LandscapeError: one of them can't be read.
    """
    lengths = _lengths(subject)
    best = replace(NO_PLAN, reason=_against(subject))
    for epochs in sorted(set(lengths), reverse=True):
        before = plan(subject, course, limits, epochs=epochs)
        there = tuple(trial for trial in before.trials if trial not in before.missing)
        if len(there) > len(best.trials):
            best = replace(before, trials=there, missing=())
        if len(best.trials) >= len(lengths):
            break
    return best


def _lengths(subject: Subject) -> list[int]:
    """Epochs of each training from this run that has ended."""
    places = (subject.run.folder / FOLDER).glob("*/run.json")
    records = [read(place.parent).record for place in places]
    branches = [record.get("branch") or {} for record in records if record["status"] in DONE]
    mine = [branch for branch in branches if branch.get("of") == subject.run.id]
    return [
        # A full batch's steps are epochs of their own.
        1
        if branch["kind"] == "full-batch"
        else math.ceil(branch["steps"] / subject.steps_per_epoch)
        for branch in mine
    ]


def _against(subject: Subject) -> str:
    record = subject.run.record
    if "average_of" in record:
        return "the run is the average of a training's weights, which no training continues"
    if subject.settings is None:
        return (
            "the run was recorded from a loop of your own, which can't be trained again from here "
            "without the function `again`, which makes its optimizer"
        )
    if subject.trajectory.partial:
        return "the run's snapshots hold some of the parameters only"
    if record["status"] == "non-finite":
        return "the run diverged"
    return ""


def cost(subject: Subject, chosen: InterventionPlan) -> TrainingsCost:
    """What is missing of a plan, from a few timed steps and evaluations."""
    missing = chosen.missing
    samples = subject.samples
    epochs = sum(trial.steps * trial.batch_size / samples for trial in missing)
    if not missing:
        return TrainingsCost(0, 0.0, 0.0)
    timed = _timed(subject, missing[0])
    return TrainingsCost(len(missing), epochs, _seconds(subject, missing, *timed))


def _seconds(
    subject: Subject, missing: Sequence[Intervention], step: float, evaluation: float
) -> float:
    """Of trainings, from those of a step and of a full-data evaluation."""
    whole = sum(trial.steps for trial in missing if trial.batch_size >= subject.samples)
    steps = sum(trial.steps for trial in missing) - whole
    rows = sum(trial.steps // subject.steps_per_epoch + 2 for trial in missing)
    # A full-batch step is about three forward passes through all data.
    return step * steps + (3 * whole + rows) * evaluation


def _timed(subject: Subject, trial: Intervention) -> tuple[float, float]:
    """Seconds of an SGD step and of a full-data evaluation."""
    training = Training(subject.problem, settings(subject.run, trial), own=subject.own)
    evaluator = Evaluator(subject.problem)

    def evaluate(_: int) -> None:
        evaluator.on_train(training.model)
        evaluator.on_validation(training.model)

    with tuning.threads(min(int(subject.run.record["threads"]), torch.get_num_threads())):
        return _each(lambda step: training.step(step, trial.lr)), _each(evaluate)


def _each(call: Callable[[int], Any]) -> float:
    """Seconds of a call, the first one left out: it finds its kernels and memory.

    The lower quartile: whatever else runs on the machine for a moment makes others longer, and
    would be multiplied by thousands.
    """
    call(0)
    took: list[float] = []
    while not took or (len(took) < TIMED and sum(took) < TIMED_SECONDS):
        began = time.perf_counter()
        call(len(took) + 1)
        took.append(time.perf_counter() - began)
    return float(np.quantile(took, 0.25))


@dataclass(frozen=True)
class InterventionTask:
    """One training, to be done in this process or another."""

    folder: str
    trial: Intervention
    threads: int
    record: str | None
    """How to make the problem again, as JSON; None: ``problem`` is given."""
    problem: Problem | None
    again: str | Remaker | None = None
    """What makes the optimizer of somebody's own loop."""


def perform_all(
    subject: Subject, trials: Sequence[Intervention], pool: cluster.Workers, listener: Any = None
) -> Iterator[Failure | Intervention]:
    """Do trainings side by side; gives each as it ends, a failed one with its error.

    ``listener(index, share)`` hears how far each is. What was begun before goes on. Leaving early
    stops the running ones, which can go on later.
    """
    own, there = int(subject.run.record["threads"]), pool.threads(torch.get_num_threads())
    record, problem = _sent(subject, pool)
    tasks = [
        InterventionTask(
            str(subject.run.folder.resolve()),
            trial,
            # With another number of threads sums are rounded otherwise: a control diverges, and
            # others may end otherwise. More than there are would wait for each other.
            own if trial.kind == "control" else min(own, there),
            record,
            problem,
            subject.again,
        )
        for trial in trials
    ]
    for outcome in pool.run(perform_one, tasks, listener):
        trial = trials[outcome.index]
        yield trial if outcome.error is None else Failure(trial.name, outcome.error)


def _sent(subject: Subject, pool: cluster.Workers) -> tuple[str | None, Problem | None]:
    """A problem that can be made again isn't sent to other processes with all its data."""
    if isinstance(pool, Here) or subject.problem.source is None:
        return None, subject.problem
    return json.dumps(to_record(subject.problem, subject.run.folder)), None


def perform_one(task: InterventionTask) -> str:
    """Do one training and say how it ended."""
    run = read(Path(task.folder))
    problem = task.problem
    if problem is None:
        assert task.record is not None
        problem = _made(task.folder, task.record)
    subject = Subject(run, problem, again=task.again)
    with tuning.threads(task.threads):
        return perform(
            run,
            problem,
            task.trial,
            lambda: _start(subject, task.trial),
            cluster.report,
            subject.own,
        )


@lru_cache(maxsize=1)
def _made(folder: str, record: str) -> Problem:
    # Whether the data is the run's, and its code may be run, was for the caller to decide.
    return from_record(
        json.loads(record), Path(folder), accept_changes=True, allow=lambda _code: None
    )


def _start(subject: Subject, trial: Intervention) -> Start:
    start = after_escape.starting(subject, trial)
    if trial.start != "plateau":
        return start
    placed = plateau.place(subject.problem, start)
    if placed.start is None:
        raise LandscapeError(f"no initialization can be put on the plateau: {placed.reason}")
    return placed.start

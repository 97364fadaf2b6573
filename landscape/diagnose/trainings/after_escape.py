"""Why a run that escaped doesn't come back: trained again from before, from the end, and a plateau.

Each training starts from a recorded snapshot and changes one thing: the learning rate, the batch
order, or nothing at all (the control).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from landscape.diagnose.left_again import LEAVING, left_again
from landscape.diagnose.trainings import plateau
from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.trainings.trials import Start, begun
from landscape.sgd.escapes import Course
from landscape.sgd.training.settings import Settings
from landscape.store.diagnosed import training_losses
from landscape.store.measured.trainings import (
    LAST_ROWS,
    ControlRepeat,
    EscapeTrainings,
    Intervention,
    Trained,
)
from landscape.store.run import Run

ORDERS = 10
"""Other batch orders tried from each snapshot."""
RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Learning rates tried from the end and from the plateau."""
LOWER = 0.1
"""The lower rate, as a share of the run's."""
OTHER = 1000
"""Seeds of other orders are this far from the run's, and so not those of a sweep's siblings."""


def before_onset(subject: Subject, course: Course) -> int:
    """The trajectory's row to rewind to: the last one before the escape rose above the level."""
    assert course.last is not None
    first = course.step(course.last.first)
    rows = subject.cadence[subject.trajectory.step[subject.cadence] < first]
    return int(rows[-1])


def trials(subject: Subject, course: Course, epochs: int) -> Iterator[Intervention]:
    """All trainings of the set, of ``epochs`` at most."""
    settings = subject.settings
    assert settings is not None
    trajectory = subject.trajectory
    best = trajectory.row("best")
    rows = {"best": best, "before-onset": before_onset(subject, course)}
    if rows["before-onset"] == best:
        del rows["before-onset"]
    for start, row in rows.items():
        yield from _rewound(subject, settings, start, subject.step(row), epochs)
    end, whole = subject.step(subject.end), epochs * subject.steps_per_epoch
    trial = _plain(settings, "end", end, min(whole, max(end, 1)))
    yield _lower(trial)
    for rate in RATES:
        if not math.isclose(rate, LOWER * settings.lr, rel_tol=1e-9):
            yield replace(trial, name=f"end-lr{rate:g}", kind="rate", lr=rate)
    yield from from_plateau(subject, settings, epochs)


def from_plateau(subject: Subject, settings: Settings, epochs: int) -> Iterator[Intervention]:
    """From an initialization on the plateau, at each rate and the run's own."""
    trial = _plain(settings, "plateau", 0, epochs * subject.steps_per_epoch)
    for rate in sorted({*RATES, settings.lr}):
        yield replace(trial, name=f"plateau-lr{rate:g}", kind="plateau", lr=rate)


def _rewound(
    subject: Subject, settings: Settings, start: str, step: int, epochs: int
) -> Iterator[Intervention]:
    last = subject.step(subject.end)
    length = max(1, min(last - step, epochs * subject.steps_per_epoch))
    trial = _plain(settings, start, step, length)
    yield replace(trial, name=f"{start}-control", kind="control", order_from=step)
    yield _lower(trial)
    for order in range(1, ORDERS + 1):
        seed = (settings.seed + OTHER + order) % 2**63
        yield replace(trial, name=f"{start}-order{order}", kind="other-order", seed=seed)


def _plain(settings: Settings, start: str, step: int, length: int) -> Intervention:
    return Intervention(
        start, "", start, step, settings.lr, length, settings.batch_size, settings.seed
    )


def _lower(trial: Intervention) -> Intervention:
    return replace(
        trial,
        name=f"{trial.start}-lower-rate",
        kind="lower-rate",
        lr=LOWER * trial.lr,
        order_from=trial.step,
    )


def came_of(subject: Subject, done: Sequence[Intervention], level: float) -> EscapeTrainings:
    """What came of the trainings that are done; others are left out."""
    runs = [(trial, run) for trial in done if (run := begun(subject.run, trial)) is not None]
    branches = tuple(trained(subject, trial, run) for trial, run in runs)
    again = (left_again(branches, start, level) for start in LEAVING)
    return EscapeTrainings(
        level,
        branches,
        tuple(trial.name for trial, _ in runs),
        tuple(found for found in again if found is not None),
        tuple(_control(subject, t, r) for t, r in runs if t.kind == "control"),
    )


def trained(subject: Subject, trial: Intervention, run: Run) -> Trained:
    """One training's outcome."""
    losses = training_losses(run).train_loss
    diverged = run.record["status"] == "non-finite"
    settings = subject.settings
    return Trained(
        kind=trial.kind,
        start=trial.start,
        start_step=trial.step,
        learning_rate=trial.lr,
        start_loss=float(losses[0]),
        end_loss=math.inf if diverged else float(np.median(losses[1:][-LAST_ROWS:])),
        order=trial.seed if settings is None or trial.seed != settings.seed else None,
        velocity=bool(run.record["velocity"]) or settings is None or not settings.remembers,
        epochs=trial.steps * trial.batch_size / subject.samples,
        constant=_is_constant(subject, run) if trial.kind == "plateau" else None,
    )


def _is_constant(subject: Subject, run: Run) -> bool:
    trajectory = run.trajectory
    row = trajectory.row("final")
    start = Start(trajectory.row_weights(row), trajectory.buffers(row))
    return plateau.is_constant(subject.problem, start)


def _control(subject: Subject, trial: Intervention, run: Run) -> ControlRepeat:
    mine = subject.trajectory.scalars()["batch_loss"][trial.step :]
    theirs = run.trajectory.scalars()["batch_loss"]
    count = min(len(mine), len(theirs))
    mine, theirs = mine[:count], theirs[:count]
    other = np.flatnonzero(mine != theirs)
    epoch = slice(0, subject.steps_per_epoch)
    gap = np.abs(mine[epoch] - theirs[epoch]) / np.maximum(np.abs(mine[epoch]), 1e-300)
    return ControlRepeat(
        trial.start,
        count,
        int(other[0]) if len(other) else count,
        float(gap.max()) if len(gap) else math.nan,
    )


def starting(subject: Subject, trial: Intervention) -> Start:
    """Where a training of this set starts, but for the plateau's."""
    rows = np.flatnonzero(subject.trajectory.step == trial.step)
    return subject.start(int(rows[0]), moving=trial.start != "plateau")

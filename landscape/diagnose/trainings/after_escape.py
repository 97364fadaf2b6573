"""Why a run that escaped doesn't come back: trained again from before, from the end, and a plateau.

Each training starts from a recorded snapshot and changes one thing: the learning rate, the batch
order, or nothing at all (the control). A run that never learned is trained again from its end and
its start at other rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from landscape.diagnose.left_again import LEAVING, left_again, sequential_test
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import plateau
from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.trainings.trials import Start, begun, is_done
from landscape.sgd.escapes import Course
from landscape.sgd.training.optimizers import OWN
from landscape.sgd.training.settings import Settings
from landscape.store.diagnosed import training_losses
from landscape.store.measured.trainings import (
    ControlRepeat,
    EscapeTrainings,
    Intervention,
    Trained,
)
from landscape.store.run import Run

ORDERS = 40
"""† The most other batch orders tried from each snapshot: as many as decide,"""
FIRST = 7
"""begun with so many at once, the fewest that can show that it leaves again."""
RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Learning rates tried from the end and from the plateau."""
LOWER = 0.1
"""The lower rate, as a share of the run's."""
OTHER = 1000
"""Seeds of other orders are this far from the run's, and so not those of a sweep's siblings."""


def before_onset(subject: Subject, course: Course) -> int:
    """The trajectory's row to rewind to: the last one before it left that isn't away already."""
    assert course.left is not None
    near = course.steps[: course.left][course.loss[: course.left] <= course.leaving]
    steps = subject.trajectory.step[subject.cadence]
    return int(subject.cadence[steps <= near[-1]][-1])


def trials(
    subject: Subject, course: Course, epochs: int, orders: Mapping[str, int]
) -> Iterator[Intervention]:
    """All trainings of the set, of ``epochs`` at most; ``orders`` from each start of `LEAVING`."""
    settings = subject.settings
    assert settings is not None
    for start, step in left_from(subject, course).items():
        yield from _rewound(subject, settings, start, step, epochs, orders[start])
    yield from _other_rates(subject, settings, "end", subject.step(subject.end), epochs)
    yield from from_plateau(subject, settings, epochs)


def stuck_trials(subject: Subject, epochs: int) -> Iterator[Intervention]:
    """Of a run that never learned: other rates from its end and from its start."""
    settings = subject.settings
    assert settings is not None
    for start, step in (("end", subject.step(subject.end)), ("start", subject.step(0))):
        yield from _other_rates(subject, settings, start, step, epochs)


def left_from(subject: Subject, course: Course) -> dict[str, int]:
    """The steps of `LEAVING` that trainings start from; one, where both are the same."""
    best, onset = subject.trajectory.row("best"), before_onset(subject, course)
    rows = {"best": best} if onset == best else {"best": best, "before-onset": onset}
    return {start: subject.step(row) for start, row in rows.items()}


def orders_wanted(
    subject: Subject, course: Course, epochs: int, limits: Thresholds, most: int
) -> dict[str, int]:
    """How many other orders from each start: those done, and the fewest that may decide now."""
    settings = subject.settings
    assert settings is not None
    test, wanted = sequential_test(limits), {}
    for start, step in left_from(subject, course).items():
        plain = _rewinding(subject, settings, start, step, epochs)
        left: list[bool] = []
        for trial in _orders(plain, settings, most):
            if not is_done(subject.run, trial):
                break
            there = begun(subject.run, trial)
            assert there is not None
            left.append(trained(subject, trial, there).has_left(course.leaving))
        wanted[start] = min(most, max(FIRST, len(left) + test.fewest(left)))
    return wanted


def _other_rates(
    subject: Subject, settings: Settings, start: str, step: int, epochs: int
) -> Iterator[Intervention]:
    whole = epochs * subject.steps_per_epoch
    trial = _plain(settings, start, step, min(whole, max(subject.step(subject.end), 1)))
    yield _lower(trial)
    tried = [LOWER * settings.lr]
    if settings.schedule == "constant":  # at its own rate the run itself goes on there
        tried.append(settings.lr)
    for rate in RATES:
        if not any(math.isclose(rate, one, rel_tol=1e-9) for one in tried):
            yield replace(trial, name=f"{start}-lr{rate:g}", kind="rate", lr=rate)


def from_plateau(subject: Subject, settings: Settings, epochs: int) -> Iterator[Intervention]:
    """From an initialization on the plateau, at each rate and the run's own."""
    trial = _plain(settings, "plateau", 0, epochs * subject.steps_per_epoch)
    for rate in sorted({*RATES, settings.lr}):
        yield replace(trial, name=f"plateau-lr{rate:g}", kind="plateau", lr=rate)


def _rewound(
    subject: Subject, settings: Settings, start: str, step: int, epochs: int, orders: int
) -> Iterator[Intervention]:
    trial = _rewinding(subject, settings, start, step, epochs)
    if settings.optimizer != OWN:  # nobody knows the order of a loop of one's own
        yield replace(trial, name=f"{start}-control", kind="control", order_from=step)
    yield _lower(trial)
    yield from _orders(trial, settings, orders)


def _rewinding(
    subject: Subject, settings: Settings, start: str, step: int, epochs: int
) -> Intervention:
    last = subject.step(subject.end)
    length = max(1, min(last - step, epochs * subject.steps_per_epoch))
    return _plain(settings, start, step, length)


def _orders(trial: Intervention, settings: Settings, count: int) -> Iterator[Intervention]:
    for order in range(1, count + 1):
        seed = (settings.seed + OTHER + order) % 2**63
        yield replace(trial, name=f"{trial.start}-order{order}", kind="other-order", seed=seed)


def _plain(settings: Settings, start: str, step: int, length: int) -> Intervention:
    return Intervention(start, "", start, step, settings.lr, length, settings.batch, settings.seed)


def _lower(trial: Intervention) -> Intervention:
    return replace(
        trial,
        name=f"{trial.start}-lower-rate",
        kind="lower-rate",
        lr=LOWER * trial.lr,
        order_from=trial.step,
    )


def came_of(
    subject: Subject, done: Sequence[Intervention], level: float, limits: Thresholds
) -> EscapeTrainings:
    """What came of the trainings that are done; others are left out."""
    runs = [(trial, run) for trial in done if (run := begun(subject.run, trial)) is not None]
    branches = tuple(trained(subject, trial, run) for trial, run in runs)
    again = (left_again(branches, start, level, limits) for start in LEAVING)
    return EscapeTrainings(
        level,
        branches,
        tuple(trial.name for trial, _ in runs),
        tuple(found for found in again if found is not None),
        tuple(_control(subject, t, r) for t, r in runs if t.kind == "control"),
    )


def trained(subject: Subject, trial: Intervention, run: Run) -> Trained:
    """One training's outcome."""
    losses = training_losses(run)
    diverged = run.record["status"] == "non-finite"
    settings = subject.settings
    return Trained(
        kind=trial.kind,
        start=trial.start,
        start_step=trial.step,
        learning_rate=trial.lr,
        start_loss=float(losses.train_loss[0]),
        end_loss=math.inf if diverged else losses.end_loss,
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
    return subject.start(int(rows[0]), moving=trial.start not in ("plateau", "start"))

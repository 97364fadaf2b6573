"""Does a run stay or wander: trained on with other batch orders, without noise, and cooled down.

Replicas are trainings from one snapshot w_N at the same learning rate with other batch orders. A
deterministic drift carries all of them the same way, a random walk carries them apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.motion import slope, stretches, window
from landscape.diagnose.motion.deciding import FEWEST, enough
from landscape.diagnose.motion.estimates import is_as_long
from landscape.diagnose.motion.replica_spread import SKIPPED, spread_of
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings.after_escape import LOWER, OTHER, trained
from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.trainings.trials import begun
from landscape.errors import LandscapeError
from landscape.store.measured.trainings import (
    KINDS,
    FullBatch,
    Intervention,
    MotionTrainings,
    Replicas,
    Stretches,
)
from landscape.store.measured.weights import Diffusion
from landscape.store.run import Run
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Trajectory

FLOORS = 10
"""Snapshots that are cooled down."""
FLOOR_EPOCHS = 5
FULL_STEPS = 100
"""Full-batch steps at most: each of them takes as long as an epoch."""


def trials(
    subject: Subject, epochs: int, limits: Thresholds, *, count: int | None = None
) -> Iterator[Intervention]:
    """All trainings of the set, of ``epochs`` at most, from rows of the motion's window.

    With a ``count`` there are so many replicas, each as long as the window.
    """
    settings = subject.settings
    assert settings is not None
    span = window.of_run(subject.evidence, limits)
    last = subject.step(subject.end)
    rows = subject.cadence[subject.cadence <= subject.end]
    steps = subject.trajectory.step[rows]
    inside = rows[steps >= span.first]
    whole = epochs * subject.steps_per_epoch if count is None else span.last - span.first
    step = subject.step(_latest(subject, inside, last - whole))
    length = max(4, min(last - step, whole))
    few = min(FULL_STEPS, length)
    marks = sorted({length // SKIPPED, (length + length // SKIPPED) // 2, few})
    plain = Intervention(
        "",
        "",
        "window",
        step,
        subject.evidence.setup.learning_rate,
        length,
        settings.batch,
        settings.seed,
        record=f"epoch+at:{','.join(map(str, marks))}",
        sketch=256,
    )
    long = "" if count is None else "long-"
    for number in range(1, (count or FEWEST) + 1):
        seed = (settings.seed + OTHER + number) % 2**63
        yield replace(plain, name=f"{long}replica{number}", kind="replica", seed=seed)
    yield replace(
        plain,
        name=f"{long}full-batch",
        kind="full-batch",
        batch_size=subject.samples,
        steps=few,
        record="10",
        sketch=0,
    )
    yield from _cooled(subject, plain, inside, epochs)


def _cooled(
    subject: Subject, plain: Intervention, rows: NDArray[np.int64], epochs: int
) -> Iterator[Intervention]:
    """At a lower rate: from the end, and down to floors from rows of the window."""
    last = subject.step(subject.end)
    still = replace(plain, record="epoch", sketch=0, lr=LOWER * plain.lr)
    yield replace(
        still,
        name="end-lower-rate",
        kind="lower-rate",
        start="end",
        step=last,
        order_from=last,
        steps=epochs * subject.steps_per_epoch,
    )
    spread = np.unique(np.linspace(0, len(rows) - 1, FLOORS).round().astype(int))
    for number, at in enumerate(rows[spread], start=1):
        yield replace(
            still,
            name=f"floor{number}",
            kind="floor",
            step=subject.step(int(at)),
            steps=min(FLOOR_EPOCHS, epochs) * subject.steps_per_epoch,
            schedule="cosine",
        )


def wanted(subject: Subject, moved: Diffusion | None, limits: Thresholds) -> int | None:
    """How many replicas as long as the window would decide; None where none are asked for.

    c½ is trusted from so many effective dimensions, run and replicas together. Where the loss
    still falls or rises the name is that, whatever replicas do.
    """
    span = window.of_run(subject.evidence, limits)
    rows = subject.evidence.rows
    inside = (rows.step >= span.first) & (rows.step <= span.last)
    change = slope.of_log_loss(rows.step[inside], rows.train_loss[inside])
    if slope.state(change, limits) in (slope.DESCENDING, slope.RISING):
        return None
    return enough(moved, limits)


def _latest(subject: Subject, rows: NDArray[np.int64], enough: int) -> int:
    """The latest row that leaves enough steps; the first if none does."""
    early = rows[subject.trajectory.step[rows] <= enough]
    return int(early[-1] if len(early) else rows[0])


def came_of(subject: Subject, done: Sequence[Intervention], limits: Thresholds) -> MotionTrainings:
    """What came of the trainings that are done; others are left out."""
    runs = [(trial, run) for trial in done if (run := begun(subject.run, trial)) is not None]
    chosen: dict[str, list[tuple[Intervention, Run]]] = {}
    for trial, run in runs:
        chosen.setdefault(trial.kind, []).append((trial, run))
    complete = {kind: [pair for pair in chosen.get(kind, ()) if _ended(*pair)] for kind in KINDS}
    replicas, full, floors = complete["replica"], complete["full-batch"], complete["floor"]
    trajectories = [run.trajectory for _, run in replicas]
    start: Floats | None = None
    if replicas:
        row = _row(subject, replicas[0][0].step)
        start = subject.trajectory.row_weights(row).astype(np.float64)
    lower = chosen.get("lower-rate", [])
    apart = spread_of(trajectories, start) if start is not None and len(replicas) > 1 else None
    own, reason = _own(subject, apart, limits)
    return MotionTrainings(
        start_step=chosen["replica"][0][0].step if "replica" in chosen else -1,
        replicas=apart,
        full_batch=(
            _compared(full[0][1].trajectory, trajectories, start)
            if start is not None and full
            else None
        ),
        lower=trained(subject, *lower[0]) if lower else None,
        floors=tuple(trial.name for trial, _ in floors),
        floor_steps=tuple(trial.step for trial, _ in floors),
        floor_losses=tuple(_last_loss(run.trajectory) for _, run in floors),
        stretches=own,
        reason=reason,
        diverged=_diverged(chosen, complete),
    )


def _ended(trial: Intervention, run: Run) -> bool:
    """Whether it came to its end: the last weights of one that diverged are of an earlier step."""
    return run.record["status"] == "finished" and int(run.trajectory.step[-1]) == trial.steps


def _diverged(
    chosen: Mapping[str, Sequence[object]], complete: Mapping[str, Sequence[object]]
) -> str | None:
    lost = []
    for kind, about in KINDS.items():
        count = len(chosen.get(kind, ()))
        if about.several and count > len(complete[kind]):
            lost.append(f"{count - len(complete[kind])} of {count} {about.several}")
    return " and ".join(lost) or None


def _own(
    subject: Subject, apart: Replicas | None, limits: Thresholds
) -> tuple[Stretches | None, str | None]:
    """The run's own movement over the replicas' length, or why there is none."""
    span = window.of_run(subject.evidence, limits)
    if apart is None or is_as_long(apart.steps, span.last - span.first):
        return None, None
    steps = subject.trajectory.step[subject.cadence]
    rows = subject.cadence[(steps >= span.first) & (steps <= span.last)]
    try:
        found = stretches.measure(
            subject.trajectory, rows, first=span.first, last=span.last, steps=apart.steps
        )
    except LandscapeError as error:
        return None, f"the run's own movement over the replicas' {apart.steps} steps: {error}"
    return found, None


def _compared(full: Trajectory, replicas: Sequence[Trajectory], start: Floats) -> FullBatch | None:
    row = full.row("final")
    step = int(full.step[row])
    noisy = [(t, t.row(step)) for t in replicas if step in t.step]
    if not noisy:
        return None
    moved = [float(np.linalg.norm(t.row_weights(r) - start)) for t, r in noisy]
    losses = [float(t.measures["train_loss"][r]) for t, r in noisy]
    return FullBatch(
        steps=step,
        displacement=float(np.linalg.norm(full.row_weights(row) - start)),
        noisy_displacement=math.sqrt(float(np.mean(np.square(moved)))),
        loss=float(full.measures["train_loss"][row]),
        noisy_loss=float(np.mean(losses)),
    )


def _last_loss(trajectory: Trajectory) -> float:
    return float(trajectory.measures["train_loss"][trajectory.row("final")])


def _row(subject: Subject, step: int) -> int:
    return int(np.flatnonzero(subject.trajectory.step == step)[0])

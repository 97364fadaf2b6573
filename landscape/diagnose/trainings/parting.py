"""Instability analysis (Frankle et al., 2020): children that part from a run at a step.

Children of a step have the run's weights there and other batch orders from then on. Where a barrier
lies between their ends the run wasn't yet stable to its noise at that step: which of several
basins it would end in wasn't decided. Trainings that exist count (replicas, other orders after
an escape); beside them children are trained whose learning rate falls to zero, so that
no noise hides a barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from landscape.diagnose.connectivity import connectivity
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings.after_escape import OTHER
from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.trainings.trials import FOLDER, settings, starting_at
from landscape.diagnose.units import functions
from landscape.errors import LandscapeError
from landscape.problem.weights import buffers
from landscape.sgd.training.train import steps
from landscape.store.measured.instability import COOLED, KEPT, Instability
from landscape.store.measured.trainings import Intervention
from landscape.store.run import Run, read
from landscape.store.scans.records import Floats
from landscape.store.typed import rebuilt

CHILDREN = 3
"""Of each step."""
SHARES = (0.0, 1 / 32, 1 / 8, 1 / 3, 2 / 3)
"""† Of the run's steps: where children part, at the nearest recorded steps."""
OTHERS = ("replica", "other-order")
"""Kinds of interventions that change the batch order alone."""
Listener = Callable[[float], None]
"""``listener(share)`` of what is to be trained, 0 to 1."""


@dataclass(frozen=True)
class Family:
    """The ends of the children that part at a step."""

    step: int
    kind: str
    steps: int
    has_state: bool
    ends: Sequence[functions.Network]
    """The C children's."""


def lengths(subject: Subject, epochs: int) -> dict[int, int]:
    """By the row at which children part, for how many steps they train: to the run's end at most.

    Raises:
        LandscapeError: the run can't be trained on from its snapshots.
    """
    if subject.settings is None or subject.trajectory.partial:
        raise LandscapeError(
            "instability needs a run trained by `landscape train` with all of its parameters "
            "recorded, this one can't be trained again from its snapshots"
        )
    rows = subject.cadence[subject.cadence <= subject.end]
    at = subject.trajectory.step[rows]
    most = epochs * subject.steps_per_epoch
    found = {}
    for share in SHARES:
        row = int(rows[np.abs(at - share * at[-1]).argmin()])
        if left := int(at[-1]) - subject.step(row):
            found[row] = min(left, most)
    return found


def cost(subject: Subject, epochs: int) -> int:
    """Single samples that children are trained on."""
    chosen = subject.settings
    if chosen is None or subject.trajectory.partial:
        return 0
    batch = min(chosen.batch, subject.samples)
    return CHILDREN * batch * sum(lengths(subject, epochs).values())


def measure(
    subject: Subject,
    *,
    epochs: int,
    limits: Thresholds,
    listener: Listener = lambda share: None,
) -> Instability:
    """Train what is missing, and compare the ends of each family.

    Children's ends aren't kept. They begin with what the optimizer kept where that was recorded,
    with nothing elsewhere, as interventions do.

    Raises:
        LandscapeError: the run can't be trained on from its snapshots, or no two children ended.
    """
    chosen = lengths(subject, epochs)
    whole = CHILDREN * sum(chosen.values()) or 1
    found, done = list(_there(subject)), 0
    for row, count in chosen.items():
        before = done

        def told(steps_done: int, before: int = before) -> None:
            listener((before + steps_done) / whole)

        found.append(_trained(subject, row, count, told))
        done += CHILDREN * count
    families = [one for one in found if len(one.ends) > 1]
    if not families:
        raise LandscapeError("instability needs two children that ended, all diverged")
    families.sort(key=lambda one: (one.step, one.kind))
    compared = [_compared(subject, one, limits) for one in families]
    names = ("loss", "error", "distance", "disagreement")
    return Instability(
        step=np.array([one.step for one in families]),
        kind=tuple(one.kind for one in families),
        children=np.array([len(one.ends) for one in families]),
        steps=np.array([one.steps for one in families]),
        has_state=tuple(one.has_state for one in families),
        connected=tuple(connected for _, connected in compared),
        **{
            f"{name}{ending}": np.array([of[name][place] for of, _ in compared])
            for name in names
            for place, ending in enumerate(("", "_error"))
        },
    )


def there(subject: Subject) -> list[str]:
    """Names of the trainings with other batch orders that exist and came to their end."""
    return [trial.name for trial, _ in _orders(subject)]


def _orders(subject: Subject) -> Iterator[tuple[Intervention, Run]]:
    for place in sorted((subject.run.folder / FOLDER).glob("*/run.json")):
        run = read(place.parent)
        branch = run.record.get("branch") or {}
        is_mine = branch.get("of") == subject.run.id and run.record["status"] == "finished"
        if is_mine and branch["kind"] in OTHERS:
            yield rebuilt(Intervention, branch), run


def _there(subject: Subject) -> Iterator[Family]:
    """The families among the trainings that exist: of one start, length and rate."""
    same: dict[tuple[int, int, float], list[Run]] = {}
    for trial, run in _orders(subject):
        same.setdefault((trial.step, trial.steps, trial.lr), []).append(run)
    for (step, count, _), runs in same.items():
        ends = []
        for trajectory in (run.trajectory for run in runs):
            row = trajectory.row("final")
            ends.append((trajectory.row_weights(row), trajectory.buffers(row)))
        yield Family(step, KEPT, count, bool(runs[0].record.get("velocity")), ends)


def _trained(subject: Subject, row: int, count: int, told: Callable[[int], None]) -> Family:
    """Children of a row, whose learning rate falls from that of the run there to zero."""
    start = subject.start(row, moving=subject.step(row) > 0)
    chosen = subject.settings
    assert chosen is not None
    step = subject.step(row)
    rates = subject.trajectory.scalars()["learning_rate"]
    ends = []
    for number in range(CHILDREN):
        trial = Intervention(
            name="",
            kind="other-order",
            start="window",
            step=step,
            lr=float(rates[min(step, len(rates) - 1)]),
            steps=count,
            batch_size=chosen.batch,
            seed=(chosen.seed + OTHER + 1 + number) % 2**63,
            schedule="cosine",
        )
        problem = starting_at(subject.problem, start)
        moments = {name: torch.from_numpy(np.array(v)) for name, v in start.moments.items()}
        settled = settings(subject.run, trial)
        for at in steps(problem, settled, moments=moments, own=subject.own):
            told(number * count + at.step)
        if at.finite and at.step == count:
            ends.append((at.weights.cpu().numpy().copy(), buffers(at.model)))
    return Family(step, COOLED, count, bool(start.moments) or step == 0, ends)


def _compared(
    subject: Subject, family: Family, limits: Thresholds
) -> tuple[dict[str, tuple[float, float]], bool | None]:
    """Mean and error over pairs of each number, and whether all pairs are connected."""
    weights = np.stack([weights for weights, _ in family.ends])
    found = connectivity.between(subject.problem, weights, thresholds=limits)
    pairs = {
        "loss": found.line.loss,
        "error": found.line.error,
        "distance": found.distance,
        "disagreement": functions.disagreement(subject.problem, family.ends),
    }
    return {name: jackknifed(matrix) for name, matrix in pairs.items()}, found.line.connected


def jackknifed(pairs: Floats) -> tuple[float, float]:
    """The mean over all pairs of C things (C, C), and its jackknife error over the things.

    NaN as the error of two: one pair has no spread.
    """
    count = len(pairs)
    upper = np.triu_indices(count, 1)
    mean = float(pairs[upper].mean())
    if count < 3:
        return mean, float("nan")
    left = [_without(pairs, out) for out in range(count)]
    return mean, float(np.sqrt((count - 1) / count * ((np.array(left) - mean) ** 2).sum()))


def _without(pairs: Floats, out: int) -> float:
    kept = np.delete(np.delete(pairs, out, 0), out, 1)
    return float(kept[np.triu_indices(len(kept), 1)].mean())

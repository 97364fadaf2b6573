"""Whether a problem still has the training loss that a run recorded, at the best of its weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from landscape.errors import LandscapeError
from landscape.problem import tuning
from landscape.problem.device import resolve
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.rebuild import OVERRIDE
from landscape.problem.weights import load_buffers, tied
from landscape.store.run import Run
from landscape.store.trajectories.index import NAME

NEAR = 0.01
"""Two measurements of a loss are the same within this share of the recorded one,"""
FLOOR = 1e-4
"""or of the first one that was recorded: other machines round a loss near zero otherwise."""


class Again(NamedTuple):
    """A recorded training loss, measured again."""

    step: int
    recorded: float
    now: float
    same: bool


def measured_again(run: Run, problem: Problem) -> Again | None:
    """The lowest recorded training loss beside what the problem gives there: one pass of its data.

    None where nothing can be compared: no loss was recorded, or not all of the weights.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=4))
    >>> measured_again(begin("runs/moons", setup).finish(), setup.make_problem()).same
    True
    """
    if not (run.folder / NAME).is_file():  # killed before anything was written
        return None
    trajectory = run.trajectory
    losses = trajectory.measures["train_loss"]
    rows = np.flatnonzero(np.isfinite(losses))
    if not len(rows) or trajectory.partial:
        return None
    tuning.tune()
    row, place = int(rows[losses[rows].argmin()]), resolve("auto")
    moved = tied(problem.model, place, layout=problem.layout)
    moved.move(trajectory.pieces(row))
    load_buffers(moved.model, trajectory.buffers(row))
    moved.model.eval()
    now = float(Evaluator(problem, place).on_train(moved.model).loss)
    off = abs(now - losses[row])
    same = bool(off <= NEAR * abs(losses[row]) + FLOOR * abs(losses[rows[0]]))
    return Again(int(trajectory.step[row]), float(losses[row]), now, same)


def check(run: Run, problem: Problem) -> None:
    """Refuse a problem that has another loss than was recorded.

    Data, frozen tensors and the problem's own files are compared by themselves; this finds a model
    or a loss that computes something else, wherever its code lies.

    Raises:
        LandscapeError: its training loss at the best recorded weights is another one.
    """
    again = measured_again(run, problem)
    if again is not None and not again.same:
        raise LandscapeError(
            f"the problem's training loss at step {again.step:,} must be what run {run.folder} "
            f"recorded, {again.recorded:.4g}, got {again.now:.4g}: its model or its loss computes "
            f"something else now; put it back, or accept the change with {OVERRIDE}"
        )

"""How different the functions are that a run's weights compute: distances of outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import LandscapeError
from landscape.problem.device import resolve
from landscape.problem.examine import objective
from landscape.problem.losses import exact, has_accuracy
from landscape.problem.problem import Problem
from landscape.problem.samples import Data, Samples
from landscape.problem.weights import Buffers, load_buffers, tied
from landscape.store.measured.networks import Functions
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows, spread
from landscape.store.trajectories.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in samples."""

ROWS = 10
BATCH = 256


def measure(
    problem: Problem,
    trajectory: Trajectory,
    rows: Sequence[int] | None = None,
    *,
    data: str = "training",
    device: str = "auto",
    listener: Listener = lambda done, total: None,
) -> Functions:
    """Function-space distances between some rows, in eval mode.

    One forward pass of the data for each row, batch by batch, so that the memory is that of one
    batch's outputs at all rows, and of one row's weights.

    Args:
        rows: of the trajectory; ten unless given, spread evenly, `landmarks` among them.
        data: training or validation.

    Raises:
        LandscapeError: no such row, or no such data.
    """
    rows = spread(trajectory, most=ROWS) if rows is None else checked_rows(trajectory, rows)
    # Read again for each batch: all rows' weights together may be more than there is memory for.
    states = [
        lambda row=row: (trajectory.row_weights(row), trajectory.buffers(row)) for row in rows
    ]
    sums, done = _summed(problem, states, data, device, listener)
    sums /= done
    return Functions(trajectory.step[rows], sums[0], sums[1], np.sqrt(sums[2]), done, data)


Network = tuple[NDArray[np.floating], Buffers]
"""Weights (P,) with their buffers."""


def disagreement(problem: Problem, networks: Sequence[Network]) -> Floats:
    """(K, K) share of training samples whose most likely class differs between K networks.

    NaN where there are no classes.

    Raises:
        LandscapeError: the model doesn't take one tensor and give one.
    """
    states = [lambda network=network: network for network in networks]
    sums, done = _summed(problem, states, "training", "auto")
    return np.asarray(sums[0] / done)


def _summed(
    problem: Problem,
    states: Sequence[Callable[[], Network]],
    data: str,
    device: str,
    listener: Listener = lambda done, total: None,
) -> tuple[Floats, int]:
    """(3, R, R) as `_compared`, over all samples of some data, and how many they are."""
    how = objective(problem)
    if not how.facts.tensors:
        raise LandscapeError(
            "distances between functions need a model that takes one tensor and gives one, "
            "this one doesn't"
        )
    place = resolve(device)
    samples = Samples(_data(problem, data), place, channels_last=True)
    copy = tied(problem.model, place, layout=problem.layout)
    model = copy.model
    sums, done = np.zeros((3, len(states), len(states))), 0
    with how.measuring(model):
        for batch in samples.numbered(how.size(BATCH)):
            outputs, targets = [], batch.content[1]
            for state in states:
                weights, buffers = state()
                copy.move(weights)
                load_buffers(model, buffers)
                with how.seeded(batch):
                    outputs.append(exact(how.run(model, batch).detach(), targets)[0])
            sums += _compared(outputs, classes=has_accuracy(outputs[0], targets))
            done += batch.size
            listener(done, len(samples))
    return sums, done


def _data(problem: Problem, name: str) -> Data:
    if name == "training":
        return problem.train
    if name != "validation":
        raise LandscapeError(f"data must be training or validation, got {name}")
    if problem.validation is None:
        raise LandscapeError("data validation must be there, the problem has none; take training")
    return problem.validation


def _compared(outputs: Sequence[Tensor], *, classes: bool) -> Floats:
    """(3, R, R) of one batch: differing predictions, divergence, squared distance, summed."""
    rows = len(outputs)
    sums = np.zeros((3, rows, rows))
    if not classes:
        sums[:2] = np.nan
        parts = [output.flatten(1) for output in outputs]
        for i in range(rows):
            for j in range(i):
                sums[2, i, j] = sums[2, j, i] = float((parts[i] - parts[j]).square().sum())
        return sums
    logs = [output.log_softmax(1) for output in outputs]
    for i in range(rows):
        for j in range(rows):
            if i == j:
                continue
            shares = logs[i].exp()
            differ = (logs[i].argmax(1) != logs[j].argmax(1)).double()
            apart = (shares * (logs[i] - logs[j])).sum(1)
            squares = (shares - logs[j].exp()).square().sum(1)
            sums[:, i, j] = [
                float(part.reshape(len(part), -1).mean(1).sum())
                for part in (differ, apart, squares)
            ]
    return sums

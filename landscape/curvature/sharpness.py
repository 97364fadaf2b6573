"""Batch sharpness: the curvature that a step of SGD meets along its own batch's gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from landscape.curvature import MEMORY
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.store.measured.curvature import Sharpness
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows, landmarks
from landscape.store.trajectories.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in rows."""


def measure(
    problem: Problem,
    trajectory: Trajectory,
    rows: Sequence[int] | None = None,
    *,
    batch_size: int,
    batches: int = 64,
    weight_decay: float = 0.0,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    dtype: torch.dtype | None = None,
    listener: Listener = lambda done, total: None,
) -> Sharpness:
    """Batch sharpness (Andreyev & Beneventano, 2024) at some rows, the `landmarks` unless given.

    g_B is what training steps along, weight decay included; H_B is the loss's Hessian without it,
    as are the `bounds` that it is compared with. Batches are drawn without replacement within
    each, the same ones at every row. BatchNorm normalizes by the batch, as in training; dropout is
    off and nothing is augmented. Costs ``batches`` products and gradients of one batch each.

    Raises:
        LandscapeError: no such row, no batches, or curvature can't be had.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> measure(problem, weights, [0], batch_size=2).value.round(1)  # a batch is all of the data
    array([2.])
    """
    if batches < 1 or batch_size < 1:
        raise LandscapeError(
            f"batches and their size must be at least 1, got {batches} of {batch_size}"
        )
    rows = landmarks(trajectory) if rows is None else checked_rows(trajectory, rows)
    total = length(problem.train)
    batch_size = min(batch_size, total)
    batches = 1 if batch_size == total else batches
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randperm(total, generator=generator)[:batch_size] for _ in range(batches)]
    # One graph a batch: BatchNorm's statistics are the whole batch's.
    hessian = Hessian(
        problem,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        batch_statistics=True,
        memory=memory,
    )
    found = []
    for done, row in enumerate(rows):
        listener(done, len(rows))
        found.append(_at(hessian, trajectory, row, drawn, weight_decay, full=batch_size == total))
    listener(len(rows), len(rows))
    value, error, noise = np.array(found).T
    return Sharpness(trajectory.step[rows], value, error, noise, batch_size, batches)


@np.errstate(over="ignore", invalid="ignore")  # where a run has diverged it is nan
def _at(
    hessian: Hessian,
    trajectory: Trajectory,
    row: int,
    drawn: Sequence[torch.Tensor],
    weight_decay: float,
    *,
    full: bool,
) -> tuple[float, float, float]:
    weights = trajectory.row_weights(row).astype(np.float64)
    buffers = trajectory.buffers(row)
    curved, squares = np.empty(len(drawn)), np.empty(len(drawn))
    mean = np.zeros(hessian.size)
    for number, batch in enumerate(drawn):
        hessian.move(weights, buffers)  # each batch updates BatchNorm's averages
        hessian.select(batch)
        slope = hessian.gradient()[1] + weight_decay * weights
        curved[number] = slope @ (hessian @ slope)
        squares[number] = slope @ slope
        mean += slope / len(drawn)
    return _summary(curved, squares, float(mean @ mean), full=full)


def _summary(
    curved: Floats, squares: Floats, mean_square: float, *, full: bool
) -> tuple[float, float, float]:
    """The ratio of the means, its error by linearization, and the share of noise."""
    count, size = len(squares), float(squares.mean())
    if size == 0 or not np.isfinite(size):
        return float("nan"), float("nan"), float("nan")
    value = float(curved.mean()) / size
    if full:
        return value, 0.0, 0.0
    if count == 1:
        return value, float("nan"), float("nan")
    deviation = float((curved - value * squares).std(ddof=1))
    # The mean of n noisy gradients is longer than their expectation by the noise's n-th part.
    signal = (count * mean_square - size) / (count - 1)
    return value, deviation / np.sqrt(count) / size, min(1.0, 1 - signal / size)

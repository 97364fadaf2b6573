"""The sharpest directions at some weights, and how a jump lay to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.curvature import MEMORY
from landscape.curvature.hessian import SAMPLES, sampled
from landscape.curvature.krylov import Eigenpairs, Products, top
from landscape.problem.problem import Problem
from landscape.store.measured.curvature import Jump
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows
from landscape.store.trajectories.trajectory import Trajectory

TOLERANCE = 1e-3
"""Residuals that are good enough, as a share of the eigenvalue."""
PRODUCTS = 40
"""That `subspace` takes where the vectors it keeps are enough, as on the built-in models."""
Listener = Callable[[], None]
"""Hears of each product."""
REACH = 20
"""† Steps from before a jump to its peak beyond which its direction says nothing of the start's
eigenvectors: they have turned since."""


def subspace(
    problem: Problem,
    trajectory: Trajectory,
    row: int,
    *,
    count: int = 10,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda: None,
) -> Eigenpairs:
    """The ``count`` largest eigenvalues and their eigenvectors (count, P), orthonormal.

    Where diffusion is split into sharp directions and the bulk (Gur-Ari et al., 2018). Not for
    keeping: P numbers each. Some fifty to a hundred products.

    Raises:
        LandscapeError: no such row, or no convergence.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> subspace(problem, weights, 0, count=2).values.round(4)
    array([2. , 0.5])
    """
    [row] = checked_rows(trajectory, [row])
    hessian = sampled(problem, samples, seed=seed, device=device, memory=memory)
    hessian.move(trajectory.row_weights(row), trajectory.buffers(row))
    told = _Told(hessian, listener)
    count = min(count, hessian.size)
    return top(told, count, tolerance=TOLERANCE, seed=seed, memory=hessian.of_vectors)


@dataclass(frozen=True)
class _Told:
    """A matrix that says so when it is multiplied."""

    matrix: Products
    listener: Listener

    @property
    def size(self) -> int:
        return self.matrix.size

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        self.listener()
        return self.matrix @ vector


def stretch(trajectory: Trajectory, first: int, last: int) -> tuple[int, int, int]:
    """Rows of a jump that lies between two recorded steps: before it, its peak, and the last.

    The peak has the highest full-data loss, or batch loss where only that is known, as of the
    flight recorder's rows; before it is the earliest row within `REACH` steps.
    """
    low, high = (int(np.searchsorted(trajectory.step, step)) for step in (first, last))
    step = trajectory.step[low : high + 1]
    loss = trajectory.measures["train_loss"][low : high + 1].copy()
    batch = trajectory.scalars()["batch_loss"]
    blind = np.isnan(loss) & (step < len(batch))
    loss[blind] = batch[step[blind]]
    peak = low + int(np.nanargmax(loss))
    near = np.flatnonzero(trajectory.step[low:peak] >= trajectory.step[peak] - REACH)
    return low + int(near[0]) if len(near) else low, peak, high


def jump(
    problem: Problem,
    trajectory: Trajectory,
    first: int,
    last: int,
    *,
    peak: int | None = None,
    count: int = 5,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda: None,
) -> Jump:
    """Whether curvature fell from row ``first`` to ``last``, and along what the weights left.

    A catapult leaves along the top eigenvector, to and fro: the move is looked at up to row
    ``peak`` (``last`` unless given), since it cancels by the time the loss has come back.

    Raises:
        LandscapeError: no such rows, or no convergence.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> 0 <= jump(problem, weights, 0, 5, count=1).along_subspace <= 1  # a share of the move
    True
    """
    peak = last if peak is None else peak
    checked_rows(trajectory, [first, peak, last])

    def leading(row: int, count: int) -> Eigenpairs:
        return subspace(
            problem,
            trajectory,
            row,
            count=count,
            samples=samples,
            seed=seed,
            device=device,
            memory=memory,
            listener=listener,
        )

    pairs, after = leading(first, count), leading(last, 1)
    start, end = (trajectory.row_weights(row).astype(np.float64) for row in (first, peak))
    move = end - start
    is_near = trajectory.step[peak] - trajectory.step[first] <= REACH
    shares = (pairs.vectors @ move) ** 2 / ((move @ move if is_near else 0) or np.nan)
    return Jump(
        first=int(trajectory.step[first]),
        peak=int(trajectory.step[peak]),
        last=int(trajectory.step[last]),
        before=float(pairs.values[0]),
        after=float(after.values[0]),
        along_top=float(shares[0]),
        along_subspace=float(shares.sum()),
        count=len(shares),
        chance=len(shares) / len(move),
    )

"""The sharpest directions at some weights, and how a jump lay to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.diagnose.landmarks import check
from landscape.diagnose.sampled import SAMPLES, sampled
from landscape.problem.problem import Problem
from landscape.problem.spectrum import Pairs, top
from landscape.store.trajectory import Trajectory

TOLERANCE = 1e-3
"""Residuals that are good enough, as a share of the eigenvalue."""


@dataclass(frozen=True)
class Jump:
    """How the curvature changed over a stretch of a run, and where in the spectrum the move lay."""

    first: int
    last: int
    """Steps."""
    before: float
    """Top eigenvalue at the first."""
    after: float
    """Top eigenvalue at the last."""
    along_top: float
    """Share of the move's squared length along the top eigenvector at the first; NaN: no move."""
    along_subspace: float
    """Share of it in the span of the top ``count`` eigenvectors."""
    count: int
    chance: float
    """Share that a random move would have in the subspace: count / P."""


def subspace(
    problem: Problem,
    trajectory: Trajectory,
    row: int,
    *,
    count: int = 10,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
) -> Pairs:
    """The ``count`` largest eigenvalues and their eigenvectors (count, P), orthonormal.

    Where diffusion is split into sharp directions and the bulk (Gur-Ari et al., 2018). Not for
    keeping: P numbers each. Some fifty to a hundred products.

    Raises:
        LandscapeError: no such row, or no convergence.
    """
    [row] = check(trajectory, [row])
    hessian = sampled(problem, samples, seed=seed, device=device)
    hessian.move(trajectory.row_weights(row), trajectory.buffers(row))
    return top(hessian, min(count, hessian.size), tolerance=TOLERANCE, seed=seed)


def jump(
    problem: Problem,
    trajectory: Trajectory,
    first: int,
    last: int,
    *,
    count: int = 5,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
) -> Jump:
    """Whether curvature fell from row ``first`` to ``last``, and along what the weights moved.

    A catapult leaves along the top eigenvector and lands where curvature is smaller.

    Raises:
        LandscapeError: no such rows, or no convergence.
    """
    check(trajectory, [first, last])
    pairs = subspace(
        problem, trajectory, first, count=count, samples=samples, seed=seed, device=device
    )
    after = subspace(problem, trajectory, last, count=1, samples=samples, seed=seed, device=device)
    start, end = (trajectory.row_weights(row).astype(np.float64) for row in (first, last))
    move = end - start
    shares = (pairs.vectors @ move) ** 2 / (move @ move or np.nan)
    return Jump(
        first=int(trajectory.step[first]),
        last=int(trajectory.step[last]),
        before=float(pairs.values[0]),
        after=float(after.values[0]),
        along_top=float(shares[0]),
        along_subspace=float(shares.sum()),
        count=len(shares),
        chance=len(shares) / len(move),
    )

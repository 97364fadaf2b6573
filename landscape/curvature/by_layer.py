"""Which layers the curvature lies in: the Hessian's diagonal block of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from landscape.curvature import MEMORY
from landscape.curvature.density import trace
from landscape.curvature.hessian import SAMPLES, Hessian, sampled
from landscape.curvature.krylov import search
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.store.measured.curvature import LayerCurvature
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows, landmarks
from landscape.store.trajectories.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in rows."""
PRODUCTS, PROBES, WHOLE = 12, 4, 30
"""Products for a block's top eigenvalue, more for its trace; for the whole's top eigenvalue."""


def products(sizes: Sequence[int]) -> int:
    """How many products a row takes at most, those of the blocks counted as whole ones."""
    return WHOLE + sum(size if size <= PRODUCTS else PRODUCTS + PROBES for size in sizes)


def measure(
    problem: Problem,
    trajectory: Trajectory,
    rows: Sequence[int] | None = None,
    *,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda done, total: None,
) -> LayerCurvature:
    """Top eigenvalue and trace of each tensor's block at some rows, the `landmarks` unless given.

    A tensor of up to twelve numbers is exact. `products` says what a row costs.

    Raises:
        LandscapeError: no such row, or curvature can't be had.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> found = measure(problem, weights, [0])
    >>> found.tensors, found.top.round(4), found.trace.round(4)
    (('weight',), array([[2.]]), array([[2.5]]))
    """
    rows = landmarks(trajectory) if rows is None else checked_rows(trajectory, rows)
    hessian = sampled(problem, samples, seed=seed, device=device, memory=memory)
    found = []
    for done, row in enumerate(rows):
        listener(done, len(rows))
        weights = trajectory.row_weights(row)
        hessian.move(weights, trajectory.buffers(row))
        found.append(_at(hessian, np.asarray(weights, np.float64), seed))
    listener(len(rows), len(rows))
    return LayerCurvature(
        step=trajectory.step[rows],
        tensors=tuple(block.name for block in hessian.tensors),
        sizes=np.array([block.size for block in hessian.tensors]),
        **{name: np.array([one[name] for one in found]) for name in found[0]},
        samples=hessian.samples,
        total=length(problem.train),
    )


def _at(hessian: Hessian, weights: Floats, seed: int) -> dict[str, float | Floats]:
    columns, memory = [], hessian.of_vectors
    for block in hessian.tensors:
        krylov = search(block, 1, products=PRODUCTS, seed=seed, memory=memory)
        total, error = trace(block, krylov, probes=PROBES, seed=seed)
        norm = float(np.linalg.norm(weights[block.slice]))
        columns.append((krylov.values[-1], krylov.residuals[-1], total, error, norm))
    whole = search(hessian.block, 1, products=WHOLE, seed=seed, memory=memory)
    names = ("top", "top_error", "trace", "trace_error", "norm")
    found: dict[str, float | Floats] = dict(zip(names, np.array(columns).T, strict=True))
    return {
        **found,
        "whole": float(whole.values[-1]),
        "whole_error": float(whole.residuals[-1]),
    }

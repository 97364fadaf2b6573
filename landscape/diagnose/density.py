"""The Hessian's spectral density by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from landscape.diagnose.landmarks import check
from landscape.diagnose.sampled import SAMPLES, sampled
from landscape.errors import LandscapeError
from landscape.problem.lanczos import Products, iterate
from landscape.problem.problem import Problem
from landscape.store.measured.curvature import Density
from landscape.store.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in products."""


def measure(
    problem: Problem,
    trajectory: Trajectory,
    row: int | None = None,
    *,
    probes: int = 4,
    steps: int = 40,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
    listener: Listener = lambda done, total: None,
) -> Density:
    """The spectrum of the training loss's Hessian at a row, the last one unless given.

    Costs ``probes`` times ``steps`` Hessian-vector products over ``samples`` training samples;
    `quadrature.count_below` then counts eigenvalues. Over fewer samples than all the Hessian has a
    smaller rank, so that more of it looks flat.

    Raises:
        LandscapeError: no such row, no probes, or curvature can't be had.
    """
    row = trajectory.row("final") if row is None else row
    [row] = check(trajectory, [row])
    hessian = sampled(problem, samples, seed=seed, device=device)
    total = sampled(problem, None, device=device).samples
    hessian.move(trajectory.row_weights(row), trajectory.buffers(row))
    return density(
        hessian,
        probes=probes,
        steps=steps,
        seed=seed,
        samples=hessian.samples,
        total=total,
        step=int(trajectory.step[row]),
        listener=listener,
    )


def density(
    matrix: Products,
    *,
    probes: int,
    steps: int,
    seed: int = 0,
    samples: int = 0,
    total: int = 0,
    step: int = 0,
    listener: Listener = lambda done, total: None,
) -> Density:
    """The spectrum of any symmetric matrix known by its products.

    Each Gaussian probe's Lanczos iteration makes a Gauss quadrature of the spectrum as that probe
    weighs it: the Ritz values, with the squared first coordinates of the Ritz vectors.

    Raises:
        LandscapeError: fewer than one probe or step, or a product that isn't finite.
    """
    if probes < 1 or steps < 1:
        raise LandscapeError(
            f"probes and steps must be at least 1, got {probes} probes of {steps} steps"
        )
    generator = np.random.Generator(np.random.PCG64([seed, 3]))
    nodes, weights = [], []
    for probe in range(probes):
        start = generator.standard_normal(matrix.size)
        for done, found in enumerate(iterate(matrix, start, most=steps, seed=seed), start=1):
            listener(probe * steps + done, probes * steps)
            last = found
        nodes.append(last.values)
        weights.append(last.coordinates[0] ** 2)
    return Density(np.array(nodes), np.array(weights), matrix.size, samples, total, step)

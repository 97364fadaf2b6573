"""A Hessian's spectral density and its trace, from random probes.

A probe z sees the spectrum as μ(λ) = Σ (z'vᵢ)² δ(λ − λᵢ)/|z|² over eigenpairs (λᵢ, vᵢ), whose mean
over Gaussian probes is the density (1/P) Σ δ(λ − λᵢ). A Lanczos iteration of m products from z
makes a Gauss quadrature of μ: the eigenvalues θⱼ of its T as nodes, the squared first coordinates
of their eigenvectors as weights, exact for polynomials up to degree 2 m − 1 (stochastic Lanczos
quadrature, Golub & Welsch, 1969; Ghorbani et al., 2019). The trace is the mean of z'Hz over vectors
of random signs (Hutchinson, 1989), within the rest of a space that is known already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.curvature import MEMORY, basis
from landscape.curvature.hessian import SAMPLES, sampled
from landscape.curvature.krylov import Eigenpairs, Krylov, Products, finite, iterate
from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.store.measured.curvature import Density
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows
from landscape.store.trajectories.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in products."""


@dataclass(frozen=True)
class Count:
    """How many of P eigenvalues lie below a threshold."""

    value: float
    error: float
    """Standard error over the probes; NaN for one probe."""
    lower: float
    upper: float
    """Between these whatever the spectrum looks like between the nodes: the weights of the two
    nodes about the threshold could lie on either side of it (Chebyshev, Markov, Stieltjes). Of
    the probes' mean; the error comes on top."""


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
    memory: int = MEMORY,
    listener: Listener = lambda done, total: None,
) -> Density:
    """The spectrum of the training loss's Hessian at a row, the last one unless given.

    Costs ``probes`` times ``steps`` Hessian-vector products over ``samples`` training samples;
    `count_below` then counts eigenvalues. Over fewer samples than all the Hessian has a
    smaller rank, so that more of it looks flat.

    Raises:
        LandscapeError: no such row, no probes, or curvature can't be had.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> measure(problem, weights, 0).nodes.round(4)[0]
    array([0.5, 2. ])
    """
    row = trajectory.row("final") if row is None else row
    [row] = checked_rows(trajectory, [row])
    hessian = sampled(problem, samples, seed=seed, device=device, memory=memory)
    total = sampled(problem, None, device=device).samples
    hessian.move(trajectory.row_weights(row), trajectory.buffers(row))
    return quadrature(
        hessian,
        probes=probes,
        steps=steps,
        seed=seed,
        samples=hessian.samples,
        total=total,
        step=int(trajectory.step[row]),
        listener=listener,
        memory=hessian.of_vectors,
    )


def quadrature(
    matrix: Products,
    *,
    probes: int,
    steps: int,
    seed: int = 0,
    samples: int = 0,
    total: int = 0,
    step: int = 0,
    listener: Listener = lambda done, total: None,
    memory: int = basis.MEMORY,
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
        products = iterate(matrix, start, most=steps, seed=seed, memory=memory)
        del start  # a vector that is as good as gone after the first product
        for done, found in enumerate(products, start=1):
            listener(probe * steps + done, probes * steps)
            last = found
        nodes.append(last.values)
        weights.append(last.coordinates[0] ** 2)
    return Density(np.array(nodes), np.array(weights), matrix.size, samples, total, step)


def count_below(density: Density, threshold: float) -> Count:
    """#{lambda_i < threshold}: the dimension of the valley that is flatter than that.

    There are at least as many eigenvalues on either side as one probe has nodes there (Cauchy's
    interlacing), which the limits and the value keep to.

    >>> import numpy as np
    >>> nodes, weights = np.array([[0.5, 2.0]]), np.array([[0.3, 0.7]])
    >>> count_below(Density(nodes, weights, size=2, samples=2, total=2, step=0), 1.0).value
    1.0
    """
    below = density.nodes < threshold
    above = density.nodes >= threshold
    shares = np.where(below, density.weights, 0).sum(1)
    probes = len(shares)
    error = float(shares.std(ddof=1) / np.sqrt(probes)) if probes > 1 else float("nan")
    # The last node below and the first above may each stand for mass on the other side.
    last = np.where(below, density.nodes, -np.inf).max(1, keepdims=True)
    first = np.where(above, density.nodes, np.inf).min(1, keepdims=True)
    inner = np.where(density.nodes < last, density.weights, 0).sum(1).mean()
    outer = np.where(density.nodes <= first, density.weights, 0).sum(1).mean()
    if not above.any():
        outer = 1.0
    size = density.size
    least, most = float(below.sum(1).max()), float(size - above.sum(1).max())
    lower = min(max(float(size * inner), least), most)
    upper = max(min(float(size * outer), most), least)
    value = min(max(float(size * shares.mean()), lower), upper)
    return Count(value=value, error=size * error, lower=lower, upper=upper)


def trace(matrix: Products, known: Krylov, *, probes: int, seed: int = 0) -> tuple[float, float]:
    """The trace and its standard error over ``probes`` random vectors, a product each.

    tr H = tr Q H Q' + tr (1 - Q'Q) H (1 - Q'Q): the first part, within the space that is known, is
    the sum of its Ritz values; the second is Hutchinson's mean of z' H z over vectors z of random
    signs, projected. Unbiased, and without the few large eigenvalues that would make up most of
    the error (Meyer et al., 2021). NaN as the error of fewer than two probes, unless nothing is
    left to estimate.
    """
    within = float(known.values.sum())
    if len(known.values) == matrix.size:
        return within, 0.0
    generator = np.random.Generator(np.random.PCG64([seed, 2]))
    found = np.empty(probes)
    for probe in range(probes):
        signs = generator.choice([-1.0, 1.0], matrix.size)
        outside = known.outside_of(signs)
        found[probe] = outside @ finite(matrix @ outside)
    if probes == 0:
        return float("nan"), float("nan")
    error = float(found.std(ddof=1) / np.sqrt(probes)) if probes > 1 else float("nan")
    return within + float(found.mean()), error


def trace_of(
    function: Callable[[Floats], Floats],
    matrix: Products,
    known: Eigenpairs,
    *,
    probes: int,
    steps: int,
    seed: int = 0,
    memory: int = basis.MEMORY,
) -> tuple[float, float]:
    """tr f(H) = Σ f(λᵢ) and its standard error over ``probes`` Gaussian vectors.

    Eigenpairs that are known are taken as they are; of the rest each probe's quadrature of
    ``steps`` products sees a share. NaN as the error of one probe.

    Raises:
        LandscapeError: fewer than one probe or step, or a product that isn't finite.
    """
    exact = float(function(known.values).sum())
    if len(known.values) == matrix.size:
        return exact, 0.0
    rest = Beside(matrix, known)
    found = quadrature(rest, probes=probes, steps=steps, seed=seed, memory=memory)
    # Of the probes' P dimensions those of the known vectors have the eigenvalue 0 now.
    shares = (found.weights * function(found.nodes)).sum(1) * matrix.size
    shares -= len(known.values) * float(function(np.zeros(1))[0])
    error = float(shares.std(ddof=1) / np.sqrt(probes)) if probes > 1 else float("nan")
    return exact + float(shares.mean()), error


class Beside:
    """A symmetric matrix with some of its eigenvalues set to 0."""

    def __init__(self, matrix: Products, known: Eigenpairs) -> None:
        self._matrix, self._known = matrix, known.vectors
        self.size = matrix.size

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector (P,)."""
        product = self._matrix @ self._rest(np.asarray(vector, np.float64))
        return self._rest(product)

    def _rest(self, vector: Floats) -> Floats:
        return np.asarray(vector - (self._known @ vector) @ self._known)

"""Slope, curvature and critical step of the training loss at a few recorded steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from landscape.curvature import MEMORY
from landscape.curvature.density import trace
from landscape.curvature.hessian import SAMPLES, sampled
from landscape.curvature.krylov import search
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.store.measured.curvature import Curvature
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows, landmarks
from landscape.store.trajectories.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in rows."""
FINER = 2**0.5
"""Of the critical step: factor from one step that is tried to the next."""
BELOW, ABOVE = 16.0, 1e6
"""The search goes from a guess over the first to a guess times the second."""
HALVINGS = 60
PRECISION = 1e-3
"""Of the critical step, relative."""
ROUNDING = 3e-7
"""Share of the loss that a difference of mean losses in float32 can't tell from nothing."""


def measure_curvature(
    problem: Problem,
    trajectory: Trajectory,
    rows: Sequence[int] | None = None,
    *,
    count: int = 5,
    products: int = 30,
    probes: int = 6,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda done, total: None,
) -> Curvature:
    """Slope, the ends of the Hessian's spectrum, its trace and the critical step at some rows.

    At each row one Lanczos iteration of at most ``products`` Hessian-vector products gives the
    ``count`` largest eigenvalues and the smallest one, ``probes`` more the trace, some thirty
    evaluations of the loss the critical step. It takes a few seconds a row on the built-in models;
    `diagnosis.seconds` says how long beforehand.

    Args:
        rows: of the trajectory; the `landmarks` unless given.
        count: how many of the largest eigenvalues.
        probes: random vectors for the trace, projected off what the iteration has seen.
        samples: how many training samples, drawn once by ``seed``, the Hessian is the mean over;
            None: all of them. Fewer cost accuracy: at a CNN's best weights on digits the largest
            eigenvalue over 512 of 1437 samples was off by 5 to 40 %, the trace by 4 to 12 %.
        memory: bytes that graphs and the iteration's vectors take at most, as for `Hessian`.

    Raises:
        LandscapeError: no such row, or curvature can't be had.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> measure_curvature(problem, weights, [0], count=2).eigenvalues.round(4)
    array([[2. , 0.5]])
    """
    rows = landmarks(trajectory) if rows is None else checked_rows(trajectory, rows)
    parts = _Parts(problem, samples, seed, device, memory)
    found = []
    for done, row in enumerate(rows):
        listener(done, len(rows))
        found.append(parts.at(trajectory, row, count, products, probes, seed))
    listener(len(rows), len(rows))
    columns = {name: np.array([one[name] for one in found]) for name in found[0]}
    return Curvature(
        step=trajectory.step[rows],
        samples=parts.hessian.samples,
        total=parts.full.samples,
        parameters=parts.full.size,
        **columns,
    )


def critical_step(
    loss: Callable[[float], float], guess: float, *, rounding: float = ROUNDING
) -> float:
    """The smallest eta > 0 with loss(eta) >= loss(0), for ``loss(eta) = L(w - eta g)``.

    On a quadratic it is 2/lambda where g is an eigenvector of lambda (Xing et al., 2018; Roulet et
    al., 2023). Found among steps a factor of 1.41 apart, then by bisection to one part in a
    thousand: a rise and fall between two of those steps is missed. Losses that aren't finite
    count as higher. Some thirty losses.

    Args:
        guess: where to look first, such as 2 |g|^2 / (g' H g).
        rounding: share of the loss that a difference has to exceed.

    Returns:
        The step; infinite where the loss stays lower up to a million guesses; NaN where no step
        lowers the loss by more than rounding, so that there is nothing to find.

    >>> round(critical_step(lambda eta: (1 - 2 * eta) ** 2, guess=0.3), 3)
    1.0
    """
    here = loss(0.0)
    if not (math.isfinite(here) and 0 < guess < math.inf):
        return math.nan
    resolution = rounding * abs(here)

    def drop(step: float) -> float:
        value = loss(step)
        return here - value if math.isfinite(value) else -math.inf

    low = guess / BELOW
    found = drop(low)
    for _ in range(HALVINGS):
        if found > 0:
            break
        low /= 2
        found = drop(low)
    deepest, high = found, low
    while found > 0 and high <= guess * ABOVE:
        low, high = high, high * FINER
        found = drop(high)
        deepest = max(deepest, found)
    if deepest <= resolution:
        return math.nan
    if found > 0:
        return math.inf
    while high > low * (1 + PRECISION):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if drop(middle) > 0 else (low, middle)
    return high


class _Parts:
    """The full loss, and the Hessian over some of its samples."""

    def __init__(
        self, problem: Problem, samples: int | None, seed: int, device: str, memory: int
    ) -> None:
        self.hessian = sampled(problem, samples, seed=seed, device=device, memory=memory)
        every = self.hessian.samples == length(problem.train)  # one copy of the model is enough
        self.full = self.hessian if every else sampled(problem, None, device=device, memory=memory)
        place = next(self.full.model.parameters()).device
        self._evaluator = Evaluator(problem, place)

    def loss(self) -> float:
        return self._evaluator.on_train(self.full.model).loss

    def at(
        self, trajectory: Trajectory, row: int, count: int, products: int, probes: int, seed: int
    ) -> dict[str, float | Floats]:
        weights, buffers = trajectory.row_weights(row), trajectory.buffers(row)
        before = self.hessian.products
        self.full.move(weights, buffers)
        self.hessian.move(weights, buffers)
        _, slope = self.full.gradient()
        norm = float(np.linalg.norm(slope))
        krylov = search(
            self.hessian,
            count,
            products=products,
            seed=seed,
            memory=self.hessian.of_vectors,
        )
        total, error = trace(self.hessian, krylov, probes=probes, seed=seed)
        along = float(slope @ (self.hessian @ slope)) / norm**2 if norm > 0 else float("nan")

        def loss_at(step: float) -> float:
            self.full.move(weights.astype(np.float64) - step * slope)
            return self.loss()

        guess = 2 / along if along > 0 else 2 / max(abs(along), krylov.values[-1], 1e-12)
        largest = slice(None, -min(count, len(krylov.values)) - 1, -1)
        return {
            "loss": loss_at(0.0),
            "gradient_norm": norm,
            "gradient_curvature": along,
            "critical_step": critical_step(loss_at, guess) if norm > 0 else float("nan"),
            "eigenvalues": krylov.values[largest],
            "eigenvalue_errors": krylov.residuals[largest],
            "lowest": float(krylov.values[0]),
            "lowest_error": float(krylov.residuals[0]),
            "trace": total,
            "trace_error": error,
            "products": self.hessian.products - before,
        }

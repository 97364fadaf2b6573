"""The curvature that Adam and RMSprop meet: of the Hessian as their own diagonal rescales it.

They step along P^-1 m, with m an average of gradients and P a diagonal that they keep. In the
coordinates P^(1/2) w that is descent with momentum on the Hessian P^(-1/2) H P^(-1/2), whose top
eigenvalue hovers where that becomes unstable, with full or large batches (Cohen et al., 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.curvature import MEMORY
from landscape.curvature.hessian import SAMPLES, sampled
from landscape.curvature.krylov import Products, search
from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.store.measured.curvature import PreconditionedSharpness
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows
from landscape.store.trajectories.trajectory import OPTIMIZER, Trajectory

LARGE = 0.5
"""† A batch of more than this share of all samples counts as large: the bound is used."""
PRODUCTS = 30
"""For a top eigenvalue."""
Listener = Callable[[int, int], None]
"""``listener(done, total)``, in rows."""


@dataclass(frozen=True)
class Preconditioning:
    """An optimizer's diagonal, and what its steps can bear."""

    diagonal: Callable[[Mapping[str, NDArray[Any]], Mapping[str, float]], Floats]
    """P (P,) from what it kept and its options by torch's names."""
    reach: Callable[[Mapping[str, float]], float]
    """What the top eigenvalue times eta may be."""
    rule: str
    """The bound as a formula."""


def _adam(kept: Mapping[str, NDArray[Any]], options: Mapping[str, float]) -> Floats:
    step = float(kept["step"])
    root = np.sqrt(kept["exp_avg_sq"].astype(np.float64) / (1 - options["beta2"] ** step))
    # The average of gradients is divided by this, which divides the learning rate as well.
    return np.asarray((root + options["eps"]) * (1 - options["beta1"] ** step))


def _rmsprop(kept: Mapping[str, NDArray[Any]], options: Mapping[str, float]) -> Floats:
    return np.asarray(np.sqrt(kept["square_avg"].astype(np.float64)) + options["eps"])


def _averaged(options: Mapping[str, float]) -> float:
    return (2 + 2 * options["beta1"]) / (1 - options["beta1"])


_ADAM = Preconditioning(_adam, _averaged, "(2 + 2β₁)/((1 − β₁)η)")
PRECONDITIONED: Mapping[str, Preconditioning] = {
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "RMSprop": Preconditioning(_rmsprop, lambda own: 2 + 2 * own["momentum"], "(2 + 2β)/η"),
}
"""By the name of torch's class."""


@dataclass(frozen=True)
class Preconditioner:
    """An optimizer with its options, as a run used it.

    >>> options = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    >>> adam = Preconditioner("Adam", options, batch_size=32)
    >>> round(adam.bound(0.01, samples=32)), adam.unknown(samples=1000)
    (3800, 'batches of 32 of 1000 samples are small')
    """

    name: str
    """As torch's class is called."""
    options: Mapping[str, float]
    """``beta1``, ``beta2`` and ``eps``, or ``momentum`` and ``eps``; ``weight_decay``."""
    batch_size: int
    clipped: bool = False

    @property
    def _row(self) -> Preconditioning:
        if self.name not in PRECONDITIONED:
            raise LandscapeError(
                f"preconditioned sharpness needs one of {', '.join(PRECONDITIONED)}, which keep a "
                f"diagonal, got {self.name}; SGD's is the part sharpness"
            )
        return PRECONDITIONED[self.name]

    def diagonal(self, moments: Mapping[str, NDArray[Any]]) -> Floats:
        """P (P,), bias-corrected and with epsilon, from what was recorded.

        Raises:
            LandscapeError: another optimizer, or nothing was recorded.
        """
        kept = {name.removeprefix(f"{OPTIMIZER}/"): value for name, value in moments.items()}
        try:
            return self._row.diagonal(kept, self.options)
        except KeyError as missing:
            raise LandscapeError(
                f"preconditioned sharpness needs what {self.name} keeps between steps, "
                f"{missing.args[0]} wasn't recorded; train with a version that does"
            ) from missing

    def bound(self, learning_rate: float, samples: int) -> float:
        """What the top eigenvalue may be at a learning rate; NaN where that isn't known."""
        if self.unknown(samples) or not learning_rate > 0:
            return math.nan
        return self._row.reach(self.options) / learning_rate

    def unknown(self, samples: int) -> str:
        """Why there is no bound, trained on so many samples; empty where there is one."""
        if self.clipped:
            return "gradients were clipped"
        if self.name == "AdamW" and self.options["weight_decay"]:
            return "weight decay is decoupled from the gradient"
        if self.batch_size < LARGE * samples:
            return f"batches of {self.batch_size} of {samples} samples are small"
        return ""

    @property
    def decay(self) -> float:
        """Weight decay that is part of the gradient, and so of the curvature."""
        return 0.0 if self.name == "AdamW" else self.options["weight_decay"]

    @property
    def rule(self) -> str:
        """The bound as a formula."""
        return self._row.rule


class Rescaled:
    """S (H + decay) S for a symmetric matrix H and a diagonal S (P,)."""

    def __init__(self, matrix: Products, diagonal: Floats, decay: float = 0.0) -> None:
        self._matrix, self._diagonal, self._decay = matrix, diagonal, decay
        self.size = matrix.size

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector (P,)."""
        inner = self._diagonal * vector
        return np.asarray(self._diagonal * (self._matrix @ inner + self._decay * inner))


def rows_with_state(trajectory: Trajectory) -> list[int]:
    """The rows at which what the optimizer keeps was recorded, the initialization left out."""
    steps = trajectory.step
    known = [int(step) for step in np.unique(trajectory.velocity_step) if step > 0]
    return [int(np.flatnonzero(steps == step)[0]) for step in known if step in steps]


def measure(
    problem: Problem,
    trajectory: Trajectory,
    optimizer: Preconditioner,
    rows: Sequence[int] | None = None,
    *,
    samples: int | None = SAMPLES,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda done, total: None,
) -> PreconditionedSharpness:
    """The top eigenvalue where the optimizer's state was recorded: best, onset, end.

    Costs twice ``PRODUCTS`` Hessian-vector products a row.

    Raises:
        LandscapeError: an optimizer without a diagonal, no state, or curvature can't be had.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> run = ls.train(problem, optimizer="adam", steps=40, to="runs/a")
    >>> options = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    >>> adam = Preconditioner("Adam", options, batch_size=2)
    >>> found = measure(problem, run.trajectory, adam)
    >>> found.step, found.plain.round(4)
    (array([40]), array([2.]))
    """
    where = rows_with_state(trajectory) if rows is None else checked_rows(trajectory, rows)
    hessian = sampled(problem, samples, seed=seed, device=device, memory=memory)
    total = length(problem.train)
    rates = trajectory.scalars()["learning_rate"]
    moving = hessian.embedded(np.ones(hessian.block.size)) > 0
    found = []
    for done, row in enumerate(where):
        listener(done, len(where))
        step = int(trajectory.step[row])
        # What no gradient reached yet is divided by epsilon; what is constant doesn't count.
        scale = np.where(moving, optimizer.diagonal(trajectory.moments(step)) ** -0.5, 0.0)
        hessian.move(trajectory.row_weights(row), trajectory.buffers(row))
        krylov, plain = (
            search(matrix, 1, products=PRODUCTS, seed=seed, memory=hessian.of_vectors)
            for matrix in (Rescaled(hessian, scale, optimizer.decay), hessian.block)
        )
        bound = optimizer.bound(float(rates[step - 1]), total)
        found.append((krylov.values[-1], krylov.residuals[-1], bound, plain.values[-1]))
    listener(len(where), len(where))
    if not found:
        raise LandscapeError(
            "preconditioned sharpness needs what the optimizer keeps between steps, the run "
            "recorded none; train it with `landscape train`"
        )
    value, error, bound, plain = np.array(found).T
    unknown = optimizer.unknown(total)
    return PreconditionedSharpness(
        step=trajectory.step[where],
        value=value,
        value_error=error,
        bound=bound,
        plain=plain,
        optimizer=optimizer.name,
        rule="" if unknown else optimizer.rule,
        unknown=unknown,
        samples=hessian.samples,
        total=total,
    )

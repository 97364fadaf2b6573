"""Curves of low loss between networks, found by training (Garipov et al., 2018)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from landscape.diagnose.connectivity.connectivity import Measure, line, measurer, profile
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError
from landscape.problem.batchnorm import has_statistics
from landscape.problem.device import resolve
from landscape.problem.examine import objective
from landscape.problem.problem import Problem
from landscape.problem.samples import Batch, Samples, length
from landscape.problem.weights import tied
from landscape.store.measured.paths import Barrier, Curved, Pair, PairBarriers, Profile
from landscape.store.scans.records import Floats

STEPS = 600
BATCH = 64
RATE = 0.03
MOMENTUM = 0.9
POINTS = 21
DECAY = 0.5
"""From this share of the steps on the rate falls, linearly down to a hundredth."""


@dataclass(frozen=True)
class Curve:
    """A quadratic Bézier curve (1 − t)² a + 2t(1 − t) θ + t² b whose θ was trained."""

    control: Floats
    """(P,) the control point θ; where training gained nothing, the middle of the line."""
    barrier: Barrier
    """Along the curve."""
    line: Barrier
    """Along the straight line, to compare it with."""
    t: Floats
    """(n,) from 0 to 1, the curve's parameter."""
    train_loss: Floats
    train_accuracy: Floats
    steps: int
    note: str = ""
    """What a reader should know, in one line: training diverged, or gained nothing."""


def curve_cost(problem: Problem, *, steps: int = STEPS, batch_size: int = BATCH) -> int:
    """Forward passes of single samples that `connect` takes; a backward pass counts as two."""
    measured = 2 * POINTS * length(problem.train) * (2 if has_statistics(problem.model) else 1)
    return 3 * steps * min(batch_size, length(problem.train)) + measured


def connect(
    problem: Problem,
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    steps: int = STEPS,
    lr: float = RATE,
    momentum: float = MOMENTUM,
    batch_size: int = BATCH,
    seed: int = 0,
    device: str = "auto",
    measure: Measure | None = None,
) -> Curve:
    """Train a quadratic Bézier curve from weights a to b (P,), and measure its barrier.

    Minimizes E_t L(φ(t)) over the control point by SGD, t uniform for each batch, starting from
    the middle of the line. BatchNorm normalizes by the batch while training and is recomputed
    where the curve is measured. A curve found shows that a path exists; none found shows nothing.

    Raises:
        LandscapeError: ``steps``, ``batch_size`` or ``lr`` isn't positive.
    """
    for name, value in (("steps", steps), ("batch_size", batch_size), ("lr", lr)):
        if not value > 0:
            raise LandscapeError(f"a curve's {name} must be above 0, got {value}")
    first, last = np.asarray(a, np.float64), np.asarray(b, np.float64)
    at = measurer(problem, device=device) if measure is None else measure
    straight = line(problem, first, last, points=POINTS, measure=at)
    middle = (first + last) / 2
    trainer = _Trainer(problem, first, last, device=device)
    control = middle
    for control in trainer.train(steps, lr, momentum, batch_size, seed):
        if not np.isfinite(control).all():
            return _curve(middle, straight, straight, steps, f"training diverged at lr {lr:g}")
    curved = _measured(first, last, control, straight, at)
    if not curved.barrier.loss < straight.barrier.loss:
        return _curve(middle, straight, straight, steps, "training gained nothing over the line")
    return _curve(control, curved, straight, steps, "")


def bezier(a: NDArray[Any], control: NDArray[Any], b: NDArray[Any], t: float) -> NDArray[Any]:
    """The curve's point at t."""
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * control + t**2 * b


class _Trainer:
    """SGD on the control point, through a model whose weights are put on the curve."""

    def __init__(self, problem: Problem, a: Floats, b: Floats, *, device: str) -> None:
        place = resolve(device)
        self.tied = tied(problem.model, place, layout=problem.layout)
        self.model, self.vector = self.tied.model, self.tied.vector
        places = zip(self.tied.layout.parameters, self.tied.parameters, strict=True)
        self.moving = [tensor.requires_grad_() for place, tensor in places if place.moves]
        self.objective = objective(problem)
        self.samples = Samples(problem.train, place, channels_last=True)
        self.a, self.b = (torch.from_numpy(end).to(self.vector) for end in (a, b))
        # Dropout and the like stay off: the loss is that of the networks as they are measured.
        self.model.eval()
        for module in self.model.modules():
            if isinstance(module, _BatchNorm):
                module.train()

    def train(
        self, steps: int, lr: float, momentum: float, batch_size: int, seed: int
    ) -> Iterator[Floats]:
        """Yield the control point (P,) now and then, at last the final one."""
        generator = torch.Generator().manual_seed(seed)
        control, velocity = (self.a + self.b) / 2, torch.zeros_like(self.a)
        for step in range(steps):
            t = float(torch.rand((), generator=generator))
            gradient = self._gradient(self._batch(batch_size, generator), control, t)
            velocity = momentum * velocity + 2 * t * (1 - t) * gradient
            control = control - lr * _factor(step / steps) * velocity
            if step % 50 == 49 or step == steps - 1:
                yield control.double().cpu().numpy()

    def _batch(self, size: int, generator: torch.Generator) -> Batch:
        chosen = torch.randint(
            len(self.samples), (min(size, len(self.samples)),), generator=generator
        )
        return self.samples.batch(chosen)

    def _gradient(self, batch: Batch, control: Tensor, t: float) -> Tensor:
        self.tied.move((1 - t) ** 2 * self.a + 2 * t * (1 - t) * control + t**2 * self.b)
        loss = self.objective.batch_loss(self.model, batch).mean()
        found = iter(torch.autograd.grad(loss, self.moving, materialize_grads=True))
        places = zip(self.tied.layout.parameters, self.tied.parameters, strict=True)
        return self.tied.joined(
            next(found) if place.moves else torch.zeros_like(tensor) for place, tensor in places
        )


def _factor(done: float) -> float:
    """Of the rate: constant, then falling to a hundredth (Garipov et al., 2018)."""
    if done <= DECAY:
        return 1.0
    return 1.0 - 0.99 * (done - DECAY) / (1 - DECAY)


def _measured(
    a: Floats, b: Floats, control: Floats, straight: Profile, measure: Measure
) -> Profile:
    """The curve's profile; its ends are the line's."""
    t = np.linspace(0, 1, POINTS)
    inside = [measure(bezier(a, control, b, s)) for s in t[1:-1]]
    ends = list(zip(straight.train_loss[[0, -1]], straight.train_accuracy[[0, -1]], strict=True))
    return profile(t, [ends[0], *inside, ends[1]])


def _curve(control: Floats, found: Profile, straight: Profile, steps: int, note: str) -> Curve:
    return Curve(
        control=control,
        barrier=found.barrier,
        line=straight.barrier,
        t=found.t,
        train_loss=found.train_loss,
        train_accuracy=found.train_accuracy,
        steps=steps,
        note=note,
    )


def high(lines: PairBarriers, thresholds: Thresholds) -> list[Pair]:
    """The pairs that their straight line doesn't connect: for each a curve is trained."""
    pairs = itertools.combinations(range(len(lines.loss)), 2)
    return [pair for pair in pairs if not lines.of(pair).connects(thresholds)]


def curves_between(
    problem: Problem,
    networks: NDArray[Any],
    lines: PairBarriers,
    *,
    thresholds: Thresholds | None = None,
    steps: int = STEPS,
    listener: Callable[[int, int], None] = lambda done, total: None,
) -> Curved:
    """Quadratic Bézier curves (Garipov et al., 2018) between networks (K, P) with high ``lines``.

    Costs `curve_cost` for each pair of `high`. ``listener(done, total)`` hears of pairs.
    """
    limits = Thresholds() if thresholds is None else thresholds
    found = {name: getattr(lines, name).copy() for name in ("loss", "ratio", "error")}
    at, notes = measurer(problem), []
    wanted = high(lines, limits)
    for done, (i, j) in enumerate(wanted, 1):
        curve = connect(problem, networks[i], networks[j], steps=steps, measure=at)
        for name, matrix in found.items():
            matrix[i, j] = matrix[j, i] = getattr(curve.barrier, name)
        if curve.note:
            notes.append(f"{i} to {j}: {curve.note}")
        listener(done, len(wanted))
    return Curved(**found, trained=len(wanted), notes=tuple(notes))

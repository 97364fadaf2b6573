"""What a run's network still does at a few recorded steps: units, spread of outputs, slope."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from landscape.curvature import MEMORY
from landscape.curvature.hessian import Hessian
from landscape.diagnose.units.dead_units import Layer, UnitWatch
from landscape.problem.baseline import constant_loss
from landscape.problem.examine import objective
from landscape.problem.losses import exact
from landscape.problem.objective import LOSS, Objective
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.store.measured.networks import Units
from landscape.store.trajectories.landmarks import checked_rows, landmarks
from landscape.store.trajectories.trajectory import Trajectory

Listener = Callable[[int, int], None]
"""``listener(done, total)``, in rows."""

BATCH = 256


def measure(
    problem: Problem,
    trajectory: Trajectory,
    rows: Sequence[int] | None = None,
    *,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda done, total: None,
) -> Units:
    """Dead and saturated units, the outputs' spread, the distance to L0 and the slope at some rows.

    One forward pass over the data and one gradient for each row, the `landmarks` unless given, in
    the memory of a batch. `activations.UnitWatch` says which activations are seen.

    Raises:
        LandscapeError: no such row.
    """
    rows = landmarks(trajectory) if rows is None else checked_rows(trajectory, rows)
    full = Hessian(problem, device=device, memory=memory)
    place = next(full.model.parameters()).device
    samples = Samples(problem.train, place, channels_last=True)
    layout, how = problem.layout, objective(problem)
    states, slopes = [], []
    for done, row in enumerate(rows):
        listener(done, len(rows))
        full.move(trajectory.row_weights(row), trajectory.buffers(row))
        states.append(_pass(full.model, samples, how))
        slope = full.gradient()[1]
        slopes.append([float(np.linalg.norm(slope[p.slice])) for p in layout.parameters])
    start = dict(zip(rows, states, strict=True)).get(0)
    if start is None:
        full.move(trajectory.row_weights(0), trajectory.buffers(0))
        start = _pass(full.model, samples, how)
    listener(len(rows), len(rows))
    # A layer that some weights' passes don't reach has no stuck units there.
    known = list(dict.fromkeys(key for state in states for key in state.units))
    stuck = [[state.units.get(key, 0) for key in known] for state in states]
    return Units(
        step=trajectory.step[rows],
        layers=tuple(name for name, _, _ in known),
        kinds=tuple(kind for _, kind, _ in known),
        sizes=np.array([size for _, _, size in known], np.int64),
        stuck=np.array(stuck, np.int64).reshape(len(rows), len(known)),
        loss=np.array([state.loss for state in states]),
        constant_loss=constant_loss(problem),
        spread=np.array([state.spread for state in states]),
        scale=np.array([state.scale for state in states]),
        start_spread=start.spread,
        tensors=tuple(p.name for p in layout.parameters),
        gradient_norms=np.array(slopes),
    )


@dataclass(frozen=True)
class _State:
    units: dict[tuple[str, str, int], int]
    loss: float
    spread: float
    scale: float


def _pass(model: nn.Module, samples: Samples, how: Objective) -> _State:
    watch = UnitWatch(model)
    moments = _OutputMoments()
    loss = count = 0.0
    with how.measuring(model):
        for batch in samples.numbered(how.size(BATCH)):
            watch.begin()
            with how.seeded(batch), watch:
                outputs = how.run(model, batch)
            found = how.of(outputs, batch, names=(LOSS,))[LOSS]
            loss += float(found.a.detach().sum())
            count += float(found.counts().sum())
            if how.facts.tensors:
                moments.add(exact(outputs.detach(), None)[0])
    units = {(layer.name, layer.kind, len(layer.stuck)): _count(layer) for layer in watch.layers}
    return _State(units, loss / count if count else math.nan, *moments.result())


def _count(layer: Layer) -> int:
    return int(layer.stuck.sum())


class _OutputMoments:
    """Sums over the samples of the outputs, of their squares, and of squares about the first.

    Of a model whose outputs are one tensor; else there are none, and all is NaN.
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None
        self._count = 0
        self._squares = 0.0

    def add(self, outputs: Tensor) -> None:
        values = outputs.flatten(1)
        if self._first is None:
            # About a sample's own outputs: where all are alike, the spread is exactly zero.
            self._first = values[0].clone()
            self._sum = torch.zeros_like(self._first)
            self._about = torch.zeros_like(self._first)
        apart = values - self._first
        self._count += len(values)
        self._sum += apart.sum(0)
        self._about += apart.square().sum(0)
        self._squares += float(values.square().sum())

    def result(self) -> tuple[float, float]:
        if self._first is None:
            return math.nan, math.nan
        variance = self._about / self._count - (self._sum / self._count).square()
        width = variance.numel()
        scale = (self._squares / (self._count * width)) ** 0.5
        return float(variance.clamp(min=0).mean().sqrt()), scale

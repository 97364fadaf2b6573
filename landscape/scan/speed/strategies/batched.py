"""Several points at once: every operation runs over their weights together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from landscape.problem.weights import Layout, Parameter
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.replay import Recorded, in_rows
from landscape.scan.speed.strategies.base import UnsuitableError
from landscape.scan.speed.strategies.mapping import mapped
from landscape.store.scans.records import Floats


class Stack:
    """The weights of K points, of all parameters or some of them.

    Memory: K times those weights, in float64 while they are computed (of a large model tensor by
    tensor); no more, however many points there are.
    """

    def __init__(self, evaluator: PointEvaluator, without: Iterable[str] = ()) -> None:
        omitted = set(without)
        layout = evaluator.tied.layout
        self._parameters = [part for part in layout.parameters if part.name not in omitted]
        self._dtype, self._exact = evaluator.vector.dtype, evaluator.exact
        self._origin = _columns(evaluator.origin[None], self._parameters, layout)[0]
        self._directions = _columns(evaluator.directions, self._parameters, layout)

    def at(self, xy: Floats) -> list[Tensor]:
        """The parameters' tensors (K, ...) at the points ``xy`` (K, D)."""
        place = torch.from_numpy(xy).to(self._directions.device, self._exact)
        if self._directions.dtype != self._exact:
            return list(self._by_tensor(place))
        flat = torch.addmm(self._origin, place, self._directions).to(self._dtype)
        parts = torch.split(flat, [part.size for part in self._parameters], 1)
        return [
            values.reshape(len(xy), *part.shape)
            for part, values in zip(self._parameters, parts, strict=True)
        ]

    def _by_tensor(self, place: Tensor) -> Iterator[Tensor]:
        start = 0
        for part in self._parameters:
            columns = slice(start, start + part.size)
            start += part.size
            origin, directions = self._origin[columns], self._directions[:, columns]
            found = torch.addmm(origin.to(self._exact), place, directions.to(self._exact))
            yield found.to(self._dtype).reshape(len(place), *part.shape)

    def named(self, tensors: list[Tensor]) -> dict[str, Tensor]:
        """The same by the parameters' names."""
        names = (part.name for part in self._parameters)
        return dict(zip(names, tensors, strict=True))


class Batched:
    """`torch.func.vmap` over the weights of K points."""

    at_once = True
    prepares = False
    follows = False

    def __init__(self, evaluator: PointEvaluator) -> None:
        refuse_one_by_one(evaluator)
        self._model = evaluator.model
        self._stack = Stack(evaluator)
        self._run = mapped(self._one, (0, None))
        self._recorded = Recorded(lambda weights, inputs: self._run(weights, *inputs))

    def move(self, xy: Floats) -> None:
        """Compute the weights of the points ``xy`` (K, D)."""
        self._recorded.fix(self._stack.at(xy))

    def prepare(self, inputs: Tensor) -> Any:
        """The batch itself."""
        return inputs

    def outputs(self, prepared: Any) -> Tensor:
        """Outputs (K·B, ...)."""
        return in_rows(self._recorded([prepared]))

    def _one(self, weights: list[Tensor], inputs: Tensor) -> Any:
        return functional_call(self._model, self._stack.named(weights), (inputs,))


def refuse_one_by_one(evaluator: PointEvaluator) -> None:
    """Refuse a model of which something is set at each point anew, one at a time.

    Raises:
        UnsuitableError: it has statistics that differ from point to point, or weights that can't
            be views of one vector.
    """
    if not evaluator.buffers_stay:
        raise UnsuitableError("BatchNorm's statistics or spectral norms are another point by point")
    refuse_apart(evaluator)


def refuse_apart(evaluator: PointEvaluator) -> None:
    """Refuse weights that can't be views of one vector.

    Raises:
        UnsuitableError: they are complex or of several types.
    """
    if evaluator.tied.apart:
        raise UnsuitableError("its weights are complex or of several types")


def _columns(rows: Tensor, chosen: list[Parameter], layout: Layout) -> Tensor:
    """The columns of (n, P) that belong to some parameters; nothing is copied if to all."""
    if math.fsum(part.size for part in chosen) == layout.size:
        return rows
    return torch.cat([rows[:, part.slice] for part in chosen], 1) if chosen else rows[:, :0]

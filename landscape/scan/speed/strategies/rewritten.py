"""One point at a time on a rewritten model: BatchNorm folded."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn

from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.folding import blocked, fused
from landscape.scan.speed.folding.graph import Graph
from landscape.scan.speed.strategies.base import PointlessError, UnsuitableError, example
from landscape.store.scans.records import Floats


class ImageLayout(Protocol):
    """Another memory layout for a folded graph's images: a module."""

    def possible(self, inputs: Tensor, dtype: torch.dtype) -> bool:
        """Whether inputs and machine are of its kind."""

    def convert(self, model: fx.GraphModule) -> int:
        """Rewrite the graph; return how many operations gain by it."""


class Folded:
    """BatchNorm folded into the layer before it, ReLU and sums in place."""

    at_once = False
    prepares = False
    follows = True
    layout: ImageLayout | None = None

    def __init__(self, evaluator: PointEvaluator) -> None:
        self._evaluator = evaluator
        self._graph = traced(evaluator, self.layout)
        self._model: Any = self._graph.model

    def move(self, xy: Floats) -> None:
        """Take the weights of the one point ``xy`` (1, D), folded."""
        self._evaluator.move(xy[0])
        self._graph.refresh()

    def prepare(self, inputs: Tensor) -> Any:
        """The batch itself."""
        return inputs

    def outputs(self, prepared: Any) -> Tensor:
        """Outputs (B, ...)."""
        return torch.as_tensor(blocked.plain(self._model(prepared)))


class Blocked(Folded):
    """The same with convolutions in the processor's own memory layout."""

    layout = blocked


class Fused(Folded):
    """The same with channels last, and convolutions that add and apply ReLU themselves."""

    layout = fused


def traced(evaluator: PointEvaluator, layout: ImageLayout | None = None) -> Graph:
    """The evaluator's model as a rewritten graph.

    Raises:
        UnsuitableError: it can't be traced, or the layout changes nothing.
    """
    inputs = example(evaluator)
    if layout is not None and not layout.possible(inputs, evaluator.vector.dtype):
        raise PointlessError("it needs images in float32 on a processor, and oneDNN")
    if layout is not None and not any(type(m) is nn.Conv2d for m in evaluator.model.modules()):
        raise PointlessError("there are no convolutions of images")
    try:
        graph = Graph(
            evaluator.model, inputs, finish=layout.convert if layout is not None else None
        )
    except Exception as error:
        # Tracing runs the user's code on symbols: it may raise anything.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsuitableError(f"the model can't be traced: {reason[0]}") from error
    if layout is not None and not graph.finished:
        raise PointlessError("there are no convolutions that it could make faster")
    return graph

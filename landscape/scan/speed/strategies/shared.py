"""The first layer once for all points: it is linear in its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.replay import Recorded, in_rows
from landscape.scan.speed.strategies.base import PointlessError, example
from landscape.scan.speed.strategies.batched import Stack, refuse_apart, refuse_one_by_one
from landscape.scan.speed.strategies.first_layer import Responses, answering, find_first_layers
from landscape.scan.speed.strategies.mapping import mapped
from landscape.store.scans.records import Floats


class Shared:
    """The first layer's response is put together, the rest runs one point at a time."""

    at_once = False
    prepares = True
    follows = False

    def __init__(self, evaluator: PointEvaluator) -> None:
        refuse_apart(evaluator)
        self._evaluator = evaluator
        self._model = evaluator.model
        self._responses = Responses(evaluator, first_layers(evaluator))
        self._coordinates = torch.empty(0)

    def move(self, xy: Floats) -> None:
        """Take the weights of the one point ``xy`` (1, D)."""
        self._evaluator.move(xy[0])
        self._coordinates = _coordinates(xy, self._evaluator)

    def prepare(self, inputs: Tensor) -> Any:
        """The batch with the shared layers' responses (1 + D, B, ...) to it."""
        return inputs, self._responses.of(inputs)

    def outputs(self, prepared: Any) -> Tensor:
        """Outputs (B, ...)."""
        inputs, responses = prepared
        mixed = [part[0] for part in self._responses.at(self._coordinates, responses)]
        with answering(self._responses.layers, mixed):
            found: Tensor = self._model(inputs)
        return found


class SharedBatched:
    """The first layer's response is put together, the rest runs over K points at once."""

    at_once = True
    prepares = True
    follows = False

    def __init__(self, evaluator: PointEvaluator) -> None:
        refuse_one_by_one(evaluator)
        self._evaluator = evaluator
        self._model = evaluator.model
        self._responses = Responses(evaluator, first_layers(evaluator))
        self._stack = Stack(evaluator, without=self._responses.parameters())
        self._coordinates = torch.empty(0)
        self._run = mapped(self._one, (0, 0, None))
        self._recorded = Recorded(
            lambda weights, moving: self._run(weights, moving[:-1], moving[-1]),
            owned=len(self._responses.layers),
        )

    def move(self, xy: Floats) -> None:
        """Compute the other layers' weights at the points ``xy`` (K, D)."""
        self._recorded.fix(self._stack.at(xy))
        self._coordinates = _coordinates(xy, self._evaluator)

    def prepare(self, inputs: Tensor) -> Any:
        """The batch with the shared layers' responses (1 + D, B, ...) to it."""
        return inputs, self._responses.of(inputs)

    def outputs(self, prepared: Any) -> Tensor:
        """Outputs (K·B, ...)."""
        inputs, responses = prepared
        mixed = self._responses.at(self._coordinates, responses)
        return in_rows(self._recorded([*mixed, inputs]))

    def _one(self, weights: list[Tensor], mixed: list[Tensor], inputs: Tensor) -> Any:
        with answering(self._responses.layers, mixed):
            return functional_call(self._model, self._stack.named(weights), (inputs,))


def first_layers(evaluator: PointEvaluator) -> list[str]:
    """Names of the layers that can be shared; the model is back at the origin afterwards.

    Raises:
        PointlessError: there are none.
    """
    names = find_first_layers(evaluator, example(evaluator))
    evaluator.move(np.zeros(len(evaluator.directions)))
    if not names:
        raise PointlessError("no linear, convolution or embedding layer sees the inputs themselves")
    return names


def _coordinates(xy: Floats, evaluator: PointEvaluator) -> Tensor:
    ones = np.ones((len(xy), 1))
    return torch.from_numpy(np.hstack([ones, xy])).to(evaluator.vector)

"""What every strategy does: put K points' weights somewhere, then give their outputs."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from landscape.scan.speed.evaluator import PointEvaluator
from landscape.store.scans.records import Floats


class UnsuitableError(Exception):
    """A strategy can't do this model; the message says why, in a few words.

    >>> str(UnsuitableError("a batch's samples depend on each other"))
    "a batch's samples depend on each other"
    """


class PointlessError(UnsuitableError):
    """There is nothing in the model that the strategy would make faster: no reason to say so."""


class Strategy(Protocol):
    """Outputs of K points on a batch of B samples, the model in eval mode.

    ``move`` comes first, then ``outputs`` for as many batches as one likes.

    >>> import numpy as np
    >>> import torch
    >>> from landscape.plane import line
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import builtin
    >>> moons = builtin("mlp", "moons", depth=1, width=4)
    >>> evaluator = PointEvaluator(moons, line(StillWeights.of(moons)))
    >>> strategy = Sequential(evaluator)
    >>> strategy.move(np.array([[0.5]]))
    >>> strategy.outputs(strategy.prepare(torch.zeros(3, 2))).shape
    torch.Size([3, 2])
    """

    at_once: bool
    """Whether several points can be moved to; else K is 1."""
    prepares: bool
    """Whether ``prepare`` is work, worth keeping for many points."""
    follows: bool
    """Whether it goes on where its evaluator goes to another plane; else it is made anew there."""

    def move(self, xy: Floats) -> None:
        """Take the weights of the points ``xy`` (K, D)."""

    def prepare(self, inputs: Tensor) -> Any:
        """What of a batch serves every point of the plane, in place of the batch."""

    def outputs(self, prepared: Any) -> Tensor:
        """Outputs (K·B, ...) of one prepared batch, the first point's first."""


class Sequential:
    """One point at a time: the weights change in place."""

    at_once = False
    prepares = False
    follows = True

    def __init__(self, evaluator: PointEvaluator) -> None:
        self._evaluator = evaluator
        self.model: nn.Module = evaluator.model

    def move(self, xy: Floats) -> None:
        """Take the weights of the one point ``xy`` (1, D)."""
        self._evaluator.move(xy[0])

    def prepare(self, inputs: Tensor) -> Any:
        """The batch itself."""
        return inputs

    def outputs(self, prepared: Any) -> Tensor:
        """The model's outputs (B, ...)."""
        found: Tensor = self.model(prepared)
        return found


def example(evaluator: PointEvaluator, count: int = 2) -> Tensor:
    """The first samples' inputs, for a strategy to look at the model with."""
    count = min(count, len(evaluator.data.train))
    inputs: Tensor = next(evaluator.data.train.batches(count, count))[0]
    return inputs

"""Measuring the table of scalars at every SGD step, from flat vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from landscape.store.trajectories.scalars import SCALARS, Pair, StepNumbers


class Meter:
    """Scalars of each step from w_t to w_{t+1}; keeps the last gradient and the last update.

    Products are summed in float64 where the device has it. ``gradient`` is the batch gradient
    with weight decay, before the step.
    """

    def __init__(self, weights: Tensor) -> None:
        """Make ready for vectors like ``weights`` (P,)."""
        size, device = len(weights), weights.device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        # Two of each, in turn the last one and this one. Not as rows of one tensor: the last bit of
        # a sum depends on how its vectors lie in memory, and a training may go on elsewhere.
        made = [torch.zeros(size, dtype=dtype, device=device) for _ in range(5)]
        self._weights, self._gradients, self._updates = made[0], made[1:3], made[3:]
        self._turn = 0
        self.norms: tuple[float, ...] = (0.0, 0.0)
        """Of the last gradient and the last update."""
        self._scalars = dict(SCALARS)
        asked = [pair for scalar in self._scalars.values() for pair in scalar.products]
        own: list[Pair] = [(name, name) for name in ("weights", "gradient", "update")]
        self._pairs = list(dict.fromkeys([*own, *asked]))

    @property
    def memory(self) -> dict[str, Tensor]:
        """The last gradient and the last update, live."""
        return {"gradient": self._gradients[self._turn], "update": self._updates[self._turn]}

    def scalars(
        self, weights: Tensor, gradient: Tensor, update: Tensor, *, batch_loss: float, lr: float
    ) -> dict[str, float]:
        """The step's scalars, given w_t, g_t and w_{t+1} - w_t, each (P,); cosines NaN at first."""
        last, self._turn = self._turn, 1 - self._turn
        vectors = {
            "weights": self._weights,
            "gradient": self._gradients[self._turn],
            "update": self._updates[self._turn],
            "last_gradient": self._gradients[last],
            "last_update": self._updates[last],
        }
        for name, vector in (("weights", weights), ("gradient", gradient), ("update", update)):
            vectors[name].copy_(vector)
        dots = _dots([(vectors[one], vectors[other]) for one, other in self._pairs])
        products = dict(zip(self._pairs, dots, strict=True))
        norms = {name: _root(products[name, name]) for name in ("weights", "gradient", "update")}
        norms |= dict(zip(("last_gradient", "last_update"), self.norms, strict=True))
        self.norms = norms["gradient"], norms["update"]
        step = StepNumbers(batch_loss, lr, norms, products)
        return {name: scalar.measure(step) for name, scalar in self._scalars.items()}


def _dots(pairs: Sequence[tuple[Tensor, Tensor]]) -> list[float]:
    # Not by NumPy: the threads of its BLAS stall for milliseconds where the machine is busy.
    found = [torch.dot(a, b) for a, b in pairs]
    if found[0].device.type == "cpu":
        return [value.item() for value in found]
    # One synchronization with the device.
    together: list[float] = torch.stack(found).tolist()
    return together


def _root(square: float) -> float:
    return math.sqrt(square) if square >= 0 else math.nan

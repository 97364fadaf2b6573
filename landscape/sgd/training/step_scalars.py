"""Measuring the table of scalars at every SGD step, from flat vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from landscape.problem import tuning
from landscape.store.trajectories.scalars import SCALARS, Pair, StepNumbers

NAMES = ("weights", "gradient", "update", "last_gradient", "last_update")
"""What `Pair` names."""


BLOCK = 2**15
"""So many entries are held in float64 at a time; on other devices than processors `LARGE_BLOCK`."""
LARGE_BLOCK = 2**22


class Meter:
    """Scalars of each step from w_t to w_{t+1}; keeps the last gradient and the last update.

    Products are summed in float64 where the device has it, some entries at a time. ``gradient`` is
    the batch gradient with weight decay, before the step.
    """

    def __init__(self, weights: Tensor) -> None:
        """Make ready for vectors like ``weights`` (P,)."""
        device = weights.device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        size = min(len(weights), BLOCK if device.type == "cpu" else LARGE_BLOCK)
        self._gradient, self._update = torch.zeros_like(weights), torch.zeros_like(weights)
        # Not as rows of one tensor: the last bit of a sum depends on how its vectors lie in
        # memory, and a training may go on elsewhere.
        self._blocks = {name: torch.zeros(size, dtype=dtype, device=device) for name in NAMES}
        self.norms: tuple[float, ...] = (0.0, 0.0)
        """Of the last gradient and the last update."""
        self._scalars = dict(SCALARS)
        asked = [pair for scalar in self._scalars.values() for pair in scalar.products]
        own: list[Pair] = [(name, name) for name in NAMES[:3]]
        self._pairs = list(dict.fromkeys([*own, *asked]))

    @property
    def memory(self) -> dict[str, Tensor]:
        """The last gradient and the last update, live."""
        return {"gradient": self._gradient, "update": self._update}

    def scalars(
        self, weights: Tensor, gradient: Tensor, update: Tensor, *, batch_loss: float, lr: float
    ) -> dict[str, float]:
        """The step's scalars, given w_t, g_t and w_{t+1} - w_t, each (P,); cosines NaN at first."""
        vectors = dict(
            zip(NAMES, (weights, gradient, update, self._gradient, self._update), strict=True)
        )
        # A block is too little for two threads to share: that they wait for each other after each
        # product took longer than all products, and thirty times as long on a busy machine.
        with tuning.threads(1):
            products = dict(zip(self._pairs, self._dots(vectors), strict=True))
        norms = {name: _root(products[name, name]) for name in NAMES[:3]}
        norms |= dict(zip(NAMES[3:], self.norms, strict=True))
        self.norms = norms["gradient"], norms["update"]
        # Not kept as it is, without a copy: each step's would lie elsewhere, and leave holes in the
        # memory that the next one doesn't fit.
        self._gradient.copy_(gradient)
        self._update.copy_(update)
        step = StepNumbers(batch_loss, lr, norms, products)
        return {name: scalar.measure(step) for name, scalar in self._scalars.items()}

    def _dots(self, vectors: Mapping[str, Tensor]) -> list[float]:
        size, sums = len(self._blocks["weights"]), []
        for start in range(0, len(vectors["weights"]), max(1, size)):
            blocks = {}
            for name, vector in vectors.items():
                part = vector[start : start + size]
                blocks[name] = self._blocks[name][: len(part)].copy_(part)
            # Not by NumPy: the threads of its BLAS stall for milliseconds where the machine is
            # busy.
            sums.append([torch.dot(blocks[one], blocks[other]) for one, other in self._pairs])
        if vectors["weights"].device.type == "cpu":
            return [sum(dot.item() for dot in dots) for dots in zip(*sums, strict=True)]
        # One synchronization with the device.
        together = torch.stack([torch.stack(dots) for dots in sums]).sum(0)
        found: list[float] = together.tolist()
        return found


def _root(square: float) -> float:
    return math.sqrt(square) if square >= 0 else math.nan

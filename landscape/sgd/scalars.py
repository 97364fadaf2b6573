"""What is measured at every SGD step: norms, products and angles of weights and gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Meter:
    """Scalars of each step from w_t to w_{t+1}; keeps the last gradient and the last update.

    Products are summed in float64 where the device has it. ``gradient`` is the batch gradient
    with weight decay, before the step.
    """

    def __init__(self, weights: Tensor) -> None:
        """Make ready for vectors like ``weights`` (P,)."""
        size, device = len(weights), weights.device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        # Two of each, in turn the last one and this one.
        self._gradients = torch.zeros(2, size, dtype=dtype, device=device)
        self._updates = torch.zeros(2, size, dtype=dtype, device=device)
        self._weights = torch.zeros(size, dtype=dtype, device=device)
        self._turn = 0
        self.norms: tuple[float, ...] = (0.0, 0.0)
        """Of the last gradient and the last update."""

    @property
    def memory(self) -> dict[str, Tensor]:
        """The last gradient and the last update, live."""
        return {"gradient": self._gradients[self._turn], "update": self._updates[self._turn]}

    def scalars(
        self, weights: Tensor, gradient: Tensor, update: Tensor, *, batch_loss: float, lr: float
    ) -> dict[str, float]:
        """The step's scalars, given w_t, g_t and w_{t+1} - w_t, each (P,); cosines NaN at first."""
        last, self._turn = self._turn, 1 - self._turn
        w, (g, u) = self._weights, (self._gradients[self._turn], self._updates[self._turn])
        for place, vector in ((w, weights), (g, gradient), (u, update)):
            place.copy_(vector)
        pairs = (w, w), (g, g), (u, u), (w, g), (g, self._gradients[last]), (u, self._updates[last])
        ww, gg, uu, wg, g_before, u_before = _dots(pairs)
        norms = (_root(gg), _root(uu))
        found = {
            "batch_loss": batch_loss,
            "learning_rate": lr,
            "gradient_norm": norms[0],
            "update_norm": norms[1],
            "weight_norm": _root(ww),
            "weight_dot_gradient": wg,
            "gradient_cosine": _cosine(g_before, norms[0], self.norms[0]),
            "update_cosine": _cosine(u_before, norms[1], self.norms[1]),
        }
        self.norms = norms
        return found


def _dots(pairs: Sequence[tuple[Tensor, Tensor]]) -> list[float]:
    if pairs[0][0].device.type == "cpu":
        # Not by BLAS: its threads wait for each other, milliseconds where the machine is busy.
        with np.errstate(all="ignore"):  # infinities are the caller's to see
            return [float(np.einsum("i,i->", a.numpy(), b.numpy())) for a, b in pairs]
    found: list[float] = torch.stack([torch.dot(a, b) for a, b in pairs]).tolist()
    return found


def _root(square: float) -> float:
    return math.sqrt(square) if square >= 0 else math.nan


def _cosine(product: float, norm: float, other: float) -> float:
    return product / (norm * other) if norm * other > 0 else math.nan

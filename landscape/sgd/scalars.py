"""What is measured at every SGD step: norms, products and angles of weights and gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Meter:
    """Scalars of each step from w_t to w_{t+1}; keeps the last gradient and the last update.

    Products are summed in float64 where the device has it. ``gradient`` is the batch gradient
    with weight decay, before the step.
    """

    def __init__(self, weights: Tensor) -> None:
        """Make ready for vectors like ``weights`` (P,)."""
        self._dtype = torch.float32 if weights.device.type == "mps" else torch.float64
        self._gradient = torch.zeros_like(weights)
        self._update = torch.zeros_like(weights)
        self._norms = (0.0, 0.0)

    def scalars(
        self, weights: Tensor, gradient: Tensor, update: Tensor, *, batch_loss: float, lr: float
    ) -> dict[str, float]:
        """The step's scalars, given w_t, g_t and w_{t+1} - w_t, each (P,); cosines NaN at first."""
        products = torch.stack(
            [
                self._dot(weights, weights),
                self._dot(gradient, gradient),
                self._dot(update, update),
                self._dot(weights, gradient),
                self._dot(gradient, self._gradient),
                self._dot(update, self._update),
            ]
        ).tolist()
        ww, gg, uu, wg, g_before, u_before = products
        norms = (_root(gg), _root(uu))
        found = {
            "batch_loss": batch_loss,
            "learning_rate": lr,
            "gradient_norm": norms[0],
            "update_norm": norms[1],
            "weight_norm": _root(ww),
            "weight_dot_gradient": wg,
            "gradient_cosine": _cosine(g_before, norms[0], self._norms[0]),
            "update_cosine": _cosine(u_before, norms[1], self._norms[1]),
        }
        self._gradient.copy_(gradient)
        self._update.copy_(update)
        self._norms = norms
        return found

    def _dot(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.dot(a.to(self._dtype), b.to(self._dtype))


def _root(square: float) -> float:
    return math.sqrt(square) if square >= 0 else math.nan


def _cosine(product: float, norm: float, other: float) -> float:
    return product / (norm * other) if norm * other > 0 else math.nan

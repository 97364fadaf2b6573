"""Sums of losses and right predictions over a batch, for each of K points."""

from __future__ import annotations

import torch
from torch import Tensor

from landscape.problem.losses import Loss, correct, cross_entropy, exact, has_accuracy, per_sample

IGNORED = -100
"""PyTorch's cross-entropy gives such a target loss 0."""


def totals(loss: Loss, outputs: Tensor, targets: Tensor, points: int) -> Tensor:
    """(3, K): sums of the losses, of the hits and of the losses' squares.

    Of outputs (K·B, ...) with targets (B, ...); on outputs in float64 and in float64, on the
    outputs' device.
    """
    if points > 1:
        targets = targets.repeat(points, *(1,) * (targets.ndim - 1))
    if loss is cross_entropy and outputs.ndim == 2 and has_accuracy(outputs, targets):
        losses, hits = _classified(*exact(outputs, targets))
    else:
        losses = per_sample(loss, outputs, targets)
        hits = correct(*exact(outputs, targets))
    losses = losses.double()
    parts = [losses, hits.to(losses.device), losses * losses]
    return torch.stack([part.view(points, -1).sum(1) for part in parts])


def _classified(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """`cross_entropy` and `correct` of logits (N, C): the same in a quarter of PyTorch's time.

    Its softmax is vectorized over samples, not over a handful of classes.
    """
    by_class = outputs.t().contiguous()
    ignored = targets == IGNORED
    logs = torch.log_softmax(by_class, 0).gather(0, targets.masked_fill(ignored, 0)[None])[0]
    return -logs.masked_fill(ignored, 0.0), (outputs.max(1).indices == targets).double()

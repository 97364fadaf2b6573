"""Losses and accuracies: one value a sample, on outputs in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from landscape.errors import LandscapeError

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(outputs, targets)`` with outputs (B, ...) in float64: one loss a sample, shape (B,)."""


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits (B, C, ...) with classes (B, ...) in nats, averaged over ``...``."""
    losses = functional.cross_entropy(outputs, targets, reduction="none")
    return losses.flatten(1).mean(1) if losses.ndim > 1 else losses


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    """Half the squared error, averaged over all but the first dimension."""
    if outputs.shape != targets.shape:
        # Broadcasting (B, 1) against (B,) would silently compare every pair of samples.
        raise ValueError(
            f"half_square wants outputs and targets of one shape, "
            f"got {tuple(outputs.shape)} and {tuple(targets.shape)}"
        )
    errors = (outputs - targets.to(outputs.dtype)).square() / 2
    return errors.flatten(1).mean(1) if errors.ndim > 1 else errors


def exact(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs in float64 with their targets, where a loss is computed.

    Float32 cross-entropy is off by 0.6 % at losses of 1e-7. Apple's GPUs have no float64: there
    both move to the processor.
    """
    if outputs.device.type == "mps":
        return outputs.cpu().double(), targets.cpu()
    return outputs.double(), targets


def per_sample(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """A loss on outputs in float64, checked to be one value a sample: shape (B,).

    Raises:
        LandscapeError: it has another shape, or isn't a tensor.
    """
    losses = loss(*exact(outputs, targets))
    if not isinstance(losses, Tensor) or losses.shape != (len(outputs),):
        got = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        raise LandscapeError(
            f"a loss must return one value a sample, shape ({len(outputs)},) for {len(outputs)} "
            f'samples, got {got}; use reduction="none"'
        )
    return losses


def has_accuracy(outputs: Tensor, targets: Tensor) -> bool:
    """Whether outputs (B, C, ...) are logits for integer classes (B, ...)."""
    classes = not (targets.is_floating_point() or targets.is_complex())
    # A single output (C = 1) is no choice between classes: a logit for yes or no, a count.
    logits = outputs.ndim >= 2 and outputs.shape[1] > 1
    return classes and logits and outputs.shape[:1] + outputs.shape[2:] == targets.shape


def correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of right predictions a sample, (B,) in float64; NaN where there are no classes."""
    if not has_accuracy(outputs, targets):
        return torch.full((len(outputs),), torch.nan, dtype=torch.float64, device=outputs.device)
    hits = (outputs.argmax(1) == targets).double()
    return hits.flatten(1).mean(1) if hits.ndim > 1 else hits

"""Sums of losses and further values over a batch, for each of K points."""

from __future__ import annotations

import torch
from torch import Tensor

from landscape.problem.losses import CrossEntropy, accuracy, exact, has_accuracy, is_ignored
from landscape.problem.objective import LOSS, Objective, Ratio
from landscape.problem.samples import Batch
from landscape.problem.sums import added


def totals(
    how: Objective, outputs: Tensor, targets: Tensor, points: int, *, moments: bool = False
) -> Tensor:
    """(2 or 5, V, K), as `sums.added` has them, of outputs (K·B, ...) with targets (B, ...).

    On outputs in float64 and in float64, on the outputs' device.
    """
    found = ratios(how, outputs, targets, points)
    return added([found[name] for name in how.names], points, moments=moments)


def ratios(how: Objective, outputs: Tensor, targets: Tensor, points: int) -> dict[str, Ratio]:
    """What the samples add to each value, K·B of them, of the same."""
    found = _classified(how, outputs, targets, points) if _by_class(how, outputs, targets) else {}
    left = tuple(name for name in how.names if name not in found)
    if left:
        if points > 1:
            targets = targets.repeat(points, *(1,) * (targets.ndim - 1))
        found |= how.of(outputs, Batch((None, targets), len(targets)), names=left)
    return found


def _by_class(how: Objective, outputs: Tensor, targets: Tensor) -> bool:
    loss = how.loss
    plain = isinstance(loss, CrossEntropy) and loss.weight is None and not loss.label_smoothing
    return plain and outputs.ndim == 2 and has_accuracy(outputs[: len(targets)], targets)


def _classified(how: Objective, outputs: Tensor, targets: Tensor, points: int) -> dict[str, Ratio]:
    """Cross-entropy and accuracy (K, B) of logits (K·B, C) with labels (B,).

    The same as PyTorch's in a quarter of its time: its softmax is vectorized over samples, not over
    a handful of classes, and what labels alone decide is computed once for all points.
    """
    assert isinstance(how.loss, CrossEntropy)
    outputs, targets = exact(outputs, targets)
    by_class = outputs.t().contiguous().view(-1, points, len(targets))
    labels, counts, ignored = targets.long(), None, None
    if not how.complete:
        ignored = is_ignored(labels, how.loss.ignore_index)
        labels, counts = labels.masked_fill(ignored, 0), (~ignored).double().expand(points, -1)
    logs = torch.log_softmax(by_class, 0).gather(0, labels.expand(1, points, -1))[0]
    losses = -logs if ignored is None else -logs.masked_fill(ignored, 0.0)
    found = {LOSS: Ratio(losses, counts)}
    if how.measures.get("accuracy") is accuracy:
        chosen = outputs.max(1).indices.view(points, -1)
        found["accuracy"] = Ratio((chosen == targets).double(), counts)
    return found

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
    if points > 1:
        targets = targets.repeat(points, *(1,) * (targets.ndim - 1))
    batch = Batch((None, targets), len(targets))
    found = _classified(how, outputs, targets) if _by_class(how, outputs, targets) else {}
    left = tuple(name for name in how.names if name not in found)
    if left:
        found |= how.of(outputs, batch, names=left)
    return added([found[name] for name in how.names], points, moments=moments)


def _by_class(how: Objective, outputs: Tensor, targets: Tensor) -> bool:
    loss = how.loss
    plain = isinstance(loss, CrossEntropy) and loss.weight is None and not loss.label_smoothing
    return plain and outputs.ndim == 2 and has_accuracy(outputs, targets)


def _classified(how: Objective, outputs: Tensor, targets: Tensor) -> dict[str, Ratio]:
    """Cross-entropy and accuracy of logits (N, C): the same in a quarter of PyTorch's time.

    Its softmax is vectorized over samples, not over a handful of classes.
    """
    assert isinstance(how.loss, CrossEntropy)
    outputs, targets = exact(outputs, targets)
    by_class = outputs.t().contiguous()
    targets = targets.long()
    ignored = is_ignored(targets, how.loss.ignore_index)
    logs = torch.log_softmax(by_class, 0).gather(0, targets.masked_fill(ignored, 0)[None])[0]
    counts = None if how.complete else (~ignored).double()
    found = {LOSS: Ratio(-logs.masked_fill(ignored, 0.0), counts)}
    if how.measures.get("accuracy") is accuracy:
        right = (outputs.max(1).indices == targets).double()
        found["accuracy"] = Ratio(right, counts)
    return found

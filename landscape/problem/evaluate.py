"""The plain evaluator: mean loss and accuracy of a model over all samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from landscape.problem.losses import Loss, correct, per_sample
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples


@dataclass(frozen=True)
class Measures:
    """Mean loss (nats for cross-entropy) and accuracy (share, NaN where there are no classes)."""

    loss: float
    accuracy: float


NOTHING = Measures(math.nan, math.nan)


def measure_samples(
    model: nn.Module,
    samples: Samples,
    loss: Loss,
    *,
    batch_size: int,
    at_most: int | None = None,
) -> Measures:
    """Mean loss and accuracy in eval mode, sums in float64; the modes are put back afterwards.

    Over all samples, or the first ``at_most``. One synchronization with the device: the sums
    stay on it until the end.
    """
    count = len(samples) if at_most is None else min(at_most, len(samples))
    total = torch.zeros(2, dtype=torch.float64)
    with evaluating(model), torch.inference_mode():
        for inputs, targets in samples.batches(batch_size, count):
            outputs = model(inputs)
            losses = per_sample(loss, outputs, targets)
            hits = correct(outputs, targets).to(losses.device)
            sums = torch.stack([losses.double().sum(), hits.sum()])
            total = total.to(sums.device) + sums
    mean_loss, accuracy = (total / count).tolist()
    return Measures(mean_loss, accuracy)


class Evaluator:
    """A problem's training and validation data on a device, ready to measure models on them."""

    def __init__(
        self,
        problem: Problem,
        device: torch.device | str = "cpu",
        *,
        batch_size: int = 256,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.loss = problem.loss
        # Images in channels_last: see `Samples`.
        self.train = Samples(problem.train, device, channels_last=True, dtype=dtype)
        self.validation = (
            Samples(problem.validation, device, channels_last=True, dtype=dtype)
            if problem.validation is not None
            else None
        )

    def on_train(self, model: nn.Module) -> Measures:
        """Measures on the training data."""
        return measure_samples(model, self.train, self.loss, batch_size=self.batch_size)

    def on_validation(self, model: nn.Module) -> Measures:
        """Measures on the validation data; NaN where there is none."""
        if self.validation is None:
            return NOTHING
        return measure_samples(model, self.validation, self.loss, batch_size=self.batch_size)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; each module's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training

"""The plain evaluator: mean loss, accuracy and further values of a model over all samples."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from landscape.problem.examine import objective
from landscape.problem.objective import BATCH, LOSS, Objective
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.sums import added, values


@dataclass(frozen=True)
class Measures:
    """Mean loss (nats for cross-entropy) and accuracy (share, NaN where there are no classes).

    >>> Measures(0.35, 0.9).named
    {'loss': 0.35, 'accuracy': 0.9}
    """

    loss: float
    accuracy: float
    further: Mapping[str, float] = field(default_factory=dict)
    """The problem's other measures."""

    @property
    def named(self) -> dict[str, float]:
        """All by name: loss, accuracy, then the others."""
        return {LOSS: self.loss, "accuracy": self.accuracy, **self.further}


NOTHING = Measures(math.nan, math.nan)
LONG = 0.5
"""Seconds that are long enough to be timed once."""


def measure_samples(
    model: nn.Module,
    samples: Samples,
    how: Objective,
    *,
    batch_size: int,
    at_most: int | None = None,
) -> Measures:
    """Loss and further values in eval mode, sums in float64; the modes are put back afterwards.

    Over all samples, or the first ``at_most``, as `summed` has it.
    """
    count = len(samples) if at_most is None else min(at_most, len(samples))
    found = summed(model, samples, how, batch_size=batch_size, count=count)
    named = dict(zip(how.names, values(how, found)[:, 0].tolist(), strict=True))
    loss, accuracy = named.pop(LOSS), named.pop("accuracy", math.nan)
    return Measures(loss, accuracy, named)


def summed(
    model: nn.Module,
    samples: Samples,
    how: Objective,
    *,
    batch_size: int,
    count: int | None = None,
    moments: bool = False,
) -> Tensor:
    """(2 or 5, V, 1) `sums.added` over all samples, or the first ``count``.

    The sums stay on the device. Batches are the objective's own where it has fixed ones.
    """
    parts = samples.numbered(how.size(batch_size), count)
    total: Tensor | None = None
    with how.measuring(model):
        for batch in parts:
            found = added(how.values(model, batch).values(), moments=moments)
            total = found if total is None else total + found
    assert total is not None
    return total


class Evaluator:
    """A problem's training and validation data on a device, ready to measure models on them.

    Eval mode, in batches of ``batch_size``, sums in float64; a pass through the data a call. The
    model isn't changed.

    >>> import torch
    >>> x = torch.arange(4.0)[:, None]
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = model.weight.data.fill_(2.0)
    >>> problem = Problem(model, (x, x), loss=lambda outputs, targets: (outputs - targets).square())
    >>> Evaluator(problem).on_train(model).loss  # the mean of 0, 1, 4 and 9
    3.5
    """

    def __init__(
        self,
        problem: Problem,
        device: torch.device | str = "cpu",
        *,
        batch_size: int = BATCH,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.objective = objective(problem)
        # Images in channels_last: see `Samples`.
        self.train = Samples(problem.train, device, channels_last=True, dtype=dtype)
        self.validation = (
            Samples(problem.validation, device, channels_last=True, dtype=dtype)
            if problem.validation is not None
            else None
        )

    def on_train(self, model: nn.Module) -> Measures:
        """Measures on the training data."""
        return self._on(model, self.train)

    def on_validation(self, model: nn.Module) -> Measures:
        """Measures on the validation data; NaN where there is none."""
        return NOTHING if self.validation is None else self._on(model, self.validation)

    def first_without_loss(self, model: nn.Module) -> int | None:
        """The first training sample whose loss is NaN; None where none is, or it is a batch's."""
        how = self.objective
        with how.measuring(model):
            for batch in self.train.numbered(size := how.size(self.batch_size)):
                found = how.values(model, batch)[LOSS]
                if not found.whole and bool(found.a.isnan().any()):
                    return batch.number * size + int(found.a.isnan().nonzero()[0])
        return None

    def _on(self, model: nn.Module, samples: Samples) -> Measures:
        return measure_samples(model, samples, self.objective, batch_size=self.batch_size)


def loss_seconds(problem: Problem) -> float:
    """Seconds that measuring all of a problem's data once takes here; the first time is for free.

    The shortest of three, or of fewer that take long: a busy machine's moment says nothing. What a
    scan's point takes at most: scans share work between points.
    """
    evaluator, shortest = Evaluator(problem), math.inf
    for number in range(4):
        started = time.perf_counter()
        evaluator.on_train(problem.model)
        evaluator.on_validation(problem.model)
        took = time.perf_counter() - started
        shortest = min(shortest, took) if number else shortest
        if number and took > LONG:
            break
    return shortest

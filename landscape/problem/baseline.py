"""The loss of the best constant output: what a network reaches that ignores its input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from landscape.problem.examine import objective
from landscape.problem.losses import (
    CrossEntropy,
    NegativeLogLikelihood,
    exact,
    has_accuracy,
    is_ignored,
)
from landscape.problem.objective import LOSS, Objective, Ratio
from landscape.problem.problem import Problem
from landscape.problem.samples import Batch, Samples, few

CHUNK = 4096
ITERATIONS = 50
ROUNDS = 20
TOLERANCE = 1e-9
"""Share of the starting loss; a round of L-BFGS that gains less has found the minimum."""
FAR = 1e6
"""A constant this many times the targets' spread away is on its way to infinity."""


def constant_loss(problem: Problem) -> float:
    """Training loss L0 of the best output that is the same for every sample.

    For cross-entropy the entropy of the class frequencies, -sum pi ln pi, of sequences and images
    at each place; for any other loss a constant is optimized (L-BFGS in float64, started anew until
    it gains nothing, which losses with kinks need). NaN where no minimum is found: the loss isn't
    finite or isn't bounded. And where there is none: no single tensor as outputs and as targets, a
    loss of whole batches, or an objective in place of a loss.

    >>> import torch
    >>> labels = torch.tensor([0, 0, 0, 1])
    >>> problem = Problem(torch.nn.Linear(1, 2), (torch.zeros(4, 1), labels))
    >>> f"{constant_loss(problem):.4f}"  # -(3/4 ln 3/4 + 1/4 ln 1/4)
    '0.5623'
    """
    how = objective(problem)
    if isinstance(how.loss, NegativeLogLikelihood):
        # The best log-probabilities are those of the best logits; of any numbers none are best.
        how = replace(how, loss=CrossEntropy(how.loss.ignore_index, how.loss.weight))
    if problem.objective is not None or how.by_batch or how.penalty is not None:
        return math.nan
    samples = Samples(problem.train)
    device = next(problem.model.parameters()).device
    first = few(problem.train, torch.zeros(1, dtype=torch.int64), device)
    with how.measuring(problem.model), how.seeded(first):
        found = how.run(problem.model, first)
    targets = [batch.content[1] for batch in samples.numbered(CHUNK)]
    if not all(isinstance(one, Tensor) for one in (found, *targets)):
        return math.nan
    outputs, labels = exact(found.detach(), first.content[1])
    loss = how.loss
    if isinstance(loss, CrossEntropy) and has_accuracy(outputs, labels):
        every = torch.cat(targets)
        counts = ~is_ignored(every, loss.ignore_index)
        plain = loss.weight is None and not loss.label_smoothing
        counted = every[counts]
        if plain and len(counted) and int(counted.min()) >= 0:
            if every.ndim == 1:
                return _entropy(counted)
            if int(counted.max()) < outputs.shape[1]:
                return _entropy_by_place(every, counts, outputs.shape[1])
    return _optimized(outputs.shape[1:], targets, how)


def _entropy(classes: Tensor) -> float:
    counts = classes.bincount()
    frequencies = counts[counts > 0].double() / counts.sum()
    return float(-(frequencies * frequencies.log()).sum())


def _entropy_by_place(labels: Tensor, counts: Tensor, classes: int) -> float:
    """The mean over all labels (N, ...) that count of their own place's entropy.

    A constant output has logits of its own at each place.
    """
    labels, counts = labels.flatten(1), counts.flatten(1)
    places = torch.arange(labels.shape[1], device=labels.device)
    numbers = (places * classes + labels)[counts].bincount(minlength=len(places) * classes)
    found = numbers.view(-1, classes).double()
    shares = found / found.sum(1, keepdim=True)
    return float(-torch.xlogy(found, shares)[found > 0].sum() / found.sum())


def _optimized(shape: torch.Size, targets: list[Tensor], how: Objective) -> float:
    centre, spread = _scale(shape, targets)
    # Not at 0, where a symmetric loss may have a maximum and no gradient.
    start = torch.arange(1, shape.numel() + 1, dtype=torch.float64).sin() / 1000
    position = start.reshape(shape).requires_grad_()

    def losses() -> Iterator[Ratio]:
        for part in targets:
            constant = (centre + spread * position).expand(len(part), *shape)
            yield how.of(constant, Batch((None, part), len(part)), names=(LOSS,))[LOSS]

    def mean_loss() -> Tensor:
        """The loss, detached; its gradient is added to the position's, in bounded memory."""
        total = torch.zeros((), dtype=torch.float64)
        for found in losses():
            share = found.a.sum() / (count * unit)
            share.backward()  # type: ignore[no-untyped-call]
            total += share.detach()
        return total

    count = sum(float(found.counts().sum()) for found in losses())
    unit = 1.0
    unit = abs(float(mean_loss())) or 1.0
    best = math.inf
    for _ in range(ROUNDS):
        found = _descend(position, mean_loss)
        if not (math.isfinite(found) and float(position.detach().abs().max()) < FAR):
            return math.nan
        if best - found <= TOLERANCE:
            return unit * min(found, best)
        best = found
    return math.nan


def _scale(shape: torch.Size, parts: list[Tensor]) -> tuple[Tensor, float]:
    """Where outputs that imitate the targets lie; 0 and 1 where the targets aren't like outputs."""
    if any(part.shape[1:] != shape or not part.is_floating_point() for part in parts):
        return torch.zeros(shape, dtype=torch.float64), 1.0
    targets = torch.cat(parts)
    centre = targets.double().mean(0)
    return centre, float((targets.double() - centre).square().mean().sqrt()) or 1.0


def _descend(position: Tensor, mean_loss: Callable[[], Tensor]) -> float:
    optimizer = torch.optim.LBFGS(
        [position],
        max_iter=ITERATIONS,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        return float(mean_loss())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return closure()

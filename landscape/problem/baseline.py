"""The loss of the best constant output: what a network reaches that ignores its input."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from landscape.problem.evaluate import evaluating
from landscape.problem.losses import Loss, cross_entropy, exact
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples

ITERATIONS = 200
CHUNK = 4096


def constant_loss(problem: Problem) -> float:
    """Training loss L0 of the best output that is the same for every sample.

    For cross-entropy the entropy of the class frequencies, -sum pi ln pi; for any other loss a
    constant is optimized (L-BFGS in float64). NaN where that fails to converge to a finite loss.
    """
    samples = Samples(problem.train)
    device = next(problem.model.parameters()).device
    with evaluating(problem.model), torch.inference_mode():
        inputs, targets = samples.take(torch.zeros(1, dtype=torch.int64))
        output = exact(problem.model(inputs.to(device)), targets.to(device))[0][0].cpu()
    if problem.loss is cross_entropy and output.ndim == 1:
        return _entropy(samples)
    return _optimized(output.clone(), samples, problem.loss)


def _entropy(samples: Samples) -> float:
    counts = torch.cat([targets for _, targets in samples.batches(CHUNK)]).bincount()
    frequencies = counts[counts > 0].double() / counts.sum()
    return float(-(frequencies * frequencies.log()).sum())


def _optimized(output: Tensor, samples: Samples, loss: Loss) -> float:
    constant = torch.zeros_like(output).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [constant], max_iter=ITERATIONS, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def mean_loss() -> Tensor:
        optimizer.zero_grad()
        total = torch.zeros((), dtype=torch.float64)
        for _, targets in samples.batches(CHUNK):
            repeated = constant.expand(len(targets), *constant.shape)
            part = loss(repeated, targets).double().sum() / len(samples)
            part.backward()  # type: ignore[no-untyped-call]  # chunk by chunk: bounded memory
            total += part.detach()
        return total

    optimizer.step(mean_loss)  # type: ignore[no-untyped-call]
    best = float(mean_loss())
    gradient = constant.grad
    settled = gradient is not None and float(gradient.norm()) < 1e-5 * max(1.0, abs(best))
    return best if math.isfinite(best) and settled else math.nan

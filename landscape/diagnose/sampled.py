"""The Hessian over some of the training samples: what curvature costs is its samples."""

from __future__ import annotations

import torch

from landscape.errors import LandscapeError
from landscape.problem.hvp import Hessian
from landscape.problem.problem import Problem
from landscape.problem.samples import length

SAMPLES = 2048
"""Training samples behind a Hessian, unless told otherwise."""


def sampled(
    problem: Problem,
    samples: int | None = SAMPLES,
    *,
    seed: int = 0,
    device: str = "auto",
    dtype: torch.dtype | None = None,
) -> Hessian:
    """The Hessian over some training samples, drawn by ``seed``; None: over all of them.

    Raises:
        LandscapeError: fewer than one sample.
    """
    total = length(problem.train)
    if samples is not None and samples < 1:
        raise LandscapeError(f"samples must be at least 1, got {samples}")
    hessian = Hessian(problem, device=device, dtype=dtype)
    if samples is not None and samples < total:
        generator = torch.Generator().manual_seed(seed)
        hessian.select(torch.randperm(total, generator=generator)[:samples].sort().values)
    return hessian

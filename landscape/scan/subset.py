"""A random subset of the samples, the same one at every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from landscape.errors import LandscapeError
from landscape.problem import samples
from landscape.problem.problem import Problem


def check(problem: Problem, count: int) -> None:
    """Refuse a subset that can't be.

    Raises:
        LandscapeError: there aren't as many training samples, or less than two are asked for.
    """
    available = samples.length(problem.train)
    if not 2 <= count <= available:
        raise LandscapeError(
            f"samples must be between 2 and the {available} there are for training, got {count}"
        )


def of(problem: Problem, count: int, *, seed: int) -> tuple[Problem, Mapping[str, int]]:
    """The problem with ``count`` of its samples, and how many there are in all, by set.

    Of the validation data as many, or all where there are fewer. Drawn without replacement.

    Raises:
        LandscapeError: as for `check`.
    """
    check(problem, count)
    available = samples.length(problem.train)
    generator = torch.Generator().manual_seed(seed)
    population = {"train": available}
    changed = replace(
        problem, train=samples.subset(problem.train, _some(available, count, generator))
    )
    if problem.validation is not None:
        there = samples.length(problem.validation)
        population["validation"] = there
        chosen = _some(there, min(count, there), generator)
        changed = replace(changed, validation=samples.subset(problem.validation, chosen))
    return changed, population


def _some(available: int, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(available, generator=generator)[:count].sort().values

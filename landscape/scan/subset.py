"""A random subset of the samples, the same one at every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from landscape.errors import LandscapeError
from landscape.problem import samples
from landscape.problem.examine import objective
from landscape.problem.problem import Problem
from landscape.problem.samples import drawn


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

    Of the validation data as many, or all where there are fewer. Drawn without replacement; of a
    loss that has fixed batches whole batches, at least one, of about as many samples.

    Raises:
        LandscapeError: as for `check`.
    """
    check(problem, count)
    available, fixed = samples.length(problem.train), objective(problem).fixed
    generator = torch.Generator().manual_seed(seed)
    population = {"train": available}
    chosen = drawn(available, count, generator, fixed)
    changed = replace(problem, train=samples.subset(problem.train, chosen))
    if problem.validation is not None:
        there = samples.length(problem.validation)
        population["validation"] = there
        chosen = drawn(there, min(count, there), generator, fixed)
        changed = replace(changed, validation=samples.subset(problem.validation, chosen))
    return changed, population

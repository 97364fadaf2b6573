"""A CNN on Fashion-MNIST that is judged by a part of the test images.

All 10,000 of them at every recorded step would take longer than the training.
"""

from dataclasses import replace

import torch

from landscape import problem
from landscape.problem import Problem


def part(depth: int = 2, width: int = 8, validation: int = 1000) -> Problem:
    """The built-in CNN and data, with the first so many test images for validation."""
    # Whoever loads a problem has seeded torch: the weights are drawn with that seed.
    made = problem.builtin(
        "cnn", "fashion-mnist", seed=torch.initial_seed(), depth=depth, width=width
    )
    assert made.validation is not None
    inputs, targets = made.validation
    return replace(made, validation=(inputs[:validation], targets[:validation]))

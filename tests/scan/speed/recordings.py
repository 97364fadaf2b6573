"""Functions to record, and their arguments."""

from __future__ import annotations

import torch
from torch.func import functional_call, vmap


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, fixed, moving):
        self.calls += 1
        return self.function(fixed, moving)


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(hash(shape) % 1000))


def stacked(model, points=3):
    return [torch.stack([value + 0.1 * n for n in range(points)]) for value in model.parameters()]


def over_points(model):
    names = [name for name, _ in model.named_parameters()]

    def one(fixed, inputs):
        return functional_call(model, dict(zip(names, fixed, strict=True)), (inputs,))

    run = vmap(one, in_dims=(0, None))
    return lambda fixed, moving: run(fixed, *moving)

"""Surfaces whose width r_0.1 is known in closed form."""

from __future__ import annotations

import torch
from torch import nn

from landscape.problem import Problem

NEEDLE = 0.02 * 0.25
SHAPES = {
    "cone": (lambda r: 3 * r, 0.1 / 3),
    "bowl": (lambda r: 2.5 * r**2, 0.2),
    "cliff": (lambda r: 2.0 * (r >= 0.37), 0.37),
    "needle": (lambda r: 0.1 * r / NEEDLE, NEEDLE),
    "EfficientNet": (lambda r: 6.9 * torch.tanh((r / 0.022) ** 2 * 0.1 / 6.9), 0.022),
    "tomb": (lambda r: torch.where(r < 0.004, 0.0, torch.inf), 0.004),
}


class Surface(nn.Module):
    """A loss of the distance of two weights from zero."""

    def __init__(self, height):
        super().__init__()
        self.height = height
        self.weights = nn.Parameter(torch.zeros(2))

    def forward(self, inputs):
        radius = self.weights.norm()
        # A cliff has no slope, which a run's loss must have.
        return (self.height(radius) + 0 * radius).expand(len(inputs), 1)


def surface(height) -> Problem:
    inputs = torch.zeros(4, 1)
    model = Surface(height)
    return Problem(model, (inputs, inputs), loss=lambda outputs, _: 0.5 + outputs[:, 0])

"""Regression whose samples don't count the same: how far off each measurement may be is known.

    landscape train --problem examples/problems/weighted.py:weighted --lr 0.1 -o runs/weighted

The loss gives losses and weights; measured is their weighted mean.
"""

import torch
from torch import nn

from landscape.problem import Problem


def measurements(count):
    x = torch.rand(count, 1) * 2 - 1
    deviation = torch.where(torch.rand(count, 1) < 0.3, 1.0, 0.1)
    y = torch.sin(3 * x) + deviation * torch.randn(count, 1)
    return x, {"y": y, "weight": 1 / deviation.square()}


def loss(outputs, targets):
    return (outputs - targets["y"]).square() / 2, targets["weight"]


def weighted():
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    return Problem(model, train=measurements(200), validation=measurements(100), loss=loss)

"""Second derivatives of normalized weights, against those of the formula."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import hessian
from torch.nn.utils import parametrizations

from landscape.curvature.hessian import Hessian
from landscape.problem import Problem, flat, half_square


def old(layer: nn.Module, dim: int | None = 0) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(layer, dim=dim)


def new(layer: nn.Module, dim: int | None = 0) -> nn.Module:
    return parametrizations.weight_norm(layer, dim=dim)


@pytest.mark.parametrize("norm", [new, old])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_the_hessian_is_that_of_the_formula(norm, dim):
    torch.manual_seed(0)
    inputs, targets = torch.randn(8, 3), torch.randn(8, 2)
    model = norm(nn.Linear(3, 2), dim)
    problem = Problem(model, (inputs, targets), loss=half_square)
    sizes = [p.numel() for p in model.parameters()]
    shapes = [p.shape for p in model.parameters()]

    def loss(vector):
        parts = vector.split(sizes)
        bias, magnitude, direction = (p.view(s) for p, s in zip(parts, shapes, strict=True))
        if dim is None:
            norms = direction.square().sum().sqrt()
        else:
            norms = direction.square().sum(1 - dim, keepdim=True).sqrt()
        outputs = inputs.double() @ (magnitude * direction / norms).T + bias
        return 0.5 * (outputs - targets).square().mean()

    expected = hessian(loss)(flat(model).double()).numpy()
    matrix = Hessian(problem, dtype=torch.float64)
    found = np.stack([matrix @ row for row in np.eye(matrix.size)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)

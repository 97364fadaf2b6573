"""Spectral norm's vectors for any weights, against NumPy's singular values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import spectral_norm as older

from landscape.problem import spectral

LAYERS = {
    "tall": lambda norm: norm(nn.Linear(3, 7)),
    "wide": lambda norm: norm(nn.Linear(7, 3)),
    "convolution": lambda norm: norm(nn.Conv2d(2, 5, 3)),
    "transposed": lambda norm: norm(nn.ConvTranspose2d(4, 2, 3)),
}


def matrix(layer: nn.Module, weight: torch.Tensor) -> np.ndarray:
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    return weight.detach().movedim(axis, 0).flatten(1).numpy()


@pytest.mark.parametrize("norm", [parametrizations.spectral_norm, older], ids=["new", "old"])
@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_divided_by_their_largest_singular_value(name, norm):
    torch.manual_seed(0)
    layer = LAYERS[name](norm).eval()
    assert spectral.has_estimates(layer)
    own = next(p for n, p in layer.named_parameters() if "orig" in n)
    own.data = 3 * torch.randn_like(own)  # far from where u and v were estimated
    spectral.compute(layer)
    inputs = torch.randn(1, layer.weight.shape[0 if "trans" in name else 1], *[4] * (own.ndim - 2))
    layer(inputs)  # the older one computes its weight as it is called
    expected = own.detach() / np.linalg.svd(matrix(layer, own), compute_uv=False)[0]
    torch.testing.assert_close(layer.weight.detach(), expected)


def test_after_another_parametrization():
    layer = parametrizations.spectral_norm(parametrizations.weight_norm(nn.Linear(4, 4))).eval()
    layer.parametrizations.weight.original1.data.normal_(std=2)
    spectral.compute(layer)
    assert np.linalg.svd(layer.weight.detach().numpy())[1][0] == pytest.approx(1, rel=1e-5)


def test_vectors_and_weights_that_are_not_finite_stay():
    assert not spectral.has_estimates(nn.Linear(2, 2))
    layer = parametrizations.spectral_norm(nn.Linear(2, 2))
    held = layer.parametrizations.weight[0]._u.clone()
    layer.parametrizations.weight.original.data[0, 0] = float("nan")
    spectral.compute(layer)
    assert torch.equal(layer.parametrizations.weight[0]._u, held)

"""Spectral norm's vectors u and v, computed anew for weights that they don't belong to."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import ParametrizationList
from torch.nn.utils.spectral_norm import SpectralNorm

Estimate = tuple[Tensor, Tensor, Tensor]
"""A weight as a matrix, and the buffers u and v, with which σ = u·(W v)."""


def has_estimates(model: nn.Module) -> bool:
    """Whether a weight of the model is divided by an estimate of its largest singular value."""
    return next(_estimates(model), None) is not None


def compute(model: nn.Module) -> None:
    """Set u and v to the leading singular vectors of the present weights, in place.

    Training takes one step of the power method towards them at a time, in eval mode they stay:
    elsewhere in weight space they would make σ too small. By the smaller Gram matrix in float64.
    """
    with torch.no_grad():
        for matrix, u, v in list(_estimates(model)):
            held = matrix.detach().to("cpu", torch.float64)
            if not torch.isfinite(held).all():
                continue  # the loss isn't finite either
            wide = held.shape[0] <= held.shape[1]
            gram = held @ held.T if wide else held.T @ held
            first = torch.linalg.eigh(gram).eigenvectors[:, -1]
            other = nn.functional.normalize((held.T if wide else held) @ first, dim=0)
            left, right = (first, other) if wide else (other, first)
            u.copy_(left)
            v.copy_(right)


def _estimates(model: nn.Module) -> Iterator[Estimate]:
    for module in model.modules():
        if isinstance(module, ParametrizationList):
            yield from _parametrized(module)
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                weight, u, v = (getattr(module, hook.name + end) for end in ("_orig", "_u", "_v"))
                yield hook.reshape_weight_to_matrix(weight), u, v


def _parametrized(chain: ParametrizationList) -> Iterator[Estimate]:
    if not any(isinstance(one, _SpectralNorm) for one in chain):
        return
    names = ["original"] if chain.is_tensor else [f"original{k}" for k in range(chain.ntensors)]
    value = tuple(getattr(chain, name) for name in names)
    with torch.no_grad():
        for one in chain:
            if isinstance(one, _SpectralNorm):
                if hasattr(one, "_u"):  # a vector is divided by its length, which is exact
                    yield one._reshape_weight_to_matrix(value[0]), one._u, one._v
                return
            value = (one(*value),)

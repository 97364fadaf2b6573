"""Weight normalization with its second derivatives, which PyTorch's own operation gets wrong.

``torch._weight_norm`` gives w = g v / ‖v‖ and its gradient, but takes ‖v‖ for a constant where that
gradient is differentiated again (PyTorch 2.13 and before).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.weight_norm import WeightNorm


def make_twice_differentiable(model: nn.Module) -> None:
    """Have a model's normalized weights computed by operations that can be differentiated twice."""
    for module in model.modules():
        if isinstance(module, _WeightNorm):
            module.__dict__["forward"] = partial(_normalized, dim=module.dim)
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm):
                hook.__dict__["compute_weight"] = partial(_of_module, hook)


def _of_module(hook: WeightNorm, module: nn.Module) -> Tensor:
    magnitude, direction = (getattr(module, hook.name + end) for end in ("_g", "_v"))
    return _normalized(magnitude, direction, dim=hook.dim)


def _normalized(magnitude: Tensor, direction: Tensor, *, dim: int) -> Tensor:
    others = [axis for axis in range(direction.ndim) if axis != dim % direction.ndim]
    whole = dim == -1  # torch's own way to say that all entries share one magnitude
    norms = torch.linalg.vector_norm(direction, dim=None if whole else others, keepdim=True)
    found: Tensor = magnitude * direction / norms
    return found

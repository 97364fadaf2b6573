"""Which entries of a tensor are one output filter: a table, a row a kind of module.

A filter is everything that makes one output: a unit of a linear layer, a channel of a convolution,
a gate's unit, a token. Random directions are scaled filter by filter (Li et al., 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

PARAMETRIZED = "parametrizations"
MAGNITUDE = "original0"
"""What `nn.utils.parametrizations.weight_norm` calls g."""


@dataclass(frozen=True)
class Filters:
    """Where a tensor's filters lie."""

    axis: int | None = 0
    """The axis that counts them; None: each entry is a number of its own, as of a 1-D tensor."""
    groups: int = 1
    """With axis 1, of (in, out / groups, ...): so many equal parts of the first axis have outputs
    of their own."""


ROWS, SINGLE = Filters(), Filters(axis=None)


@dataclass(frozen=True)
class ModuleFilters:
    """One row of the table: the filters of the tensors that a kind of module owns itself."""

    modules: tuple[str, ...]
    """Classes by module and name, their subclasses too: nothing is imported for it."""
    axis: int | None
    """`Filters.axis`; with 1 the groups are the module's, if it has any."""
    help: str
    """What one filter is, and the weight's shape."""


def _torch(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"torch.nn.modules.{room}.{name}" for name in names)


FILTERS: Mapping[str, ModuleFilters] = {
    "linear": ModuleFilters(
        _torch("linear", "Linear", "Bilinear"), 0, "an output unit of (out, in)"
    ),
    "convolution": ModuleFilters(
        _torch("conv", "Conv1d", "Conv2d", "Conv3d"),
        0,
        "an output channel of (out, in / groups, ...)",
    ),
    "transposed convolution": ModuleFilters(
        _torch("conv", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
        1,
        "an output channel of (in, out / groups, ...)",
    ),
    "Conv1D of transformers": ModuleFilters(
        ("transformers.pytorch_utils.Conv1D",), 1, "an output unit of (in, out)"
    ),
    "embedding": ModuleFilters(
        _torch("sparse", "Embedding", "EmbeddingBag"), 0, "a token of (tokens, features)"
    ),
    "recurrent": ModuleFilters(
        _torch("rnn", "RNNBase", "RNNCellBase"), 0, "a gate's unit of (gates · units, inputs)"
    ),
    "attention": ModuleFilters(
        _torch("activation", "MultiheadAttention"),
        0,
        "a feature of the queries, keys or values of (3 · features, in)",
    ),
    "normalization": ModuleFilters(
        _torch("batchnorm", "_NormBase")
        + _torch("normalization", "LayerNorm", "GroupNorm", "RMSNorm"),
        None,
        "none: a factor an entry, whatever the shape",
    ),
}
"""By name. Tensors of any other module count their filters along their first axis."""


def of_tensor(modules: Mapping[str, nn.Module], name: str, dimensions: int) -> Filters:
    """The filters of a parameter, by its name in the model and its number of dimensions.

    ``modules`` are the model's ``named_modules()``.

    Of a parametrized tensor those that it has in the module: a direction as long as the filter
    moves what the forward pass uses by the same share. The magnitudes g of weight_norm are a
    number a filter, as BatchNorm's factors are.
    """
    if dimensions < 2:
        return ROWS
    *path, own = name.split(".")
    magnitude = False
    if len(path) > 1 and path[-2] == PARAMETRIZED:
        *path, _, tensor = path
        owner = modules[".".join(path)]
        magnitude = own == MAGNITUDE and _is_weight_norm(owner, tensor)
    else:
        owner, tensor = modules[".".join(path)], own
        magnitude = own.endswith("_g") and hasattr(owner, f"{own[:-2]}_v")
    if magnitude:
        return SINGLE
    row = _row(owner)
    if row is None or row.axis == 0:
        return ROWS
    return Filters(row.axis, int(getattr(owner, "groups", 1))) if row.axis else SINGLE


def _row(module: nn.Module) -> ModuleFilters | None:
    classes = {f"{kind.__module__}.{kind.__name__}" for kind in type(module).__mro__}
    return next((row for row in FILTERS.values() if classes & set(row.modules)), None)


def _is_weight_norm(owner: nn.Module, tensor: str) -> bool:
    return any(type(one).__name__ == "_WeightNorm" for one in owner.parametrizations[tensor])  # type: ignore[index]

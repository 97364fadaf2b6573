"""A model's weights as one flat vector, and its buffers by name."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.errors import LandscapeError

Buffers: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Parameter:
    """One tensor's place in the flat vector."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def slice(self) -> slice:
        """Where they are in the flat vector."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class Layout:
    """The order of the flat vector: ``model.named_parameters()``, each tensor row by row."""

    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, model: nn.Module) -> Layout:
        """The layout of a model; a tensor shared by two modules counts once."""
        placed, offset = [], 0
        for name, tensor in model.named_parameters():
            placed.append(Parameter(name, tuple(tensor.shape), offset))
            offset += tensor.numel()
        return cls(tuple(placed))

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum(parameter.size for parameter in self.parameters)

    def to_records(self) -> list[dict[str, Any]]:
        """As the trajectory file lists it: name, shape, offset."""
        return [
            {**asdict(parameter), "shape": list(parameter.shape)} for parameter in self.parameters
        ]

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> Layout:
        """The layout that ``to_records`` wrote."""
        return cls(tuple(Parameter(r["name"], tuple(r["shape"]), r["offset"]) for r in records))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, shapes and order."""
        return hashlib.sha256(json.dumps(self.to_records()).encode()).hexdigest()

    def difference(self, other: Layout) -> str:
        """The first difference to another layout in words; empty where they are equal."""
        for mine, theirs in zip(self.parameters, other.parameters, strict=False):
            if (mine.name, mine.shape) != (theirs.name, theirs.shape):
                return f"{mine.name} {mine.shape} against {theirs.name} {theirs.shape}"
        if len(self.parameters) != len(other.parameters):
            return f"{len(self.parameters)} tensors against {len(other.parameters)}"
        return ""


def flat(model: nn.Module) -> Tensor:
    """A copy of all parameters as one vector (P,), on the model's device."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in model.parameters()])


def tied(
    model: nn.Module, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> tuple[nn.Module, Tensor]:
    """A copy of the model whose parameters are views of one flat vector, and that vector.

    Writing to the vector (P,) changes the copy's weights in place and copies nothing; the model
    that was handed over stays as it was. ``dtype`` is that of all the copy's numbers, if not the
    model's own.

    Raises:
        LandscapeError: the model can't be copied, or its parameters differ in dtype.
    """
    try:
        twin = copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise LandscapeError(
            f"a model must be copyable with copy.deepcopy, got: {error}; "
            "don't keep tensors with a history as attributes"
        ) from error
    twin.to(device)
    if dtype is not None:
        twin.to(dtype)
    dtypes = sorted({str(tensor.dtype) for tensor in twin.parameters()})
    if len(dtypes) > 1:
        raise LandscapeError(f"a model's parameters must be of one dtype, got {', '.join(dtypes)}")
    vector = flat(twin)
    for parameter, place in zip(twin.parameters(), Layout.of(twin).parameters, strict=True):
        parameter.data = vector[place.slice].view(place.shape)
    return twin, vector


def buffers(model: nn.Module) -> dict[str, NDArray[Any]]:
    """A copy of the buffers that belong to the model's state (BatchNorm's statistics), by name."""
    state = model.state_dict()
    names = [name for name, _ in model.named_buffers() if name in state]
    return {name: np.array(state[name].detach().cpu().numpy()) for name in names}


def load_buffers(model: nn.Module, values: Buffers) -> None:
    """Write buffers back into a model, in place.

    Raises:
        LandscapeError: names or shapes aren't the model's.
    """
    own = dict(model.named_buffers())
    for name, value in values.items():
        if name not in own or tuple(own[name].shape) != value.shape:
            raise LandscapeError(
                f"buffer {name} of shape {value.shape} must be one of the model's, "
                f"got a model {'without it' if name not in own else tuple(own[name].shape)}"
            )
        own[name].copy_(torch.as_tensor(value))

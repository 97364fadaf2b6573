"""A model's weights as one flat vector, its constants, and its buffers by name."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

from landscape.errors import LandscapeError
from landscape.problem.filters import ROWS, Filters, of_tensor

Buffers: TypeAlias = Mapping[str, NDArray[Any]]
FLOAT32 = "float32"
WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
REAL = (torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)
NUMPYS = frozenset((*WHOLE, *REAL))
"""The dtypes that NumPy has too; of the others float32 holds every value."""


@dataclass(frozen=True)
class Parameter:
    """One tensor's place in the flat vector."""

    name: str
    shape: tuple[int, ...]
    """Of a complex tensor that of its real and imaginary parts, (..., 2)."""
    offset: int
    dtype: str = FLOAT32
    """The tensor's own."""
    filters: Filters = ROWS
    moves: bool = True
    """Whether directions move it; False: it is in the vector but constant."""

    @property
    def size(self) -> int:
        """How many numbers it holds, two for a complex one."""
        return math.prod(self.shape)

    @property
    def slice(self) -> slice:
        """Where they are in the flat vector."""
        return slice(self.offset, self.offset + self.size)

    def to_record(self) -> dict[str, Any]:
        """Name, shape and offset, and of the rest what isn't the default."""
        found: dict[str, Any] = {
            "name": self.name,
            "shape": list(self.shape),
            "offset": self.offset,
        }
        if self.dtype != FLOAT32:
            found["dtype"] = self.dtype
        if self.filters.axis != 0:
            found["axis"] = self.filters.axis
        if self.filters.groups != 1:
            found["groups"] = self.filters.groups
        return found if self.moves else {**found, "moves": False}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Parameter:
        """What `to_record` wrote."""
        return cls(
            record["name"],
            tuple(record["shape"]),
            record["offset"],
            record.get("dtype", FLOAT32),
            Filters(record.get("axis", 0), record.get("groups", 1)),
            record.get("moves", True),
        )


@dataclass(frozen=True)
class Layout:
    """The order of the flat vector: ``model.named_parameters()``, each tensor row by row.

    Of those that are trained; the frozen ones are constants and not in it.

    >>> layout = Layout.of(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)))
    >>> layout.size
    11
    >>> [(one.name, one.shape, one.offset) for one in layout.parameters][:2]
    [('0.weight', (2, 3), 0), ('0.bias', (2,), 6)]
    """

    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, model: nn.Module, *, also: Collection[str] = ()) -> Layout:
        """The layout of a model; a tensor shared by two modules counts once.

        ``also`` names frozen tensors that are in it too: those that are trained later.
        """
        placed, offset = [], 0
        modules = dict(model.named_modules())
        for name, tensor in model.named_parameters():
            if not (tensor.requires_grad or name in also):
                continue
            shape = tuple(tensor.shape) + ((2,) if tensor.is_complex() else ())
            dtype = str(tensor.dtype).removeprefix("torch.")
            filters = of_tensor(modules, name, tensor.ndim)
            placed.append(Parameter(name, shape, offset, dtype, filters))
            offset += placed[-1].size
        return cls(tuple(placed))

    @property
    def size(self) -> int:
        """P, the number of parameters; a complex one is two."""
        return sum(parameter.size for parameter in self.parameters)

    @property
    def moving(self) -> tuple[Parameter, ...]:
        """Those that directions move."""
        return tuple(parameter for parameter in self.parameters if parameter.moves)

    def narrowed(self, patterns: Sequence[str]) -> Layout:
        """The layout of which directions move only the tensors whose name matches a pattern.

        Raises:
            LandscapeError: a pattern matches none of them.
        """
        names = [parameter.name for parameter in self.moving]
        chosen = matching(names, patterns, what="scan")
        return Layout(
            tuple(replace(p, moves=p.moves and p.name in chosen) for p in self.parameters)
        )

    def to_records(self) -> list[dict[str, Any]]:
        """As the trajectory file lists it: name, shape, offset."""
        return [parameter.to_record() for parameter in self.parameters]

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> Layout:
        """The layout that ``to_records`` wrote."""
        return cls(tuple(map(Parameter.from_record, records)))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, shapes and order."""
        known = [{"name": p.name, "shape": p.shape, "offset": p.offset} for p in self.parameters]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def difference(self, other: Layout) -> str:
        """The first difference to another layout in words; empty where they are equal."""
        for mine, theirs in zip(self.parameters, other.parameters, strict=False):
            if (mine.name, mine.shape) != (theirs.name, theirs.shape):
                return f"{mine.name} {mine.shape} against {theirs.name} {theirs.shape}"
        if len(self.parameters) != len(other.parameters):
            return f"{len(self.parameters)} tensors against {len(other.parameters)}"
        return ""

    def renamed(self, names: Mapping[str, str]) -> Layout:
        """The layout of a model that has the same tensors under other names."""
        return Layout(tuple(replace(p, name=names[p.name]) for p in self.parameters))

    def tensors(self, model: nn.Module) -> tuple[nn.Parameter, ...]:
        """The model's own tensors, in the order of the vector."""
        named = dict(model.named_parameters())
        return tuple(named[parameter.name] for parameter in self.parameters)


def matching(names: Sequence[str], patterns: Sequence[str], *, what: str) -> list[str]:
    """The names that match one of the patterns (``*`` and ``?``; several by commas).

    Raises:
        LandscapeError: a pattern matches none.
    """
    single = [one.strip() for pattern in patterns for one in pattern.split(",") if one.strip()]
    for pattern in single:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise LandscapeError(
                f"a pattern of parameters to {what} must match a name, got {pattern}; "
                f"the names are {', '.join(names) or 'none'}"
            )
    return [name for name in names if any(fnmatchcase(name, one) for one in single)]


def flat(model: nn.Module, layout: Layout | None = None) -> Tensor:
    """A copy of all parameters as one vector (P,), on the model's device.

    >>> model = nn.Linear(2, 1)
    >>> torch.equal(flat(model), torch.cat([model.weight.flatten(), model.bias]))
    True
    """
    tensors = (layout or Layout.of(model)).tensors(model)
    return joined(tensors, dtype_of(tensors))


def dtype_of(tensors: Sequence[Tensor]) -> torch.dtype:
    """The one that a vector of them has: their own, or the one that holds all of theirs."""
    real = {t.real.dtype if t.is_complex() else t.dtype for t in tensors}
    found = real.pop() if real else torch.float32
    for other in real:
        found = torch.promote_types(found, other)
    return found


def joined(tensors: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Some tensors' numbers one after the other as one vector."""
    # Once a step of training: what is of that dtype isn't asked for more.
    parts = [
        tensor.reshape(-1)
        if tensor.dtype is dtype and is_dense(tensor)
        else reals(tensor).to(dtype)
        for tensor in tensors
    ]
    return torch.cat(parts).detach() if parts else torch.empty(0, dtype=dtype)


def reals(tensor: Tensor) -> Tensor:
    """A tensor's numbers as a vector; of a complex one real and imaginary parts in turn.

    Of a sparse one (a gradient of an embedding's) its zeros too.
    """
    tensor = tensor if is_dense(tensor) else tensor.to_dense()
    return (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).reshape(
        -1
    )


@dataclass(frozen=True)
class Tied:
    """A copy of a model whose weights follow one flat vector."""

    model: nn.Module
    vector: Tensor
    """(P,): a parameter of its dtype is a view of it, so that writing here moves the weights."""
    layout: Layout
    parameters: tuple[nn.Parameter, ...]
    """The copy's, in the order of the vector."""
    apart: tuple[tuple[nn.Parameter, slice], ...] = field(default=())
    """Those of another dtype, or complex: `settle` brings them to where the vector is."""

    def move(self, weights: Tensor | NDArray[Any] | Iterator[NDArray[Any]]) -> None:
        """Go to some weights (P,), or to those that pieces make in their order."""
        with torch.no_grad():
            if isinstance(weights, Iterator):
                start = 0
                for piece in weights:
                    part = slice(start, start := start + len(piece))
                    self.vector[part].copy_(torch.from_numpy(piece))
                assert start == len(self.vector), "pieces are those of all weights"
            elif isinstance(weights, Tensor):
                self.vector.copy_(weights)
            else:
                self.vector.copy_(torch.from_numpy(np.asarray(weights)))
        self.settle()

    def settle(self) -> None:
        """Bring the parameters that are no views to the vector, and round it to what they hold."""
        for parameter, place in self.apart:
            held = self.vector[place]
            own = reals(parameter.data)
            own.copy_(held)
            held.copy_(own)

    def split(self, vector: Tensor) -> list[Tensor]:
        """A vector (P,) as tensors of the parameters' shapes and dtypes."""
        pieces = torch.split(vector, [place.size for place in self.layout.parameters])
        return [
            torch.view_as_complex(piece.to(tensor.real.dtype, copy=True).view(*tensor.shape, 2))
            if tensor.is_complex()
            else piece.to(tensor.dtype).view_as(tensor)
            for piece, tensor in zip(pieces, self.parameters, strict=True)
        ]

    def joined(self, parts: Iterable[Tensor]) -> Tensor:
        """Tensors of the parameters' shapes, such as a gradient's, as a vector (P,)."""
        return joined(list(parts), self.vector.dtype)


def tied(
    model: nn.Module,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    *,
    layout: Layout | None = None,
) -> Tied:
    """A copy of the model whose parameters follow one flat vector.

    The model that was handed over stays as it was. Where all parameters are of one dtype and
    real, they are views of the vector: writing there copies nothing. ``dtype`` is that of all the
    copy's numbers (of complex ones their parts'), if not the model's own; ``layout`` says which
    tensors are in the vector, by default those that are trained.

    Raises:
        LandscapeError: the model can't be copied.
    """
    own = (layout or Layout.of(model)).tensors(model)
    vector, views = _as_views(own, device, dtype)
    twin = copied(model, views)
    twin.to(device)
    if dtype is not None:
        _convert(twin, dtype)
    layout = layout or Layout.of(twin)
    tensors = layout.tensors(twin)
    if vector is None:
        vector = joined(tensors, dtype_of(tensors)).to(device)
    apart = []
    for parameter, place in zip(tensors, layout.parameters, strict=True):
        if parameter.dtype == vector.dtype:
            parameter.data = vector[place.slice].view(place.shape)
        else:
            # Rows of the tensor's own memory, whatever its format was.
            parameter.data = parameter.data.contiguous()
            apart.append((parameter, place.slice))
    return Tied(twin, vector, layout, tensors, tuple(apart))


def _as_views(
    tensors: Sequence[nn.Parameter], device: torch.device | str, dtype: torch.dtype | None
) -> tuple[Tensor | None, dict[int, nn.Parameter]]:
    """Parameters' numbers as one vector, and the views of it that a copy is to have in their place.

    By their identity. None where the copy's tensors can't be made so: they are put together after
    it is there, which takes the vector twice for a moment.
    """
    to = dtype_of(tensors) if dtype is None else dtype
    plain = all(
        type(one) is nn.Parameter
        and one.device == torch.device(device)
        and one.is_floating_point()
        and (dtype is not None or one.dtype == to)
        for one in tensors
    )
    if not plain or not tensors:
        return None, {}
    vector = torch.empty(sum(one.numel() for one in tensors), dtype=to, device=device)
    parts = torch.split(vector, [one.numel() for one in tensors])
    for one, part in zip(tensors, parts, strict=True):
        part.copy_(one.detach().reshape(-1))
    return vector, {
        id(one): nn.Parameter(part.view(one.shape), one.requires_grad)
        for one, part in zip(tensors, parts, strict=True)
    }


def copied(model: nn.Module, instead: Mapping[int, Any] | None = None) -> nn.Module:
    """A copy of a model, its tensors included; ``instead`` of some, by identity, has others.

    Raises:
        LandscapeError: it holds what can't be copied.
    """
    computed: dict[int, Any] = dict(instead or {})
    # What the older weight_norm keeps beside g and v is computed anew by each forward pass.
    for module in model.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm) and isinstance(
                value := getattr(module, hook.name, None), Tensor
            ):
                computed[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(model, computed)
    except (RuntimeError, TypeError) as error:
        raise LandscapeError(
            f"a model must be copyable with copy.deepcopy, got: {error}; "
            "don't keep tensors with a history as attributes"
        ) from error


def _convert(model: nn.Module, dtype: torch.dtype) -> None:
    if not any(t.is_complex() for t in (*model.parameters(), *model.buffers())):
        model.to(dtype)
        return

    def converted(tensor: Tensor) -> Tensor:  # `to` would drop imaginary parts
        if tensor.is_complex():
            return tensor.to(dtype.to_complex())
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    model._apply(converted)  # type: ignore[no-untyped-call]


def buffers(model: nn.Module) -> dict[str, NDArray[Any]]:
    """A copy of the buffers that belong to the model's state (BatchNorm's statistics), by name.

    Sparse ones are constants and left out. Of a type that NumPy hasn't (bfloat16): in float32,
    which holds it exactly.
    """
    state = model.state_dict()
    return {
        name: array_of(state[name])
        for name, buffer in model.named_buffers()
        if name in state and is_dense(buffer)
    }


def array_of(tensor: Tensor) -> NDArray[Any]:
    """A copy of a dense tensor as an array."""
    plain = tensor.detach().cpu()
    return np.array((plain.float() if plain.dtype not in NUMPYS else plain).numpy())


def is_dense(tensor: Tensor) -> bool:
    """Whether it is stored entry by entry."""
    return tensor.layout == torch.strided


def constants(model: nn.Module, layout: Layout) -> dict[str, NDArray[Any]]:
    """A copy of what no training of ``layout``'s tensors changes, by name.

    Frozen parameters, a complex one as (..., 2); of a sparse buffer its entries' places and
    values, as ``NAME:indices`` and ``NAME:values``.
    """
    return dict(_constants(model, layout))


def _constants(model: nn.Module, layout: Layout) -> Iterator[tuple[str, NDArray[Any]]]:
    """One after the other: a network's base may be large."""
    for name, tensor in frozen_tensors(model, layout).items():
        yield name, _real_array(tensor)
    state = model.state_dict()
    for name, buffer in model.named_buffers():
        if name in state and not is_dense(buffer):
            entries = buffer.detach().to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
            yield f"{name}:indices", array_of(entries.indices())
            yield f"{name}:values", _real_array(entries.values())


def _real_array(tensor: Tensor) -> NDArray[Any]:
    return array_of(torch.view_as_real(tensor) if tensor.is_complex() else tensor)


def frozen_tensors(model: nn.Module, layout: Layout) -> dict[str, Tensor]:
    """The parameters that aren't in the vector, by name; not copied."""
    inside = {parameter.name for parameter in layout.parameters}
    named = model.named_parameters()
    return {name: tensor.detach() for name, tensor in named if name not in inside}


def constant_records(model: nn.Module, layout: Layout) -> dict[str, dict[str, Any]]:
    """Shape, dtype and SHA-256 of each of the `constants`, for run.json."""
    return {
        name: {
            "shape": list(value.shape),
            "dtype": value.dtype.name,
            "sha256": hashlib.sha256(np.ascontiguousarray(value).data).hexdigest(),
        }
        for name, value in _constants(model, layout)
    }


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

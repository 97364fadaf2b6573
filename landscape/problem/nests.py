"""Nests of tensors: mappings, tuples, lists and dataclasses in each other, leaf by leaf."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def leaves(nest: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with its path, such as ``inputs.mask`` or ``0.ids``, in the nest's own order."""
    children = _children(nest)
    if children is None:
        yield path, nest
        return
    for name, child in children:
        yield from leaves(child, f"{path}.{name}" if path else name)


def tensors(nest: Any) -> Iterator[Tensor]:
    """The leaves that are tensors."""
    return (leaf for _, leaf in leaves(nest) if isinstance(leaf, Tensor))


def mapped(nest: Any, change: Callable[[Any], Any]) -> Any:
    """A nest of the same make with each leaf changed; the one handed over stays as it is."""
    if isinstance(nest, Tensor):  # first what most are: this runs once a step of training
        return change(nest)
    if isinstance(nest, (tuple, list)):
        parts = [mapped(child, change) for child in nest]
        return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)
    if isinstance(nest, Mapping):
        # A copy keeps the kind: BatchEncoding and its like are asked for attributes too.
        made: Any = copy.copy(nest) if hasattr(nest, "__setitem__") else dict(nest)
        for name, child in nest.items():
            made[name] = mapped(child, change)
        return made
    if dataclasses.is_dataclass(nest) and not isinstance(nest, type):
        made = copy.copy(nest)
        for one in dataclasses.fields(nest):
            object.__setattr__(made, one.name, mapped(getattr(nest, one.name), change))
        return made
    return change(nest)


def joined(parts: Sequence[Any]) -> Any:
    """Nests of tensors of one make, end to end along the first dimension."""
    others = [tensors(part) for part in parts[1:]]
    return mapped(parts[0], lambda leaf: torch.cat([leaf, *(next(other) for other in others)]))


def moved(nest: Any, device: torch.device) -> Any:
    """The nest on a device: tensors, and whatever else can be moved there, such as graphs."""
    return mapped(nest, lambda leaf: leaf.to(device) if hasattr(leaf, "to") else leaf)


def cast(nest: Any, dtype: torch.dtype) -> Any:
    """The nest with its floating-point tensors in ``dtype``, complex ones in their kind of it.

    Indices, such as tokens, stay.
    """

    def typed(leaf: Any) -> Any:
        if isinstance(leaf, Tensor) and leaf.is_complex():
            return leaf.to(dtype.to_complex())
        return leaf.to(dtype) if is_floating(leaf) else leaf

    return mapped(nest, typed)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a tensor of floating-point numbers."""
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def equal(one: Any, other: Any) -> bool:
    """Whether two nests hold the same tensors, to the bit, and other leaves that print alike."""
    pairs = list(leaves(one)), list(leaves(other))
    if [path for path, _ in pairs[0]] != [path for path, _ in pairs[1]]:
        return False
    return all(_same(a, b) for (_, a), (_, b) in zip(*pairs, strict=True))


def is_pair(nest: Any) -> bool:
    """Whether this is (inputs, targets)."""
    return isinstance(nest, (tuple, list)) and len(nest) == 2


def shapes(nest: Any) -> str:
    """Its leaves in words, for a message: ``ids int64 (8, 12), mask bool (8, 12)``."""
    words = [f"{path} {_described(leaf)}".strip() for path, leaf in leaves(nest)]
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + more


MOST = 6
"""Leaves that a message names."""


def _children(nest: Any) -> Iterator[tuple[str, Any]] | None:
    if isinstance(nest, Mapping):
        return ((str(name), child) for name, child in nest.items())
    if isinstance(nest, (tuple, list)):
        return ((str(number), child) for number, child in enumerate(nest))
    if dataclasses.is_dataclass(nest) and not isinstance(nest, type):
        return ((one.name, getattr(nest, one.name)) for one in dataclasses.fields(nest))
    return None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.layout != torch.strided or b.layout != torch.strided:
            a, b = a.to_dense(), b.to_dense()
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())
    return type(a) is type(b) and repr(a) == repr(b)


def _described(leaf: Any) -> str:
    if not isinstance(leaf, Tensor):
        return type(leaf).__name__
    return f"{str(leaf.dtype).removeprefix('torch.')} {tuple(leaf.shape)}"

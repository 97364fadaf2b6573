"""Plain values, as analysis.h5 gives them back, into the frozen dataclasses they were."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def rebuilt(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from its fields' values, dataclasses inside of it (and in lists) too.

    A field that is missing keeps its default; what isn't a field is left out.

    Raises:
        KeyError: a field without a default is missing.
        TypeError: a value isn't of its field's type.
    """
    hints = typing.get_type_hints(kind)
    found = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in values:
            found[field.name] = _as(hints[field.name], values[field.name], field.name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(field.name)
    return kind(**found)


def _as(hint: Any, value: Any, name: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _one_of(inner, value, name)
    if isinstance(hint, type) and is_dataclass(hint):
        return rebuilt(hint, _checked(value, Mapping, name))
    if origin is np.ndarray:
        return _array(inner, value, name)
    if origin is tuple:
        items = _checked(value, (list, tuple), name)
        each = [inner[0]] * len(items) if inner[1:] == (...,) else inner
        if len(each) != len(items):
            raise TypeError(f"{name} must hold {len(each)} values, got {len(items)}")
        return tuple(_as(one, item, name) for one, item in zip(each, items, strict=True))
    if _is(origin, Mapping):
        items = _checked(value, Mapping, name)
        return {key: _as(inner[1], item, name) for key, item in items.items()}
    if _is(origin, Sequence):
        return [_as(inner[0], item, name) for item in _checked(value, (list, tuple), name)]
    is_plain = isinstance(hint, type) and hint in PLAIN
    if is_plain and isinstance(value, bool) != (hint is bool):
        raise TypeError(f"{name} can't be {type(value).__name__}")
    return _checked(value, PLAIN[hint], name) if is_plain else value


PLAIN: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (float, int),
    types.NoneType: (types.NoneType,),
}
"""What is taken for a field of a plain type."""


def _one_of(hints: tuple[Any, ...], value: Any, name: str) -> Any:
    [*candidates] = (one for one in hints if one is not types.NoneType)
    if value is None and len(candidates) < len(hints):
        return None
    if len(candidates) == 1:
        return _as(candidates[0], value, name)
    for one in candidates:
        with suppress(TypeError, KeyError):
            return _as(one, value, name)
    raise TypeError(f"{name} can't be {type(value).__name__}")


def _array(inner: tuple[Any, ...], value: Any, name: str) -> Any:
    kind = np.dtype(typing.get_args(inner[1])[0]).kind
    array = _checked(value, np.ndarray, name)
    if array.dtype.kind not in ("fiu" if kind == "f" else kind):
        raise TypeError(f"{name} must be an array of kind {kind}, got {array.dtype}")
    return array


def _checked(value: Any, kind: type[Any] | tuple[type[Any], ...], name: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{name} can't be {type(value).__name__}")
    return value


def _is(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)

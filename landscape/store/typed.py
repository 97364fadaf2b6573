"""Plain values, as analysis.h5 gives them back, into the frozen dataclasses they were."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def rebuilt(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from its fields' values, dataclasses inside of it (and in lists) too.

    A field that is missing keeps its default; what isn't a field is left out.

    Raises:
        KeyError: a field without a default is missing.
    """
    hints = typing.get_type_hints(kind)
    found = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in values:
            found[field.name] = _as(hints[field.name], values[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(field.name)
    return kind(**found)


def _as(hint: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if value is None:
        return None
    if origin in (typing.Union, types.UnionType):
        [*candidates] = (one for one in inner if one is not type(None))
        return _as(candidates[0], value) if len(candidates) == 1 else value
    if isinstance(hint, type) and is_dataclass(hint):
        return rebuilt(hint, value)
    if origin is tuple and isinstance(value, list):
        each = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return tuple(_as(one, item) for one, item in zip(each, value, strict=True))
    if _is(origin, Sequence) and isinstance(value, list):
        return [_as(inner[0], item) for item in value]
    if _is(origin, Mapping) and isinstance(value, Mapping):
        return {key: _as(inner[1], item) for key, item in value.items()}
    return value


def _is(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)

"""What JSON values must look like, written as such values: ``{"steps": [int], "note?": str}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from landscape.errors import LandscapeError
from landscape.store.names import read_text

Shape: TypeAlias = Any
"""One of

- ``str``, ``bool``, ``int`` (of 64 bits), ``float`` (or a whole number), None, ``object`` (any)
- ``range(0, 10)``: a whole number within
- ``(str, None)``: one or the other
- ``[str]``: a list of such
- ``{str: int}``: names with such values
- ``{"name": str, "note?": int}``: these names, the last only perhaps; others may be there
"""
WHOLE = range(-(2**63), 2**63)
COUNT = range(2**63)
WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", None: "null"}


def misfit(value: Any, shape: Shape, name: str = "it") -> str:
    """What is wrong with a value, in words; empty if nothing is."""
    if shape is object:
        return ""
    if isinstance(shape, tuple):
        found = [misfit(value, one, name) for one in shape]
        return "" if "" in found else found[0]
    if isinstance(shape, list):
        if not isinstance(value, list | tuple):
            return _wrong(name, "a list", value)
        return next(
            filter(None, (misfit(one, shape[0], f"{name}[{at}]") for at, one in enumerate(value))),
            "",
        )
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return _wrong(name, "a mapping", value)
        return next(filter(None, _misfits(value, shape, name)), "")
    if _is_of(value, shape):
        return ""
    if isinstance(shape, range):
        return _wrong(name, f"a whole number between {shape.start} and {shape.stop - 1}", value)
    return _wrong(name, WORDS[shape], value)


def _misfits(value: Mapping[str, Any], shape: Mapping[Any, Shape], name: str) -> Any:
    if str in shape:
        yield from (misfit(one, shape[str], f"{name}.{key}") for key, one in value.items())
        return
    for key, one in shape.items():
        plain = key.removesuffix("?")
        if plain in value:
            yield misfit(value[plain], one, plain if name == "it" else f"{name}.{plain}")
        elif plain == key:
            yield f"{name} must have {key}, which is missing"


def _is_of(value: Any, shape: Shape) -> bool:
    if shape is None:
        return value is None
    if isinstance(value, bool):
        return shape is bool
    if shape is int:
        return isinstance(value, int) and value in WHOLE
    if isinstance(shape, range):
        return isinstance(value, int) and value in shape
    if shape is float:
        return isinstance(value, float) or (isinstance(value, int) and value in WHOLE)
    return isinstance(value, shape)


def _wrong(name: str, wanted: str, value: Any) -> str:
    shown = repr(value)
    return f"{name} must be {wanted}, got {shown if len(shown) <= 40 else f'{shown[:40]}...'}"


def parsed(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it isn't JSON, or nested deeper than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read(path: Path, shape: Shape, *, what: str, remedy: str) -> Any:
    """A JSON file's content.

    Args:
        path: the file.
        shape: what it must look like.
        what: what it is called in messages: ``a sweep's JSON``.
        remedy: what to do where it isn't.

    Raises:
        LandscapeError: it isn't so.
        OSError: it can't be read.
    """
    try:
        found = parsed(read_text(path))
    except ValueError as error:
        raise LandscapeError(f"{path} must be {what}, got: {error}; {remedy}") from error
    if wrong := misfit(found, shape):
        raise LandscapeError(f"{path} must be {what}, {wrong}; {remedy}")
    return found

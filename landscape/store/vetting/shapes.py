"""What JSON values must look like, written as such values: ``{"steps": [int], "note?": str}``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from landscape.errors import LandscapeError
from landscape.store.names import read_text

Shape: TypeAlias = Any
"""One of

- ``str``, ``bool``, ``int`` (of 64 bits), ``float`` (or a whole number), None, ``object`` (any)
- ``range(0, 10)``: a whole number within
- ``(str, None)``: one or the other
- ``OneOf("nan", "inf")``: one of these texts
- ``[str]``: a list of such
- ``{str: int}``: names with such values
- ``{"name": str, "note?": int}``: these names, the last only perhaps; others may be there
"""


class OneOf(tuple[str, ...]):
    """A shape: one of these texts."""

    def __new__(cls, *texts: str) -> OneOf:
        """Take the texts."""
        return super().__new__(cls, texts)


WHOLE = range(-(2**63), 2**63)
COUNT = range(2**63)
WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", None: "null"}


def misfit(value: Any, shape: Shape, name: str = "it") -> str:
    """What is wrong with a value, in words; empty if nothing is."""
    return next(_wrongs(value, shape, name), "")


def _wrongs(value: Any, shape: Shape, name: str) -> Iterator[str]:
    if isinstance(shape, OneOf):
        if value not in tuple(shape):
            yield _wrong(name, f"one of {', '.join(shape)}", value)
    elif isinstance(shape, tuple):
        found = [misfit(value, one, name) for one in shape]
        yield from () if "" in found else found[:1]
    elif isinstance(shape, list) and isinstance(value, list | tuple):
        for at, one in enumerate(value):
            yield from _wrongs(one, shape[0], f"{name}[{at}]")
    elif isinstance(shape, Mapping) and isinstance(value, Mapping):
        yield from _misfits(value, shape, name)
    elif isinstance(shape, list | Mapping) or not _is_of(value, shape):
        yield _wrong(name, _wanted(shape), value)


def _wanted(shape: Shape) -> str:
    if isinstance(shape, range):
        return f"a whole number between {shape.start} and {shape.stop - 1}"
    if isinstance(shape, list):
        return "a list"
    return "a mapping" if isinstance(shape, Mapping) else WORDS[shape]


def _misfits(value: Mapping[str, Any], shape: Mapping[Any, Shape], name: str) -> Iterator[str]:
    if str in shape:
        for key, one in value.items():
            yield from _wrongs(one, shape[str], f"{name}.{key}")
        return
    for key, one in shape.items():
        plain = key.removesuffix("?")
        if plain in value:
            yield from _wrongs(value[plain], one, plain if name == "it" else f"{name}.{plain}")
        elif plain == key:
            yield f"{name} must have {key}, which is missing"


def _is_of(value: Any, shape: Shape) -> bool:
    if shape is None or shape is object:
        return shape is object or value is None
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


def check_version(path: Path, found: Any, newest: int) -> None:
    """Refuse a file's version that isn't one, or that is newer than this.

    Raises:
        LandscapeError: it is so.
    """
    if not isinstance(found, int) or found > newest:
        raise LandscapeError(
            f"{path} must be of version {newest} or older, got {found!r}; install a newer landscape"
        )


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

"""What a call at the door is given, held against the types that it takes.

The annotations are the rule: of a function's parameters, and of the fields of the records that
``**options`` become. What is no such type is refused before anything begins.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import operator
import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landscape.errors import LandscapeError, meant, shown

SAID: Mapping[Any, tuple[str, str]] = {
    str: ("a text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("True or False", "True or False"),
    Path: ("a path", "paths"),
    types.NoneType: ("None", "None"),
}
"""How a type is said, of one and of several."""


class Elsewhere:
    """A class that the module which names it doesn't import: known by its name alone."""


def check_call(function: Callable[..., Any], args: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Refuse arguments that aren't what a function's annotations say, and too many without names.

    Raises:
        LandscapeError: the first that isn't.
    """
    takes, parameters = takes_of(function), inspect.signature(function).parameters.values()
    _check_places(function.__name__, parameters, args)
    named = zip((one.name for one in parameters), args, strict=False)
    for name, value in (*named, *given.items()):
        if name in takes:
            check(name, value, takes[name])


def _check_places(
    name: str, parameters: Collection[inspect.Parameter], args: Sequence[Any]
) -> None:
    """Refuse arguments by their place that are taken by name alone.

    Raises:
        LandscapeError: there is one.
    """
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return
    places = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    named = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    if len(args) <= len(places):
        return
    extra, own = args[len(places)], [one for one in places if one not in ("self", "cls")]
    if "data" in own and hasattr(extra, "__len__") and not isinstance(extra, str):
        remedy = "inputs and targets are one argument, the pair (inputs, targets)"
    else:
        remedy = f"give what follows by its name, as {named[0]}=" if named else "leave out the rest"
    raise LandscapeError(
        f"{name} takes {' and '.join(own) or 'nothing'} without their names, got "
        f"{shown(extra)} behind; {remedy}"
    )


def check_options(what: str, options: Mapping[str, Any], takes: Mapping[str, Any]) -> None:
    """Refuse options that there aren't, and values that aren't of their types.

    Raises:
        LandscapeError: the first such; for one that there isn't it lists those that there are.
    """
    for name, value in options.items():
        if name not in takes:
            raise LandscapeError(f"{what} {', '.join(takes)}, got {name}{meant(name, takes)}")
        check(name, value, takes[name])


def check(name: str, value: object, hint: Any) -> None:
    """Refuse a value that isn't of a type.

    Raises:
        LandscapeError: it isn't.

    >>> check("seed", 3, int | None)
    >>> check("seed", "3", int | None)
    Traceback (most recent call last):
    landscape.errors.LandscapeError: seed must be a whole number or None, got '3'
    """
    if not _fits(value, hint):
        raise LandscapeError(f"{name} must be {_said(hint)}, got {shown(value)}")


@functools.cache
def takes_of(what: Any) -> dict[str, Any]:
    """The types that a function's parameters, or a dataclass's fields, have; by their names.

    Parameters without an annotation and ``*args``, ``**kwargs`` aren't among them.
    """
    if is_dataclass(what):
        said = {one.name: (one.type, one.default) for one in fields(what)}
    else:
        said = {
            one.name: (one.annotation, one.default)
            for one in inspect.signature(what).parameters.values()
            if one.annotation is not one.empty
            and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        }
    names = _Names(vars(sys.modules[what.__module__]))
    found = {}
    for name, (text, default) in said.items():
        hint = eval(text, {}, names) if isinstance(text, str) else text
        found[name] = hint | None if default is None and hint is not Any else hint
    return found


class _Names(dict[str, Any]):
    """A module's names; one that it has for type checkers alone is a class of that name."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)  # found there
        return type(name, (Elsewhere,), {})


def _fits(value: object, hint: Any) -> bool:
    if hint in (Any, object):
        return True
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if _is(origin, Mapping):
        return isinstance(value, Mapping)
    if origin is tuple and inner[1:] != (...,):
        if not isinstance(value, (list, tuple)) or len(value) != len(inner):
            return False
        return all(map(_fits, value, inner))
    if _is(origin, Sequence):
        if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
            return False
        return all(_fits(one, inner[0]) for one in value)
    if origin is Callable:
        return callable(value)
    return _is_plainly(value, hint) if isinstance(hint, type) else True


def _members(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_") or name == "__call__"]


def _is_plainly(value: object, hint: type) -> bool:
    if getattr(hint, "_is_protocol", False):
        return all(hasattr(value, name) for name in _members(hint))
    if issubclass(hint, Elsewhere):
        return any(hint.__name__ == one.__name__ for one in type(value).__mro__)
    if hint in (int, float):
        return _is_number(value, operator.index if hint is int else float)
    if hint is bool:
        return isinstance(value, (bool, np.bool_))
    return isinstance(value, os.PathLike if hint is Path else hint)


def _is_number(value: Any, read: Callable[[Any], Any]) -> bool:
    """NumPy's and tensors of one element are numbers too."""
    if isinstance(value, (str, bytes, bool, np.bool_)):
        return False
    try:
        read(value)
    except OverflowError:
        return True
    except (TypeError, ValueError, RuntimeError):  # torch's own, of many elements
        return False
    return True


def _said(hint: Any, many: bool = False) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_said(one, many) for one in inner))
    if hint in SAID:
        return SAID[hint][many]
    if origin is tuple and inner[1:] != (...,):
        return f"{len(inner)} {_said(inner[0], many=True)}"
    if _is(origin, Mapping):
        return "a mapping"
    if _is(origin, Sequence):
        return f"a list of {_said(inner[0], many=True)}"
    if getattr(hint, "__module__", "").startswith("torch.nn."):  # it has __call__, too
        return "torch modules" if many else "a torch module"
    if origin is Callable or "__call__" in vars(hint):
        return "functions" if many else "a function"
    name = getattr(hint, "__name__", str(hint)).removeprefix("Held")
    return f"{name}s" if many else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _is(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)

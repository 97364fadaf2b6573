"""Tables of what a format's files hold, and the check of a file against its table.

What a table doesn't list may be there too. What it lists needn't unless it is needed, but must be
as it is said there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import h5py
import numpy as np

from landscape.errors import LandscapeError
from landscape.store.vetting.remedies import remedy
from landscape.store.vetting.shapes import Shape, misfit, parsed
from landscape.store.vetting.survey import GROUP, Surveyed

Lengths: TypeAlias = dict[tuple[str, str], Any]
"""The lengths that letters stand for so far, by the group that a letter is of and the letter."""


class Holds(NamedTuple):
    """What a dataset holds.

    ``kinds`` are NumPy's letters (``t`` for text). In a shape a number stands for itself and a
    letter for one length throughout: a capital one in the whole file, a small one in the group that
    the dataset is in. ``"*G"`` stands for all further lengths, ``"..."`` for any. None: any shape.
    """

    kinds: str
    shape: tuple[str | int, ...] | None = None


class InJson(NamedTuple):
    """An attribute that is JSON text of this shape."""

    shape: Shape


@dataclass(frozen=True)
class FileRules:
    """What a format's files hold."""

    datasets: Mapping[str, Holds] = field(default_factory=dict)
    """By name; a ``*`` stands for one part of it. The first that fits a name counts."""
    attributes: Mapping[str, Mapping[str, Shape | InJson]] = field(default_factory=dict)
    """By their object's name (the file's is empty), and their own."""
    needed: tuple[str, ...] = ()
    """What must be there, by name."""
    further: Callable[[h5py.File, Surveyed], str] = lambda file, found: ""
    """What else is wrong with a file, in words; empty if nothing is."""


def check(path: Path, file: h5py.File, found: Surveyed, rules: FileRules) -> None:
    """Refuse a file that isn't as its format's table says; no array has been read by then.

    Raises:
        LandscapeError: it says what isn't.
    """
    check_datasets(path, found, rules)
    if wrong := next(filter(None, _wrong_otherwise(file, found, rules)), ""):
        raise _damaged(path, wrong)


def check_datasets(path: Path, found: Surveyed, rules: FileRules) -> None:
    """The same of the datasets alone, for which the file needn't be open.

    Raises:
        LandscapeError: it says what isn't.
    """
    if wrong := next(filter(None, _wrong_datasets(found, rules)), ""):
        raise _damaged(path, wrong)


def _damaged(path: Path, wrong: str) -> LandscapeError:
    return LandscapeError(f"{path} must be whole, {wrong}; {remedy(path)}")


def _wrong_datasets(found: Surveyed, rules: FileRules) -> Iterator[str]:
    for name in rules.needed:
        if name not in found.objects:
            yield f"{name} must be in it, it isn't"
    lengths: Lengths = {}
    for name, declared in found.objects.items():
        holds = next((rules.datasets[one] for one in rules.datasets if _fits(one, name)), None)
        if holds is None:
            continue
        kind = "t" if declared.kind in "SO" else declared.kind
        if kind not in holds.kinds:
            yield f"{name} must hold {_kinds(holds.kinds)}, got {_kinds(kind)}"
        elif holds.shape is not None:
            yield _misshapen(name, declared.shape, holds.shape, lengths)


def _wrong_otherwise(file: h5py.File, found: Surveyed, rules: FileRules) -> Iterator[str]:
    for pattern, attributes in rules.attributes.items():
        for name in ("", *found.objects):
            if _fits(pattern, name):
                yield from _attributes(file[name or "/"].attrs, attributes, name)
    yield rules.further(file, found)


@lru_cache(maxsize=4096)
def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), name) is not None


def _misshapen(
    name: str, shape: tuple[int, ...] | None, wanted: tuple[str | int, ...], lengths: Lengths
) -> str:
    group = name.rpartition("/")[0]
    expected: list[Any] = []
    for at, letter in enumerate(wanted):
        if isinstance(letter, int):
            expected.append(letter)
        elif shape is not None and letter == "...":
            expected += shape[at:]
        elif shape is not None and letter.startswith("*"):
            expected += lengths.setdefault(("", letter), shape[at:])
        elif shape is not None and at < len(shape):
            key = ("" if letter[0].isupper() else group, letter)
            expected.append(lengths.setdefault(key, shape[at]))
        else:
            expected.append(letter)
    if shape is not None and tuple(expected) == shape:
        return ""
    said = ", ".join(map(str, expected))
    return f"{name} must have shape ({said}), got {'nothing' if shape is None else shape}"


def _attributes(found: Any, wanted: Mapping[str, Shape | InJson], place: str) -> Iterator[str]:
    for name, shape in wanted.items():
        if name not in found:
            continue
        value = plain(found[name])
        named = f"{place}.{name}".removeprefix(".")
        if isinstance(shape, InJson):
            if not isinstance(value, str):
                yield f"{named} must be JSON, got {type(value).__name__}"
                continue
            try:
                value = parsed(value)
            except ValueError as error:
                yield f"{named} must be JSON, got: {error}"
                continue
            yield misfit(value, shape.shape, named)
        else:
            yield misfit(value, shape, named)


def plain(value: Any) -> Any:
    """An attribute's value without NumPy's types."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


def _kinds(letters: str) -> str:
    if letters == GROUP:
        return "a group"
    found = (WORDS.get(one, f"NumPy's type {one}") for one in letters)
    return " or ".join(dict.fromkeys(found))


WORDS = {
    "b": "true or false",
    "i": "whole numbers",
    "u": "whole numbers",
    "f": "numbers",
    "c": "complex numbers",
    "t": "text",
}

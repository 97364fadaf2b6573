"""What a sweep consists of: every combination of some settings' values, each with a name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from landscape.errors import LandscapeError

BY_VALUE = ("model", "data")
"""Settings that a run's name tells by their value alone: ``cnn-lr0.1``."""
LONGEST_NAME = 100


@dataclass(frozen=True)
class Member:
    """One run of a sweep."""

    name: str
    """Its folder's name: ``lr0.1-seed0``."""
    values: Mapping[str, Any]
    """Of the varied settings."""


def split(text: str, name: str) -> list[str]:
    """The values of a list such as ``0.1,0.2``; commas inside brackets and quotes don't count.

    Raises:
        LandscapeError: a value is empty.
    """
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{(") - (letter in "]})")
        if letter == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    values = [part.strip() for part in parts]
    if not all(values):
        raise LandscapeError(f"{name} must be values with commas between them, got {text!r}")
    return values


def members(varied: Mapping[str, Sequence[Any]]) -> list[Member]:
    """Every combination of the settings' values, the last setting varying fastest.

    Raises:
        LandscapeError: a setting has the same value twice.
    """
    for name, values in varied.items():
        for place, value in enumerate(values):
            if value in values[:place]:
                raise LandscapeError(f"{name} must name each value once, got {value} twice")
    found: list[Member] = []
    for combination in itertools.product(*varied.values()):
        chosen = dict(zip(varied, combination, strict=True))
        name = "-".join(_word(key, value) for key, value in chosen.items())
        if len(name) > LONGEST_NAME or name in {member.name for member in found}:
            name = f"{name[:LONGEST_NAME]}-{len(found)}"
        found.append(Member(name, chosen))
    return found


def _word(name: str, value: Any) -> str:
    text = PurePath(value).name if isinstance(value, str) and "/" in value else str(value)
    if isinstance(value, float):
        text = f"{value:.12g}"
    plain = re.sub(r"[^A-Za-z0-9.+_-]+", "-", text).strip("-.") or "x"
    return plain if name in BY_VALUE else f"{name.replace('_', '-')}{plain}"

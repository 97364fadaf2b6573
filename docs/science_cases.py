"""What the experiments left in their folders, and how docs/science.md writes numbers."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from landscape.store import analysis, read


@dataclass(frozen=True)
class Case:
    """One run with its diagnosis."""

    folder: Path

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """What run.json says."""
        return read(self.folder).record

    @cached_property
    def verdict(self) -> Mapping[str, Any]:
        """What verdict.json says."""
        found: dict[str, Any] = json.loads((self.folder / "verdict.json").read_text())
        return found

    @property
    def setting(self) -> Mapping[str, Any]:
        """How it was trained."""
        found: dict[str, Any] = self.record["settings"]
        return found

    def value(self, name: str) -> Any:
        """A number of the verdict's evidence, None where it has none."""
        return self.verdict["evidence"].get(name, {}).get("value")

    def part(self, name: str) -> Mapping[str, Any]:
        """What a part of the diagnosis measured, empty where it didn't."""
        found = analysis.load(self.folder, name)
        return found.values if found is not None else {}

    @cached_property
    def best(self) -> int:
        """The step of the lowest loss."""
        trajectory = read(self.folder).trajectory
        return int(trajectory.step[trajectory.row("best")])

    def at(self, part: str, name: str, step: int) -> Any:
        """What a part measured at a step; None where it didn't."""
        values = self.part(part)
        places = np.flatnonzero(np.asarray(values.get("step", ())) == step)
        return values[name][places[0]] if len(places) else None

    def gradient(self, step: int) -> float | None:
        """Norm of the full data's gradient."""
        norms = self.at("units", "gradient_norms", step)
        return None if norms is None else float(np.linalg.norm(norms))


def cases(folder: Path, trial: str) -> list[Case]:
    """The diagnosed runs of a trial, by seed."""
    return [Case(file.parent) for file in sorted((folder / trial).glob("seed*/verdict.json"))]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 2) -> str:
    """With so many digits that count, a whole number as it is; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or isinstance(value, int):
        return str(int(value)).replace("-", "−")
    whole = math.floor(math.log10(abs(value))) + 1
    mantissa, power = f"{value:.{max(digits, whole) - 1}e}".split("e")
    if not -4 <= int(power) < 5:
        raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa} × 10{raised}".replace("-", "−")
    return f"{value:.{max(0, digits - 1 - int(power))}f}".replace("-", "−")


def spanned(values: Iterable[float | None], digits: int = 2) -> str:
    """The range of those that there are."""
    there = [v for v in values if v is not None and math.isfinite(v)]
    ends = dict.fromkeys(number(v, digits) for v in (min(there), max(there))) if there else ["–"]
    return " to ".join(ends)


def counted(names: Iterable[str]) -> str:
    """Names with how often they occur."""
    count = Counter(names)
    if len(count) == 1:
        return next(iter(count))
    return ", ".join(f"{name} {times}" for name, times in count.most_common())

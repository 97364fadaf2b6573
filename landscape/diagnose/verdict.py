"""The verdict: what a run did, with the evidence and its uncertainty."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from landscape.diagnose import caveats, motion, outcome, overfitting
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.excursions import names, read
from landscape.diagnose.items import Item
from landscape.diagnose.overfitting import Overfitting
from landscape.diagnose.thresholds import Thresholds

FORMAT = "landscape-verdict"
VERSION = 1


@dataclass(frozen=True)
class Happening:
    """A stretch of steps with a name: ``spike``, ``escape``, or ``rise`` (up to the end)."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Verdict:
    """What the run did. Fields are those of verdict.json."""

    verdict: str
    """The outcome, one of `outcome.NAMES`."""
    motion: str
    """One of `motion.NAMES`."""
    landing: str | None
    layers: tuple[str, ...]
    """Layers that are dead, saturated or partly collapsed at the end."""
    also: tuple[str, ...]
    confidence: str
    """Of the outcome: ``intervention``, ``observation`` or ``undetermined``."""
    events: tuple[Happening, ...] = ()
    evidence: Mapping[str, Item] = field(default_factory=dict)
    overfitting: Overfitting | None = None
    caveats: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """As verdict.json has it, plain values only."""
        return {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}


def judge(evidence: Evidence, thresholds: Thresholds | None = None) -> Verdict:
    """Read the verdict off the evidence; nothing is measured here."""
    limits = thresholds or Thresholds()
    found = outcome.decide(evidence, limits)
    moved = motion.decide(evidence, limits)
    if found.name == "diverged":
        moved = motion.Motion(motion.UNDETERMINED, items=moved.items)
    course = read(evidence, limits)
    happenings = tuple(Happening(*each) for each in names(course)) if course is not None else ()
    return Verdict(
        found.name,
        moved.name,
        found.landing,
        found.layers,
        (*found.also, *moved.also),
        found.confidence,
        happenings,
        found.items | moved.items,
        overfitting.measure(evidence.rows),
        (*found.caveats, *caveats.of(evidence, found, moved)),
    )

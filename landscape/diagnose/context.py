"""What a diagnosis passes from part to part."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from landscape.diagnose.escape import Escape
from landscape.diagnose.replicas import Motion
from landscape.diagnose.siblings import Siblings
from landscape.diagnose.subject import Subject
from landscape.diagnose.thresholds import Thresholds
from landscape.sgd.events import Course
from landscape.store.run import Run

Told = Callable[[float], None]
"""``told(share)``: how much of a part is done, 0 to 1."""


@dataclass(frozen=True)
class Interventions:
    """What the trainings from the run's snapshots came to; one of the two, or none and why."""

    escape: Escape | None = None
    motion: Motion | None = None
    reason: str | None = None
    failed: tuple[str, ...] = ()
    """Trainings that could not be done, with the error of each."""


@dataclass
class Context:
    """What parts are measured of, and what was measured so far."""

    subject: Subject
    limits: Thresholds
    epochs: int
    twin: Run | None
    course: Course | None
    siblings: Siblings
    curve: bool = False
    """Whether curves are trained between floors that no straight line connects."""
    only: frozenset[str] = frozenset()
    """Parts that are to be measured; of others what was measured before is used."""
    fingerprint: str = ""
    """Of what every part depends on."""
    results: dict[str, Any] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Why a part has no result, by name."""


def share(told: Told) -> Callable[[int, int], None]:
    """What hears of so many done of all, telling the share."""
    return lambda done, total: told(done / total if total else 1.0)


def counted(told: Told, expected: int) -> Callable[[], None]:
    """What hears of each that is done, of so many or a few more."""
    done = itertools.count(1)
    return lambda: told(min(1.0, next(done) / expected))

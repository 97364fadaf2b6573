"""What a diagnosis passes from part to part, and what a row of the table of parts says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from landscape.curvature import MEMORY
from landscape.diagnose.session.siblings import Siblings
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings.interventions import NO_PLAN, InterventionPlan
from landscape.diagnose.trainings.subject import Subject
from landscape.sgd.escapes import Course
from landscape.store.measured.whole import Measured
from landscape.store.run import Run

Told = Callable[[float], None]
"""``told(share)``: how much of a part is done, 0 to 1."""
LEFT_OUT = "left out"
"""Why a part has no result that nobody asked for."""


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
    memory: int = MEMORY
    """Bytes that curvature's graphs may take, and, a quarter of it, Lanczos' vectors."""
    only: frozenset[str] = frozenset()
    """Parts that are to be measured; of others what was measured before is used."""
    fingerprint: str = ""
    """Of what every part depends on."""
    plan: InterventionPlan = NO_PLAN
    """The trainings that the run's end asks for,"""
    planned: Callable[[Context], InterventionPlan] = field(default=lambda context: NO_PLAN)
    """and how they are planned anew, from what was trained meanwhile."""
    measured: Measured = field(default_factory=Measured)
    absent: dict[str, str] = field(default_factory=dict)
    """Why a part has no result, by name."""

    def keep(self, name: str, record: Any) -> None:
        """Take a part's record for the parts after it and for the verdict."""
        self.measured = replace(self.measured, **{name: record})


@dataclass(frozen=True)
class PartRow:
    """How a part of `whole.Measured` comes to be; its record's class is that field's."""

    measure: Callable[[Context, Told], Any]
    cost: Callable[[Context], float] = lambda context: 0.0
    """Forward passes of single samples that it takes, roughly."""
    version: int = 1
    """Raised when the same input gives another result."""
    options: Callable[[Context], tuple[Any, ...]] = lambda context: ()
    """What of the context it depends on beside the run and the problem."""
    fuller: Callable[[Context], tuple[Any, ...]] | None = None
    """Options of a result with more in it, which is as true,"""
    poorer: Callable[[Context], tuple[Any, ...]] | None = None
    """and of one with less, which will do where the part isn't asked for."""
    wanted: Callable[[Context], bool] = lambda context: True
    """Whether this run's verdict asks for it: if not, nobody is told that it is missing."""
    on_request: bool = False
    """Whether it is measured only where it is named: no verdict rests on it."""


def share(told: Told) -> Callable[[int, int], None]:
    """What hears of so many done of all, telling the share."""
    return lambda done, total: told(done / total if total else 1.0)


def counted(told: Told, expected: int) -> Callable[[], None]:
    """What hears of each that is done, of so many or a few more."""
    done = itertools.count(1)
    return lambda: told(min(1.0, next(done) / expected))

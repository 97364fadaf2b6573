"""An outcome's name with what it rests on, as every rule gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from landscape.diagnose.course import OutcomeCase
from landscape.diagnose.items import Item, Items
from landscape.diagnose.motion import deciding
from landscape.diagnose.outcome_names import UNDETERMINED
from landscape.store.verdicts import Remedy


@dataclass(frozen=True)
class NamedOutcome:
    """The outcome's name and what it rests on."""

    name: str
    """One of `outcome_names.OUTCOMES`."""
    confidence: str = "observation"
    landing: str | None = None
    """Where an escape led, one of `outcome_names.LANDINGS`; None without an escape."""
    layers: tuple[str, ...] = ()
    """The layers that are dead, saturated or partly collapsed there."""
    also: tuple[str, ...] = ()
    """What happened on the way, and what else it is."""
    items: Items = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    remedy: Remedy | None = None
    """What would name an ``undetermined`` one."""


def training_on(case: OutcomeCase) -> Remedy:
    """A training twice as long."""
    return deciding.longer(case.evidence)[1]


Rule = Callable[[OutcomeCase], NamedOutcome]


def unknown(
    reason: str,
    items: Items | None = None,
    also: tuple[str, ...] = (),
    remedy: Remedy | None = None,
) -> NamedOutcome:
    """No name, for a reason that says what would decide; `training_on` is one of the calls."""
    reasons = {"undetermined_because": Item(reason, None, "why no outcome is named")}
    return NamedOutcome(
        UNDETERMINED,
        confidence=UNDETERMINED,
        also=also,
        items=(items or {}) | reasons,
        remedy=remedy,
    )

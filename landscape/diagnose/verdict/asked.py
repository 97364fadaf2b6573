"""What the parts of the two questions are answered from, and an answer before it has its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.outcome_names import UNDETERMINED
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict.verdict import Verdict
from landscape.store.verdicts import Remedy

TESTED, SEEN = "intervention", "observation"
NOT_ANSWERED = "Not answered: "


@dataclass(frozen=True)
class Asked:
    """A verdict and the evidence that it was read from."""

    verdict: Verdict
    evidence: Evidence
    thresholds: Thresholds


@dataclass(frozen=True)
class Told:
    """A sentence or two, and what they rest on."""

    text: str
    confidence: str = SEEN
    remedy: Remedy | None = None
    """What would answer it, or answer more."""


PartAnswer = Callable[[Asked], Told]


def unanswered(why: str, remedy: Remedy | None = None) -> Told:
    """Nothing is said of it: why, and what would answer it."""
    return Told(f"{NOT_ANSWERED}{why}.", UNDETERMINED, remedy)


def measuring(*parts: str) -> Remedy:
    """Measuring these parts of the diagnosis."""
    return Remedy("diagnose", {"only": parts})


def tested(is_tested: bool) -> str:
    """What something rests on that trainings from the run's snapshots may have told."""
    return TESTED if is_tested else SEEN

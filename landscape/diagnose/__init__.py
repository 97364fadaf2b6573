"""What SGD did in a run: what is measured of it, trainings from its snapshots, and a verdict."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.diagnose.evidence import Evidence
    from landscape.diagnose.session.diagnosis import (
        Diagnosis,
        conclude,
        cost,
        diagnose,
        measure,
        seconds,
    )
    from landscape.diagnose.session.kept import alone
    from landscape.diagnose.session.parts import NAMES
    from landscape.diagnose.thresholds import Thresholds
    from landscape.diagnose.verdict.verdict import Verdict, judge

__all__ = [
    "NAMES",
    "Diagnosis",
    "Evidence",
    "Thresholds",
    "Verdict",
    "alone",
    "conclude",
    "cost",
    "diagnose",
    "judge",
    "measure",
    "seconds",
]

_HOMES = {
    "NAMES": "session.parts",
    "Evidence": "evidence",
    "Thresholds": "thresholds",
    "Verdict": "verdict.verdict",
    "alone": "session.kept",
    "judge": "verdict.verdict",
}


def __getattr__(name: str) -> Any:
    # Only when asked for: figures take the formulas of this stage, but not torch.
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    home = _HOMES.get(name, "session.diagnosis")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__

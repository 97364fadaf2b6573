"""RUN/verdict.json as others read it: what it says of the run, and whether it still fits it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.store.json_shapes import VERDICT
from landscape.store.trajectories.trajectory import Trajectory
from landscape.store.vetting import shapes

NAME = "verdict.json"
CONFIDENCE = {
    "intervention": "tested by training again from the run's snapshots",
    "observation": "read off the run, not tested by training again",
    "undetermined": "the evidence doesn't decide",
}
"""What a confidence means."""
RESTS = {"intervention": "tested", "observation": "seen", "undetermined": "open"}
"""The word for it, beside an answer: by training again, read off the run, or not answered."""


def read(folder: Path) -> Mapping[str, Any] | None:
    """What a run's verdict.json holds; None where there is none.

    Raises:
        LandscapeError: it isn't a verdict's.
        OSError: it can't be read.
    """
    place = folder / NAME
    if not place.is_file():
        return None
    found: Mapping[str, Any] = shapes.read(
        place,
        VERDICT,
        what="a verdict's JSON",
        remedy=f"make it anew with `landscape diagnose {folder}`",
    )
    return found


def read_at(verdict: Mapping[str, Any]) -> tuple[int, int] | None:
    """The last step and the number of snapshots that a verdict was read from; None: not known."""
    basis = verdict.get("rests_on") or {}
    step, rows = basis.get("last_step"), basis.get("rows")
    return None if step is None or rows is None else (step, rows)


def fits(verdict: Mapping[str, Any], trajectory: Trajectory) -> bool | None:
    """Whether the recording still ends where it did; None: of an earlier version, not known."""
    before = read_at(verdict)
    return None if before is None else before == ends_at(trajectory)


def ends_at(trajectory: Trajectory) -> tuple[int, int]:
    """The last step and the number of snapshots."""
    return int(trajectory.step[-1]), len(trajectory.step)

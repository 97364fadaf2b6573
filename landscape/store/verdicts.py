"""RUN/verdict.json as others read it: what it says of the run, and whether it still fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landscape.store.json_shapes import VERDICT
from landscape.store.trajectories.trajectory import BATCH_SPIKE, Event, Trajectory
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


@dataclass(frozen=True)
class Remedy:
    """What would answer: a call, true whoever makes it and however; `typed` is one voice of it."""

    call: str
    """``diagnose`` (this run once more), ``train`` (another one), ``sweep``, or ``loop``: another
    one by the loop that this run was recorded from, which nobody else can run."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """By their names in Python; a ``budget`` is in seconds."""


def typed(remedy: Remedy | Mapping[str, Any] | None) -> str:
    """A remedy as it is typed; empty without one.

    >>> typed(Remedy("diagnose", {"only": ["distances", "diffusion"], "budget": 420}))
    '--only distances,diffusion --budget 7min'
    >>> typed({"call": "train", "options": {"momentum": 0.9, "lr": 0.01}})
    'landscape train ... --momentum 0.9 --lr 0.01'
    >>> typed(Remedy("loop", {"momentum": 0.9, "lr": 0.01}))
    'your own loop with momentum 0.9, lr 0.01'
    """
    if remedy is None:
        return ""
    if not isinstance(remedy, Remedy):  # as it is stored
        remedy = Remedy(remedy["call"], remedy["options"])
    if remedy.call == "loop":
        return by_loop(remedy)
    words = [_typed(name, value) for name, value in remedy.options.items()]
    if remedy.call in ("train", "sweep"):
        words = ["landscape train ...", *words]  # the run's other options
    return " ".join(words)


def by_loop(remedy: Remedy) -> str:
    """A remedy of a run of an own loop, which is neither typed nor a call: as words."""
    said = (f"{name.replace('_', ' ')} {_plain(value)}" for name, value in remedy.options.items())
    return f"your own loop with {', '.join(said)}"


def _typed(name: str, value: Any) -> str:
    if name == "intervene":  # it is done unless somebody says no
        return "without --no-intervene"
    option = f"--{name.replace('_', '-')}"
    if value is True:
        return option
    if name == "budget":
        return f"{option} {value / 60:.0f}min"
    if isinstance(value, list | tuple):
        return f"{option} {','.join(map(_plain, value))}"
    return f"{option} {_plain(value)}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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


def happened(folder: Path, trajectory: Trajectory) -> tuple[Event, ...]:
    """What happened in a training: as its verdict says, if it has one that fits; else as recorded.

    Whether a run left for good is the outcome's to say, which figures then show too. Spikes of
    batches alone are no matter of the verdict.

    Raises:
        LandscapeError: verdict.json isn't a verdict's.
        OSError: it can't be read.
    """
    recorded = tuple(trajectory.events)
    found = read(folder)
    if found is None or "events" not in found or not fits(found, trajectory):
        return recorded
    triggers = {(each.name, each.first, each.last): each.trigger for each in recorded}
    told = [(each["name"], each["first"], each["last"]) for each in found["events"]]
    judged = [Event(*each, triggers.get(each, "as its verdict says")) for each in told]
    others = [each for each in recorded if each.name == BATCH_SPIKE]
    return tuple(sorted((*judged, *others), key=lambda each: (each.first, each.last, each.name)))


def ends_at(trajectory: Trajectory) -> tuple[int, int]:
    """The last step and the number of snapshots."""
    return int(trajectory.step[-1]), len(trajectory.step)

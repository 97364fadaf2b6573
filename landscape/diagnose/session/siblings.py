"""The other runs of a run's sweep: what a good run reaches, and an independently trained twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from landscape.errors import LandscapeError
from landscape.sgd.escapes import END_ROWS
from landscape.store import sweep_folder as sweeps
from landscape.store.run import Run
from landscape.store.sweep_folder import Sweep
from landscape.store.trajectories.trajectory import CADENCE


@dataclass(frozen=True)
class Siblings:
    """The other runs of a run's sweep that have ended; none where it belongs to no sweep."""

    runs: tuple[Run, ...] = ()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of the varied settings by name, the run's own too."""
    unreadable: tuple[str, ...] = ()
    """Why others can't be read, a sentence each."""


def of(run: Run) -> Siblings:
    """Look around in the folder above."""
    folder = run.folder.resolve().parent
    if not sweeps.is_sweep(folder):
        return Siblings()
    sweep = sweeps.read(folder)
    values = {str(entry["name"]): entry["values"] for entry in sweep.runs}
    if run.name not in values:
        return Siblings()
    others, damaged = sweep.opened()
    found, unreadable = [], [f"{name}: {why}" for name, why in damaged.items()]
    for other in others:
        if other.folder.name == run.name or not other.is_done:
            continue
        try:
            other.trajectory.row("final")
        except LandscapeError as error:
            unreadable.append(f"{other.folder.name}: {error}")
            continue
        found.append(other)
    return Siblings(tuple(found), values, tuple(unreadable))


def ended(sweep: Sweep) -> list[Run]:
    """A sweep's runs that have ended; without those that can't be read."""
    return [run for run in sweep.opened()[0] if run.is_done]


def median_share(runs: tuple[Run, ...], constant: float, learned: float) -> float | None:
    """Median u = (L₀ − L)/L₀ at the end of the runs that learned and stayed; None without any.

    Only those tell what the problem allows: of a sweep, half may have been trained too fast.
    """
    found = (_end_share(run, constant) for run in runs)
    shares = [share for share in found if share is not None and share > learned]
    return float(np.median(shares)) if shares else None


def _end_share(run: Run, constant: float) -> float | None:
    """u of the median of the last rows; None of a run that diverged or escaped."""
    trajectory = run.trajectory
    if run.record["status"] == "non-finite" or any(e.name == "escape" for e in trajectory.events):
        return None
    loss = trajectory.measures["train_loss"]
    loss = loss[np.isfinite(loss) & (trajectory.kind & CADENCE > 0)]
    if not len(loss):
        return None
    end = float(np.median(loss[-max(END_ROWS, len(loss) // 10) :]))
    return (constant - end) / abs(constant) if constant else -end


def twin(run: Run, siblings: Siblings) -> Run | None:
    """A sibling that differs in its seed alone; None if there is none."""
    if not siblings.runs:
        return None
    mine = _but_seed(siblings.values[run.name])
    return next(
        (r for r in siblings.runs if _but_seed(siblings.values[r.folder.name]) == mine), None
    )


def check_twin(run: Run, other: Run) -> Run:
    """The other run, if it is one of the same network trained otherwise.

    Raises:
        LandscapeError: it is the run itself, or its parameters are others.
    """
    if other.id == run.id:
        raise LandscapeError(f"a twin must be another run, got {other.folder} itself")
    mine, theirs = (r.record["problem"]["layout"] for r in (run, other))
    if mine != theirs:
        raise LandscapeError(
            f"a twin must have the parameters of {run.folder}, {other.folder} has others; "
            "train the same model with another seed"
        )
    return other


def _but_seed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seed"}

"""What a run's diagnosis measured, as figures show it: parts, and what interventions did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store import analysis, history
from landscape.store.history import History
from landscape.store.records import Floats
from landscape.store.run import Run, read

INTERVENTIONS = "interventions"
ENDED = ("finished", "non-finite")
ONLY = {"connectivity": "interventions,connectivity"}
"""Parts that others must be measured for."""


@dataclass(frozen=True)
class Branch:
    """A training from one of a run's snapshots."""

    name: str
    kind: str
    """What it changes: ``control``, ``other-order``, ``lower-rate``, ``rate``, ``plateau``,
    ``replica``, ``full-batch`` or ``floor``."""
    start: str
    """``best``, ``before-onset``, ``end``, ``window`` or ``plateau``."""
    start_step: int
    """The run's step that it starts from; of a plateau 0."""
    learning_rate: float
    step: NDArray[np.int64]
    """(T,) its own steps with a full-data loss, from 0."""
    train_loss: Floats
    """(T,)"""


@dataclass(frozen=True)
class Diagnosed:
    """A run's history and those parts of its diagnosis that a figure shows."""

    history: History
    learning_rate: Floats
    """(S,) of each step."""
    parts: Mapping[str, Mapping[str, Any]]
    """By name, as `analysis.load` gives their values."""
    branches: tuple[Branch, ...] = ()

    @property
    def name(self) -> str:
        """The run's."""
        return self.history.name

    @property
    def run_id(self) -> str:
        """The run's."""
        return self.history.run_id


def of(run: Run, needs: Sequence[str], *, also: Sequence[str] = ()) -> Diagnosed:
    """Read the parts that a figure needs, and ``also`` those of others that are there.

    Raises:
        LandscapeError: one that it needs was not measured, or can't be read.
    """
    known = analysis.names(run.folder)
    for name in needs:
        if name not in known:
            raise LandscapeError(
                f"{run.folder} must have {name} measured, its analysis has "
                f"{', '.join(known) or 'nothing'}; measure it with "
                f"`landscape diagnose {run.folder} --only {ONLY.get(name, name)}`"
            )
    parts = {name: analysis.load(run.folder, name) for name in (*needs, *also)}
    return Diagnosed(
        history=history.of(run),
        learning_rate=run.trajectory.scalars()["learning_rate"],
        parts={name: part.values for name, part in parts.items() if part is not None},
        branches=branches(run) if INTERVENTIONS in needs else (),
    )


def branches(run: Run) -> tuple[Branch, ...]:
    """The trainings from this run's snapshots that have ended, in the order of their names.

    Raises:
        LandscapeError: one of them is damaged.
    """
    folders = sorted(place.parent for place in (run.folder / INTERVENTIONS).glob("*/run.json"))
    return tuple(
        _branch(there)
        for there in map(read, sorted(folders, key=_numbered))
        if there.record.get("branch", {}).get("of") == run.id and there.record["status"] in ENDED
    )


def _branch(run: Run) -> Branch:
    about, trajectory = run.record["branch"], run.trajectory
    loss = trajectory.measures["train_loss"]
    known = ~np.isnan(loss)
    return Branch(
        name=run.name,
        kind=str(about["kind"]),
        start=str(about["start"]),
        start_step=int(about["step"]),
        learning_rate=float(about["lr"]),
        step=trajectory.step[known],
        train_loss=loss[known],
    )


def _numbered(folder: Path) -> tuple[str, int]:
    """Order floor2 before floor10."""
    text = folder.name.rstrip("0123456789")
    return text, int(folder.name[len(text) :] or 0)

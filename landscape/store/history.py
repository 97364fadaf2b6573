"""A training in time: what figures and captions say of a run without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.best import BestWeights
from landscape.store.run import Run
from landscape.store.scans import scanfile
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Event, Trajectory


@dataclass(frozen=True)
class History:
    """What was measured of a run at its recorded steps, and of each batch."""

    name: str
    run_id: str
    step: NDArray[np.int64]
    """(T,) the recorded steps."""
    measures: Mapping[str, Floats]
    """(T,) losses and accuracies over the full data, NaN where not evaluated."""
    batch_loss: Floats
    """(S,) row t is the step from t to t + 1."""
    events: tuple[Event, ...] = ()
    constant_loss: float = float("nan")
    """Training loss of the best constant output; NaN where nobody knows it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Learning rate, momentum and so on, as in run.json."""
    problem: Mapping[str, Any] = field(default_factory=dict)
    """What sentences say of what was trained (`Run.training`),"""
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    """and the optimizer of a loop of somebody's own."""
    samples: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Command and versions."""
    best: BestWeights | None = None
    """The best of all recorded weights, where a scan measured losses beside the logged ones."""

    def known(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return those of the measures that were evaluated at a step."""
        return tuple(
            name
            for name in names
            if name in self.measures and not np.isnan(self.measures[name]).all()
        )

    def evaluated(self, name: str) -> tuple[Floats, Floats]:
        """Return the steps at which a measure was evaluated and its values; infinite ones too."""
        there = ~np.isnan(self.measures[name])
        return self.step[there].astype(np.float64), self.measures[name][there]


def of(run: Run, trajectory: Trajectory | None = None) -> History:
    """Read a run's history; ``trajectory``: the run's, where it is open already.

    Raises:
        LandscapeError: nothing was recorded, or a part of it is missing.
    """
    trajectory = run.trajectory if trajectory is None else trajectory
    record, trained = run.record, run.training
    return History(
        name=run.name,
        run_id=run.id,
        step=trajectory.step,
        measures=trajectory.measures,
        batch_loss=trajectory.scalars()["batch_loss"],
        events=trajectory.events,
        constant_loss=constant_loss(run),
        settings=trained["settings"],
        problem=trained["problem"],
        optimizer=trained.get("optimizer", {}),
        samples={"train": int(record["samples"])} if record.get("samples") else {},
        provenance={name: record[name] for name in ("command", "versions") if name in record},
    )


def constant_loss(run: Run) -> float:
    """Return L0 from run.json, for runs of older versions from a scan; NaN where unknown."""
    if run.record.get("constant_loss") is not None:
        return float(run.record["constant_loss"])
    for path in run.scans:
        try:
            found = scanfile.load(path).constant_loss
        except LandscapeError:  # a scan that can't be read says nothing about the run's losses
            continue
        if np.isfinite(found):
            return found
    return float("nan")

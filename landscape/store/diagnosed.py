"""What a run's diagnosis measured, as figures show it: parts, and what interventions did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landscape.errors import LandscapeError
from landscape.store import analysis, history, verdicts
from landscape.store.history import History
from landscape.store.measured.trainings import Intervention, TrainingLosses
from landscape.store.measured.whole import NAMES, NEEDS, Measured, record, spelled
from landscape.store.run import Run, read
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Trajectory
from landscape.store.typed import rebuilt

INTERVENTIONS = "interventions"
ENDED = ("finished", "non-finite")


@dataclass(frozen=True)
class Diagnosed:
    """A run's history and those parts of its diagnosis that a figure shows."""

    history: History
    learning_rate: Floats
    """(S,) of each step."""
    measured: Measured
    """Those parts; others are None."""
    trainings: tuple[TrainingLosses, ...] = ()
    motion_open: str = ""
    """Why its verdict leaves the motion open; empty where it doesn't, or there is none."""

    @property
    def name(self) -> str:
        """The run's."""
        return self.history.name

    @property
    def run_id(self) -> str:
        """The run's."""
        return self.history.run_id

    def shown(self) -> dict[str, Any]:
        """Everything of it that a figure may show, by the names that figures' recipes know."""
        return {
            "history": self.history,
            "learning_rate": self.learning_rate,
            "parts": {
                name: found for name in NAMES if (found := getattr(self.measured, name)) is not None
            },
            "branches": [
                {
                    "name": one.intervention.name,
                    "kind": one.intervention.kind,
                    "start": one.intervention.start,
                    "start_step": one.intervention.step,
                    "learning_rate": one.intervention.lr,
                    "step": one.step,
                    "train_loss": one.train_loss,
                }
                for one in self.trainings
            ],
        }


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
                f"{', '.join(known) or 'nothing'}; {_remedy(run, name)}"
            )
    trajectory = run.trajectory
    return Diagnosed(
        history=history.of(run, trajectory),
        learning_rate=trajectory.scalars()["learning_rate"],
        measured=Measured(**{name: _record(run, name) for name in (*needs, *also)}),
        trainings=trainings(run) if INTERVENTIONS in needs else (),
        motion_open=_motion_open(run, trajectory) if "diffusion" in needs else "",
    )


def _motion_open(run: Run, trajectory: Trajectory) -> str:
    verdict = verdicts.read(run.folder)
    if verdict is None or verdicts.fits(verdict, trajectory) is False:
        return ""
    why = verdict.get("evidence", {}).get("motion_undetermined_because")
    return "" if why is None else str(why["value"])


def _record(run: Run, name: str) -> Any:
    part = analysis.load(run.folder, name)
    if part is None:
        return None
    try:
        return record(name, part.values)
    except TypeError as error:
        raise LandscapeError(
            f"{run.folder / analysis.NAME} must be whole, its {name} isn't: {error}; "
            f"{_remedy(run, name)}"
        ) from error
    except KeyError as missing:
        raise LandscapeError(
            f"{run.folder} must have all of {name} measured, an older version left out "
            f"{missing.args[0]}; {_remedy(run, name)}"
        ) from missing


def _remedy(run: Run, name: str) -> str:
    needed = (*(one for one in NEEDS[name] if one == INTERVENTIONS), name)
    only = ",".join(map(spelled, needed))
    return f"measure it with `{run.command('diagnose', f'--only {only}')}`"


def trainings(run: Run) -> tuple[TrainingLosses, ...]:
    """The trainings from this run's snapshots that have ended, in the order of their names.

    Raises:
        LandscapeError: one of them is damaged.
    """
    folders = sorted(place.parent for place in (run.folder / INTERVENTIONS).glob("*/run.json"))
    return tuple(
        training_losses(there)
        for there in map(read, sorted(folders, key=_numbered))
        if there.record.get("branch", {}).get("of") == run.id and there.record["status"] in ENDED
    )


def training_losses(training: Run) -> TrainingLosses:
    """The losses of a training from some run's snapshot."""
    trajectory = training.trajectory
    loss = trajectory.measures["train_loss"]
    known = ~np.isnan(loss)
    return TrainingLosses(
        rebuilt(Intervention, training.record["branch"]), trajectory.step[known], loss[known]
    )


def _numbered(folder: Path) -> tuple[str, int]:
    """Order floor2 before floor10."""
    text = folder.name.rstrip("0123456789")
    return text, int(folder.name[len(text) :] or 0)

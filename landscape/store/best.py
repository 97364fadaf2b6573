"""The best of a run's recorded weights, of all training losses that are known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.run import Run
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.sentences import normalizes
from landscape.store.scans.valleys import Valley
from landscape.store.sources import load_scanned
from landscape.store.trajectories.trajectory import Trajectory


@dataclass(frozen=True)
class BestWeights:
    """What figures mark as a run's best, and which scan measured their loss."""

    step: int
    train_loss: float
    scan: str
    """Empty where training logged it."""


def best_known(
    run_id: str, trajectory: Trajectory, scans: Mapping[str, Scan | Valley]
) -> BestWeights | None:
    """The recorded weights with the lowest training loss, of those logged and those scans measured.

    A scan measures the losses along its path, of at most 200 recorded weights, those among them
    that training didn't log. None where no scan did so: all that is known then is
    ``trajectory.row("best")``, the lowest loss that was logged.
    """
    found = [("", trajectory.step, trajectory.measures["train_loss"])]
    for name, scan in scans.items():
        found += [(name, step, loss) for step, loss in _along(run_id, scan)]
    best: BestWeights | None = None
    for name, step, loss in found:
        there = np.flatnonzero(np.isfinite(loss) & np.isin(step, trajectory.step))
        if len(there):
            row = there[loss[there].argmin()]
            if best is None or loss[row] < best.train_loss:
                best = BestWeights(int(step[row]), float(loss[row]), name)
    return best if len(found) > 1 else None


def best_of(run: Run, trajectory: Trajectory) -> BestWeights | None:
    """`best_known` of a run and all of its scans that can be read, one at a time in memory."""
    found = []
    for path in run.scans:
        try:
            scan = load_scanned(path)
        except LandscapeError:  # a scan that can't be read says nothing about the run's losses
            continue
        found.append(best_known(run.id, trajectory, {path.stem: scan}))
    return min(filter(None, found), key=lambda best: best.train_loss, default=None)


def _along(run_id: str, scan: Scan | Valley) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Steps and the weights' own losses, where a scan's are those that training logs."""
    if isinstance(scan, Valley):
        if scan.run_id == run_id:
            own = scan.walked() if scan.batchnorm == "saved" else scan.path
            yield own.step, own.loss
        return
    # Other losses: with a penalty, or of statistics that are no recorded weights'.
    estimated = scan.plane.batchnorm == "recompute" and normalizes(scan.plane)
    if scan.settings.get("weight_decay") or estimated:
        return
    for path in scan.paths:
        if path.run_id == run_id:
            yield path.step, path.true_loss

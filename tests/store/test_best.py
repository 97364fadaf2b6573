"""Which recorded weights are the best, by training's losses and those that scans measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.store.best import BestWeights, best_known, best_of
from landscape.store.run import Run
from landscape.store.scans import scanfile
from landscape.store.trajectories.trajectory import Trajectory

from . import planted

RUN = "abc"


@pytest.fixture
def scan():
    """Losses of one run at steps 0, 3, 9 and 12: 4, unknown, 1 and 2."""
    one = planted.scan()
    return replace(one, paths=one.paths[:1])


@pytest.fixture
def recorded(tmp_path):
    """A training that logged 3.0 at step 0 and 1.5 at step 12."""
    steps = np.array([0, 3, 9, 12])
    losses = np.array([3.0, np.nan, np.nan, 1.5])
    fields = dict.fromkeys(Trajectory.__dataclass_fields__)
    return Trajectory(**{**fields, "step": steps, "measures": {"train_loss": losses}})


def test_it_is_the_lowest_of_logged_and_measured_losses(scan, recorded):
    assert best_known(RUN, recorded, {"a": scan}) == BestWeights(9, 1.0, "a")
    lower = replace(scan, paths=(replace(scan.paths[0], true_loss=np.array([4, 0.5, 1, 2])),))
    assert best_known(RUN, recorded, {"a": scan, "b": lower}) == BestWeights(3, 0.5, "b")
    higher = replace(scan, paths=(replace(scan.paths[0], true_loss=np.full(4, 9.0)),))
    assert best_known(RUN, recorded, {"a": higher}) == BestWeights(12, 1.5, "")


def test_other_losses_and_other_runs_count_for_nothing(scan, recorded):
    with_penalty = replace(scan, settings={"weight_decay": 0.1})
    buffers = {"norm.running_mean": np.zeros(2)}
    estimated = replace(scan, plane=replace(scan.plane, batchnorm="recompute", buffers=buffers))
    assert best_known(RUN, recorded, {"a": with_penalty, "b": estimated}) is None
    assert best_known("other", recorded, {"a": scan}) is None
    # Of a recording that was begun anew under the same name there is no such step.
    gone = replace(recorded, step=np.array([0, 3, 8, 12]))
    assert best_known(RUN, gone, {"a": scan}) == BestWeights(12, 1.5, "")


def test_of_a_run_it_is_read_from_its_scans(scan, recording):
    for step in (0, 3, 9, 12):
        recording.row(step, train_loss=5.0 + step)
        recording.writer.flush()
    run = Run(recording.folder, {"id": RUN, "status": "finished"})
    assert best_of(run, run.trajectory) is None
    (recording.folder / "scans").mkdir()
    scanfile.save(recording.folder / "scans" / "a.h5", scan)
    lower = replace(scan, paths=(replace(scan.paths[0], true_loss=np.array([4, 0.5, 1, 2])),))
    scanfile.save(recording.folder / "scans" / "b.h5", lower)
    (recording.folder / "scans" / "c.h5").write_bytes(b"no scan")
    assert best_of(run, run.trajectory) == BestWeights(3, 0.5, "b")

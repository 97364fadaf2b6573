from __future__ import annotations

from dataclasses import replace

import numpy as np

from landscape.store import history
from landscape.store.run import Run
from landscape.store.scans import scanfile
from landscape.store.scans.records import Path, Plane, Scan
from landscape.store.trajectories.trajectory import Event

EVENTS = (Event("spike", 3, 9, "train_loss 2 > 1 at step 3"), Event("plateau", 20, 40, "…"))


def scan(**more) -> Scan:
    directions = np.eye(1, 3, dtype=np.float32)
    plane = Plane("line", np.zeros(3, np.float32), directions, ("a → b",), "distance")
    path = Path(
        *("p", "1f2e", np.array([0, 40]), np.zeros((2, 1)), np.zeros(2), np.ones(2), np.ones(2)),
        *(0.5, 1 / 3),
    )
    losses = {"train_loss": np.ones(2)}
    grid = (np.array([0.0, 1.0]), np.empty(0), losses, np.ones(2, np.bool_))
    return replace(Scan(plane, *grid, paths=(path,)), **more)


def test_a_scan_keeps_what_happened_on_its_paths(tmp_path):
    [path] = scan().paths
    for events in (EVENTS, ()):
        scanfile.save(tmp_path / "a.h5", scan(paths=(replace(path, events=events),)))
        assert scanfile.load(tmp_path / "a.h5").paths[0].events == events


def test_what_was_evaluated():
    losses = np.array([2.0, np.nan, np.inf, 0.5])
    measures = {"train_loss": losses, "train_accuracy": np.full(4, np.nan)}
    found = history.History("a", "1f2e", np.array([0, 5, 10, 15]), measures, np.empty(0))
    assert found.known(("train_loss", "validation_loss", "train_accuracy")) == ("train_loss",)
    step, values = found.evaluated("train_loss")
    np.testing.assert_array_equal(step, [0, 10, 15])
    np.testing.assert_array_equal(values, [2.0, np.inf, 0.5])


def test_the_constant_loss_of_a_run(tmp_path):
    """From run.json, else from the first scan that can be read and has it."""
    (tmp_path / "scans").mkdir()
    record = {"constant_loss": 2.25}
    assert history.constant_loss(Run(tmp_path, record)) == 2.25
    assert np.isnan(history.constant_loss(Run(tmp_path, {"constant_loss": None})))
    (tmp_path / "scans" / "a.h5").write_text("broken")
    scanfile.save(tmp_path / "scans" / "b.h5", scan())
    scanfile.save(tmp_path / "scans" / "c.h5", scan(constant_loss=2.3))
    assert history.constant_loss(Run(tmp_path, {})) == 2.3

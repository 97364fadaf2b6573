"""What a run's verdict says happened is what everybody is told."""

from __future__ import annotations

import json
import shutil

import pytest

from landscape.draw.making import open_work
from landscape.store import read
from landscape.store.verdicts import NAME


@pytest.mark.slow
def test_events_are_the_verdicts(landscape, tmp_path):
    folder = tmp_path / "run"
    options = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 2, "--lr", 0.3)
    assert landscape("train", *options, "-q", "-o", folder).code == 0
    scan = ("scan", folder, "--plane", "valley,pca", "--size", 3, "--no-figures", "-q")
    assert landscape(*scan).code == 0
    measured = ("diagnose", folder, "--only", "units", "--no-intervene", "-q")
    assert landscape(*measured).code == 0
    recorded = read(folder).recording.events
    verdict = json.loads((folder / NAME).read_text())
    verdict["events"] = [{"name": "escape", "first": 7, "last": 64}]
    (folder / NAME).write_text(json.dumps(verdict))
    run = read(folder)
    told = [(each.name, each.first, each.last) for each in run.trajectory.events]
    assert ("escape", 7, 64) in told
    assert run.recording.events == recorded
    valley, plane = (open_work(path).subject for path in sorted(run.scans, reverse=True))
    assert valley.events == run.trajectory.events
    assert plane.paths[0].events == run.trajectory.events
    # A scan is drawn where the recording isn't, too.
    alone = shutil.copytree(folder, tmp_path / "alone")
    (alone / "trajectory.h5").unlink()
    [there] = [path for path in read(alone).scans if path.stem.startswith("pca")]
    assert open_work(there).subject.paths[0].events == recorded
    # One that can't be read says nothing, in a line.
    (folder / NAME).write_text("{")
    with pytest.warns(UserWarning, match="events are shown as recorded"):
        assert read(folder).trajectory.events == recorded

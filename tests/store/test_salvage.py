"""What can be read of a damaged run becomes a run again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import run as run_folder
from landscape.store import salvage as salvaging
from landscape.store.check import verify
from landscape.store.salvage import salvage
from landscape.store.trajectories.index import Sketching
from landscape.store.trajectories.shards import Writer

from .conftest import PARAMETERS


@pytest.fixture
def whole(tmp_path, recording):
    """Rows 0, 4, ..., 20 in six shards, the steps before each row with it."""
    made = run_folder.create(tmp_path / "made", {"settings": None, "problem": {"kind": "python"}})
    shutil.copy(made.folder / "run.json", recording.folder / "run.json")
    recording.flushes(6, every=4)
    return recording


def shard(recording, number: int):
    return recording.folder / "shards" / f"{number:08d}.h5"


def test_the_rest_of_a_run_without_a_shard(whole, tmp_path):
    shard(whole, 2).unlink()
    found = salvage(whole.folder, tmp_path / "rest")
    rest = run_folder.read(tmp_path / "rest")
    assert (found.rows, found.lost_rows, found.steps, found.lost_steps) == (5, 1, 16, 4)
    assert verify(rest.folder) == []
    trajectory = rest.trajectory
    assert trajectory.step.tolist() == [0, 4, 12, 16, 20]
    expected = np.array([0, 4, 12, 16, 20])[:, None] + np.arange(7) / 8
    np.testing.assert_array_equal(trajectory.weights(slice(None)), expected)
    np.testing.assert_array_equal(trajectory.measures["train_loss"], trajectory.step)
    assert trajectory.buffers(2)["bn.num_batches_tracked"] == 120
    losses = trajectory.scalars()["batch_loss"]
    np.testing.assert_array_equal(losses, [0, 1, 2, 3, *[np.nan] * 4, *range(8, 20)])


def test_a_flipped_weight_and_a_truncated_shard(whole, tmp_path):
    path = shard(whole, 1)
    content = bytearray(path.read_bytes())
    content[content.find((4 + np.arange(7) / 8).astype("<f4").tobytes()) + 3] ^= 1
    path.write_bytes(content)
    shard(whole, 3).write_bytes(shard(whole, 3).read_bytes()[:900])
    found = salvage(whole.folder, tmp_path / "rest")
    trajectory = run_folder.read(tmp_path / "rest").trajectory
    assert trajectory.step.tolist() == [0, 8, 16, 20]
    assert (found.lost_rows, found.lost_steps) == (2, 4)
    # The scalars beside the flipped weight are whole.
    assert trajectory.scalars()["batch_loss"][:4].tolist() == [0, 1, 2, 3]


def test_the_new_run_says_where_it_comes_from(whole, tmp_path):
    shard(whole, 2).unlink()
    before = run_folder.read(whole.folder)
    damages = verify(whole.folder)
    salvage(whole.folder, tmp_path / "rest")
    record = run_folder.read(tmp_path / "rest").record
    assert record["salvaged"] == {"from": before.id, "damages": damages}
    assert record["id"] != before.id
    assert record["status"] == "interrupted"
    assert verify(whole.folder) == damages


def test_a_run_that_ended_stays_at_its_end_with_its_sketches(recording, tmp_path):
    made = run_folder.create(tmp_path / "made", {"settings": None, "problem": {"kind": "python"}})
    made.update(status="finished")
    shutil.copy(made.folder / "run.json", recording.folder / "run.json")
    sketching = Sketching(3, 5, "sparse")
    recording.writer = Writer(recording.folder, PARAMETERS, sketching=sketching)
    for step in range(4):
        recording.row(step)
        recording.writer.flush()
        recording.writer.add_step({}, step + np.arange(3, dtype=np.float32) / 8)
    recording.writer.flush()
    shard(recording, 2).unlink()
    found = salvage(recording.folder, tmp_path / "rest")
    rest = run_folder.read(tmp_path / "rest")
    assert rest.record["status"] == "finished"
    assert rest.trajectory.step.tolist() == [0, 1, 3]
    assert (found.steps, found.lost_steps) == (3, 1)
    expected = np.arange(4)[:, None] + np.arange(3) / 8
    expected[1] = np.nan
    np.testing.assert_array_equal(rest.trajectory.sketches(), expected)
    assert rest.trajectory.sketch_seed() == (5, "sparse")


def test_a_kill_meanwhile_leaves_no_run_that_looks_whole(whole, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    shard(whole, 2).unlink()
    monkeypatch.setattr(salvaging, "_copy", killed)
    with pytest.raises(KeyboardInterrupt):
        salvaging.copied(whole.folder, tmp_path / "rest", [])
    assert run_folder.read(tmp_path / "rest").record["status"] == "running"


def test_what_cannot_be_salvaged_is_refused(whole, tmp_path):
    with pytest.raises(LandscapeError, match="must be damaged to be salvaged"):
        salvage(whole.folder, tmp_path / "rest")
    for number in range(6):
        shard(whole, number).unlink(missing_ok=True)
    with pytest.raises(LandscapeError, match="must have a shard left"):
        salvage(whole.folder, tmp_path / "rest")
    (whole.folder / "trajectory.h5").write_bytes(b"nothing")
    with pytest.raises(LandscapeError, match="must be readable to salvage its shards"):
        salvage(whole.folder, tmp_path / "rest")
    assert not (tmp_path / "rest").exists()


def test_a_run_is_found_where_this_process_is_now(whole, tmp_path, monkeypatch):
    """The helper that reads it may have been started in another folder."""
    shard(whole, 2).unlink()
    salvage(whole.folder, tmp_path / "rest")
    monkeypatch.chdir(tmp_path)
    found = salvage(Path(os.path.relpath(whole.folder, tmp_path)), Path("again"))
    assert (found.lost_rows, found.lost_steps) == (1, 4)
    assert verify(tmp_path / "again") == []

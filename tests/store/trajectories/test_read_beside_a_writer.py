"""Reading a trajectory while a training flushes, merges and drops: what is read is right."""

from __future__ import annotations

import os
import time
from itertools import count

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import check
from landscape.store.trajectories import shards as shards_module
from landscape.store.trajectories.trajectory import Trajectory, taken

COLUMNS = np.arange(7) / 8


@pytest.fixture
def merging(recording, monkeypatch):
    """A recording of which each flush removes shards that it has merged."""
    monkeypatch.setattr(shards_module, "MOST_SHARDS", 1)
    recording.flushes(3, every=10)
    return recording


def one_more(recording, step: int) -> None:
    recording.row(step)
    recording.writer.flush()


def test_what_is_read_of_merged_shards_is_read_again(merging):
    """HDF5 reads a source that is gone as fill values."""
    found = []

    def take(file):
        if not found:
            one_more(merging, 40)
        found.append(file["weights"][:])
        return found[-1]

    weights = taken(merging.path, take)
    assert len(found) == 2
    assert not np.array_equal(found[0], np.array([0, 10, 20])[:, None] + COLUMNS)
    np.testing.assert_array_equal(weights, np.array([0, 10, 20, 40])[:, None] + COLUMNS)


def test_an_error_that_comes_of_a_merge_is_no_error(merging):
    tried = count()

    def take(file):
        if next(tried) == 0:
            one_more(merging, 40)
            raise LandscapeError("a shard is missing")
        return file["step"][:].tolist()

    assert taken(merging.path, take) == [0, 10, 20, 40]


def test_what_stays_is_not_read_twice(recording):
    """A new index alone, with all the old one's shards."""
    recording.flushes(3, every=10)
    tried = count(1)

    def take(file):
        if next(tried) == 1:
            one_more(recording, 40)
        return file["step"][:].tolist()

    assert taken(recording.path, take) == [0, 10, 20]
    assert next(tried) == 2


def test_a_file_that_never_stays_is_refused(merging, monkeypatch):
    monkeypatch.setattr("landscape.store.trajectories.trajectory.MOST_REPLACEMENTS", 3)
    monkeypatch.setattr("landscape.store.hdf5.MOST_REPLACEMENTS", 3)
    steps = count(30)
    with pytest.raises(LandscapeError) as refused:
        taken(merging.path, lambda file: one_more(merging, next(steps)))
    assert str(refused.value) == (
        f"{merging.path} must stay as it is while it is read, another process replaced it 3 "
        "times; wait until that has ended"
    )


def test_rows_are_those_of_the_steps_they_were_when_it_was_opened(recording):
    """A flight recorder hands in steps before others: rows move."""
    recording.flushes(4, every=10)
    opened = Trajectory.open(recording.path)
    for step in (3, 4, 15):
        recording.row(step)
    recording.writer.flush()
    np.testing.assert_array_equal(
        opened.weights(slice(None)), np.array([0, 10, 20, 30])[:, None] + COLUMNS
    )
    np.testing.assert_array_equal(
        opened.part(slice(1, 3), slice(2, 4)), [[10.25, 10.375], [20.25, 20.375]]
    )
    assert opened.weights(slice(2, 2)).shape == (0, 7)
    assert [int(opened.buffers(row)["bn.num_batches_tracked"]) for row in range(4)] == [
        *(0, 100, 200, 300)
    ]


def test_a_step_that_was_dropped_since_is_refused(recording):
    recording.flushes(4, every=10)
    recording.writer.add_moments(20, {"velocity": np.ones(7, np.float32)})
    recording.writer.flush()
    opened = Trajectory.open(recording.path)
    np.testing.assert_array_equal(opened.velocity(20), np.ones(7))
    recording.writer.drop([20])
    recording.writer.flush()
    for read in (
        lambda: opened.weights(slice(1, 3)),
        lambda: opened.buffers(2),
        lambda: opened.velocity(20),
    ):
        with pytest.raises(LandscapeError) as refused:
            read()
        assert str(refused.value) == (
            f"step 20 must be recorded in {recording.path} as it was when that was opened, a "
            "training that goes on has dropped it since; try again, or wait until it has ended"
        )
    np.testing.assert_array_equal(opened.row_weights(3), 30 + COLUMNS)


def test_a_check_of_a_run_that_is_being_recorded_finds_nothing(merging, monkeypatch):
    (merging.folder / "run.json").write_text("{}")
    real, steps = check._shard, iter((40,))

    def shard(folder, entry):
        for step in steps:
            one_more(merging, step)
        return real(folder, entry)

    monkeypatch.setattr(check, "_shard", shard)
    damages = check.verify(merging.folder)
    assert [line for line in damages if "trajectory" in line or "shard" in line] == []
    assert next(steps, None) is None  # it was changed


@pytest.mark.slow
def test_another_process_writes_meanwhile(merging, monkeypatch):
    monkeypatch.setattr(shards_module, "MOST_SHARDS", 3)
    writer = os.fork()
    if not writer:
        for step in range(30, 60):
            merging.row(step - 25)  # late ones too
            one_more(merging, step)
            time.sleep(0.05)
        os._exit(0)
    seen: set[int] = set()
    while not os.waitid(os.P_PID, writer, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        opened = Trajectory.open(merging.path)
        weights = opened.weights(slice(None))
        np.testing.assert_array_equal(weights, opened.step[:, None] + COLUMNS)
        np.testing.assert_array_equal(opened.measures["train_loss"], opened.step)
        seen.add(len(opened.step))
    os.waitpid(writer, 0)
    assert seen

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.trajectories.index import write_events
from landscape.store.trajectories.trajectory import (
    CADENCE,
    DENSE,
    MEASURES,
    SCALARS,
    Event,
    Trajectory,
    events_of,
)

NAN, INF = float("nan"), float("inf")


REMEDY = "put it back from a copy, or save the rest with `landscape info {} --salvage FOLDER`"


def refused(function, *args) -> str:
    with pytest.raises(LandscapeError) as caught:
        function(*args)
    return str(caught.value)


@pytest.fixture
def three_rows(recording):
    """Steps 0, 4 and 9 with 9 SGD steps, in two shards."""
    recording.row(0, kind=CADENCE | DENSE)
    recording.row(4, validation_loss=NAN)
    for step in range(4):
        recording.step(step)
    recording.writer.flush()
    recording.row(9)
    for step in range(4, 9):
        recording.step(step)
    recording.writer.flush()
    return recording


def test_plain_h5py_reads_the_contract(three_rows):
    with h5py.File(three_rows.path, "r") as file:
        found = {}
        file.visititems(
            lambda name, item: (
                found.update({name: (item.dtype.name, item.shape)})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
        assert found == {
            "step": ("int64", (3,)),
            "kind": ("int64", (3,)),
            "weights": ("float32", (3, 7)),
            "buffers/bn.running_mean": ("float32", (3, 3)),
            "buffers/bn.num_batches_tracked": ("int64", (3,)),
            **dict.fromkeys(MEASURES, ("float64", (3,))),
            **{f"steps/{name}": ("float64", (9,)) for name in SCALARS},
        }
        assert file.attrs["format"] == "landscape-trajectory"
        assert file.attrs["version"] == 1
        assert json.loads(file.attrs["parameters"]) == [
            {"name": "0.weight", "shape": [2, 3], "offset": 0},
            {"name": "0.bias", "shape": [1], "offset": 6},
        ]
        assert file["step"][:].tolist() == [0, 4, 9]
        assert file["kind"][:].tolist() == [3, 1, 1]
        # Every value of row t is told by t.
        eighths = np.arange(7) / 8
        np.testing.assert_array_equal(file["weights"][:], np.array([[0], [4], [9]]) + eighths)
        assert file["buffers/bn.num_batches_tracked"][:].tolist() == [0, 40, 90]
        assert file["buffers/bn.running_mean"][2].tolist() == [9, 9, 9]
        assert file["train_loss"][:].tolist() == [0, 4, 9]
        np.testing.assert_array_equal(file["validation_loss"][:], [0.1, NAN, 9.1])
        assert file["steps/learning_rate"][:].tolist() == [step + 0.01 for step in range(9)]


def test_reader(three_rows):
    trajectory = Trajectory.open(three_rows.path)
    assert trajectory.size == 7
    assert trajectory.step.tolist() == [0, 4, 9]
    assert trajectory.kind.tolist() == [3, 1, 1]
    assert trajectory.measures["train_accuracy"].tolist() == [0.2, 4.2, 9.2]
    np.testing.assert_array_equal(trajectory.row_weights(1), 4 + np.arange(7) / 8)
    np.testing.assert_array_equal(
        trajectory.weights(slice(1, 3), slice(2, 4)), [[4.25, 4.375], [9.25, 9.375]]
    )
    buffers = trajectory.buffers(2)
    assert buffers["bn.running_mean"].tolist() == [9, 9, 9]
    assert buffers["bn.num_batches_tracked"].shape == ()
    assert buffers["bn.num_batches_tracked"].dtype == np.int64
    assert buffers["bn.num_batches_tracked"] == 90
    scalars = trajectory.scalars()
    assert list(scalars) == list(SCALARS)
    assert scalars["update_cosine"].tolist() == [step + 0.07 for step in range(9)]


def test_initialization_alone(recording):
    recording.row(0)
    recording.writer.flush()
    trajectory = Trajectory.open(recording.path)
    assert trajectory.step.tolist() == [0]
    assert trajectory.scalars()["batch_loss"].shape == (0,)
    assert trajectory.row("final") == trajectory.row("best") == trajectory.row("0") == 0


def test_folder_may_move(three_rows, tmp_path, monkeypatch):
    """Shards are found beside the trajectory, whatever the current folder is."""
    moved = three_rows.folder.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    for path in (moved / "trajectory.h5", (moved / "trajectory.h5").relative_to(tmp_path)):
        assert Trajectory.open(path).row_weights(2)[0] == 9


def test_open_trajectory_sees_what_is_written_later(three_rows):
    trajectory = Trajectory.open(three_rows.path)
    three_rows.row(12)
    three_rows.writer.flush()
    assert trajectory.weights(slice(0, 3)).shape == (3, 7)
    assert trajectory.row_weights(2)[0] == 9
    assert Trajectory.open(three_rows.path).step.tolist() == [0, 4, 9, 12]


def test_what_the_optimizer_kept_is_found_by_its_step(recording):
    kept = {step: np.arange(7, dtype=np.float32) + step for step in (4, 9)}
    for step in (0, 4, 9):
        recording.row(step)
        if step in kept:
            recording.writer.add_moments(step, {"velocity": kept[step], "optimizer/a": np.array(3)})
        recording.writer.flush()
    trajectory = Trajectory.open(recording.path)
    for step, vector in kept.items():
        np.testing.assert_array_equal(trajectory.velocity(step), vector)
        assert trajectory.moments(step)["optimizer/a"] == 3
    assert (trajectory.moments(0), trajectory.velocity(0)) == ({}, None)


@pytest.mark.parametrize(
    ("name", "trigger", "read"),
    [
        ("spike", "batch_loss 2.9 > 1.1 at step 480", "batch spike"),
        ("spike", "median of 8 batch losses 2 > 1.1 at step 480 (weights not kept)", "batch spike"),
        ("batch spike", "batch_loss 2.9 > 1.1 at step 480", "batch spike"),
        ("spike", "batch_loss 2.9 > 1.1 at step 480; train_loss 1.2 > 1 at step 481", "spike"),
        ("spike", "train_loss 2.9 > 1.1 at step 480", "spike"),
        ("escape", "batch_loss 2.9 > 1.1 at step 480", "escape"),
    ],
)
def test_spikes_of_batches_have_a_name_of_their_own_in_files_of_every_version(
    tmp_path, name, trigger, read
):
    with h5py.File(tmp_path / "index.h5", "w") as file:
        write_events(file, [Event(name, 480, 490, trigger)])
        assert events_of(file) == (Event(read, 480, 490, trigger),)


def test_missing_shard(three_rows):
    opened = Trajectory.open(three_rows.path)
    shard = three_rows.folder / "shards" / "00000001.h5"
    shard.unlink()
    message = f"{three_rows.path} needs its shard {shard}, which is missing; {REMEDY}".format(
        three_rows.folder
    )
    assert refused(Trajectory.open, three_rows.path) == message
    # HDF5 itself would silently read fill values, also where the file was opened before.
    assert refused(opened.row_weights, 2) == message
    assert refused(opened.buffers, 2) == message
    assert refused(opened.scalars) == message
    assert refused(opened.row, "final") == message


def test_truncated_shard(three_rows):
    shard = three_rows.folder / "shards" / "00000000.h5"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    assert refused(Trajectory.open, three_rows.path) == (
        f"{three_rows.path} needs its shard {shard} whole, {len(whole)} bytes, "
        f"got {len(whole) - 100}; {REMEDY.format(three_rows.folder)}"
    )


def test_without_its_shards_plain_h5py_reads_no_plausible_numbers(three_rows):
    for shard in (three_rows.folder / "shards").iterdir():
        shard.unlink()
    with h5py.File(three_rows.path, "r") as file:
        assert np.isnan(file["weights"][:]).all()
        assert np.isnan(file["steps/batch_loss"][:]).all()
        assert file["step"][:].tolist() == [-1, -1, -1]


def test_missing_trajectory(tmp_path):
    path = tmp_path / "trajectory.h5"
    assert refused(Trajectory.open, path) == f"file {path} must exist, found none"


def test_final_is_the_last_finite_row(recording):
    for step, value in enumerate([1.0, 2.0, NAN, 3.0, INF, -INF, NAN]):
        weights = np.ones(7, np.float32)
        weights[3] = value
        recording.row(step, weights=weights)
    recording.writer.flush()
    assert Trajectory.open(recording.path).row("final") == 3


def test_no_finite_row(recording):
    for step in range(2):
        recording.row(step, weights=np.full(7, NAN, np.float32))
    recording.writer.flush()
    assert refused(Trajectory.open(recording.path).row, "final") == (
        f"{recording.path} must hold finite weights, all 2 rows aren't"
    )


def test_best_has_the_lowest_recorded_training_loss(recording):
    for step, loss in enumerate([2.3, NAN, 0.5, INF, 0.4, NAN, 0.9]):
        recording.row(step, train_loss=loss, validation_loss=-step)
    recording.writer.flush()
    assert Trajectory.open(recording.path).row("best") == 4


def test_no_recorded_loss(recording):
    recording.row(0, train_loss=NAN)
    recording.writer.flush()
    assert refused(Trajectory.open(recording.path).row, "best") == (
        f"best needs a recorded training loss, {recording.path} has none"
    )


def test_rows_by_step(three_rows):
    trajectory = Trajectory.open(three_rows.path)
    assert [trajectory.row(where) for where in (0, "4", 9, "final")] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("5", "step 5 must be a recorded one, the nearest are 4 and 9"),
        (1, "step 1 must be a recorded one, the nearest are 0 and 4"),
        ("100", "step 100 must be a recorded one, the recording ends at step 9"),
        ("-1", "step -1 must be a recorded one, the nearest are 0 and 4"),
        ("last", "weights must be final, best or a step, got last"),
        ("4.5", "weights must be final, best or a step, got 4.5"),
    ],
)
def test_unknown_rows_are_refused(three_rows, where, message):
    assert refused(Trajectory.open(three_rows.path).row, where) == message

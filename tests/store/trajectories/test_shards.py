from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.trajectories.shards import MOST_SHARDS, pair_to_merge
from landscape.store.trajectories.trajectory import SCALARS, Trajectory


def shards(recording) -> list[str]:
    return sorted(path.name for path in (recording.folder / "shards").iterdir())


def assert_content(recording, steps: list[int], sgd_steps: int) -> None:
    """Every row and every step is there once, in order, with all that belongs to it."""
    trajectory = Trajectory.open(recording.path)
    assert trajectory.step.tolist() == steps
    assert trajectory.measures["train_loss"].tolist() == steps
    expected = np.array(steps)[:, None] + np.arange(7) / 8
    np.testing.assert_array_equal(trajectory.weights(slice(None)), expected)
    for row, step in enumerate(steps):
        buffers = trajectory.buffers(row)
        assert buffers["bn.running_mean"].tolist() == [step] * 3
        assert buffers["bn.num_batches_tracked"] == 10 * step
    for i, name in enumerate(SCALARS):
        found = trajectory.scalars()[name]
        np.testing.assert_array_equal(found, np.arange(sgd_steps) + i / 100)


@pytest.mark.slow
@pytest.mark.parametrize("flushes", [1, 32, 33, 34, 70])
def test_many_flushes_are_merged_in_order(recording, flushes):
    recording.flushes(flushes, every=2)
    assert_content(recording, list(range(0, 2 * flushes, 2)), 2 * (flushes - 1))
    assert len(shards(recording)) == min(flushes, MOST_SHARDS)


@pytest.mark.parametrize(("flushes", "most"), [(100, 3), (1000, 7), (3600, 9), (10_000, 11)])
def test_merging_writes_everything_a_few_times_only(flushes, most):
    """The number of times grows like a logarithm, and no merge takes much memory."""
    sizes, written = [], 0
    for _ in range(flushes):
        sizes.append(1)
        if len(sizes) > MOST_SHARDS:
            at = pair_to_merge(sizes)
            sizes[at : at + 2] = [sum(sizes[at : at + 2])]
            written += sizes[at]
    assert (flushes + written) / flushes < most
    assert max(sizes) < flushes / 10


@pytest.mark.parametrize(
    ("sizes", "at"),
    [([9, 9, 3, 1], 0), ([8, 4, 2, 2, 9], 2), ([90, 1, 90, 1, 80], 3), ([5, 5, 5], 0)],
)
def test_smallest_pair_of_about_equal_shards_is_merged(sizes, at):
    assert pair_to_merge(sizes) == at


def test_flush_without_anything_new_writes_nothing(recording):
    recording.flushes(2)
    before = recording.path.stat().st_ino
    recording.writer.flush()
    assert recording.path.stat().st_ino == before
    assert len(shards(recording)) == 2


def test_nothing_at_all(recording):
    recording.writer.flush()
    assert not recording.path.exists()


def test_flushes_of_steps_only_and_rows_only(recording):
    recording.row(0)
    recording.writer.flush()
    recording.step(0)
    recording.step(1)
    recording.writer.flush()
    recording.row(2)
    recording.writer.flush()
    recording.step(2)
    recording.writer.flush()
    assert_content(recording, [0, 2], 3)


def test_merging_flushes_of_steps_only(recording):
    recording.row(0)
    recording.writer.flush()
    for step in range(50):
        recording.step(step)
        recording.writer.flush()
    recording.row(50)
    recording.writer.flush()
    assert_content(recording, [0, 50], 50)


def test_thousands_of_parameters_fit_the_header(recording):
    """HDF5 holds 64 KB in an attribute, but a string's content elsewhere."""
    parameters = [{"name": f"layer{i}.weight", "shape": [2], "offset": 2 * i} for i in range(3000)]
    writer = type(recording.writer)(recording.folder, parameters)
    row = np.zeros(6000, np.float32)
    measures = dict.fromkeys(("train_loss", "validation_loss", "train_accuracy"), 0.0)
    writer.add_row(0, 1, row, {}, measures | {"validation_accuracy": 0.0})
    writer.flush()
    trajectory = Trajectory.open(recording.path)
    assert trajectory.parameters == parameters
    assert trajectory.size == 6000
    assert trajectory.buffers(0) == {}


@pytest.mark.slow
@pytest.mark.parametrize("file", ["trajectory.h5", "shards/000000"])
@pytest.mark.parametrize("before", [3, MOST_SHARDS])
def test_full_disk_loses_nothing(recording, full_disk, file, before):
    """What was flushed stays readable; what wasn't is written once there is room again."""
    recording.flushes(before)
    recording.step(before - 1)
    recording.row(before)
    with full_disk((recording.folder / file).parent):
        with pytest.raises(LandscapeError) as caught:
            recording.writer.flush()
        assert str(caught.value).startswith(f"{recording.folder}/{file}")
        assert " must be writable, got: No space left on device; " in str(caught.value)
        assert_content(recording, list(range(before)), before - 1)
    recording.writer.flush()
    assert_content(recording, list(range(before + 1)), before)
    assert len(shards(recording)) == min(before + 1, MOST_SHARDS)


KILLED = """
import pathlib, sys
import numpy as np
from landscape.store.trajectories import shards
from landscape.store.trajectories.trajectory import MEASURES, SCALARS

shards.MOST_SHARDS = 4  # So that merging is what many of the kills hit.
writer = shards.Writer(pathlib.Path(sys.argv[1]), [{"name": "w", "shape": [1000], "offset": 0}])
for t in range(100_000):
    weights = np.full(1000, t, np.float32)
    writer.add_row(t, 1, weights, {"n": np.array(t)}, dict.fromkeys(MEASURES, float(t)))
    writer.flush()
    writer.add_step(dict.fromkeys(SCALARS, float(t)))
    print(t, flush=True)
"""


def killed_at_a_random_moment(folder, seed: int) -> tuple[Trajectory, int]:
    """The trajectory that a killed process leaves, and the last row it said it had written."""
    (folder / "shards").mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, folder], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()  # Its first row is written.
        time.sleep(random.Random(seed).uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        said = [0, *map(int, process.stdout.read().split("\n")[:-1])]
    return Trajectory.open(folder / "trajectory.h5"), said[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_at_any_moment_leaves_a_prefix(tmp_path, seed):
    trajectory, said = killed_at_a_random_moment(tmp_path / "run", seed)
    count = len(trajectory.step)
    assert said + 1 <= count <= said + 2
    assert trajectory.step.tolist() == list(range(count))
    np.testing.assert_array_equal(
        trajectory.weights(slice(None)), np.repeat(np.arange(count)[:, None], 1000, axis=1)
    )
    assert trajectory.scalars()["batch_loss"].tolist() == list(range(count - 1))
    assert trajectory.buffers(count - 1)["n"] == count - 1

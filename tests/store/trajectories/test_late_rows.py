"""Rows that come later than rows after them, rows that are replaced, dropped, taken up again."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from landscape.store.trajectories import shards as shards_module
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import Trajectory


def assert_rows(recording, kinds: dict[int, int]) -> None:
    trajectory = Trajectory.open(recording.path)
    assert trajectory.step.tolist() == sorted(kinds)
    assert trajectory.kind.tolist() == [kinds[step] for step in sorted(kinds)]
    expected = np.array(sorted(kinds))[:, None] + np.arange(7) / 8
    np.testing.assert_array_equal(trajectory.weights(slice(None)), expected)
    for row, step in enumerate(sorted(kinds)):
        assert trajectory.buffers(row)["bn.num_batches_tracked"] == 10 * step


def files(recording) -> int:
    return len(list((recording.folder / "shards").iterdir()))


def test_late_rows_are_put_in_order(recording):
    for step in (0, 10, 20):
        recording.row(step)
        recording.writer.flush()
    for step in range(8, 24):
        recording.row(step, kind=12 if step not in (10, 20) else 13)
    recording.writer.flush()
    recording.row(30)
    recording.writer.flush()
    kinds = {0: 1, 30: 1, **dict.fromkeys(range(8, 24), 12), 10: 13, 20: 13}
    assert_rows(recording, kinds)


@pytest.mark.slow
@pytest.mark.parametrize("most", [2, 32])
def test_anything_goes(recording, monkeypatch, most):
    """Random rows, late ones, replaced ones, dropped ones, against a dictionary."""
    monkeypatch.setattr(shards_module, "MOST_SHARDS", most)
    rng = random.Random(0)
    kinds = {0: 1}
    recording.row(0)
    for count in range(150):
        for _ in range(rng.randrange(4)):
            step, kind = rng.randrange(400), rng.randrange(1, 16)
            kinds[step] = kind
            recording.row(step, kind=kind)
        if rng.random() < 0.3:
            gone = rng.sample(sorted(kinds), len(kinds) // 4)
            recording.writer.drop([step for step in gone if step])
            kinds = {step: kind for step, kind in kinds.items() if step not in gone or not step}
        if rng.random() < 0.5:
            recording.step(count)
        recording.writer.flush()
        assert files(recording) <= most
        if rng.random() < 0.1:
            again = Writer.reopen(
                recording.folder, rows=10**6, steps=held(recording), velocities=()
            )
            recording.writer = again
    assert_rows(recording, kinds)


def held(recording) -> int:
    return len(Trajectory.open(recording.path).scalars()["batch_loss"])


def test_dropped_rows_free_their_space(recording):
    for step in range(40):
        recording.row(step)
    recording.writer.flush()
    before = size(recording.folder)
    recording.writer.drop(range(1, 39))
    recording.writer.flush()
    assert_rows(recording, {0: 1, 39: 1})
    assert size(recording.folder) < before
    assert files(recording) == 1


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "shards").iterdir())


@pytest.mark.parametrize("steps", [0, 1, 5, 8, 19, 20])
def test_reopened_at_an_earlier_step(recording, steps):
    recording.flushes(6, every=4)
    (recording.folder / "shards" / "00000099.h5").write_bytes(b"left behind by a kill")
    recording.writer = Writer.reopen(recording.folder, rows=steps, steps=steps, velocities=())
    for step in range(steps, 20):
        recording.step(step)
        if (step + 1) % 4 == 0:
            recording.row(step + 1)
    recording.writer.flush()
    assert_rows(recording, dict.fromkeys(range(0, 21, 4), 1))
    found = Trajectory.open(recording.path).scalars()["gradient_norm"]
    np.testing.assert_allclose(found, np.arange(20) + 0.02)
    known = {shard.file for shard in recording.writer.shards}
    assert known == {f"shards/{p.name}" for p in (recording.folder / "shards").iterdir()}


def test_velocities(recording):
    recording.row(0)
    recording.writer.flush()
    for step in (30, 10, 20):
        recording.row(step)
        recording.writer.add_moments(step, {"velocity": np.full(7, step, np.float32)})
        recording.writer.flush()
    recording.writer.drop([20])
    recording.writer.flush()
    trajectory = Trajectory.open(recording.path)
    assert trajectory.velocity_step.tolist() == [10, 30]
    assert trajectory.velocity(30).tolist() == [30] * 7
    assert trajectory.velocity(20) is None

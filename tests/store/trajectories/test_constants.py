"""What a trajectory holds once: frozen tensors, and buffers until a step changes them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from landscape.store import run as run_folder
from landscape.store.check import verify
from landscape.store.salvage import salvage
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import MEASURES, Trajectory

PARAMETERS = [{"name": "w", "shape": [3], "offset": 0}]
MEASURED = dict.fromkeys(MEASURES, 0.5)
FROZEN = {
    "base.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "scale": np.array(0.3),
    "none": np.zeros((0, 2), np.float32),
    "graph:indices": np.array([[0, 1], [1, 0]]),
}
MASK = np.tril(np.ones((3, 3), bool))


def writer(folder) -> Writer:
    (folder / "shards").mkdir(exist_ok=True)
    return Writer(folder, PARAMETERS, constants=FROZEN, still={"mask": MASK, "count": np.array(0)})


def add(to: Writer, step: int, **buffers: object) -> None:
    weights = np.full(3, step, np.float32)
    arrays = {name: np.asarray(value) for name, value in buffers.items()}
    to.add_row(step, 1, weights, arrays, MEASURED)


def of(folder) -> Trajectory:
    return Trajectory.open(folder / "trajectory.h5")


def test_frozen_tensors_are_stored_once(tmp_path):
    made = writer(tmp_path)
    for step in range(4):
        add(made, step, mask=MASK, count=0)
        made.flush()
    found = of(tmp_path)
    values = found.constants()
    assert sorted(values) == sorted([*FROZEN, "mask", "count"])
    for name, value in FROZEN.items():
        assert values[name].dtype == value.dtype
        np.testing.assert_array_equal(values[name], value)
    with h5py.File(tmp_path / "trajectory.h5") as file:
        assert list(file["buffers"]) == []
        np.testing.assert_array_equal(file["constants/mask"][:], MASK)
    holding = []
    for shard in sorted((tmp_path / "shards").iterdir()):
        with h5py.File(shard) as file:
            holding.append("constants" in file)
    assert holding == [True, False, False, False, False]
    np.testing.assert_array_equal(found.buffers(2)["mask"], MASK)


def test_a_buffer_that_changes_is_in_every_row_from_then_on(tmp_path):
    """Flushed before and after, in one flush, late, and left out where it is as at the start."""
    made = writer(tmp_path)
    add(made, 0, mask=MASK)
    made.flush()
    add(made, 1)
    add(made, 3, count=7, mask=MASK)
    made.flush()
    add(made, 2)
    add(made, 4, count=8)
    made.flush()
    found = of(tmp_path)
    assert found.step.tolist() == [0, 1, 2, 3, 4]
    assert [int(found.buffers(row)["count"]) for row in range(5)] == [0, 0, 0, 7, 8]
    np.testing.assert_array_equal(found.weights(slice(None))[:, 0], [0, 1, 2, 3, 4])
    assert "count" not in found.constants()
    assert all((found.buffers(row)["mask"] == MASK).all() for row in range(5))


def test_going_on_knows_what_has_changed(tmp_path):
    made = writer(tmp_path)
    add(made, 0)
    add(made, 1, count=3)
    made.flush()
    again = Writer.reopen(tmp_path, rows=1, steps=0, velocities=[])
    assert sorted(again.still) == ["mask"]
    add(again, 2, count=4)
    add(again, 3, mask=~MASK, count=5)
    again.flush()
    found = of(tmp_path)
    assert [int(found.buffers(row)["count"]) for row in range(4)] == [0, 3, 4, 5]
    masks = [found.buffers(row)["mask"] for row in range(4)]
    assert [(mask == MASK).all() for mask in masks] == [True, True, True, False]
    for name, value in FROZEN.items():
        np.testing.assert_array_equal(found.constants()[name], value)


def test_merged_shards_keep_them(tmp_path, monkeypatch):
    monkeypatch.setattr("landscape.store.trajectories.shards.MOST_SHARDS", 3)
    made = writer(tmp_path)
    for step in range(9):
        add(made, step, **({"count": step} if step > 5 else {}))
        made.flush()
    found = of(tmp_path)
    assert [int(found.buffers(row)["count"]) for row in range(9)] == [0] * 6 + [6, 7, 8]
    np.testing.assert_array_equal(found.constants()["base.weight"], FROZEN["base.weight"])
    assert len(list((tmp_path / "shards").iterdir())) == 4


def test_without_any_nothing_is_written_of_them(tmp_path):
    (tmp_path / "shards").mkdir()
    made = Writer(tmp_path, PARAMETERS)
    add(made, 0, mean=[1.0])
    made.flush()
    with h5py.File(tmp_path / "trajectory.h5") as file:
        assert "constants" not in file
    assert of(tmp_path).constants() == {}
    assert of(tmp_path).buffers(0)["mean"] == 1.0


@pytest.mark.parametrize("lost", ["rows", "constants"])
def test_a_damaged_run_is_checked_and_salvaged(tmp_path, lost):
    record = {"settings": None, "problem": {"kind": "python"}}
    folder = run_folder.create(tmp_path / "run", record).folder
    made = writer(folder)
    add(made, 0, count=0)
    made.flush()
    add(made, 1, count=2)
    made.flush()
    assert verify(folder) == []
    first = folder / "shards/00000000.h5"
    with h5py.File(first) as file:
        assert "constants" in file
    shards = sorted((folder / "shards").iterdir())
    damaged = first if lost == "constants" else shards[-1]
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    [line] = verify(folder)
    assert str(damaged) in line
    if lost == "constants":
        damaged.unlink()
        [line] = verify(folder)
        assert line == f"{first} is missing; it held frozen tensors and buffers that never change"
    salvage(folder, tmp_path / "rest")
    rest = of(tmp_path / "rest")
    if lost == "constants":
        assert rest.constants() == {}
        assert rest.step.tolist() == [0, 1]
    else:
        np.testing.assert_array_equal(rest.constants()["base.weight"], FROZEN["base.weight"])

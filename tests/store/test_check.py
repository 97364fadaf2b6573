"""Damage that is found, named, and walked around."""

from __future__ import annotations

import os
import random
import shutil

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store import run as run_folder
from landscape.store.check import verify
from landscape.store.trajectories.trajectory import Trajectory


@pytest.fixture
def whole(tmp_path, recording):
    """A run with three shards of a row and some steps each."""
    made = run_folder.create(tmp_path / "made", {"settings": None, "problem": {"kind": "python"}})
    shutil.copy(made.folder / "run.json", recording.folder / "run.json")
    recording.flushes(3, every=4)
    assert verify(recording.folder) == []
    return recording


def flip(path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << random.Random(at).randrange(8)
    path.write_bytes(content)


def shard(recording, number: int):
    return recording.folder / "shards" / f"{number:08d}.h5"


@pytest.mark.parametrize("file", ["trajectory.h5", "shards/00000001.h5"])
def test_every_flipped_bit_is_found(whole, file):
    path = whole.folder / file
    before = path.read_bytes()
    for at in random.Random(0).sample(range(len(before)), 60):
        flip(path, at)
        assert verify(whole.folder), at
        path.write_bytes(before)
    assert verify(whole.folder) == []


def test_what_can_t_be_opened_and_a_damaged_analysis_are_named(whole):
    analysis.save(whole.folder, analysis.StoredPart("units", "0", 0.0, {}))
    flip(whole.folder / "analysis.h5", 900)
    scans = whole.folder / "scans"
    (scans / "b.h5").mkdir(parents=True)
    os.mkfifo(scans / "a.h5")
    damaged, fifo, folder = verify(whole.folder)
    assert damaged == (
        f"{whole.folder / 'analysis.h5'} isn't as it was written: its checksum differs"
    )
    assert fifo == (
        f"{scans / 'a.h5'} can't be read: {scans / 'a.h5'} must be a regular file, got a FIFO; "
        "put a copy of one there"
    )
    assert folder.startswith(f"{scans / 'b.h5'} can't be read: [Errno 21] Is a directory")


def test_a_flipped_weight_costs_its_row_alone(whole):
    path = shard(whole, 1)
    place = path.read_bytes().find((4 + np.arange(7) / 8).astype("<f4").tobytes())
    flip(path, place + 3)
    assert verify(whole.folder) == [
        f"{path} isn't as it was written: its checksum differs; "
        "1 of its 1 snapshots can't be read, steps 4; the others can"
    ]
    trajectory = Trajectory.open(whole.path)
    assert trajectory.row_weights(0)[0] == 0
    assert trajectory.row_weights(2)[0] == 8
    with pytest.raises(LandscapeError) as caught:
        trajectory.row_weights(1)
    message = str(caught.value)
    assert message.startswith(f"{whole.path} must be whole, a part of it can't be read: ")
    assert message.endswith(f"; `landscape info {whole.folder} --check` says which")


def test_flipped_scalars(whole):
    path = shard(whole, 1)
    values = np.array([step + 0.02 for step in range(4)]).tobytes()
    flip(path, path.read_bytes().find(values) + 5)
    assert verify(whole.folder) == [
        f"{path} isn't as it was written: its checksum differs; all its 1 snapshots can be read; "
        "of its steps' scalars, gradient_norm can't be read"
    ]


def test_missing_and_truncated_shards(whole):
    first, second = shard(whole, 0), shard(whole, 1)
    length = second.stat().st_size
    first.unlink()
    second.write_bytes(second.read_bytes()[:-10])
    assert verify(whole.folder) == [
        f"{first} is missing; it held 1 snapshots and 0 steps",
        f"{second} must have {length} bytes, got {length - 10}; it held 1 snapshots and 4 steps",
    ]


def test_a_shard_of_another_run(whole, tmp_path):
    other = type(whole)(tmp_path / "other")
    other.row(0, train_loss=5.0)
    other.writer.flush()
    shutil.copy(shard(other, 0), shard(whole, 0))
    assert verify(whole.folder) == [
        f"{shard(whole, 0)} isn't the one that was written: its checksum is another; "
        "all its 1 snapshots can be read"
    ]


def test_truncated_trajectory(whole):
    whole.path.write_bytes(whole.path.read_bytes()[:2000])
    assert verify(whole.folder) == [
        f"{whole.path} isn't as it was written: its checksum differs; "
        "its shards are checked one by one"
    ]
    with pytest.raises(LandscapeError) as caught:
        Trajectory.open(whole.path)
    assert str(caught.value) == (
        f"{whole.path} must be as it was written, its checksum differs; put it back from a copy, "
        f"or save the rest with `landscape info {whole.folder} --salvage FOLDER`"
    )


def test_missing_trajectory_and_broken_record(whole):
    whole.path.unlink()
    (whole.folder / "run.json").write_text("{")
    assert verify(whole.folder) == [
        f"{whole.folder}/run.json must be a run's JSON, got: Expecting property name enclosed in "
        "double quotes: line 1 column 2 (char 1); put it back from a copy, or move "
        f"{whole.folder} away and train anew",
        f"{whole.path} is missing",
    ]


def test_scans_are_read_too(whole):
    place = whole.folder / "scans" / "x.h5"
    place.parent.mkdir()
    place.write_bytes(b"not HDF5")
    [finding] = verify(whole.folder)
    assert finding.startswith(f"{place} ")

"""HDF5 files that read or show what lies outside them are refused before anything is read."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import stream
from landscape.store.check import verify
from landscape.store.hdf5 import reading, shown_by
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import Trajectory

from ..sealing import sealed

REMEDY = "ask for the file as landscape wrote it"


def outside_data(file: h5py.File, secret: Path) -> str:
    file.create_dataset("steps/a", (6,), "u1", external=[(str(secret), 0, 6)])
    return f"data in another file, {str(secret)!r}"


def outside_link(file: h5py.File, secret: Path) -> str:
    file["steps/a"] = h5py.ExternalLink(str(secret), "/data")
    return "a link, 'a'"


def soft_link(file: h5py.File, secret: Path) -> str:
    file["steps/a"] = h5py.SoftLink("/elsewhere")
    return "a link, 'a'"


def virtual(file: h5py.File, secret: Path) -> str:
    layout = h5py.VirtualLayout((2,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "data", (2,))
    file.create_virtual_dataset("steps/a", layout)
    return f"a virtual dataset over {str(secret)!r}"


def endless(file: h5py.File, secret: Path) -> str:
    file["steps/a/again"] = file.require_group("steps")
    return "a group at two places, 'again'"


PLANTED = [outside_data, outside_link, soft_link, virtual, endless]


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file that HDF5 could read both raw and as its own."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = np.frombuffer(b"secret", "u1")
    return tmp_path / "secret.h5"


def refused(call, *arguments) -> str:
    with pytest.raises(LandscapeError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_file_that_leads_out(tmp_path, secret, plant):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "landscape-test", "version": 1})
        what = plant(file, secret)

    def read() -> None:
        with reading(path, "landscape-test", 1):
            raise AssertionError("it must not be opened")

    assert refused(read) == f"{path} must hold its data itself, got {what}; {REMEDY}"


def test_a_file_that_was_changed_is_looked_through_again(tmp_path, secret):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["b"] = np.zeros(3)
    assert shown_by(path) == frozenset()
    with h5py.File(path, "a") as file:
        what = outside_data(file, secret)
    assert refused(shown_by, path) == f"{path} must hold its data itself, got {what}; {REMEDY}"


@pytest.mark.parametrize("plant", PLANTED)
def test_a_shard_that_leads_out(recording, secret, plant):
    """With the size and checksum that trajectory.h5 promises: its sender can write them."""
    recording.flushes(2)
    shard = recording.folder / "shards" / "00000001.h5"
    planted = []
    size, sha256 = stream.write(shard, lambda file: planted.append(plant(file, secret)))
    with h5py.File(recording.path, "a") as file:
        shards = json.loads(file.attrs["shards"])
        shards[1] |= {"bytes": size, "sha256": sha256}
        file.attrs["shards"] = json.dumps(shards)
    sealed(recording.path)
    message = f"{shard} must hold its data itself, got {planted[0]}; {REMEDY}"
    assert refused(Trajectory.open, recording.path) == message
    findings = verify(recording.folder)
    assert findings[-1] == f"{shard} can't be read: {message}"


@pytest.mark.parametrize("name", ["../outside/x.h5", "/tmp/x.h5", "shards/../../x.h5"])
def test_a_trajectory_that_lists_another_file(recording, tmp_path, name):
    recording.flushes(2)
    victim = tmp_path / "outside" / "x.h5"
    victim.parent.mkdir()
    victim.write_bytes((recording.folder / "shards" / "00000001.h5").read_bytes())
    with h5py.File(recording.path, "a") as file:
        shards = json.loads(file.attrs["shards"])
        shards[1]["file"] = name
        file.attrs["shards"] = json.dumps(shards)
    sealed(recording.path)
    message = (
        f"{recording.path} must list its shards as shards/NUMBER.h5, got {name!r}; "
        "put it back from a copy"
    )
    assert refused(Trajectory.open, recording.path) == message
    go_on = partial(Writer.reopen, rows=0, steps=0, velocities=())
    assert refused(go_on, recording.folder) == message
    assert f"{recording.path} can't be read: {message}" in verify(recording.folder)
    assert victim.exists()


def test_a_trajectory_that_shows_another_file(recording, secret):
    recording.flushes(2)
    with h5py.File(recording.path, "a") as file:
        del file["train_loss"]
        layout = h5py.VirtualLayout((2,), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "data", (2,))
        file.create_virtual_dataset("train_loss", layout)
    sealed(recording.path)
    assert refused(Trajectory.open, recording.path) == (
        f"{recording.path} must hold its data itself, got a virtual dataset over "
        f"{str(secret)!r}; {REMEDY}"
    )


def test_nothing_is_written_through_a_link_of_a_temporary_name(recording, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("trajectory.h5", "shards/00000000.h5"):
        place = recording.folder / name
        place.with_name(f".{place.name}.{os.getpid()}").symlink_to(victim)
    recording.flushes(2)
    assert victim.read_text() == "mine"
    assert Trajectory.open(recording.path).step.tolist() == [0, 1]

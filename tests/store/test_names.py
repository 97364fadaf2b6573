"""Names that lead out of a folder, and what isn't a file, are refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from landscape.errors import LandscapeError, printable
from landscape.store import names, run, sweep_folder
from landscape.store.trajectories.trajectory import Trajectory

BAD = ["", ".", "..", "../x", "/tmp/x", "a/b", "a/", ".hidden", "a\nb", "a\0", "\x1b[2J", "\x9b", 7]


PLACES = {"what": "the other run", "file": Path("scan.h5"), "remedy": "scan again"}


@pytest.mark.parametrize("place", ["", "/etc", "a\x1b[2J", None, 3, ["a"]])
def test_a_place_that_is_no_relative_path(place):
    with pytest.raises(LandscapeError) as caught:
        names.relative(place, **PLACES)
    assert str(caught.value) == (
        "the other run in scan.h5 must be a relative path without control characters, got "
        f"{place!r}; scan again"
    )


def test_a_run_that_lies_elsewhere():
    assert names.relative("../others/b", **PLACES) == "../others/b"


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_not_plain(name):
    with pytest.raises(LandscapeError) as caught:
        names.plain(name, what="a run's name", place=Path("s/sweep.json"), remedy="mend it")
    assert str(caught.value) == (
        "a run's name in s/sweep.json must be one plain name, without slashes, control characters "
        f"or a dot at its start, got {name!r}; mend it"
    )


@pytest.mark.parametrize("name", ["lr0.1-seed0", "my run", "été", "a..b", "-", "x" * 200])
def test_a_plain_name(name):
    assert names.plain(name, what="a name", remedy="") == name


@pytest.mark.parametrize(
    "name",
    [*BAD, "../outside/x.h5", "shards/../x.h5", "shards/x.h5", "/shards/1.h5", "shards/1.h5\n"],
)
def test_a_shard_of_another_name(name):
    with pytest.raises(LandscapeError) as caught:
        names.shard(name, Path("r/trajectory.h5"))
    assert str(caught.value) == (
        f"r/trajectory.h5 must list its shards as shards/NUMBER.h5, got {name!r}; "
        "put it back from a copy"
    )


def test_a_fifo_is_not_opened(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name, read in (
        ("run.json", lambda: run.read(folder)),
        ("sweep.json", lambda: sweep_folder.read(folder)),
        ("trajectory.h5", lambda: Trajectory.open(folder / "trajectory.h5")),
    ):
        os.mkfifo(folder / name)
        with pytest.raises(LandscapeError) as caught:
            read()
        assert str(caught.value) == (
            f"{folder / name} must be a regular file, got a FIFO; put a copy of one there"
        )


def test_a_device_is_not_read(tmp_path):
    (tmp_path / "run.json").symlink_to("/dev/zero")
    with pytest.raises(LandscapeError) as caught:
        run.read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'run.json'} must be a regular file, got a device; put a copy of one there"
    )


@pytest.mark.parametrize("name", ["../victim", "/tmp/victim", None])
def test_a_sweep_that_names_a_run_elsewhere(tmp_path, name):
    record = {
        "format": "landscape-sweep",
        "version": 1,
        "threads": 1,
        "varied": [],
        "arguments": [],
        **dict.fromkeys(("id", "created", "command"), "abc"),
        "runs": [{"name": name, "values": {}, "error": None}],
    }
    (tmp_path / "sweep.json").write_text(json.dumps(record))
    with pytest.raises(LandscapeError) as caught:
        sweep_folder.read(tmp_path)
    assert str(caught.value) == (
        f"a run's name in {tmp_path / 'sweep.json'} must be one plain name, without slashes, "
        f"control characters or a dot at its start, got {name!r}; put it back from a copy"
    )


def test_what_controls_a_terminal_is_shown():
    text = "a\x1b[2Jb\r\x9b\u202ec\udcff\0"
    assert printable(text) == r"a\x1b[2Jb\r\x9b\u202ec\udcff\x00"
    honest = "füße → 0.1\n\tx² ∞"
    assert printable(honest) == honest

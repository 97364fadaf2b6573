"""Runs, sweeps and scans as they are given, and what is said of those that aren't there."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import run, sources, sweep_folder
from landscape.store.run import Run
from landscape.store.scans import scanfile
from landscape.store.scans.records import Scan
from landscape.store.sweep_folder import Sweep

from .planted import scan


def refused(call, *args, **options) -> str:
    with pytest.raises(LandscapeError) as caught:
        call(*args, **options)
    return str(caught.value)


def make(folder, *scans):
    """A run's folder with scans of these names."""
    made = run.create(folder, {"settings": {}, "problem": {}})
    for name in scans:
        scanfile.save(made.scan(name), scan(line=name.startswith("line")))
    return made


@pytest.fixture
def swept(tmp_path):
    """A sweep of a run with two scans, one with a scan, one without, and one that hasn't begun."""
    runs = [{"name": name, "values": {}} for name in ("a", "b", "c", "d")]
    made = sweep_folder.create(
        tmp_path / "swept", varied=["lr"], arguments=[], threads=1, runs=runs
    )
    make(made.folder / "a", "plane", "line")
    make(made.folder / "b", "plane")
    make(made.folder / "c")
    return made.folder


@pytest.fixture
def theirs(tmp_path):
    """A surface of Li et al.'s scripts."""
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w") as file:
        file["dir_file"] = "weights.h5"
        file["xcoordinates"] = np.linspace(-1, 1, 3)
        file["train_loss"], file["train_acc"] = np.arange(3.0), np.full(3, 90.0)
    return path


def found(paths, **options):
    return [
        (one.path.name, one.run is not None, [file.stem for file in one.scans])
        for one in sources.expand(paths, needing="render", **options)
    ]


def test_each_given_becomes_runs_and_scans(swept, theirs):
    file = swept / "a" / "scans" / "line.h5"
    assert found([theirs, swept / "b", swept, file]) == [
        ("theirs.h5", False, ["theirs"]),
        ("b", True, ["plane"]),
        ("a", True, ["line", "plane"]),
        ("b", True, ["plane"]),
        ("c", True, []),
        ("line.h5", False, ["line"]),
    ]


def test_a_name_and_scanned_choose(swept, theirs):
    assert found([swept], scanned=True) == [("a", True, ["line", "plane"]), ("b", True, ["plane"])]
    assert found([swept, theirs], name="line") == [
        ("a", True, ["line"]),
        ("theirs.h5", False, ["theirs"]),
    ]


def test_a_scan_that_is_being_written_is_none_yet(swept):
    (swept / "c" / "scans" / ".plane.h5").write_bytes(b"")
    assert found([swept / "c"]) == [("c", True, [])]
    assert run.read(swept / "c").scans == []


def test_what_is_missing_is_said(swept, tmp_path):
    make(tmp_path / "lonely")
    waiting = sweep_folder.create(
        tmp_path / "waiting", varied=[], arguments=[], threads=1, runs=[{"name": "a", "values": {}}]
    )
    (tmp_path / "other").mkdir()
    for path, options, message in (
        (
            tmp_path / "lonely",
            {"scanned": True},
            f"render needs a scan, {tmp_path}/lonely has none; "
            f"make one with `landscape scan {tmp_path}/lonely`",
        ),
        (
            tmp_path / "lonely",
            {"name": "x"},
            f"render needs a scan, {tmp_path}/lonely has none; "
            f"make one with `landscape scan {tmp_path}/lonely`",
        ),
        (
            swept,
            {"name": "x"},
            f"render needs a scan called x, {swept} has line, plane; choose one of them, or make "
            f"it with `landscape scan {swept}/a`",
        ),
        (
            waiting.folder,
            {},
            f"render needs runs that have begun, the sweep {waiting.folder} has none; "
            "go on with it by the command that made it",
        ),
        (tmp_path / "no.h5", {}, None),
        (
            tmp_path / "none",
            {},
            f"a run must be a folder, got {tmp_path}/none, which doesn't exist; "
            "make one with `landscape train -o FOLDER`",
        ),
        (
            tmp_path / "other",
            {},
            f"a run's folder must hold run.json, {tmp_path}/other doesn't; "
            "give a folder made by `landscape train`",
        ),
    ):
        if message is None:  # whoever reads it says what is wrong with a file
            assert found([path], **options) == [("no.h5", False, ["no"])]
        else:
            assert refused(sources.expand, [path], needing="render", **options) == message


def test_what_is_there_is_opened(swept, theirs):
    assert isinstance(sources.open_source(swept), Sweep)
    assert isinstance(sources.open_source(swept / "a"), Run)
    opened = sources.open_source(theirs)
    assert isinstance(opened, Scan)
    assert opened.plane.kind == "imported"
    ours = sources.open_source(swept / "a" / "scans" / "line.h5")
    assert isinstance(ours, Scan)
    assert ours.is_line
    assert refused(sources.open_source, swept / "no.h5") == (
        f"file {swept}/no.h5 must exist, found none"
    )


def test_a_sweep_without_scans_is_told_to_scan_one_of_its_runs(swept):
    for name in ("a", "b"):
        for file in (swept / name / "scans").glob("*.h5"):
            file.unlink()
    assert refused(sources.expand, [swept], needing="view", scanned=True) == (
        f"view needs a scan, {swept} has none; make one with `landscape scan {swept}/a`"
    )


def test_where_figures_and_exports_belong(swept, theirs, monkeypatch):
    file = swept / "a" / "scans" / "line.h5"
    assert sources.home_of(swept / "a") == swept / "a"
    assert sources.home_of(file) == swept / "a"
    assert sources.home_of(theirs) == theirs.parent
    monkeypatch.chdir(file.parent)
    assert sources.home_of(type(file)("line.h5")) == swept / "a"


def test_a_damaged_run_of_a_sweep_is_named_and_left_out(swept):
    (swept / "b" / "run.json").write_text(json.dumps([]))
    heard: list[str] = []
    assert [name for name, *_ in found([swept], told=heard.append)] == ["a", "c"]
    why = (
        f"{swept}/b/run.json must be a run's JSON, got: list indices must be integers or slices, "
        f"not str; put it back from a copy, or move {swept}/b away and train anew"
    )
    assert heard == [f"b is left out: {why}"]


def test_a_sweep_of_damaged_runs_alone_is_refused(swept):
    for name in ("a", "b", "c"):
        (swept / name / "run.json").write_text("{")
    message = refused(sources.expand, [swept], needing="render")
    assert message.startswith(f"{swept}/a/run.json must be a run's JSON, got: ")

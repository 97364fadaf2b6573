from __future__ import annotations

import json

import pytest

from landscape.errors import LandscapeError
from landscape.store import run as run_folder
from landscape.store import sweep_folder
from landscape.store.provenance import versions

RUNS = [{"name": "lr0.1", "values": {"lr": 0.1}}, {"name": "lr0.2", "values": {"lr": 0.2}}]
SETTINGS = {"varied": ["lr"], "arguments": ["--epochs=2"], "threads": 3}


def refused(function, *args, **options) -> str:
    with pytest.raises(LandscapeError) as caught:
        function(*args, **options)
    return str(caught.value)


@pytest.fixture
def made(tmp_path):
    return sweep_folder.create(tmp_path / "deep" / "one", **SETTINGS, runs=RUNS)


def test_create_and_read(made):
    record = json.loads((made.folder / "sweep.json").read_text())
    assert record == made.record
    assert (record["format"], record["version"]) == ("landscape-sweep", 1)
    assert record["versions"] == versions()
    assert {name: record[name] for name in SETTINGS} == SETTINGS
    assert record["runs"] == [{**run, "error": None} for run in RUNS]
    assert sweep_folder.read(made.folder) == made
    assert sweep_folder.is_sweep(made.folder)
    assert not sweep_folder.is_sweep(made.folder.parent)


def test_errors_are_kept_and_taken_back(made):
    failed = made.with_error("lr0.2", "out of luck")
    assert sweep_folder.read(made.folder) == failed
    assert [run["error"] for run in failed.runs] == [None, "out of luck"]
    assert failed.with_error("lr0.2", None) == made


def test_the_runs_that_are_there(made):
    assert made.opened() == ([], {})
    run = run_folder.create(
        made.folder / "lr0.2", {"settings": None, "problem": {"kind": "python"}}
    )
    assert made.opened() == ([run], {})
    broken = made.folder / "lr0.1" / "run.json"
    broken.parent.mkdir()
    broken.write_text("{")
    with pytest.raises(LandscapeError) as caught:
        run_folder.read(broken.parent)
    assert made.opened() == ([run], {"lr0.1": str(caught.value)})


def test_created_again_it_keeps_what_it_has_and_adds_the_rest(made):
    failed = made.with_error("lr0.1", "out of luck")
    more = [RUNS[1], {"name": "lr0.3", "values": {"lr": 0.3}}]
    again = sweep_folder.create(made.folder, **{**SETTINGS, "threads": 1}, runs=more)
    assert [run["name"] for run in again.runs] == ["lr0.1", "lr0.2", "lr0.3"]
    assert again.runs[0] == failed.runs[0]
    assert (again.record["id"], again.record["threads"]) == (made.record["id"], 3)


def test_another_sweep_is_refused(made):
    start = (
        f"a sweep goes on with the settings that {made.folder} was started with, its %s; "
        "give another folder with --output, or replace it with --overwrite"
    )
    other = {**SETTINGS, "varied": ["lr", "seed"]}
    assert refused(sweep_folder.create, made.folder, **other, runs=RUNS) == (
        start % "varied settings are lr, got lr seed"
    )
    other = {**SETTINGS, "arguments": []}
    assert refused(sweep_folder.create, made.folder, **other, runs=RUNS) == (
        start % "shared options are --epochs=2, got none"
    )


def test_overwrite_takes_away_its_runs_and_nothing_else(made):
    for name in ("lr0.1", "lr0.2", "other"):
        (made.folder / name).mkdir()
        (made.folder / name / "run.json").touch()
    (made.folder / "lr0.2" / "run.json").rename(made.folder / "lr0.2" / "thesis.tex")
    new = sweep_folder.create(made.folder, **SETTINGS, runs=RUNS[:1], overwrite=True)
    assert sorted(item.name for item in made.folder.iterdir()) == ["lr0.2", "other", "sweep.json"]
    assert [run["name"] for run in new.runs] == ["lr0.1"]
    assert new.record["id"] != made.record["id"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("file", "what"), [("run.json", "a run already"), ("x", "something else")])
def test_a_folder_in_use_is_refused(tmp_path, file, what, overwrite):
    (tmp_path / file).touch()
    assert refused(sweep_folder.create, tmp_path, **SETTINGS, runs=RUNS, overwrite=overwrite) == (
        f"a new sweep needs a new folder, {tmp_path} holds {what}; give another one with --output"
    )


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "sweep"
    assert refused(sweep_folder.create, folder, **SETTINGS, runs=RUNS) == (
        f"{folder} must be writable, got: Not a directory"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "{file} must be a sweep's JSON, got: "),
        ('{"version": 1}', "{file} must be a sweep's JSON, got: 'format'"),
        ("[]", "{file} must be a sweep's JSON, got: "),
        (
            '{"format": "other", "version": 1}',
            "{file} must be of format landscape-sweep, got other",
        ),
        (
            '{"format": "landscape-sweep", "version": 2}',
            "{file} must be of version 1 or older, got 2; install a newer landscape",
        ),
    ],
)
def test_another_file_is_refused(tmp_path, content, message):
    (tmp_path / "sweep.json").write_text(content)
    expected = message.format(file=tmp_path / "sweep.json")
    found = refused(sweep_folder.read, tmp_path)
    assert found.startswith(expected)
    assert len(found) == len(expected) or expected.endswith(" ")


def test_no_file(tmp_path):
    assert refused(sweep_folder.read, tmp_path) == (
        f"{tmp_path}/sweep.json must be readable, got: No such file or directory"
    )

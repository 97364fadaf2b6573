"""A damaged run of a sweep is named in one line, and the others go on."""

from __future__ import annotations

import json
import shutil

import pytest

from landscape.store import read, sweep_folder

from .conftest import MEASURE

SMALL = ("--model", "mlp", "--data", "moons", "--depth", 1, "--width", 8, "--epochs", 2, "-q")
DAMAGES = ("truncated", "no JSON", "without keys")


def damage(folder, kind: str) -> str:
    """Damage a run's run.json, and return what is said of it."""
    file = folder / "run.json"
    text = file.read_text()
    if kind == "truncated":
        file.write_text(text[: len(text) // 2])
    elif kind == "no JSON":
        file.write_bytes(b"\0" * len(text))
    else:
        record = json.loads(text)
        del record["status"], record["problem"]
        file.write_text(json.dumps(record))
    try:
        json.loads(file.read_text())
        what = "it lacks status, problem"
    except ValueError as error:
        what = f"got: {error}"
    return (
        f"{file} must be a run's JSON, {what}; put it back from a copy, or move {folder} away "
        "and train anew"
    )


@pytest.fixture(scope="module")
def whole(landscape, tmp_path_factory):
    """Three runs, one of them scanned; tests must not change them."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    assert landscape("train", *SMALL, "--lr", "0.1,0.2,0.3", "-o", folder).code == 0
    scan = (*MEASURE, folder / "lr0.1", "--plane", "random", "--size", 5, "-q")
    assert landscape(*scan).code == 0
    return folder


@pytest.fixture
def swept(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "sweep")


@pytest.mark.parametrize("kind", DAMAGES)
def test_training_goes_on_beside_it(swept, landscape, kind):
    why = damage(swept / "lr0.2", kind)
    before, kept = (swept / "lr0.2" / "run.json").read_bytes(), read(swept / "lr0.1").id
    shutil.rmtree(swept / "lr0.3")
    result = landscape("train", *SMALL, "--lr", "0.1,0.2,0.3,0.4", "-o", swept)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: 1 of 4 runs failed, lr0.2 with: {why}; "
        "the same command tries them again\n"
    )
    assert [line.split()[-1] for line in result.out.splitlines()[1:5]] == [
        *("finished", "failed", "finished", "finished")
    ]
    assert result.out.splitlines()[5] == f"lr0.2 failed: {why}"
    assert {read(swept / name).record["status"] for name in ("lr0.3", "lr0.4")} == {"finished"}
    assert read(swept / "lr0.1").id == kept
    assert (swept / "lr0.2" / "run.json").read_bytes() == before


@pytest.mark.parametrize("kind", DAMAGES)
def test_info_names_it_in_the_table(swept, landscape, kind):
    why = damage(swept / "lr0.2", kind)
    result = landscape("info", swept)
    assert (result.code, result.err) == (0, "")
    _, *rows, last = result.out.splitlines()
    assert [row.split()[-1] for row in rows] == ["finished", "failed", "finished"]
    assert last == f"lr0.2 failed: {why}"


@pytest.mark.parametrize("kind", DAMAGES)
def test_its_neighbour_is_diagnosed(swept, landscape, kind):
    why = damage(swept / "lr0.2", kind)
    result = landscape("diagnose", swept / "lr0.1", "--only", "units", "--no-intervene", "-q")
    assert (result.code, result.err) == (0, "")
    verdict = json.loads((swept / "lr0.1" / "verdict.json").read_text())
    assert f"Left out of the siblings: lr0.2: {why}." in verdict["caveats"]


def test_the_others_of_its_sweep_are_diagnosed(swept, landscape):
    why = damage(swept / "lr0.2", "truncated")
    result = landscape("diagnose", swept, "--only", "units", "-q")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        f"landscape: error: 1 of 3 runs could not be diagnosed, lr0.2: {why}"
    )
    assert "left out" not in result.err.replace("interventions are left out", "")
    for name in ("lr0.1", "lr0.3"):
        assert (swept / name / "verdict.json").is_file()
    assert [run["name"] for run in json.loads((swept / "outcomes.json").read_text())["runs"]] == [
        *("lr0.1", "lr0.3")
    ]


def test_where_all_are_damaged_that_is_said(swept, landscape):
    why = [damage(swept / name, "truncated") for name in ("lr0.1", "lr0.2", "lr0.3")]
    result = landscape("diagnose", swept)
    assert (result.code, result.err) == (
        1,
        f"landscape: error: a sweep needs runs that can be read, lr0.1: {why[0]}\n",
    )


def test_the_others_are_drawn(swept, landscape):
    why = damage(swept / "lr0.2", "truncated")
    result = landscape("render", swept, "--kind", "loss", "--format", "png", "-q")
    assert (result.code, result.err) == (0, f"lr0.2 is left out: {why}\n")
    drawn = [swept / name / "figures" / "loss.png" for name in ("lr0.1", "lr0.3")]
    assert [file.is_file() for file in drawn] == [True, True]


def test_the_others_are_shown(swept, landscape):
    why = damage(swept / "lr0.2", "truncated")
    result = landscape("view", swept, "--no-open")
    assert (result.code, result.err) == (0, f"lr0.2 is left out: {why}\n")
    assert (swept / "explorer.html").is_file()


def test_a_sweep_tells_its_damaged_runs(swept):
    why = damage(swept / "lr0.2", "without keys")
    runs, damaged = sweep_folder.read(swept).opened()
    assert [run.name for run in runs] == ["lr0.1", "lr0.3"]
    assert damaged == {"lr0.2": why}

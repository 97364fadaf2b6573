"""Code that a record names is run for whoever ran it before, and for nobody else unasked."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from landscape import sgd
from landscape.errors import LandscapeError
from landscape.store import run as run_folder
from landscape.store.vetting import registry

CODE = """
import torch
from pathlib import Path
from landscape.problem import Problem

Path(__file__).with_name("was-run").touch()

def make():
    return Problem(torch.nn.Linear(2, 2), (torch.randn(8, 2), torch.arange(8) % 2))
"""
SETUP = sgd.TrainingSetup(settings=sgd.Settings(lr=0.1, steps=2))


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "mine" / "own.py"
    file.parent.mkdir()
    file.write_text(CODE)
    return file


@pytest.fixture
def run(own, tmp_path):
    """A run of own code, recorded here; what shows that the code was run is away again."""
    made = sgd.begin(tmp_path / "run", replace(SETUP, problem=f"{own}:make")).finish()
    own.with_name("was-run").unlink()
    return made


@pytest.fixture
def elsewhere(run, tmp_path, monkeypatch):
    """Another user, who recorded nothing."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other-state"))


def refused(call, *arguments, **options) -> str:
    with pytest.raises(LandscapeError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def unknown(run, own) -> str:
    sha256 = run.record["problem"]["sha256"]
    return (
        f"code that a record names is only run for runs that you recorded here, and {run.folder} "
        f"isn't known as one with this problem: it would import {own}:make ({own}, sha256 "
        f"{sha256[:12]}); give the problem with --problem FILE.py:function or, if you trust this "
        "code, add --trust once"
    )


def test_who_recorded_a_run_is_not_asked(run, own):
    assert sgd.problem_of(run).source.function == f"{own}:make"
    assert own.with_name("was-run").exists()


@pytest.mark.usefixtures("elsewhere")
def test_somebody_else_s_run_is_asked_about_once(run, own):
    assert refused(sgd.problem_of, run) == unknown(run, own)
    assert not own.with_name("was-run").exists()
    sgd.problem_of(run, trust=True)
    sgd.problem_of(run)


@pytest.mark.parametrize("copied", [False, True])
def test_a_run_may_be_moved_and_copied(run, tmp_path, copied):
    place = tmp_path / "elsewhere" / "run"
    place.parent.mkdir()
    (shutil.copytree if copied else shutil.move)(run.folder, place)
    sgd.problem_of(run_folder.read(place))


def test_its_code_may_not(run, own, tmp_path):
    """What it imports lies beside it, and that is another's."""
    project = tmp_path / "sent" / "deep"
    project.mkdir(parents=True)
    (project / "mine").mkdir()
    copy = shutil.copy(own, project / "mine" / "own.py")
    sent = shutil.copytree(run.folder, project / "run")
    moved = run_folder.read(sent)
    assert refused(sgd.problem_of, moved) == unknown(moved, copy)
    assert not (project / "mine" / "was-run").exists()


@pytest.mark.parametrize(
    "change",
    [{"settings": {"width": 3}}, {"seed": 1}, {"function": "other"}, {"data": "another"}],
)
def test_another_problem_of_that_run_is_not_known(run, own, change):
    file = run.folder / "run.json"
    record = json.loads(file.read_text())
    record["problem"] |= change
    file.write_text(json.dumps(record))
    assert refused(sgd.problem_of, run_folder.read(run.folder)).startswith(
        "code that a record names is only run for runs that you recorded here, "
    )
    assert not own.with_name("was-run").exists()


def test_another_run_with_that_problem_is_not_known(run, own):
    run = run.update(id="0" * 32)
    assert refused(sgd.problem_of, run) == unknown(run, own)


def test_changed_code(run, own):
    own.write_text(CODE + "# changed\n")
    message = refused(sgd.problem_of, run)
    assert message.startswith(
        f"the code of run {run.folder} must be what you ran for it before, got another {own}:make ("
    )
    assert message.endswith("; put it back or, if you trust this code, add --accept-changes")
    assert not own.with_name("was-run").exists()
    sgd.problem_of(run, accept_changes=True)


def test_changed_code_of_a_run_from_elsewhere(run, own):
    own.write_text(CODE + "# changed\n")
    run = run.update(id="0" * 32)
    message = refused(sgd.problem_of, run)
    assert message.endswith(", if you trust this code, add --trust once with --accept-changes")
    sgd.problem_of(run, accept_changes=True, trust=True)


def test_code_that_is_back_after_another_was_accepted(run, own):
    own.write_text(CODE + "# changed\n")
    sgd.problem_of(run, accept_changes=True, trust=True)
    own.write_text(CODE)
    assert refused(sgd.problem_of, run).endswith("if you trust this code, add --trust once")
    sgd.problem_of(run, trust=True)


def test_a_home_that_cannot_be_written(own, tmp_path, monkeypatch):
    """Neither by root: a file is where the folder should be."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    with pytest.warns(UserWarning, match="remembered") as told:
        made = sgd.begin(tmp_path / "run", replace(SETUP, problem=f"{own}:make")).finish()
    assert made.record["status"] == "finished"
    said = [str(one.message) for one in told]
    places = [blocked / "landscape" / name for name in ("runs", "code")]
    assert said == [
        f"{places[0]} must be writable, got: Not a directory: that this run was made here can't be "
        "remembered, so that each command reads its files in a process of their own first",
        f"{places[1]} must be writable, got: Not a directory: that the code of {made.folder} is "
        "yours can't be remembered, so that later commands ask for --problem or --trust",
    ]
    assert len(made.trajectory.step) == 3
    assert refused(sgd.problem_of, made) == unknown(made, own)


def test_a_sweep_goes_on_with_the_caller_s_code_only(own, tmp_path, monkeypatch):
    """A member's record may name another's file."""
    setup = replace(SETUP, problem=f"{own}:make", settings=sgd.Settings(lr=0.1, steps=40))
    made = sgd.sweep(tmp_path / "sweep", setup, {"lr": [0.1]})
    run = run_folder.read(tmp_path / "sweep" / "lr0.1")
    evil = tmp_path / "evil.py"
    evil.write_text(CODE)
    problem = {**run.record["problem"], "path": str(evil), "relative_path": "../../evil.py"}
    run.update(status="interrupted", problem=problem)
    (run.folder / "resume.h5").touch()
    [member] = sgd.sweep(tmp_path / "sweep", setup, {"lr": [0.1]}).runs
    assert member["error"] is not None  # resume.h5 is empty
    assert "resume.h5" in member["error"]
    assert not (tmp_path / "was-run").exists()
    own.write_text(CODE + "# changed\n")
    [member] = sgd.sweep(made.folder, setup, {"lr": [0.1]}).runs
    assert f"{own}:make must be as it was when run {run.folder} was begun" in member["error"]


def test_processes_do_not_get_in_each_other_s_way(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        names = [f"{number:032x}" for number in range(100)]
        list(pool.map(lambda name: registry.add_code(name, {"seed": name}, "/x.py", "ab"), names))
    assert [registry.code_hash(name, {"seed": name}, "/x.py") for name in names] == ["ab"] * 100
    assert registry.code_hash(names[0], {"seed": names[1]}, "/x.py") is None
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 3}', "[" * 100_000])
def test_a_damaged_fact_is_not_known(tmp_path, monkeypatch, content):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    registry.add_code("1", {}, "/x.py", "ab")
    [file] = tmp_path.rglob("*.json")
    file.write_text(content)
    assert registry.code_hash("1", {}, "/x.py") is None


@pytest.mark.parametrize("given", ["", "relative/folder"])
def test_where_the_state_is(monkeypatch, tmp_path, given):
    monkeypatch.setenv("XDG_STATE_HOME", given)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry.state_folder() == tmp_path / ".local" / "state" / "landscape"

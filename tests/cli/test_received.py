"""A folder from a stranger runs nothing, and touches nothing outside itself."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import pytest

from landscape.store import analysis

from ..sealing import sealed
from .conftest import MEASURE, SMALL
from .test_train_resume import interrupted

SWEEP = (*SMALL[:-2], "--lr", "0.1,0.3", "-q")
PLAIN = "must be one plain name, without slashes, control characters or a dot at its start"


def contents(folder: Path) -> dict[str, str]:
    """Every file and link below a folder, with what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def victim(trained, tmp_path):
    """Somebody's run beside the received folder."""
    return shutil.copytree(trained, tmp_path / "victimrun")


@pytest.mark.parametrize("kind", ["builtin", "system", None])
@pytest.mark.parametrize("command", [("scan", "--size", 5), ("diagnose", "--no-intervene")])
def test_a_record_that_would_run_a_command(landscape, run, tmp_path, kind, command):
    name, *options = command
    ran = tmp_path / "ran"
    record = json.loads((run / "run.json").read_text())["problem"]
    record |= {"kind": kind, "function": "posix:system", "settings": {"command": f"touch {ran}"}}
    edit(run / "run.json", problem={**record, "sha256": ""})
    result = landscape(name, run, *options)
    assert result.code == 1
    if kind == "builtin":
        assert result.err == (
            f"landscape: error: the built-in problem of run {run} must be "
            "landscape.problem.presets:make with model, data, depth, width, shortcut, data_root, "
            "got function 'posix:system'; give the problem with --problem FILE.py:function\n"
        )
    else:
        assert result.err == (
            f"landscape: error: the problem of run {run} must be of kind builtin, file, module, "
            f"python, got {kind!r}; give it with --problem FILE.py:function\n"
        )
    assert not ran.exists()


def test_a_built_in_problem_with_other_settings(landscape, run):
    record = json.loads((run / "run.json").read_text())["problem"]
    edit(run / "run.json", problem=record | {"settings": {"model": "mlp", "command": "ls"}})
    result = landscape(*MEASURE, run)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: the built-in problem of run {run} must be "
        "landscape.problem.presets:make with model, data, depth, width, shortcut, data_root, "
        "got settings ['command']; give the problem with --problem FILE.py:function\n"
    )


@pytest.mark.parametrize("absolute", [False, True])
def test_a_sweep_that_names_the_neighbour(landscape, victim, tmp_path, absolute):
    sweep = tmp_path / "sweep"
    assert landscape("train", *SWEEP, "-o", sweep).code == 0
    name = str(victim) if absolute else "../victimrun"
    runs = json.loads((sweep / "sweep.json").read_text())["runs"]
    edit(sweep / "sweep.json", runs=[*runs, {**runs[0], "name": name}])
    before = contents(tmp_path)
    for command in (
        ("train", *SWEEP, "-o", sweep, "--overwrite"),
        ("train", *SWEEP, "-o", sweep),
        ("diagnose", sweep, "--no-intervene"),
        ("info", sweep, "--check"),
    ):
        result = landscape(*command)
        assert result.code == 1
        assert result.err == (
            f"landscape: error: a run's name in {sweep / 'sweep.json'} {PLAIN}, got {name!r}; "
            "put it back from a copy\n"
        )
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before


def test_a_sweep_whose_run_is_a_link(landscape, victim, tmp_path):
    sweep = tmp_path / "sweep"
    assert landscape("train", *SWEEP, "-o", sweep).code == 0
    shutil.rmtree(sweep / "lr0.3")
    (sweep / "lr0.3").symlink_to("../victimrun")
    before = contents(tmp_path)
    for options in (("--overwrite",), ()):
        result = landscape("train", *SWEEP, "-o", sweep, *options)
        assert result.code == 1
        assert result.err == (
            f"landscape: error: a sweep's runs must lie in it to be trained, {sweep / 'lr0.3'} is "
            "a link to ../victimrun; remove the link, or give another folder with --output\n"
        )
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before


@pytest.fixture
def unfinished(landscape, tmp_path, monkeypatch):
    """A run that stopped after 20 steps."""
    assert interrupted(landscape, tmp_path / "run", monkeypatch).code == 130
    return tmp_path / "run"


def test_a_shard_outside_is_not_deleted(landscape, unfinished, tmp_path):
    shards = sorted((unfinished / "shards").iterdir())
    outside = tmp_path / "outside" / "x.h5"
    outside.parent.mkdir()
    shutil.copy(shards[-1], outside)
    index = unfinished / "trajectory.h5"
    with h5py.File(index, "a") as file:
        listed = json.loads(file.attrs["shards"])
        listed[-1]["file"] = "../outside/x.h5"
        file.attrs["shards"] = json.dumps(listed)
    sealed(index)
    result = landscape("train", "--resume", unfinished)
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        f"landscape: error: {index} must list its shards as shards/NUMBER.h5, got "
        "'../outside/x.h5'; put it back from a copy"
    )
    assert outside.exists()
    assert sorted((unfinished / "shards").iterdir()) == shards


@pytest.mark.parametrize("part", ["shards", "scans", "figures", "interventions"])
@pytest.mark.parametrize("command", [("train", "--resume"), ("scan",), ("info", "--check")])
def test_a_folder_that_is_a_link(landscape, unfinished, tmp_path, part, command):
    (unfinished / "interventions").mkdir()
    outside = tmp_path / "outside"
    (unfinished / part).rename(outside)
    (outside / "00000099.h5").write_bytes(b"somebody's")
    (outside / ".00000099.h5.1").write_bytes(b"somebody's")
    (unfinished / part).symlink_to("../outside")
    before = contents(outside)
    result = landscape(*command, unfinished)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a run's folders must lie in it, {unfinished / part} is a link to "
        f"../outside; put the folder itself there, or move all of {unfinished} and link that\n"
    )
    assert contents(outside) == before


def test_a_run_that_is_a_link_as_a_whole_goes_on(landscape, unfinished, tmp_path):
    unfinished.rename(tmp_path / "elsewhere")
    unfinished.symlink_to("elsewhere")
    assert landscape("train", "--resume", unfinished).code == 0
    assert landscape(*MEASURE, unfinished, "--size", 5, "--plane", "random", "-q").code == 0
    assert landscape("info", unfinished, "--check").code == 0


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", ".hidden", "a\x1bb"])
def test_a_scan_of_another_name(landscape, run, name):
    before = contents(run)
    result = landscape(*MEASURE, run, "--plane", "random", "--size", 5, "--name", name)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a scan's name {PLAIN}, got {name!r}; give another one with --name\n"
    )
    assert contents(run) == before


def test_no_other_file_lands_in_an_export(landscape, run):
    scan = (*MEASURE, run, "--plane", "random", "--size", "5x3", "--name", "mine", "-q")
    assert landscape(*scan).code == 0
    path = run / "scans" / "mine.h5"
    with h5py.File(path, "a") as file:
        shape = file["grid/train_loss"].shape
        del file["grid/train_loss"]
        outside = [("/etc/passwd", 0, 8 * 15)]
        file.create_dataset("grid/train_loss", shape, "f8", external=outside)
    sealed(path)
    for command in (("export", "--to", "csv"), ("render",), ("view", "--html")):
        result = landscape(command[0], run, *command[1:])
        assert result.code == 1
        assert result.err == (
            f"landscape: error: {path} must hold its data itself, got data in another file, "
            "'/etc/passwd'; ask for the file as landscape wrote it\n"
        )
    assert not (run / "exports").exists()


def test_a_twin_that_is_no_path_from_the_run(landscape, run, victim):
    values = {"twin_run": str(victim)}
    analysis.save(run, analysis.StoredPart("permutations", "0", 0.0, values))
    result = landscape("diagnose", run, "--no-intervene", "--only", "permutations")
    assert result.code == 1
    assert result.err == (
        f"landscape: error: the twin's folder in {run / 'analysis.h5'} must be a relative path "
        f"without control characters, got {str(victim)!r}; name the twin with --twin\n"
    )


def test_nothing_controls_the_terminal(landscape, run):
    edit(run / "run.json", command="landscape train \x1b]0;owned\x07\x1b[2J")
    shown = landscape("info", run)
    assert shown.code == 0
    assert "landscape train \\x1b]0;owned\\x07\\x1b[2J\n" in shown.out
    (run / "scans" / "\x1b[2J.h5").write_bytes(b"no HDF5")
    assert "\\x1b[2J: can't be read: " in landscape("info", run).out
    edit(run / "run.json", status="\x1b[31m", versions={}, format="landscape-run\x1b[2J")
    failed = landscape("info", run / "scans" / "\x1b[2J.h5")
    assert failed.code == 1
    assert "\x1b" not in shown.out + failed.err
    assert f"{run / 'scans'}/\\x1b[2J.h5 must be an HDF5 file" in failed.err


def test_nothing_controls_the_terminal_in_tables():
    from io import StringIO

    from rich.table import Table
    from rich.text import Text

    from landscape_cli.printing import console

    table = Table("run")
    table.add_row(Text("lr\x1b[2J", style="bold"))
    page = StringIO()
    console(file=page, force_terminal=True, width=40, color_system="standard").print(table)
    # In its own bold type, cut to the width that it has without.
    assert "\x1b[1mlr\\x1" in page.getvalue()
    assert "\x1b[2J" not in page.getvalue()

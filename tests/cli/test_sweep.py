from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.store import read
from landscape_cli.sweep import split

SMALL = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 2)
SWEEP = (*SMALL, "--lr", "0.1,0.3", "--seeds", 2)
NAMES = ["lr0.1-seed0", "lr0.1-seed1", "lr0.3-seed0", "lr0.3-seed1"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1", ["0.1"]),
        ("0.1, 0.2", ["0.1", "0.2"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ('{"a": 1, "b": [2, 3]},null', ['{"a": 1, "b": [2, 3]}', "null"]),
    ],
)
def test_split(text, values):
    assert split(text, "lr") == values


@pytest.mark.parametrize("text", ["0.1,", ",", "", "1,,2"])
def test_an_empty_value_is_refused(text):
    with pytest.raises(LandscapeError) as caught:
        split(text, "lr")
    assert str(caught.value) == f"lr must be values with commas between them, got {text!r}"


def weights(folder):
    return read(folder).trajectory.weights(slice(None))


def ids(folder):
    return {run.parent.name: json.loads(run.read_text())["id"] for run in folder.glob("*/run.json")}


@pytest.fixture(scope="module")
def swept(landscape, tmp_path_factory):
    """A sweep of four small runs; tests must not change it."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    result = landscape("train", *SWEEP, "-o", folder)
    assert result.code == 0, result.err
    return folder


def test_makes_a_run_for_each_combination(swept):
    assert sorted(item.name for item in swept.iterdir()) == [*NAMES, "sweep.json"]
    record = json.loads((swept / "sweep.json").read_text())
    assert (record["format"], record["version"]) == ("landscape-sweep", 1)
    assert record["varied"] == ["lr", "seed"]
    assert record["arguments"] == ["--model=mlp", "--data=moons", "--width=8", "--epochs=2"]
    assert record["threads"] == torch.get_num_threads()
    assert record["runs"] == [
        {"name": f"lr{lr}-seed{seed}", "values": {"lr": lr, "seed": seed}, "error": None}
        for lr in (0.1, 0.3)
        for seed in (0, 1)
    ]
    settings = read(swept / "lr0.3-seed1").record["settings"]
    assert (settings["lr"], settings["seed"], settings["epochs"]) == (0.3, 1, 2)


def test_each_run_is_the_single_run_to_the_bit(swept, landscape, tmp_path):
    for lr, seed in ((0.1, 0), (0.3, 1)):
        alone = tmp_path / f"{lr}-{seed}"
        landscape("train", *SMALL, "--lr", lr, "--seed", seed, "-o", alone)
        assert np.array_equal(weights(swept / f"lr{lr}-seed{seed}"), weights(alone))
        one, other = (read(folder).record for folder in (swept / f"lr{lr}-seed{seed}", alone))
        differ = {name for name in one if one[name] != other[name]}
        assert differ <= {"id", "created", "command"}


def test_info_is_a_table(swept, landscape):
    result = landscape("info", swept)
    assert result.code == 0
    head, *rows = [line.split() for line in result.out.splitlines()]
    assert " ".join(head) == (
        "lr seed lowest train last train lowest valid. last valid. steps status"
    )
    for row, name in zip(rows, NAMES, strict=True):
        recorded = read(swept / name).trajectory.measures
        train, validation = recorded["train_loss"], recorded["validation_loss"]
        losses = [train.min(), train[-1], validation.min(), validation[-1]]
        lr, seed = name.removeprefix("lr").split("-seed")
        assert row == [lr, seed, *(f"{loss:.4g}" for loss in losses), "64", "finished"]


def test_info_as_json(swept, landscape):
    found = json.loads(landscape("info", swept, "--json").out)
    assert found["kind"] == "sweep"
    assert [run["name"] for run in found["runs"]] == NAMES
    losses = read(swept / NAMES[0]).trajectory.measures["train_loss"]
    assert found["runs"][0]["last_train_loss"] == losses[-1]
    assert found["runs"][0]["status"] == "finished"


def test_the_same_command_keeps_what_is_done(swept, landscape):
    before = ids(swept)
    assert landscape("train", *SWEEP, "-o", swept).code == 0
    assert ids(swept) == before


def test_more_values_are_added(landscape, tmp_path):
    options = (*SMALL[:-1], 1, "-o", tmp_path / "sweep")
    landscape("train", *options, "--lr", "0.1,0.2")
    before = ids(tmp_path / "sweep")
    assert landscape("train", *options, "--lr", "0.2,0.3").code == 0
    after = ids(tmp_path / "sweep")
    assert sorted(after) == ["lr0.1", "lr0.2", "lr0.3"]
    assert {name: after[name] for name in before} == before


def test_overwrite_trains_all_anew(landscape, tmp_path):
    folder = tmp_path / "sweep"
    options = ("train", *SMALL[:-1], 1, "-o", folder)
    landscape(*options, "--lr", "0.1,0.2")
    (folder / "notes.txt").write_text("mine")
    before = ids(folder)
    assert landscape(*options, "--lr", "0.2,0.3", "--overwrite").code == 0
    after = ids(folder)
    assert sorted(after) == ["lr0.2", "lr0.3"]
    assert after["lr0.2"] != before["lr0.2"]
    assert (folder / "notes.txt").read_text() == "mine"


OWN = """
import torch
from torch import nn
from landscape.problem import Problem, half_square

def line(slope=1.0, kind="plain", sizes=(1,)):
    if kind == "broken":
        raise ArithmeticError("no such line")
    inputs = torch.randn(40, 1)
    return Problem(nn.Linear(1, 1), (inputs, slope * inputs), loss=half_square)
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:line"


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_failing_run_does_not_stop_the_others(landscape, own, tmp_path, workers):
    folder = tmp_path / "sweep"
    options = ("--problem", own, "--epochs", 2, "--workers", workers, "-o", folder)
    result = landscape("train", *options, "--sweep", "kind=plain,broken,odd")
    assert result.code == 1
    reason = (
        f"{own} must run without an error, got ArithmeticError: no such line "
        f"({tmp_path}/own.py:8); LANDSCAPE_DEBUG=1 shows the traceback"
    )
    assert result.err.splitlines()[-1] == (
        f"landscape: error: 1 of 3 runs failed, kindbroken with: {reason}; "
        "the same command tries them again"
    )
    assert result.out.splitlines()[-1] == f"kindbroken failed: {reason}"
    assert [line.split()[-1] for line in result.out.splitlines()[1:-1]] == [
        "finished",
        "failed",
        "finished",
    ]
    before = ids(folder)
    (tmp_path / "own.py").write_text(OWN.replace('"broken"', '"never"'))
    assert landscape("train", *options, "--sweep", "kind=plain,broken,odd").code == 0
    after = ids(folder)
    assert sorted(after) == ["kindbroken", "kindodd", "kindplain"]
    assert {name: after[name] for name in before} == before


def test_settings_of_a_problem(landscape, own, tmp_path):
    folder = tmp_path / "sweep"
    options = ("--problem", own, "--epochs", 1, "--set", "kind=plain", "-o", folder)
    varied = (
        "--sweep",
        "slope=1,2.5",
        "--sweep",
        "sizes=[1,2],[3]",
        "--sweep",
        "schedule=step,cosine",
    )
    assert landscape("train", *options, *varied).code == 0
    names = sorted(ids(folder))
    assert len(names) == 8
    assert names[0] == "schedulecosine-slope1-sizes1-2"
    run = read(folder / "schedulestep-slope2.5-sizes3")
    assert run.record["problem"]["settings"] == {"kind": "plain", "slope": 2.5, "sizes": [3]}
    assert run.record["settings"]["schedule"] == "step"


def test_flags_and_models(landscape, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("--width", 4, "--train-samples", 50, "--steps", 2, "--momentum", 0.5)
    varied = ("--model", "mlp,cnn", "--sweep", "nesterov=true,false")
    assert landscape("train", *options, *varied).code == 0
    folder = tmp_path / "runs" / "digits-by-model-nesterov"
    assert sorted(ids(folder)) == [
        f"{model}-nesterov{flag}" for model in ("cnn", "mlp") for flag in (False, True)
    ]
    assert read(folder / "mlp-nesterovTrue").record["settings"]["nesterov"] is True


def test_an_interrupted_sweep_goes_on(landscape, tmp_path, monkeypatch):
    from landscape.sgd.training import train

    options = ("train", *SMALL, "--lr", "0.1,0.3", "-o", tmp_path / "sweep")
    original, calls = train.Training.step, []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == 64 + 40:
            raise KeyboardInterrupt
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(train.Training, "step", interrupted)
        assert landscape(*options).code == 130
    table = landscape("info", tmp_path / "sweep").out.splitlines()
    assert [line.split()[-1] for line in table[1:]] == ["finished", "interrupted"]
    before = ids(tmp_path / "sweep")
    assert landscape(*options).code == 0
    assert ids(tmp_path / "sweep")["lr0.1"] == before["lr0.1"]
    landscape("train", *SMALL, "--lr", 0.3, "-o", tmp_path / "alone")
    final = [weights(folder)[-1] for folder in (tmp_path / "sweep" / "lr0.3", tmp_path / "alone")]
    assert np.array_equal(*final)


@pytest.mark.slow
def test_processes_share_the_threads_and_give_the_same_weights(landscape, tmp_path, monkeypatch):
    threads = torch.get_num_threads()
    each = max(1, threads // 2)
    result = landscape("train", *SWEEP, "--workers", 2, "-o", tmp_path / "sweep")
    assert result.code == 0, result.err
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["threads"] == each
    assert {read(tmp_path / "sweep" / name).record["threads"] for name in NAMES} == {each}
    try:
        torch.set_num_threads(each)
        landscape("train", *SMALL, "--lr", 0.3, "--seed", 1, "-o", tmp_path / "alone")
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(weights(tmp_path / "sweep" / NAMES[3]), weights(tmp_path / "alone"))


@pytest.mark.slow
def test_on_a_dask_cluster(landscape, tmp_path, monkeypatch):
    if "CI" not in os.environ:
        pytest.importorskip("distributed", reason="needs the extra [distributed]")
    from distributed import LocalCluster

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        options = ("--problem", "own.py:line", "--epochs", 1, "--sweep", "kind=plain,broken")
        result = landscape(
            "train", *options, "--scheduler", cluster.scheduler_address, "-o", "sweep"
        )
    assert result.code == 1
    assert [line.split()[-1] for line in result.out.splitlines()[1:3]] == ["finished", "failed"]
    run = read(tmp_path / "sweep" / "kindplain")
    assert run.record["threads"] == 1
    assert run.record["command"] == (
        "landscape train --problem=own.py:line --epochs=1 --set=kind=plain "
        f"--output={tmp_path}/sweep/kindplain"
    )


def test_another_sweep_in_the_folder_is_refused(swept, landscape):
    before = (swept / "sweep.json").read_bytes()
    result = landscape("train", *SMALL[:-1], 3, "--lr", "0.1,0.3", "--seeds", 2, "-o", swept)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a sweep goes on with the settings that {swept} was started with, its "
        "shared options are --model=mlp --data=moons --width=8 --epochs=2, got --model=mlp "
        "--data=moons --width=8 --epochs=3; give another folder with --output, or replace it with "
        "--overwrite\n"
    )
    assert (swept / "sweep.json").read_bytes() == before

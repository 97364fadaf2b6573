"""Other optimizers than SGD, from the command line."""

from __future__ import annotations

import json
import shutil

import pytest

from landscape.store import read

from .conftest import MEASURE

SMALL = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 2)
ADAMW = (*SMALL, "--optimizer", "adamw", "--lr", 0.02, "--clip", 0.2, "--ema", 0.9)


@pytest.fixture(scope="module")
def adamw(landscape, tmp_path_factory):
    """A short run of AdamW, clipped and averaged."""
    folder = tmp_path_factory.mktemp("adamw") / "run"
    result = landscape("train", *ADAMW, "-o", folder)
    assert result.code == 0, result.err
    loss = read(folder / "average").trajectory.measures["train_loss"][-1]
    assert result.out.splitlines()[-2:] == [
        f"average of the weights: last train loss {loss:.4g}; {folder / 'average'}",
        f"next: landscape scan {folder}",
    ]
    return folder


def test_the_settings_are_recorded(landscape, adamw, tmp_path, monkeypatch):
    settings = read(adamw).record["settings"]
    expected = {"optimizer": "adamw", "lr": 0.02, "clip": 0.2, "ema": 0.9}
    expected |= {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "alpha": None}
    assert {name: settings[name] for name in expected} == expected
    info = landscape("info", adamw).out
    assert "optimizer adamw, beta1 0.9, beta2 0.999, eps 1e-08, clip 0.2, ema 0.9" in info
    assert "weight decay 0.01" in info
    assert "momentum" not in info.partition("settings")[2].splitlines()[0]
    monkeypatch.chdir(tmp_path)
    assert landscape("train", *SMALL, "--optimizer", "rmsprop", "--steps", 3).code == 0
    assert (tmp_path / "runs" / "mlp-moons-rmsprop-lr0.01-seed0" / "run.json").is_file()


def test_two_optimizers_and_an_average_on_one_plane(landscape, trained, adamw, tmp_path):
    """Runs of one seed begin at the same weights."""
    trained = shutil.copytree(trained, tmp_path / "run")
    also = ("--also", adamw, "--also", adamw / "average")
    plane = ("--plane", f"through:0,final,{adamw}@final")
    result = landscape(*MEASURE, trained, *plane, *also, "--size", 3, "--name", "both", "-q")
    assert result.code == 0, result.err
    told = [line.strip() for line in result.out.splitlines() if " lies in this plane" in line]
    share = [line.removeprefix("Path ").partition(":")[0] for line in told]
    assert share == ["run", "run", "average"]
    start = [read(run).trajectory.row_weights(0) for run in (trained, adamw, adamw / "average")]
    assert all((weights == start[0]).all() for weights in start)


@pytest.mark.slow
def test_a_diagnosis_leaves_out_what_is_plain_sgds(landscape, adamw):
    result = landscape("diagnose", adamw, "--no-intervene", "-q")
    assert result.code == 0, result.err
    said = " ".join(result.out.split())
    assert (
        "Criteria that are only plain SGD's (bounds, h*) are not applicable: AdamW, gradients were "
        "clipped." in said
    )
    verdict = json.dumps(json.loads((adamw / "verdict.json").read_text()))
    assert "2(1 − β)/η" not in verdict


def test_several_optimizers_make_a_sweep(landscape, tmp_path):
    folder = tmp_path / "sweep"
    optimizers = ("--optimizer", "sgd,adam,adamw,rmsprop")
    assert landscape("train", *SMALL, *optimizers, "--steps", 3, "-q", "-o", folder).code == 0
    rates = {
        name: read(folder / f"optimizer{name}").record["settings"]["lr"]
        for name in ("sgd", "adam", "adamw", "rmsprop")
    }
    assert rates == {"sgd": 0.05, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.01}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--optimizer", "lion"),
            "--optimizer must be one of sgd, adam, adamw, rmsprop, got lion",
        ),
        (
            ("--optimizer", "adam", "--momentum", 0.9),
            "--momentum must be left out with the optimizer adam, got 0.9; "
            "it is an option of sgd, rmsprop",
        ),
        (
            ("--beta1", 0.5),
            "--beta1 must be left out with the optimizer sgd, got 0.5; it is an option of adam, "
            "adamw",
        ),
        (("--clip", -1), "--clip must be above 0 and finite, got -1.0"),
    ],
)
def test_what_does_not_fit_is_refused(landscape, tmp_path, options, message):
    result = landscape("train", *SMALL, *options, "-o", tmp_path / "run")
    assert result.err == f"landscape: error: {message}\n"
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_optimizer_that_it_began_with(landscape, adamw, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(adamw, folder)
    read(folder).update(status="interrupted")
    result = landscape("train", "--resume", folder, "--optimizer", "sgd")
    assert result.err == (
        "landscape: error: a run goes on with the settings that it began with, "
        f"{folder} has --optimizer adamw, got sgd; drop the option, or train a new run with "
        "--output\n"
    )
    average = folder / "average"
    result = landscape("train", "--resume", average)
    assert result.err == (
        f"landscape: error: averaged weights go on with their training, {average} holds only "
        f"them; give {folder} to go on with\n"
    )

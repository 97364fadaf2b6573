from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape import sgd
from landscape.errors import LandscapeError
from landscape.sgd import Options, Settings, TrainingSetup
from landscape.sgd.sweeps import combinations, default_name, plan
from landscape.store import read
from landscape.store.provenance import command

SMALL = TrainingSetup(
    problem_settings={"model": "mlp", "data": "moons", "width": 8},
    settings=Settings(epochs=1),
    options=Options(flight=0),
)


def test_every_combination_the_last_varying_fastest():
    found = combinations({"model": ["mlp", "cnn"], "lr": [0.0001, 0.1], "seed": [0, 1]})
    assert list(found) == [
        f"{model}-lr{lr}-seed{seed}"
        for model in ("mlp", "cnn")
        for lr in ("0.0001", "0.1")
        for seed in (0, 1)
    ]
    assert found["mlp-lr0.1-seed1"] == {"model": "mlp", "lr": 0.1, "seed": 1}


def test_names_are_fit_for_folders_and_differ():
    data = ["npz:/some/where/a b.npz", "npz:/else/where/a b.npz", "../x", "é"]
    names = list(combinations({"data": data, "weight-decay": [1e-05]}))
    assert names == [
        "a-b.npz-weight-decay1e-05",
        "a-b.npz-weight-decay1e-05-1",
        "x-weight-decay1e-05",
        "x-weight-decay1e-05-3",
    ]
    [long] = combinations({"data": ["x" * 500]})
    assert len(long) < 120


def test_the_same_value_twice_is_refused():
    with pytest.raises(LandscapeError) as caught:
        combinations({"lr": [0.1, 0.2, 0.10]})
    assert str(caught.value) == "lr must name each value once, got 0.1 twice"


def weights(folder):
    return read(folder).trajectory.weights(slice(None))


def test_a_sweep_from_python(tmp_path):
    said = []
    made = sgd.sweep(
        tmp_path / "sweep",
        SMALL,
        {"lr": [0.1, 0.3], "seed": range(2)},
        told=lambda done, counts: said.append((done, dict(counts))),
    )
    assert [run["name"] for run in made.runs] == [
        *("lr0.1-seed0", "lr0.1-seed1", "lr0.3-seed0", "lr0.3-seed1")
    ]
    assert made.record["varied"] == ["lr", "seed"]
    assert made.record["arguments"] == [
        *("--model=mlp", "--data=moons", "--width=8", "--epochs=1", "--flight=0")
    ]
    assert said[-1] == (4.0, {"kept": 0, "finished": 4})
    run = read(tmp_path / "sweep" / "lr0.3-seed1")
    assert run.record["command"] == command()
    assert run.record["threads"] == torch.get_num_threads()
    sgd.begin(tmp_path / "alone", SMALL.varied({"lr": 0.3, "seed": 1})).finish()
    alone = read(tmp_path / "alone")
    assert np.array_equal(weights(run.folder), weights(alone.folder))
    assert run.record["settings"] == alone.record["settings"]
    assert run.record["options"] == alone.record["options"]


def test_called_again_it_trains_what_is_missing(tmp_path):
    folder, counted = tmp_path / "sweep", []
    sgd.sweep(folder, SMALL, {"lr": [0.1]})
    kept = read(folder / "lr0.1").id
    sgd.sweep(
        folder, SMALL, {"lr": [0.1, 0.2]}, told=lambda done, counts: counted.append(dict(counts))
    )
    assert counted[-1] == {"kept": 1, "finished": 1}
    assert read(folder / "lr0.1").id == kept
    with pytest.raises(LandscapeError) as caught:
        sgd.sweep(folder, SMALL.varied({"epochs": 2}), {"lr": [0.1]})
    assert str(caught.value) == (
        f"a sweep goes on with the settings that {folder} was started with, its shared options are "
        "--model=mlp --data=moons --width=8 --epochs=1 --flight=0, got --model=mlp --data=moons "
        "--width=8 --epochs=2 --flight=0; give another folder with --output, or replace it with "
        "--overwrite"
    )


def test_one_that_fails_is_said_and_the_others_are_trained(tmp_path, capsys):
    (tmp_path / "own.py").write_text(
        "import torch\nfrom torch import nn\nfrom landscape.problem import Problem, half_square\n"
        "def line(slope):\n"
        "    print('made')\n"
        "    x = torch.ones(8, 1) / slope\n"
        "    if slope == 2: raise ArithmeticError('no such line')\n"
        "    return Problem(nn.Linear(1, 1), (x, x), loss=half_square)\n"
    )
    setup = TrainingSetup(f"{tmp_path}/own.py:line", settings=Settings(steps=2))
    made = sgd.sweep(tmp_path / "sweep", setup, {"slope": [1, 2, 3]})
    assert [run["error"] for run in made.runs] == [
        None,
        f"{tmp_path}/own.py:line must run without an error, got ArithmeticError: no such line "
        f"({tmp_path}/own.py:7); LANDSCAPE_DEBUG=1 shows the traceback",
        None,
    ]
    assert read(tmp_path / "sweep" / "slope3").record["problem"]["settings"] == {"slope": 3}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        ({"lr": [0.1, -1]}, "lr must be above 0 and finite, got -1"),
        ({"lr": [0.1, 0.1]}, "lr must name each value once, got 0.1 twice"),
        ({"flight_range": [8, 7]}, "flight range must be at least 8 steps, got 7"),
        ({"model": ["mlp", "vgg"]}, "model must be one of mlp, cnn, resnet20, resnet56, got vgg"),
        (
            {"record": ["log", "weekly"]},
            "record must combine epoch, log, random, numbers of steps and at:STEP,STEP with +, "
            "got weekly in 'weekly'",
        ),
        (
            {"depht": [1, 2]},
            "a built-in problem takes model, data, depth, width, shortcut, data_root, got depht; "
            "give a problem that takes it with --problem FILE.py:function",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(tmp_path, varied, message):
    with pytest.raises(LandscapeError) as caught:
        sgd.sweep(tmp_path / "sweep", SMALL, varied)
    assert str(caught.value) == message
    assert not (tmp_path / "sweep").exists()


def test_names_of_folders():
    setup = TrainingSetup(problem_settings={"data": "npz:/some/where/a.npz"})
    assert setup.name == "cnn-a.npz-lr0.05-seed0"
    assert setup.varied({"momentum": 0.9, "lr": 0.1}).name == "cnn-a.npz-lr0.1-m0.9-seed0"
    assert default_name(setup, ["model", "lr"]) == "a.npz-by-model-lr"
    own = TrainingSetup("some/where/net.py:make")
    assert own.name == "net-lr0.05-seed0"
    assert default_name(own, ["lr"]) == "net-by-lr"


def test_a_name_means_a_setting_an_option_or_what_the_problem_takes():
    setup = TrainingSetup("net.py:make", {"lr": 5})
    found = setup.varied({"lr": 0.1, "sketch": 0, "record": "log", "layers": [8], "set.lr": 6})
    assert found == TrainingSetup(
        "net.py:make",
        {"lr": 6, "layers": [8]},
        settings=Settings(lr=0.1),
        record="log",
        options=Options(sketch=0),
    )


def test_an_interrupted_run_goes_on(tmp_path):
    def stop(step):
        if step.step == 20:
            raise KeyboardInterrupt

    underway = sgd.begin(tmp_path / "run", SMALL)
    assert underway.total == 32
    with pytest.raises(KeyboardInterrupt):
        underway.finish(stop)
    assert read(tmp_path / "run").record["status"] == "interrupted"
    assert sgd.go_on(read(tmp_path / "run")).finish().record["status"] == "finished"
    sgd.begin(tmp_path / "whole", SMALL).finish()
    assert np.array_equal(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def test_every_run_of_a_plan_records_the_script_that_made_it(monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(Path.cwd() / "some" / "rates.py"), "--fast"])
    planned = plan(SMALL, {"seed": range(3)})
    assert [run.name for run in planned.runs] == ["seed0", "seed1", "seed2"]
    assert {run.command for run in planned.runs} == {"some/rates.py --fast"}
    assert [run.setup.settings.seed for run in planned.runs] == [0, 1, 2]

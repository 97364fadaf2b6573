from __future__ import annotations

import csv
import re
import runpy
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape import problem, sgd
from landscape.errors import LandscapeError
from landscape.store import read
from landscape.store.scans import scanfile

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / name))["main"]


@pytest.mark.slow
def test_escape(tmp_path, capsys):
    folder = tmp_path / "run"
    example("escape.py")(folder, epochs=1, size=5)
    assert scanfile.load(folder / "scans" / "along.h5").complete
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 8
    assert all(file.stat().st_size for file in printed)


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """``experiment(script, trial, seeds)``: the table that it writes, of a few epochs."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def do(script, trial, seeds):
        example(script)(tmp_path, seeds=seeds, only=[trial], quick=True)
        with (tmp_path / "results.csv").open() as file:
            return list(csv.DictReader(file))

    return do


@pytest.mark.slow
def test_high_learning_rate(experiment, tmp_path):
    rows = experiment("high_learning_rate.py", "jumping", 1)
    losses = read(tmp_path / "jumping" / "seed0").trajectory.measures["train_loss"]
    assert [row["trial"] for row in rows] == ["jumping"]
    assert float(rows[0]["best_loss"]) == pytest.approx(np.nanmin(losses))


@pytest.mark.slow
def test_long_training_goes_on_where_it_stopped(experiment, tmp_path):
    first = experiment("long_training.py", "plain", 1)
    created = read(tmp_path / "plain" / "seed0").record["created"]
    rows = experiment("long_training.py", "plain", 2)
    assert read(tmp_path / "plain" / "seed0").record["created"] == created
    assert {name: rows[0][name] for name in first[0]} == first[0]
    ends = [read(tmp_path / "plain" / f"seed{seed}").trajectory for seed in range(2)]
    a, b = (t.row_weights(t.row("final")).astype(float) for t in ends)
    assert float(rows[1]["twin"]) == pytest.approx(np.linalg.norm(a - b))
    assert float(rows[1]["twin_matched"]) <= float(rows[1]["twin"])


def test_a_run_with_other_settings_is_not_taken_for_the_trial(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    experiment = import_module("experiment")
    moons = problem.builtin("mlp", "moons", width=2, depth=1)
    folder, settings = tmp_path / "run", sgd.Settings(lr=0.1, batch_size=32, epochs=1)
    done = experiment.trained(folder, moons, settings)
    assert experiment.trained(folder, moons, settings).id == done.id
    other = replace(settings, epochs=2)
    message = f"{folder} must hold a run with {other}, got {settings}; give another folder"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        experiment.trained(folder, moons, other)


def test_the_table_keeps_other_trials_lines(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    experiment = import_module("experiment")
    file = tmp_path / "results.csv"
    assert experiment.lines(file) == []
    experiment.write(file, [{"trial": "a", "seed": 0, "loss": 0.5}])
    experiment.write(file, [*experiment.lines(file), {"trial": "b", "seed": 0, "kind": "x"}])
    assert experiment.lines(file) == [
        {"trial": "a", "seed": "0", "loss": "0.5", "kind": ""},
        {"trial": "b", "seed": "0", "loss": "", "kind": "x"},
    ]


def test_part_of_fashion_is_validated_by_the_first_images_and_drawn_by_the_seed(monkeypatch):
    digits = problem.builtin
    monkeypatch.setattr(
        problem, "builtin", lambda model, data, **options: digits(model, "digits", **options)
    )
    made = [
        problem.load(f"{EXAMPLES / 'fashion.py'}:part", {"width": 2, "validation": 7}, seed=seed)
        for seed in (0, 0, 1)
    ]
    whole = digits("cnn", "digits", width=2, depth=2).validation
    assert made[0].validation is not None
    assert whole is not None
    assert [torch.equal(a, b[:7]) for a, b in zip(made[0].validation, whole, strict=True)] == [
        True,
        True,
    ]
    first, again, other = (next(each.model.parameters()) for each in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_own_loop(tmp_path, capsys):
    folder = tmp_path / "run"
    example("own_loop.py")(folder, steps=200, size=5)
    losses = read(folder).trajectory.measures["train_loss"]
    assert losses[-1] < 0.2 * losses[0]
    assert capsys.readouterr().out.startswith(f"loss {losses[-1]:.4g} at the centre")


def test_own_loop_is_a_problem_for_the_command_line(tmp_path):
    waves = problem.load(f"{EXAMPLES / 'own_loop.py'}:waves", {"width": 8})
    assert sum(tensor.numel() for tensor in waves.model.parameters()) == 3 * 8 + 1


@pytest.mark.slow
def test_independent_minima_are_joined_where_they_are_copies(monkeypatch):
    """A network and itself with units in another order: a barrier, and none after matching."""
    monkeypatch.syspath_prepend(str(EXAMPLES))  # as of a script that is started there
    functions = runpy.run_path(str(EXAMPLES / "independent_minima.py"))
    made = functions["made"]("small", 0)
    one = problem.flat(made.model).double().numpy()
    order = np.random.default_rng(0).permutation(64)
    parts = np.split(one, np.cumsum([4096, 64, 4096, 64, 640]))
    first, bias, second, *rest = parts
    copy = np.concatenate(
        [
            first.reshape(64, 64)[order].ravel(),
            bias[order],
            second.reshape(64, 64)[:, order].ravel(),
            *rest,
        ]
    )
    found = functions["compared"]("small", "copies", np.stack([one, copy]))
    assert found.parameters == 8970
    assert found.distance == pytest.approx(np.linalg.norm(one - copy))
    assert found.matched_distance == pytest.approx(0, abs=1e-9)
    assert found.line.loss[0, 1] > 0
    assert found.matched.loss[0, 1] == pytest.approx(0, abs=1e-6)
    assert len(found.cells()) == len(functions["HEAD"])


@pytest.mark.parametrize(
    ("name", "parameters"), [("tanh", 8970), ("normalized", 9226), ("transformer", 18026)]
)
def test_small_networks_are_problems_for_the_command_line(name, parameters):
    made = problem.load(f"{EXAMPLES / 'networks.py'}:{name}")
    assert made.layout.size == parameters
    assert made.model(made.train[0][:5]).shape == (5, 10)

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest

from landscape.store import read, scanfile

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / name))["main"]


def test_escape(tmp_path, capsys):
    folder = tmp_path / "run"
    example("escape.py")(folder, epochs=1, size=5)
    assert scanfile.load(folder / "scans" / "along.h5").complete
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 6
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


def test_high_learning_rate(experiment, tmp_path):
    rows = experiment("high_learning_rate.py", "jumping", 1)
    losses = read(tmp_path / "jumping" / "seed0").trajectory.measures["train_loss"]
    assert [row["trial"] for row in rows] == ["jumping"]
    assert float(rows[0]["best_loss"]) == pytest.approx(np.nanmin(losses))


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


def test_own_loop(tmp_path, capsys):
    folder = tmp_path / "run"
    example("own_loop.py")(folder, steps=200, size=5)
    losses = read(folder).trajectory.measures["train_loss"]
    assert losses[-1] < 0.2 * losses[0]
    assert capsys.readouterr().out.startswith(f"loss {losses[-1]:.4g} at the centre")


def test_own_loop_is_a_problem_for_the_command_line(tmp_path):
    from landscape.problem import load

    problem = load(f"{EXAMPLES / 'own_loop.py'}:waves", {"width": 8})
    assert sum(tensor.numel() for tensor in problem.model.parameters()) == 3 * 8 + 1

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from landscape.diagnose.binomial import interval
from landscape.store import read, sweep_outcomes

pytestmark = pytest.mark.slow
SWEEP = ("--model", "mlp", "--data", "moons", "--depth", 1, "--width", 8, "--epochs", 2)


@pytest.fixture(scope="module")
def swept(landscape, tmp_path_factory):
    """Four runs, diagnosed: two learning rates, two seeds; tests must not change them."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    assert landscape("train", *SWEEP, "--lr", "0.00001,0.3", "--seeds", 2, "-o", folder).code == 0
    result = landscape("diagnose", folder, "--only", "units,permutations")
    assert result.code == 0, result.err
    return folder, result


def test_a_line_for_each_rate_and_each_run(swept):
    folder, result = swept
    lines = result.out.splitlines()
    head, slow, fast = lines[:3]
    assert head.split()[:2] == ["lr", "runs"]
    assert slow.split()[:2] == ["1e-05", "2"]
    assert fast.split()[:2] == ["0.3", "2"]
    assert lines[3] == ""
    assert (
        lines[-1]
        == f"next: landscape diagnose {folder}/lr1e-05-seed0, or landscape render {folder}"
    )
    assert [line.split()[0] for line in lines[4:-1]] == [
        *("run", "lr1e-05-seed0", "lr1e-05-seed1", "lr0.3-seed0", "lr0.3-seed1")
    ]
    command = f"landscape diagnose {shlex.quote(str(folder))} --intervene"
    assert f"interventions are left out; `{command}` does them for each run" in result.err


def test_shares_have_intervals_and_losses_medians(swept):
    folder, _ = swept
    found = sweep_outcomes.load(folder)
    assert (found["format"], found["version"]) == ("landscape-outcomes", 1)
    slow, fast = found["groups"]
    assert (slow["learning_rate"], fast["learning_rate"]) == (1e-5, 0.3)
    for group in (slow, fast):
        assert sum(share["count"] for share in group["outcomes"].values()) == group["count"] == 2
        for share in group["outcomes"].values():
            low, high = interval(share["count"], 2)
            assert share["share"] == share["count"] / 2
            assert (share["low"], share["high"]) == pytest.approx((low, high))
    assert "learned" not in slow["outcomes"]
    last = [
        read(folder / f"lr0.3-seed{seed}").trajectory.measures["train_loss"][-1] for seed in (0, 1)
    ]
    assert fast["train_loss"] == {"median": np.median(last), "low": min(last), "high": max(last)}


def test_siblings_are_twins_of_each_other(swept):
    folder, _ = swept
    verdict = json.loads((folder / "lr0.3-seed0" / "verdict.json").read_text())
    assert not any("No independently trained network" in c for c in verdict["caveats"])


def test_json_is_what_is_written(swept, landscape):
    folder, _ = swept
    result = landscape("diagnose", folder, "--only", "units", "--json", "-q")
    printed = json.loads(result.out)
    written = sweep_outcomes.load(folder)
    assert printed == {key: written[key] for key in printed}


def test_a_run_that_cannot_be_diagnosed_does_not_stop_the_others(landscape, tmp_path):
    folder = tmp_path / "sweep"
    landscape("train", *SWEEP, "--lr", "0.1,0.3", "-o", folder)
    for shard in (folder / "lr0.1" / "shards").glob("*.h5"):
        shard.unlink()
    result = landscape("diagnose", folder, "--only", "units", "-q")
    assert result.code == 1
    assert "1 of 2 runs could not be diagnosed, lr0.1: " in result.err
    assert (folder / "lr0.3" / "verdict.json").is_file()


def test_a_sweep_without_an_ended_run_is_refused(landscape, tmp_path):
    from landscape.store import sweep_folder

    sweep_folder.create(tmp_path / "empty", varied=["lr"], arguments=[], threads=1, runs=[])
    result = landscape("diagnose", tmp_path / "empty")
    assert (result.code, result.err) == (
        1,
        f"landscape: error: a sweep needs runs that have ended, {tmp_path}/empty has none; "
        "train them first\n",
    )


@pytest.mark.slow
def test_processes_say_the_same(swept, landscape):
    folder, _ = swept
    before = sweep_outcomes.load(folder)
    result = landscape("diagnose", folder, "--only", "units,permutations", "--workers", 2, "-q")
    assert result.code == 0, result.err
    assert sweep_outcomes.load(folder) == before

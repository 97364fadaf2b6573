"""``landscape diagnose SWEEP`` where there is nothing, not all, or something that failed."""

from __future__ import annotations

import json
import shutil

import pytest

from landscape.diagnose import alone
from landscape.diagnose.session.kept import VERDICT
from landscape.store import analysis, sweep_folder, sweep_outcomes

SWEEP = ("--model", "mlp", "--data", "moons", "--depth", 1, "--width", 4, "--epochs", 2)
QUICK = ("--only", "units", "-q")


@pytest.fixture(scope="module")
def trained_sweep(landscape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained-sweep") / "sweep"
    assert landscape("train", *SWEEP, "--lr", "0.1,0.3,0.5", "-o", folder).code == 0
    return folder


@pytest.fixture
def swept(trained_sweep, tmp_path):
    return shutil.copytree(trained_sweep, tmp_path / "sweep")


def test_runs_that_have_not_ended_are_left_out_and_named(swept, landscape):
    running = swept / "lr0.1" / "run.json"
    running.write_text(json.dumps(json.loads(running.read_text()) | {"status": "running"}))
    shutil.rmtree(swept / "lr0.5")
    result = landscape("diagnose", swept, *QUICK)
    assert result.code == 0
    assert result.err.splitlines()[0] == (
        "2 of 3 runs are left out, they failed or have not ended: lr0.1, lr0.5; the sweep's own "
        "command trains them"
    )
    assert [run["name"] for run in sweep_outcomes.load(swept)["runs"]] == ["lr0.3"]


def test_a_failed_run_is_left_out_and_named(landscape, tmp_path):
    (tmp_path / "own.py").write_text(
        "import torch\n"
        "from landscape.problem import Problem\n"
        "def line(kind='plain'):\n"
        "    x = torch.linspace(-1, 1, 40)[:, None]\n"
        "    assert kind == 'plain'\n"
        "    return Problem(torch.nn.Linear(1, 2), (x, (x[:, 0] > 0).long()))\n"
    )
    folder, file = tmp_path / "sweep", tmp_path / "own.py"
    options = ("--problem", f"{file}:line", "--epochs", 3, "--sweep", "kind=plain,broken")
    assert landscape("train", *options, "-o", folder).code == 1
    result = landscape("diagnose", folder, *QUICK)
    assert result.code == 0, result.err
    assert "1 of 2 runs are left out, they failed or have not ended: kindbroken; " in result.err
    assert [run["name"] for run in sweep_outcomes.load(folder)["runs"]] == ["kindplain"]


def test_a_run_that_is_damaged_does_not_stop_the_announcement(swept, landscape, monkeypatch):
    for shard in (swept / "lr0.1" / "shards").glob("*.h5"):
        shard.unlink()
    result = landscape("diagnose", swept, "--intervene", "--epochs", 1, *QUICK)
    assert result.code == 1
    assert "1 of 3 runs could not be diagnosed, lr0.1: " in result.err
    assert (swept / "lr0.5" / VERDICT).is_file()


def test_a_second_one_is_refused(swept, landscape):
    with alone(sweep_folder.read(swept)):
        result = landscape("diagnose", swept, *QUICK)
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1] == (
        "landscape: error: a sweep must be diagnosed by one process at a time, another one is at "
        f"work on {swept}; wait for it, or end it first"
    )


@pytest.mark.slow
def test_fuller_verdicts_stay_and_that_is_said(swept, landscape):
    assert landscape("diagnose", swept, "--only", "units,distances", "-q").code == 0
    before = (swept / "lr0.3" / VERDICT).read_bytes()
    (swept / "lr0.3" / analysis.NAME).unlink()
    result = landscape("diagnose", swept, *QUICK)
    assert (swept / "lr0.3" / VERDICT).read_bytes() == before
    assert (
        "1 of 3 verdicts stay as they are, they rest on more: lr0.3; to replace them leave out "
        "--only, or delete them" in result.err
    )


@pytest.mark.slow
def test_figures_of_a_sweep(swept, landscape):
    result = landscape("render", swept, "--kind", "outcomes")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "landscape diagnose" in result.err
    assert landscape("diagnose", swept, *QUICK).code == 0
    assert landscape("render", swept, "--kind", "outcomes", "--format", "png").code == 0
    assert list((swept / "figures").glob("*outcomes.png"))


@pytest.mark.slow
def test_a_run_that_is_a_link_goes_by_its_name_in_the_sweep(swept, landscape, tmp_path):
    (swept / "lr0.3").rename(tmp_path / "elsewhere")
    (swept / "lr0.3").symlink_to("../elsewhere")
    result = landscape("diagnose", swept, *QUICK)
    assert result.code == 0, result.err
    assert "runs are left out" not in result.err
    names = [run["name"] for run in sweep_outcomes.load(swept)["runs"]]
    assert names == ["lr0.1", "lr0.3", "lr0.5"]

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict

import h5py
import numpy as np
import pytest
import torch

from landscape.diagnose.trainings.subject import Subject
from landscape.problem import Problem, builtin, half_square
from landscape.report import run_page
from landscape.sgd import Recorder, Settings, resume, steps, watch
from landscape.store import lock, read
from landscape.store.provenance import is_typed
from landscape.store.scans import scanfile
from landscape_cli import info

from .conftest import MEASURE


@pytest.fixture
def run(trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    return copy


def strict(text):
    """Parse as JSON without NaN and Infinity."""

    def never(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=never)


def test_waits_for_no_torch(run):
    code = (
        "import sys; from landscape_cli.main import app; app(standalone_mode=False); "
        "print('torch' in sys.modules)"
    )
    line = [sys.executable, "-c", code, "info", str(run)]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == f"{run}: a run, finished"
    assert said[-1] == "False"


def test_a_run_in_words(landscape, run):
    result = landscape("info", run)
    assert result.code == 0
    lines = result.out.splitlines()
    record, trajectory = read(run).record, read(run).trajectory
    assert lines[0] == f"{run}: a run, finished"
    made = "made by" if is_typed(record["command"]) else "made   "
    assert lines[1] == f"  {made}        {record['command']}"
    assert lines[3] == "  problem        built in, model=mlp, data=moons, width=8, seed 0"
    assert lines[4] == "                 114 parameters, 1,000 samples"
    assert lines[5] == (
        "  settings       lr 0.3, momentum 0.0, weight decay 0.0, batch size 32, epochs 2, seed 0, "
        "schedule constant, optimizer sgd"
    )
    assert lines[6] == "  steps          64 (2 epochs of 32)"
    count = len(trajectory.step)
    size = f"{count * 114 * 4 / 1e3:.3g} kB"
    assert lines[7] == f"  snapshots      {count}, steps 0 to 64, {size} of weights"
    best, end = trajectory.row("best"), trajectory.row("final")
    for line, name in zip(lines[9:13], trajectory.measures, strict=True):
        values = trajectory.measures[name]
        assert line.split()[2:] == [f"{values[row]:.4g}" for row in (0, best, end)]
    assert lines[-1] == "  scans          none"


def test_a_loop_of_ones_own_in_words(landscape, tmp_path):
    """A regression has no accuracies, and the optimizer's settings are what it says itself."""
    x = torch.linspace(-1, 1, 16)[:, None]
    problem = Problem(torch.nn.Linear(1, 1), (x, x), loss=half_square)
    optimizer = torch.optim.AdamW(problem.model.parameters(), lr=0.003, weight_decay=0.02)
    with watch(tmp_path / "own", problem, optimizer, record="1") as watched:
        loss = half_square(problem.model(x), x).mean()
        loss.backward()
        optimizer.step()
        watched.record(loss)
    said = landscape("info", tmp_path / "own").out
    assert "  settings       of a loop of its own, by AdamW: lr 0.003, " in said
    assert ", weight decay 0.02, " in said
    assert "betas [0.9, 0.999]\n" in said
    assert "  train loss  " in said
    assert "accuracy" not in said


@pytest.mark.filterwarnings("ignore:SGD took 2 steps")
def test_steps_that_a_loop_did_not_record_are_told(landscape, tmp_path):
    x = torch.linspace(-1, 1, 16)[:, None]
    problem = Problem(torch.nn.Linear(1, 1), (x, x), loss=half_square)
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.1)
    with watch(tmp_path / "own", problem, optimizer, record="1") as watched:
        for step in range(40):
            half_square(problem.model(x), x).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            if step % 2:
                watched.record(0.1)
    assert (
        "  notes          20 of 40 steps of the optimizer weren't recorded: those between two "
        "records count as one, whose update is theirs in all and whose gradient is left out (nan)\n"
    ) in landscape("info", tmp_path / "own").out
    assert read(tmp_path / "own").record["unrecorded"] == 20
    setup = Subject(read(tmp_path / "own"), problem).evidence.setup
    assert setup.optimizer == "SGD recorded several steps at once"


def test_of_an_optimizer_that_a_function_made_only_what_was_set_is_told(landscape, run):
    record = json.loads((run / "run.json").read_text())
    record["settings"] = asdict(Settings(optimizer="own", lr=0.07 / 10, batch_size=16, steps=9))
    (run / "run.json").write_text(json.dumps(record))
    assert (
        "  settings       lr 0.007, batch size 16, steps 9, seed 0, schedule constant, an "
        "optimizer of your own, whose options aren't recorded\n"
    ) in landscape("info", run).out


def test_each_of_several_optimizers_in_words(landscape, tmp_path):
    x = torch.linspace(-1, 1, 16)[:, None]
    problem = Problem(torch.nn.Linear(1, 1), (x, x), loss=half_square)
    weight, bias = problem.model.parameters()
    optimizers = [torch.optim.SGD([weight], lr=0.05), torch.optim.Adam([bias], lr=0.003)]
    with watch(tmp_path / "own", problem, optimizers, record="1") as watched:
        loss = half_square(problem.model(x), x).mean()
        loss.backward()
        for one in optimizers:
            one.step()
        watched.record(loss)
    said = landscape("info", tmp_path / "own").out.splitlines()
    [line] = [one for one in said if "of a loop of its own" in one]
    first, second = line.split("; by ")
    assert first.startswith("  settings       of a loop of its own, by SGD: lr 0.05, ")
    assert second.startswith("Adam: lr 0.003, ")
    page = run_page.page(tmp_path / "own")
    both = "SGD, learning rate 0.05; Adam, learning rate 0.003"
    assert page.count(f" · {both}</p>") == 1
    assert f"Training: {both}." in page


def test_the_file_of_a_problem_is_named(landscape, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import torch\nfrom landscape.problem import Problem, half_square\n\n\n"
        "def line():\n    x = torch.linspace(-1, 1, 16)[:, None]\n"
        "    return Problem(torch.nn.Linear(1, 1), (x, x), loss=half_square)\n"
    )
    folder = tmp_path / "run"
    made = landscape("train", "--problem", f"{own}:line", "--steps", 2, "-o", folder)
    assert made.code == 0, made.err
    assert f"  problem        {own}:line, seed 0\n" in landscape("info", folder).out


def test_counts_that_a_record_lacks_are_unknown(landscape, run):
    record = json.loads((run / "run.json").read_text())
    lacking = {
        name: record[name] for name in record if name not in ("samples", "threads", "device")
    }
    del lacking["problem"]["function"]
    lacking["problem"]["kind"] = "file"
    (run / "run.json").write_text(json.dumps(lacking))
    lines = landscape("info", run).out.splitlines()
    assert lines[2].endswith(", an unknown number of threads")
    assert lines[3] == "  problem        unknown, model=mlp, data=moons, width=8, seed 0"
    assert lines[4] == "                 114 parameters, an unknown number of samples"


def test_events_are_listed():
    events = [{"name": "spike", "first": k, "last": k, "trigger": ""} for k in range(4)]
    events[0] = {"name": "plateau", "first": 0, "last": 1200, "trigger": ""}
    assert list(info._events({"events": events})) == [
        "  events         plateau: steps 0–1,200",
        "                 3 × spike: step 1, step 2, step 3",
    ]
    many = [{"name": "spike", "first": k, "last": k, "trigger": ""} for k in range(13)]
    assert list(info._events({"events": many})) == ["  events         13 × spike: steps 0 to 12"]
    assert list(info._events({"events": None})) == []


def test_a_run_as_json(landscape, run):
    landscape(*MEASURE, run, "--plane", "line", "--size", 3, "-q")
    found = strict(landscape("info", run, "--json").out)
    trajectory = read(run).trajectory
    assert found["kind"] == "run"
    assert found["settings"]["lr"] == 0.3
    lowest, end = (found["losses"][place] for place in ("lowest_logged", "end"))
    assert found["best"] == {
        "step": lowest["step"],
        "train_loss": pytest.approx(lowest["train_loss"]),
        "scan": "",
    }
    assert (
        f"  best           train loss {lowest['train_loss']:.4g} at step {lowest['step']}, the "
        "lowest of all recorded weights; training logged it\n"
    ) in landscape("info", run).out
    assert end["step"] == 64
    assert end["train_loss"] == trajectory.measures["train_loss"][-1]
    assert found["snapshots"]["count"] == len(trajectory.step)
    [scan] = found["scans"]
    assert (scan["name"], scan["size"], scan["complete"]) == ("line-final-0", [3], True)


OWN = """
import torch
from torch import nn
from landscape.problem import Problem

def steep():
    inputs = torch.ones(40, 1)
    loss = lambda outputs, targets: torch.exp(1e6 * (outputs - targets).flatten() ** 2)
    return Problem(nn.Linear(1, 1), (inputs, 5 * inputs), loss=loss)
"""


def test_infinite_losses_are_strings_and_missing_ones_null(landscape, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    landscape("train", "--problem", f"{tmp_path}/own.py:steep", "-o", tmp_path / "run")
    found = strict(landscape("info", tmp_path / "run", "--json").out)
    assert found["status"] == "non-finite"
    start = found["losses"]["start"]
    assert start["train_loss"] == "inf"
    assert start["validation_loss"] is None
    assert start["train_accuracy"] is None


def test_a_scan(landscape, run):
    landscape(*MEASURE, run, "--plane", "random", "--size", "3x5", "-q")
    file = run / "scans" / "random-final-0.h5"
    words = landscape("info", file).out.splitlines()
    assert words[0] == f"{file}: a scan, complete"
    assert len(words) > 3
    found = strict(landscape("info", file, "--json").out)
    scan = scanfile.load(file)
    assert (found["kind"], found["plane"], found["size"]) == ("scan", "random", [3, 5])
    assert found["lowest"] == scan.measures["train_loss"].min()
    assert found["highest"] == scan.measures["train_loss"].max()


def test_a_run_that_has_only_begun(landscape, run):
    record = json.loads((run / "run.json").read_text())
    del record["steps"]
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
    (run / "trajectory.h5").unlink()
    result = landscape("info", run)
    assert result.code == 0
    assert "  steps          not ended yet" in result.out.splitlines()
    assert "  snapshots      none yet" in result.out.splitlines()


def test_a_killed_run_is_told_from_one_at_work(landscape, run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
    (run / lock.NAME).touch()  # what a killed process leaves
    assert landscape("info", run).out.splitlines()[0] == (
        f"{run}: a run, killed; go on with `landscape train --resume {run}`"
    )
    assert strict(landscape("info", run, "--json").out)["killed"]
    held = lock.acquire(run)
    assert landscape("info", run).out.splitlines()[0] == f"{run}: a run, running"
    lock.release(held)


def test_a_killed_run_of_a_loop_of_ones_own_does_not_go_on_by_a_command(landscape, run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running", "settings": None}))
    assert landscape("info", run).out.splitlines()[0] == f"{run}: a run, killed"


def test_a_run_that_ends_while_it_is_looked_at_was_not_killed(landscape, run, monkeypatch):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))

    def held(folder):
        (run / "run.json").write_text(json.dumps(record))
        return False

    monkeypatch.setattr(lock, "held", held)
    assert landscape("info", run).out.splitlines()[0] == f"{run}: a run, finished"


def test_a_check_of_a_run_that_has_only_begun(landscape, run):
    """Nothing is damaged while its training is at work; of a killed one the file is lost."""
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
    (run / "trajectory.h5").unlink()
    held = lock.acquire(run)
    result = landscape("info", run, "--check")
    assert (result.code, result.out.splitlines()[-1]) == (0, "checked: nothing is damaged")
    lock.release(held)
    assert landscape("info", run, "--check").err == (
        f"landscape: error: {run} must be whole, 1 of its parts are damaged: {run}/trajectory.h5 "
        "is missing\n"
    )


def test_what_is_readable_of_a_damaged_run_is_said(landscape, run):
    (run / "trajectory.h5").write_bytes(b"not HDF5")
    result = landscape("info", run)
    assert result.code == 1
    assert result.out.splitlines()[0] == f"{run}: a run, finished"
    start = f"{run}/trajectory.h5 must be an HDF5 file"
    assert any(
        line.startswith(f"  trajectory     can't be read: {start}")
        for line in result.out.splitlines()
    )
    assert result.err.startswith(f"landscape: error: {start}")
    found = strict(landscape("info", run, "--json").out)
    assert found["error"].startswith(start)
    assert found["losses"] is None


def test_a_check_of_a_whole_run(landscape, run):
    result = landscape("info", run, "--check")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "checked: nothing is damaged"
    assert strict(landscape("info", run, "--check", "--json").out)["damages"] == []


@pytest.mark.parametrize("of_sweep", [False, True])
def test_a_check_finds_a_flipped_byte(landscape, run, of_sweep, tmp_path):
    if of_sweep:
        options = ("--model", "mlp", "--data", "moons", "--width", 4, "--epochs", 1, "--seeds", 1)
        folder = tmp_path / "sweep"
        landscape("train", *options, "-o", folder)
        damaged = folder / "seed0"
    else:
        folder = damaged = run
    shard = sorted((damaged / "shards").iterdir())[0]
    content = bytearray(shard.read_bytes())
    at = content.find(np.float32(read(damaged).trajectory.row_weights(0)[0]).tobytes())
    content[at if at >= 0 else len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    result = landscape("info", folder, "--check")
    assert result.code == 1
    said = [line for line in result.out.splitlines() if line.startswith("damaged: ")]
    assert said
    assert result.err == (
        f"landscape: error: {folder} must be whole, {len(said)} of its parts are damaged: "
        f"{said[0].removeprefix('damaged: ')}\n"
    )
    found = landscape("info", folder, "--check", "--json")
    assert found.code == 1
    assert strict(found.out)["damages"] == [line.removeprefix("damaged: ") for line in said]


def test_the_rest_of_a_damaged_run(landscape, run, tmp_path):
    steps = read(run).trajectory.step
    shards = sorted((run / "shards").iterdir())
    shards[-1].unlink()
    assert f"`landscape info {run} --salvage FOLDER`" in landscape(*MEASURE, run).err
    result = landscape("info", run, "--salvage", tmp_path / "rest")
    assert result.code == 0, result.err
    rest = read(tmp_path / "rest").trajectory.step
    lost = len(steps) - len(rest)
    assert lost > 0
    assert result.out.startswith(f"{tmp_path / 'rest'}: {len(rest)} snapshots and the scalars of ")
    assert f"; {lost} snapshots, " in result.out
    assert landscape("info", tmp_path / "rest", "--check").code == 0


@pytest.mark.parametrize("option", ["--check", "--json"])
def test_salvaging_shows_nothing(landscape, run, tmp_path, option):
    result = landscape("info", run, "--salvage", tmp_path / "rest", option)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: --salvage copies and shows nothing, got {option} too; "
        "drop one of them\n"
    )
    assert not (tmp_path / "rest").exists()


def test_a_foreign_surface(landscape, tmp_path):
    file = tmp_path / "theirs.h5"
    with h5py.File(file, "w") as theirs:
        theirs["dir_file"] = "weights.h5"
        theirs["xcoordinates"] = np.linspace(-1, 1, 3)
        theirs["train_loss"], theirs["train_acc"] = np.arange(1.0, 4), np.full(3, 90.0)
    words = landscape("info", file).out.splitlines()
    assert words[:2] == [
        f"{file}: a scan, complete",
        "A scan imported from a file that has no weights.",
    ]
    found = strict(landscape("info", file, "--json").out)
    assert (found["plane"], found["highest"]) == ("imported", 3.0)


def test_nothing_there(landscape, tmp_path):
    assert landscape("info", tmp_path / "none").err == (
        f"landscape: error: a run must be a folder, got {tmp_path}/none, which doesn't exist; "
        "make one with `landscape train -o FOLDER`\n"
    )


@pytest.fixture
def halted(tmp_path):
    """A run that Ctrl-C ended in its first epoch, and how it goes on."""
    problem, settings = builtin("mlp", "moons", width=8), Settings(lr=0.3, epochs=2)
    folder = tmp_path / "halted"
    recorder = Recorder(folder, problem, settings)
    for step in steps(problem, settings):
        recorder.record(step)
        if step.step == 20:
            break
    recorder.close("interrupted")

    def go_on():
        recorder, rest = resume(read(folder), problem)
        with recorder:
            for step in rest:
                recorder.record(step)

    return folder, go_on


def verdict_lines(result):
    """The lines of the verdict, from its title to that of the scans."""
    lines = result.out.splitlines()
    titles = [line.split()[0] if line.startswith("  ") and line[2] != " " else "" for line in lines]
    first, last = titles.index("verdict"), titles.index("scans")
    return [line[17:] for line in lines[first:last]]


def test_the_verdict_in_two_lines(landscape, run):
    assert not any(line.startswith("  verdict") for line in landscape("info", run).out.splitlines())
    assert strict(landscape("info", run, "--json").out)["verdict"] is None
    landscape("diagnose", run, "--only", "units", "-q", "--no-intervene")
    verdict = json.loads((run / "verdict.json").read_text())
    said = {each["question"]: each["text"] for each in verdict["answers"]}
    assert verdict_lines(landscape("info", run)) == [
        f"{said['1.3']} (read off the run, not tested by training again)",
        f"{said['2.1']} (the evidence doesn't decide; --only distances,diffusion)",
    ]
    found = strict(landscape("info", run, "--json").out)["verdict"]
    assert (found["verdict"], found["fits"], found["error"]) == (verdict["verdict"], True, None)


def test_a_verdict_of_a_run_that_went_on_is_told_to_be_old(landscape, halted):
    folder, go_on = halted
    assert landscape("diagnose", folder, "--only", "units", "-q", "--no-intervene").code == 0
    before = read(folder).trajectory
    assert len(verdict_lines(landscape("info", folder))) == 2
    go_on()
    now = read(folder).trajectory
    assert verdict_lines(landscape("info", folder))[2:] == [
        f"it no longer fits the recording: read from {len(before.step)} snapshots to step "
        f"{before.step[-1]}, now {len(now.step)} to step {now.step[-1]}; "
        f"`landscape diagnose {folder}` makes it anew"
    ]
    assert landscape("diagnose", folder, "--only", "units", "-q", "--no-intervene").code == 0
    assert len(verdict_lines(landscape("info", folder))) == 2


def test_a_verdict_of_an_earlier_version_is_read(landscape, run):
    landscape("diagnose", run, "--only", "units", "-q", "--no-intervene")
    file = run / "verdict.json"
    old = json.loads(file.read_text())
    del old["answers"], old["rests_on"]["last_step"], old["rests_on"]["rows"]
    file.write_text(json.dumps(old))
    assert verdict_lines(landscape("info", run)) == [
        f"{old['verdict']} (read off the run, not tested by training again)",
        f"motion {old['motion']}",
        "whether it still fits the recording isn't known: an earlier version made it",
    ]
    assert strict(landscape("info", run, "--json").out)["verdict"]["fits"] is None


def test_a_damaged_verdict_is_said_and_the_rest_told(landscape, run):
    (run / "verdict.json").write_text("{}")
    result = landscape("info", run)
    assert result.code == 0
    assert verdict_lines(result) == [
        f"can't be read: {run}/verdict.json must be a verdict's JSON, it must have verdict, which "
        f"is missing; make it anew with `landscape diagnose {run}`"
    ]


def test_what_it_was_computed_on_is_said(landscape, run):
    assert json.loads((run / "run.json").read_text())["device"] == "cpu"
    assert landscape("info", run).out.splitlines()[2].endswith(", on cpu")
    path = run / "scans" / "line.h5"
    made = landscape(
        "scan", run, "--plane", "line", "--size", 5, "--name", "line", "--device", "cpu"
    )
    assert made.code == 0, made.err
    assert ", on cpu.\n" in landscape("info", path).out
    assert landscape("info", path, "--json").code == 0

from __future__ import annotations

import numpy as np
import pytest
import torch
import typer

from landscape.sgd import Options, Settings, TrainingSetup
from landscape.store import read
from landscape.store.scans import sentences
from landscape_cli.main import app
from landscape_cli.train import setup_of

from .conftest import SMALL


def test_writes_a_run_and_says_what_to_do_next(landscape, tmp_path):
    folder = tmp_path / "my run"
    result = landscape("train", *SMALL, "-o", folder)
    assert result.code == 0
    assert result.out.splitlines()[-1] == f"next: landscape scan '{folder}'"
    assert read(folder).record["status"] == "finished"
    assert read(folder).trajectory.step[-1] == 2 * 32


def test_that_more_is_recorded_than_logged_is_said(landscape, tmp_path):
    folder = tmp_path / "run"
    said = landscape("train", *SMALL, "--dense", "20:30", "-o", folder).out
    losses = read(folder).trajectory.measures["train_loss"]
    logged = np.isfinite(losses).sum()
    assert logged < len(losses)
    assert f"losses were logged at {logged} of {len(losses)} snapshots; a scan measures" in said
    said = landscape("train", *SMALL, "--record", "epoch", "-o", tmp_path / "epochs").out
    assert np.isfinite(read(tmp_path / "epochs").trajectory.measures["train_loss"]).all()
    assert "losses were logged" not in said


def test_the_default_folder_names_what_was_trained(landscape, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert landscape("train", *SMALL, "--momentum", 0.5, "--seed", 3).code == 0
    assert (tmp_path / "runs" / "mlp-moons-lr0.3-m0.5-seed3" / "run.json").is_file()


def test_the_same_seed_gives_the_same_weights_to_the_bit(landscape, trained, tmp_path):
    landscape("train", *SMALL, "-o", tmp_path / "again")
    landscape("train", *SMALL, "--seed", 1, "-o", tmp_path / "other")
    first, again, other = (
        read(folder).trajectory.weights(slice(None))
        for folder in (trained, tmp_path / "again", tmp_path / "other")
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first[-1], other[-1])


OWN = """
import torch
from torch import nn
from landscape.problem import Problem, half_square

def line(slope=1.0, name="x"):
    inputs = torch.randn(40, 1)
    return Problem(nn.Linear(1, 1), (inputs, slope * inputs), loss=half_square)

def diverging():
    inputs = torch.randn(40, 1)
    return Problem(nn.Linear(1, 1), (inputs, inputs ** 2), loss=lambda o, t: (o - t).flatten() ** 4)

def mean_loss():
    inputs = torch.randn(40, 1)
    return Problem(nn.Linear(1, 1), (inputs, inputs), loss=lambda o, t: ((o - t) ** 2).mean())

def unequal():
    return Problem(nn.Linear(1, 1), (torch.randn(40, 1), torch.randn(30, 1)), loss=half_square)

def empty():
    return Problem(nn.Linear(1, 1), (torch.randn(0, 1), torch.randn(0, 1)), loss=half_square)

def broken():
    return 1 / 0

def loaded():
    inputs = torch.randn(40, 1)
    data = torch.utils.data.TensorDataset(inputs, inputs)
    loader = torch.utils.data.DataLoader(data, batch_size=10)
    return Problem(nn.Linear(1, 1), loader, loss=half_square)
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return file


def test_own_problem_with_settings(landscape, own, tmp_path):
    options = ("--set", "slope=3", "--set", "name=abc", "--lr", 0.5, "--epochs", 50)
    result = landscape("train", "--problem", f"{own}:line", *options, "-o", tmp_path / "run")
    assert result.code == 0
    run = read(tmp_path / "run")
    assert run.record["problem"]["settings"] == {"slope": 3, "name": "abc"}
    assert run.trajectory.weights(slice(-1, None)) == pytest.approx(np.array([[3, 0]]), abs=1e-3)


@pytest.mark.parametrize(("options", "steps"), [((), 4), (("--batch-size", 20), 2)])
def test_a_step_takes_a_loaders_batch(options, steps, landscape, own, tmp_path):
    spec, run = f"{own}:loaded", tmp_path / "run"
    assert landscape("train", "--problem", spec, *options, "--epochs", 1, "-o", run).code == 0
    assert read(run).record["steps"] == steps


def test_a_loss_that_becomes_infinite_is_recorded_and_said(landscape, own, tmp_path):
    result = landscape("train", "--problem", f"{own}:diverging", "--lr", 10, "-o", tmp_path / "run")
    run = read(tmp_path / "run")
    step = run.record["steps"]
    assert result.code == 0
    assert run.record["status"] == "non-finite"
    assert run.trajectory.step[-1] == step
    assert not np.isfinite(run.trajectory.scalars()["gradient_norm"][-1])
    assert (
        f"landscape: warning: the loss or its gradient became NaN or infinite at step {step}; "
        "the run is recorded up to there"
    ) in result.err


def test_label_noise_and_fewer_samples_are_the_same_for_every_seed(landscape, tmp_path):
    options = ("--label-noise", 0.2, "--train-samples", 100, "--epochs", 1)
    for seed in (0, 1):
        landscape("train", *SMALL[:-4], *options, "--seed", seed, "-o", tmp_path / f"{seed}")
    first, second = (read(tmp_path / f"{seed}").record for seed in (0, 1))
    assert first["samples"] == 100
    assert first["problem"]["data"] == second["problem"]["data"]


def test_quiet_and_plain_progress(landscape, tmp_path):
    quiet = landscape("train", *SMALL, "--quiet", "-o", tmp_path / "quiet")
    assert quiet.err == ""


def test_overwrite_replaces_a_run(landscape, tmp_path):
    folder = tmp_path / "run"
    landscape("train", *SMALL, "-o", folder)
    first = read(folder).id
    landscape("train", *SMALL, "-o", folder, "--overwrite")
    assert read(folder).id != first
    assert [item.name for item in tmp_path.iterdir()] == ["run"]


def mistake(landscape, tmp_path, *options):
    result = landscape("train", *options, "-o", tmp_path / "new")
    assert result.code == 1
    assert not (tmp_path / "new").exists()
    return result.err.removeprefix("landscape: error: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "vgg"), "--model must be one of mlp, cnn, resnet20, resnet56, got vgg"),
        (
            ("--model", "resnet2"),
            "--model must be one of mlp, cnn, resnet20, resnet56, got resnet2; "
            "did you mean resnet20?",
        ),
        (("--lr", "0"), "--lr must be above 0 and finite, got 0.0"),
        (("--batch-size", "0"), "--batch-size must be at least 1, got 0"),
        (("--device", "tpu"), "--device must be one of auto, cpu, cuda, mps, got tpu"),
        (("--trust",), "trust is for --resume, got --trust alone; drop it"),
        (
            ("--accept-changes",),
            "accept-changes is for --resume, got --accept-changes alone; drop it",
        ),
        (("--set", "a=1"), "--set needs --problem, got --set a=1 alone"),
        (("--set", "a", "--problem", "x.py:f"), "--set must be NAME=VALUE, got a"),
        (
            ("--problem", "nowhere.py:f"),
            "a problem's file must exist, got nowhere.py",
        ),
        (
            ("--problem", "nowhere"),
            "a problem must be given as FILE.py:function or module:function, got nowhere",
        ),
        (
            ("--record", "weekly"),
            "--record must combine epoch, log, random, numbers of steps and at:STEP,STEP with +, "
            "got weekly in 'weekly'",
        ),
        (
            ("--train-samples", "2000"),
            "--train-samples must be between 1 and the 1437 there are, got 2000",
        ),
        (("--label-noise", "2"), "--label-noise must be a share between 0 and 1, got 2.0"),
    ],
)
def test_a_mistake_is_one_line(options, message, landscape, tmp_path):
    assert mistake(landscape, tmp_path, *options) == message


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "mean_loss",
            "a loss must return one value a sample, shape (8,) or (8, ...) for a batch of 8, got "
            'a scalar; use reduction="none", or return (value, weight) for one of the batch',
        ),
        (
            "unequal",
            "training data must be tensors of equal length, got 40 in inputs, 30 in targets",
        ),
        ("empty", "training data must hold at least one sample, got 0"),
        (
            "nothing",
            "{file} must hold a function nothing, found half_square, line, diverging, mean_loss, "
            "unequal, empty, broken, loaded",
        ),
        (
            "broken",
            "{file}:broken must run without an error, got ZeroDivisionError: division by zero "
            "({file}:25); LANDSCAPE_DEBUG=1 shows the traceback",
        ),
    ],
)
def test_a_mistake_in_an_own_problem_is_one_line(function, message, landscape, own, tmp_path):
    found = mistake(landscape, tmp_path, "--problem", f"{own}:{function}")
    assert found == message.format(file=own)


def test_own_problem_and_model_together_are_refused(landscape, own, tmp_path):
    assert mistake(landscape, tmp_path, "--problem", f"{own}:line", "--no-shortcut") == (
        "--problem brings its own model and data, got --no-shortcut too; drop one of them"
    )


def test_a_run_that_exists_is_refused_and_left_alone(landscape, trained):
    before = (trained / "run.json").read_bytes()
    result = landscape("train", *SMALL, "-o", trained)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a new run needs a new folder, {trained} holds a run already; "
        "give another one with --output, or replace it with --overwrite\n"
    )
    assert (trained / "run.json").read_bytes() == before


def test_a_folder_that_is_no_run_is_never_overwritten(landscape, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    result = landscape("train", *SMALL, "-o", tmp_path, "--overwrite")
    assert result.code == 1
    assert result.err == (
        f"landscape: error: a new run needs a new folder, {tmp_path} exists and is no run; "
        "give another one with --output\n"
    )
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_global_random_state_does_not_matter(landscape, trained, tmp_path):
    torch.manual_seed(123)
    landscape("train", *SMALL, "-o", tmp_path / "run")
    again, first = (read(folder).trajectory for folder in (tmp_path / "run", trained))
    assert np.array_equal(again.weights(slice(None)), first.weights(slice(None)))


def asked(*arguments):
    """The training that a command line asks for."""
    command = typer.main.get_command(app).commands["train"]
    return setup_of(command.make_context("train", list(arguments)).params)


def test_defaults_are_those_of_the_records():
    assert asked() == TrainingSetup()


@pytest.mark.parametrize(
    "setup",
    [
        TrainingSetup(
            problem_settings={"model": "resnet20", "data": "moons", "width": 3, "shortcut": False},
            train_samples=7,
            label_noise=0.25,
            settings=Settings(0.1, 0.9, True, 1e-4, 8, 3, 5, 2, "cosine", "cpu"),
            record="log",
            options=Options(("1:2", "3:4"), ("a.*",), 3, 10**6, 9, 2.5, 0.2, 4, 0, 10**9),
        ),
        TrainingSetup("own.py:line", {"slope": 3, "name": "abc"}),
    ],
)
def test_a_setup_as_options_of_the_command(setup):
    assert asked(*setup.arguments()) == setup


def test_what_happened_is_told_as_captions_and_info_do(landscape, tmp_path):
    options = ("--model", "mlp", "--data", "moons", "--width", 8, "--lr", 0.3, "--momentum", 0.9)
    said = landscape("train", *options, "--epochs", 5, "-q", "-o", tmp_path / "run").out
    known = read(tmp_path / "run").trajectory.events
    spikes = [event for event in known if event.name == "spike"]
    assert 1 <= len(spikes) <= 2
    [line] = [line for line in said.splitlines() if line.startswith("spike")]
    spans = [
        f"step {one.first}" if one.first == one.last else f"steps {one.first}–{one.last}"
        for one in spikes
    ]
    assert line == f"spike: {', '.join(spans)}"
    assert f" {line}\n" in landscape("info", tmp_path / "run").out
    assert line in sentences.happened(known)

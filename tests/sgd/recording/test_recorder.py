from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import half_square
from landscape.problem.examine import verify
from landscape.sgd import Recorder, Settings, steps
from landscape.store import read
from landscape.store.trajectories.trajectory import CADENCE

SCALARS = (
    "batch_loss",
    "learning_rate",
    "gradient_norm",
    "update_norm",
    "weight_norm",
    "weight_dot_gradient",
    "gradient_cosine",
    "update_cosine",
)


def train(folder, problem, settings, **options):
    with Recorder(folder, problem, settings, **options) as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    return recorder.run


def put(model, weights, buffers) -> nn.Module:
    """Return a float64 copy of a model at recorded weights, by way of its state dict."""
    twin = copy.deepcopy(model).double().eval()
    state, offset = {name: torch.from_numpy(value) for name, value in buffers.items()}, 0
    for name, parameter in model.named_parameters():
        part = weights[offset : offset + parameter.numel()]
        state[name] = torch.from_numpy(part).reshape(parameter.shape)
        offset += parameter.numel()
    assert offset == len(weights)
    twin.load_state_dict(state)
    return twin


def cross_entropy_at(model, weights, buffers, data) -> tuple[float, float]:
    inputs, targets = data
    with torch.no_grad():
        outputs = put(model, weights, buffers)(inputs.double())
    hits = (outputs.argmax(1) == targets).double().mean()
    return float(functional.cross_entropy(outputs, targets)), float(hits)


def test_rows_at_the_cadence_first_and_last_always(tmp_path, problem):
    settings = Settings(batch_size=16, steps=11)
    trajectory = train(tmp_path / "run", problem(), settings, record="3").trajectory
    assert trajectory.step.tolist() == [0, 3, 6, 9, 11]
    assert trajectory.kind.tolist() == [1] * 5
    only = train(tmp_path / "ends", problem(), settings, record="1000").trajectory
    assert only.step.tolist() == [0, 11]
    default = train(tmp_path / "default", problem(), settings).trajectory
    assert {0, 1, 2, 3, 4, 6, 8, 11} <= set(default.step.tolist())


def test_rows_are_the_weights_of_their_steps(tmp_path, problem, trajectory_of):
    settings = Settings(lr=0.2, batch_size=16, epochs=5)
    trajectory = train(tmp_path / "run", problem(), settings).trajectory
    assert (np.diff(trajectory.step) > 0).all()
    expected = trajectory_of(steps(problem(), settings))
    np.testing.assert_array_equal(trajectory.weights(slice(None)), expected[trajectory.step])


def test_scalars_stand_beside_the_weights_they_belong_to(tmp_path, problem, spy):
    settings = Settings(lr=0.2, momentum=0.5, batch_size=16, steps=12)
    made = problem(augment=spy)
    verify(made)
    spy.batches.clear()  # what the check took isn't of the training
    trajectory = train(tmp_path / "run", made, settings, record="1").trajectory
    found = trajectory.scalars()
    assert tuple(found) == SCALARS
    w = trajectory.weights(slice(None)).astype(np.float64)
    inputs, targets = made.train
    losses = [
        cross_entropy_at(made.model, w[t], {}, (inputs[chosen], targets[chosen]))[0]
        for t, chosen in enumerate(spy.indices(made))
    ]
    np.testing.assert_allclose(found["batch_loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(found["weight_norm"], np.linalg.norm(w[:-1], axis=1), rtol=1e-6)
    moved = np.linalg.norm(np.diff(w, axis=0), axis=1)
    np.testing.assert_allclose(found["update_norm"], moved, rtol=1e-5)
    assert (found["learning_rate"] == 0.2).all()


def test_losses_are_those_at_the_stored_weights(tmp_path, problem, mlp):
    # An augmentation that would ruin them, were it applied when losses are measured.
    made = problem(
        mlp(nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3)), augment=lambda x, _: x * -3 + 1
    )
    settings = Settings(lr=0.2, momentum=0.5, batch_size=16, epochs=6)
    trajectory = train(tmp_path / "run", made, settings).trajectory
    measures = trajectory.measures
    assert len(trajectory.step) > 10
    for row in np.flatnonzero(trajectory.kind & CADENCE):
        weights, buffers = trajectory.row_weights(row), trajectory.buffers(row)
        for name, data in (("train", made.train), ("validation", made.validation)):
            loss, accuracy = cross_entropy_at(made.model, weights, buffers, data)
            assert measures[f"{name}_loss"][row] == pytest.approx(loss, rel=1e-5, abs=1e-9)
            assert measures[f"{name}_accuracy"][row] == pytest.approx(accuracy, abs=1e-12)


def test_batchnorm_statistics_are_recorded(tmp_path, problem, mlp):
    made = problem(mlp(nn.BatchNorm1d(5), nn.ReLU()))
    settings = Settings(lr=0.2, batch_size=16, epochs=2)
    trajectory = train(tmp_path / "run", made, settings, record="1").trajectory
    held = [
        {name: buffer.clone().numpy() for name, buffer in step.model.named_buffers()}
        for step in steps(made, settings)
    ]
    for row, expected in enumerate(held):
        found = trajectory.buffers(row)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
    assert [int(b["1.num_batches_tracked"]) for b in held] == list(range(9))


def test_without_validation_and_classes(tmp_path, problem):
    inputs = torch.linspace(-1, 1, 8)[:, None]
    made = problem(nn.Linear(1, 1), train=(inputs, inputs), validation=None, loss=half_square)
    measures = train(tmp_path / "run", made, Settings(steps=3)).trajectory.measures
    assert np.isfinite(measures["train_loss"]).all()
    for name in ("train_accuracy", "validation_loss", "validation_accuracy"):
        assert np.isnan(measures[name]).all()


def test_run_json(tmp_path, problem):
    settings = Settings(lr=0.2, batch_size=16, epochs=2, seed=3)
    train(tmp_path / "run", problem(), settings, record="epoch")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["settings"]["lr"] == 0.2
    assert record["settings"]["seed"] == 3
    assert {key: record[key] for key in ("record", "steps", "steps_per_epoch", "samples")} == {
        "record": "epoch",
        "steps": 8,
        "steps_per_epoch": 4,
        "samples": 50,
    }
    assert record["parameters"] == 43


def test_the_file_is_plain_hdf5(tmp_path, problem):
    train(tmp_path / "run", problem(), Settings(batch_size=16, steps=6), record="2")
    with h5py.File(tmp_path / "run" / "trajectory.h5") as file:
        assert file["step"][:].tolist() == [0, 2, 4, 6]
        assert file["step"].dtype == np.int64
        assert file["weights"].shape == (4, 43)
        assert file["weights"].dtype == np.float32
        assert set(file["steps"]) == {*SCALARS, "sketch"}
        assert file["steps/batch_loss"].shape == (6,)
        layout = json.loads(file.attrs["parameters"])
    assert layout == [
        {"name": "0.weight", "shape": [5, 4], "offset": 0},
        {"name": "0.bias", "shape": [5], "offset": 20},
        {"name": "2.weight", "shape": [3, 5], "offset": 25},
        {"name": "2.bias", "shape": [3], "offset": 40},
    ]


@pytest.mark.parametrize("lr", [1e3, 1e30])
def test_divergence_is_recorded_up_to_the_last_finite_weights(tmp_path, problem, lr):
    inputs = torch.linspace(-1, 1, 8)[:, None]
    made = problem(nn.Linear(1, 1), train=(inputs, inputs + 1), validation=None, loss=half_square)
    settings = Settings(lr=lr, batch_size=4, epochs=100)
    run = train(tmp_path / "run", made, settings, record="1000")
    assert run.record["status"] == read(run.folder).record["status"] == "non-finite"
    trajectory, last = run.trajectory, run.record["steps"]
    assert trajectory.step[trajectory.kind & CADENCE > 0].tolist() == [0, last]
    assert last < 200
    assert np.isfinite(trajectory.weights(slice(None))).all()
    assert trajectory.row("final") == len(trajectory.step) - 1
    # The step that failed is the last one that has scalars.
    scalars = trajectory.scalars()
    reach = scalars["weight_norm"] + scalars["update_norm"]
    finite = np.isfinite(scalars["batch_loss"]) & (reach < np.finfo(np.float32).max)
    assert finite.tolist() == [True] * last + [False]


def test_interruption_leaves_a_readable_run(tmp_path, problem, trajectory_of):
    made, settings = problem(), Settings(lr=0.2, batch_size=16, epochs=100)

    def interrupted():
        with Recorder(tmp_path / "run", made, settings) as recorder:
            for step in steps(made, settings):
                recorder.record(step)
                if step.step == 13:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    run = read(tmp_path / "run")
    assert run.record["status"] == "interrupted"
    assert run.record["steps"] == 13
    trajectory = run.trajectory
    assert trajectory.step[-1] == 13
    expected = trajectory_of(steps(problem(), Settings(lr=0.2, batch_size=16, steps=13)))
    np.testing.assert_array_equal(trajectory.weights(slice(None)), expected[trajectory.step])
    assert np.isfinite(trajectory.measures["train_loss"]).all()
    assert len(trajectory.scalars()["batch_loss"]) == 13


def test_failure_is_said_and_passed_on(tmp_path, problem):
    def failing():
        with Recorder(tmp_path / "run", problem(), Settings()) as recorder:
            recorder.record(next(steps(problem(), Settings())))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    run = read(tmp_path / "run")
    assert run.record["status"] == "failed"
    assert run.trajectory.step.tolist() == [0]


def test_existing_folders_are_refused(tmp_path, problem):
    run = train(tmp_path / "run", problem(), Settings(batch_size=16, steps=2))
    other = tmp_path / "notes"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    for folder, message in (
        (
            run.folder,
            f"a new run needs a new folder, {run.folder} holds a run already; "
            "give another one with --output, or replace it with --overwrite",
        ),
        (
            other,
            f"a new run needs a new folder, {other} exists and is no run; "
            "give another one with --output",
        ),
    ):
        with pytest.raises(LandscapeError) as caught:
            Recorder(folder, problem(), Settings())
        assert str(caught.value) == message
    assert read(run.folder).id == run.id
    replaced = train(run.folder, problem(), Settings(batch_size=16, steps=3), overwrite=True)
    assert replaced.trajectory.step[-1] == 3


def test_a_bad_cadence_is_refused_before_anything_is_made(tmp_path, problem):
    with pytest.raises(LandscapeError) as caught:
        Recorder(tmp_path / "run", problem(), Settings(), record="often")
    assert str(caught.value) == (
        "record must combine epoch, log, random, numbers of steps and at:STEP,STEP with +, "
        "got often in 'often'"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("record", ["epoch", "log+random", "log + epoch"])
def test_an_epoch_must_be_known(tmp_path, problem, record):
    with pytest.raises(LandscapeError) as caught:
        Recorder(tmp_path / "run", problem(), record=record)
    assert str(caught.value) == (
        f"record={record!r} needs steps_per_epoch, got none; "
        'give it, or record by steps, as in record="log+100"'
    )


def test_an_epoch_must_have_a_step(tmp_path, problem):
    with pytest.raises(LandscapeError) as caught:
        Recorder(tmp_path / "run", problem(), steps_per_epoch=0)
    assert str(caught.value) == "steps_per_epoch must be at least 1, got 0"


def test_recording_must_begin_at_step_0(tmp_path, problem):
    *_, later = steps(problem(), Settings(batch_size=16, steps=2))
    recorder = Recorder(tmp_path / "run", problem(), Settings())
    with pytest.raises(LandscapeError) as caught:
        recorder.record(later)
    assert str(caught.value) == "record must be given step 0 first, got 2"


def test_losses_that_are_not_finite_are_recorded_as_they_are(tmp_path, problem):
    made = problem(loss=lambda outputs, targets: outputs[:, 0] * math.nan)
    run = train(tmp_path / "run", made, Settings(batch_size=16))
    assert run.record["status"] == "non-finite"
    assert run.trajectory.step.tolist() == [0]
    assert np.isnan(run.trajectory.measures["train_loss"]).all()


TRAINING = """
import sys, torch
from pathlib import Path
from torch import nn
from landscape.problem import Problem
from landscape.sgd import Options, Recorder, Settings, steps
from landscape.sgd.training.train import Training

SIDE, STEPS = 3000, 12
torch.manual_seed(0)
inputs = torch.randn(16, SIDE)
loss = lambda outputs, targets: (outputs - targets).square().mean(1)
problem = Problem(nn.Linear(SIDE, SIDE, bias=False), (inputs, inputs), loss=loss)
momentum = {"momentum": 0.9} if sys.argv[4] == "sgd" else {}
settings = Settings(lr=0.001, optimizer=sys.argv[4], **momentum, batch_size=8, steps=STEPS)
Training(problem, settings)  # which tries the problem out
if sys.argv[1] == "bare":
    training = Training(problem, settings, measured=False)
    for step in range(STEPS):
        training.step(step, settings.lr)
else:
    options = Options(flight_memory=int(sys.argv[3]))
    with Recorder(Path(sys.argv[2]), problem, settings, record="2", options=options) as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is in /proc")
@pytest.mark.parametrize(("optimizer", "states"), [("sgd", 1), ("adamw", 2)])
def test_memory_beside_the_ring(tmp_path, optimizer, states):
    """Of 9 million weights at most four vectors: last gradient and update, a quarter for the
    sketch, and a row on its way to the disk, 36 MB, as two are more than 64. The optimizer's states
    go there in pieces."""
    vector = 4 * 3000**2
    ring = 8 * vector

    def peak(*arguments):
        command = (sys.executable, "-c", TRAINING, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return 1024 * int(done.stdout)

    where, size = str(tmp_path / "run"), str(ring)
    recorded = peak("recorded", where, size, optimizer)
    more = (recorded - peak("bare", where, size, optimizer) - ring) / vector
    assert more <= 4 + 20e6 / vector  # HDF5 takes some megabytes
    kept = read(tmp_path / "run").trajectory
    assert len(kept.moments(int(kept.step[-1]))) >= states

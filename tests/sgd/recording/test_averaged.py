"""Averaged weights as a run of their own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.sgd import Options, Recorder, Settings, resume, steps
from landscape.sgd.recording import recorder as recorder_module
from landscape.store import read

SETTINGS = Settings(optimizer="adamw", lr=0.05, ema=0.9, clip=0.5, batch_size=8, epochs=4)


@pytest.fixture(autouse=True)
def flush_often(monkeypatch):
    monkeypatch.setattr(recorder_module, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(recorder_module, "SHARE", 0)


@pytest.fixture
def made(problem, mlp):
    return problem(mlp(nn.BatchNorm1d(5), nn.ReLU()))


def trained(folder, problem, *, until=None, **options):
    recorder = Recorder(folder, problem, SETTINGS, **options)
    for step in steps(problem, SETTINGS):
        recorder.record(step)
        if step.step == until:
            recorder._lock.release()  # as after kill -9
            return read(folder)
    recorder.close()
    return read(folder)


def assert_same(one, other):
    ours, theirs = one.trajectory, other.trajectory
    assert ours.step.tolist() == theirs.step.tolist()
    assert ours.part(slice(None)).tobytes() == theirs.part(slice(None)).tobytes()
    for name, values in theirs.measures.items():
        np.testing.assert_array_equal(ours.measures[name], values)
    for name, values in theirs.scalars().items():
        np.testing.assert_array_equal(ours.scalars()[name], values)
    assert ours.velocity_step.tolist() == theirs.velocity_step.tolist()
    for step in theirs.velocity_step:
        moments = ours.moments(step)
        assert moments.keys() == theirs.moments(step).keys()
        for name, value in theirs.moments(step).items():
            np.testing.assert_array_equal(moments[name], value)


@pytest.mark.slow
def test_rows_are_the_averages_with_their_losses(tmp_path, made):
    run = trained(tmp_path / "run", made)
    average = read(run.folder / "average")
    assert average.record["average_of"] == run.id
    assert average.record["status"] == "finished"
    assert average.trajectory.step.tolist() == run.trajectory.step.tolist()
    inputs, targets = made.train
    expected = {}
    for step in steps(made, SETTINGS):
        model = copy.deepcopy(step.average.model).eval()
        loss = functional.cross_entropy(model(inputs).double(), targets).item()
        expected[step.step] = step.average.weights.clone(), loss
    for row, step in enumerate(average.trajectory.step.tolist()):
        weights, loss = expected[step]
        np.testing.assert_array_equal(average.trajectory.row_weights(row), weights.numpy())
        assert average.trajectory.measures["train_loss"][row] == pytest.approx(loss, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"options": Options(parameters=("0.*",))}], ids=str)
@pytest.mark.parametrize("until", [5, 0, 17])
def test_both_go_on_to_the_bit(tmp_path, made, until, options):
    expected = trained(tmp_path / "whole", made, **options)
    trained(tmp_path / "run", made, until=until, **options)
    torch.manual_seed(99)
    recorder, rest = resume(read(tmp_path / "run"), made)
    with recorder:
        for step in rest:
            recorder.record(step)
    run = read(tmp_path / "run")
    assert_same(run, expected)
    assert_same(read(run.folder / "average"), read(expected.folder / "average"))
    assert run.record["clipped"] == expected.record["clipped"] > 0


@pytest.mark.slow
def test_what_the_optimizer_kept_is_there_to_rewind_to(tmp_path, made):
    trajectory = trained(tmp_path / "run", made).trajectory
    steps_kept = trajectory.velocity_step.tolist()
    assert steps_kept[-1] == 28
    assert int(trajectory.step[trajectory.row("best")]) in steps_kept
    kept = trajectory.moments(28)
    assert kept["optimizer/exp_avg"].shape == kept["optimizer/exp_avg_sq"].shape
    assert kept["optimizer/exp_avg"].shape == (trajectory.size,)
    assert kept["optimizer/step"] == 28
    assert trajectory.velocity(28) is None


def test_an_average_goes_on_with_its_training_only(tmp_path, made):
    trained(tmp_path / "run", made, until=9)
    with pytest.raises(LandscapeError) as caught:
        resume(read(tmp_path / "run" / "average"), made)
    assert str(caught.value) == (
        f"averaged weights go on with their training, {tmp_path / 'run' / 'average'} holds only "
        f"them; give {tmp_path / 'run'} to go on with"
    )

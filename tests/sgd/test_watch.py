"""Somebody's own loop, recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem.examine import verify
from landscape.sgd import Recorder, Settings, Watch, steps

EVERY = {"record": "1", "steps_per_epoch": 4}


def own_loop(folder, problem, model, optimizer, batches, **options):
    inputs, targets = problem.train
    with Recorder(folder, problem, **{**EVERY, **options}) as recorder:
        watch = Watch(recorder, model, optimizer)
        for chosen in batches:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs[chosen]).double(), targets[chosen])
            loss.backward()
            optimizer.step()
            watch.record(loss)
    return recorder.run


@pytest.mark.parametrize(
    "values",
    [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05}],
    ids=str,
)
def test_own_loop_gives_the_same_trajectory(tmp_path, problem, mlp, spy, values):
    settings = Settings(lr=0.2, batch_size=16, epochs=5, **values)
    seen = problem(augment=spy)
    verify(seen)
    spy.batches.clear()  # what the check took isn't of the training
    with Recorder(tmp_path / "ours", seen, settings, record="1") as recorder:
        for step in steps(seen, settings):
            recorder.record(step)
    ours = recorder.run.trajectory

    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, **values)
    run = own_loop(tmp_path / "own", problem(), model, optimizer, spy.indices(seen))
    own = run.trajectory
    assert run.record["status"] == "finished"
    assert run.record["settings"] is None
    np.testing.assert_array_equal(own.step, ours.step)
    np.testing.assert_allclose(own.weights(slice(None)), ours.weights(slice(None)), atol=1e-6)
    for name, values_there in ours.measures.items():
        np.testing.assert_allclose(own.measures[name], values_there, rtol=1e-5, atol=1e-9)
    for name, values_there in ours.scalars().items():
        np.testing.assert_allclose(own.scalars()[name], values_there, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer_type", [torch.optim.Adam, torch.optim.AdamW])
def test_update_is_the_actual_change(tmp_path, problem, mlp, optimizer_type):
    model, made = mlp(), problem()
    optimizer = optimizer_type(model.parameters(), lr=0.05, weight_decay=0.1)
    batches = [list(range(at, at + 10)) for at in (0, 10, 20, 30, 40)] * 4
    trajectory = own_loop(tmp_path / "run", made, model, optimizer, batches).trajectory
    scalars = trajectory.scalars()
    w = trajectory.weights(slice(None)).astype(np.float64)
    change = np.diff(w, axis=0)
    norms = np.linalg.norm(change, axis=1)
    np.testing.assert_allclose(scalars["update_norm"], norms, rtol=1e-5)
    cosines = (change[1:] * change[:-1]).sum(1) / (norms[1:] * norms[:-1])
    np.testing.assert_allclose(scalars["update_cosine"][1:], cosines, rtol=0, atol=1e-5)
    # The gradient is the batch's alone, by itself at the recorded weights.
    inputs, targets = made.train
    for t, chosen in enumerate(batches):
        twin = mlp(dtype=torch.float64)
        nn.utils.vector_to_parameters(torch.from_numpy(w[t]), twin.parameters())
        loss = functional.cross_entropy(twin(inputs[chosen].double()), targets[chosen])
        gradient = torch.cat(
            [g.reshape(-1) for g in torch.autograd.grad(loss, list(twin.parameters()))]
        ).numpy()
        assert scalars["gradient_norm"][t] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
        assert scalars["weight_dot_gradient"][t] == pytest.approx(
            w[t] @ gradient, rel=1e-4, abs=1e-6
        )


def test_learning_rate_and_loss_are_those_of_the_step(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    inputs, targets = made.train
    losses = []
    with Recorder(tmp_path / "run", made, record="log") as recorder:
        watch = Watch(recorder, model, optimizer)
        for _ in range(6):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            watch.record(loss.item())
    scalars = recorder.run.trajectory.scalars()
    assert scalars["learning_rate"].tolist() == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]
    assert scalars["batch_loss"].tolist() == losses
    assert recorder.run.trajectory.step.tolist() == [0, 1, 2, 3, 4, 6]


def test_model_and_its_mode_are_left_alone(tmp_path, problem, mlp):
    def trained(folder=None) -> nn.Module:
        model = mlp(nn.BatchNorm1d(5), nn.ReLU())
        made, optimizer = problem(model), torch.optim.SGD(model.parameters(), lr=0.1)
        batches = [list(range(25)), list(range(25, 50))] * 3
        if folder is not None:
            own_loop(folder, made, model, optimizer, batches)
            return model
        inputs, targets = made.train
        for chosen in batches:
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs[chosen]).double(), targets[chosen]).backward()
            optimizer.step()
        return model

    watched, alone = trained(tmp_path / "run"), trained()
    assert watched.training
    for name, value in alone.state_dict().items():
        assert torch.equal(watched.state_dict()[name], value), name


def test_weights_that_end_not_finite_are_said(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = [list(range(10))] * 5
    inputs, _ = made.train

    def poison(step):
        if step == 3:
            with torch.no_grad():
                model[0].weight.fill_(math.nan)

    with Recorder(tmp_path / "run", made, **EVERY) as recorder:
        watch = Watch(recorder, model, optimizer)
        for step, chosen in enumerate(batches):
            poison(step)
            optimizer.zero_grad()
            loss = model(inputs[chosen]).square().mean()
            loss.backward()
            optimizer.step()
            watch.record(loss)
    assert recorder.run.record["status"] == "non-finite"
    trajectory = recorder.run.trajectory
    assert trajectory.step[trajectory.row("final")] == 3


def test_a_step_that_was_not_recorded_leaves_no_trace(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
    inputs, targets = made.train
    held = []
    with Recorder(tmp_path / "run", made, record="100") as recorder:
        watch = Watch(recorder, model, optimizer)
        for step in range(4):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs).double(), targets)
            loss.backward()
            held.append(loss.item())
            optimizer.step()
            if step < 3:
                watch.record(loss)
    trajectory = recorder.run.trajectory
    assert trajectory.step.tolist() == [0, 3]
    assert trajectory.measures["train_loss"][1] == pytest.approx(held[3], rel=1e-5)


def test_record_needs_a_step(tmp_path, problem, mlp):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(tmp_path / "run", problem(), **EVERY)
    watch = Watch(recorder, model, optimizer)
    with pytest.raises(LandscapeError) as caught:
        watch.record(1.0)
    assert str(caught.value) == "record must follow optimizer.step(), no step was taken since"


def test_another_model_is_refused(tmp_path, problem):
    other = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    recorder = Recorder(tmp_path / "run", problem(), **EVERY)
    with pytest.raises(LandscapeError) as caught:
        Watch(recorder, other, torch.optim.SGD(other.parameters(), lr=0.1))
    assert str(caught.value) == (
        "the model must be the problem's, got 0.weight (5, 4) against 0.weight (6, 4)"
    )

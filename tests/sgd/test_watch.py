"""Somebody's own loop, recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.problem.examine import verify
from landscape.sgd import Options, Recorder, Settings, Watch, steps
from landscape.store import read

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


TOGETHER = (
    "those between two records count as one, whose update is theirs in all and whose gradient "
    "is left out (nan)"
)


@pytest.mark.filterwarnings("ignore:SGD took 3 steps", "ignore:the optimizer's last 4")
def test_steps_between_two_records_are_one_movement_and_said(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=0.1)
    inputs, targets = made.train
    held = [nn.utils.parameters_to_vector(model.parameters()).detach().double().numpy()]
    norms = []
    with Watch(Recorder(tmp_path / "run", made, **EVERY), model, optimizer) as watch:
        for step in range(12):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), targets)
            loss.backward()
            vector = nn.utils.parameters_to_vector(model.parameters()).detach()
            grads = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
            norms.append((grads + 0.1 * vector).norm().item())
            optimizer.step()
            if step in (2, 5, 6, 7):  # three steps, three, and two by themselves
                watch.record(loss)
                vector = nn.utils.parameters_to_vector(model.parameters())
                held.append(vector.detach().double().numpy())
    run = watch.run
    scalars, change = run.trajectory.scalars(), np.diff(np.array(held), axis=0)
    length = np.linalg.norm(change, axis=1)
    np.testing.assert_allclose(scalars["update_norm"], length, rtol=1e-5)
    cosines = (change[1:] * change[:-1]).sum(1) / (length[1:] * length[:-1])
    np.testing.assert_allclose(scalars["update_cosine"][1:], cosines, rtol=0, atol=1e-5)
    np.testing.assert_allclose(scalars["weight_norm"], np.linalg.norm(held[:-1], axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        scalars["gradient_norm"], [np.nan, np.nan, norms[6], norms[7]], rtol=1e-5
    )
    assert np.isnan(scalars["gradient_cosine"]).tolist() == [True, True, True, False]
    assert run.record["notes"] == [
        f"4 of 12 steps of the optimizer weren't recorded: {TOGETHER}",
        "the optimizer's last 4 steps are not in this run, no record came after",
    ]


def test_steps_between_two_records_are_warned_of_once(tmp_path, problem, mlp, recwarn):
    one, other = mlp(), problem()
    moved = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (one[0], one[2])]
    inputs, targets = other.train
    with Watch(Recorder(tmp_path / "run", other, **EVERY), one, moved) as watch:
        for _ in range(3):
            before = nn.utils.parameters_to_vector(one.parameters()).detach().clone()
            for optimizer in (moved[0], moved[1], moved[1]):  # as of a GAN's two networks
                functional.cross_entropy(one(inputs), targets).backward()
                optimizer.step()
            watch.record(1.0)
            after = nn.utils.parameters_to_vector(one.parameters()).detach()
    norm = watch.run.trajectory.scalars()["update_norm"][-1]
    assert norm == pytest.approx((after - before).norm().item(), rel=1e-5)
    assert [str(warning.message) for warning in recwarn] == [
        f"SGD took 2 steps since the last record: {TOGETHER}; call record after each "
        "optimizer.step()"
    ]
    assert watch.run.record["notes"] == [
        f"3 of 9 steps of the optimizer weren't recorded: {TOGETHER}"
    ]


def test_a_change_outside_the_optimizer_is_in_the_update(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Watch(Recorder(tmp_path / "run", made, **EVERY), model, optimizer) as watch:
        for _ in range(3):
            loss_of = functional.cross_entropy(model(made.train[0]), made.train[1])
            loss_of.backward()
            optimizer.step()
            watch.record(loss_of)
            with torch.no_grad():
                model[0].weight.clamp_(-0.1, 0.1)
    trajectory = watch.run.trajectory
    change = np.diff(trajectory.weights(slice(None)).astype(np.float64), axis=0)
    np.testing.assert_allclose(
        trajectory.scalars()["update_norm"], np.linalg.norm(change, axis=1), rtol=1e-5
    )


def test_record_needs_a_step(tmp_path, problem, mlp):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(tmp_path / "run", problem(), **EVERY)
    watch = Watch(recorder, model, optimizer)
    with pytest.raises(LandscapeError) as caught:
        watch.record(1.0)
    assert str(caught.value) == (
        "record must follow a step of the watched SGD, none was taken since the last one: all "
        "optimizers that step, also later ones, must be in the list that watch is given; a step by "
        "hand must be a torch.optim.Optimizer's; of a step that a gradient scaler skipped record "
        "nothing (if watch.taken: ...)"
    )


def test_optimizers_may_take_turns(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    turns = [
        torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=2.0),
        torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=3),
    ]
    inputs, targets = made.train
    with Watch(Recorder(tmp_path / "run", made, **EVERY), model, turns) as watch:
        for step in range(4):

            def closure():
                model.zero_grad()
                loss = functional.cross_entropy(model(inputs), targets)
                loss.backward()
                return loss

            loss = turns[step > 1].step(closure)
            watch.record(loss)
            if step == 1:  # from here on it is the other one's turn
                parts = torch.autograd.grad(
                    functional.cross_entropy(model(inputs), targets), list(model.parameters())
                )
                expected = torch.cat([part.reshape(-1) for part in parts]).norm().item()
    trajectory = watch.run.trajectory
    change = np.diff(trajectory.weights(slice(None)).astype(np.float64), axis=0)
    np.testing.assert_allclose(
        trajectory.scalars()["update_norm"], np.linalg.norm(change, axis=1), rtol=1e-5
    )
    # SGD's weight decay isn't in the other's gradient, nor its rate.
    assert trajectory.scalars()["gradient_norm"][2] == pytest.approx(expected, rel=1e-5)
    assert trajectory.scalars()["learning_rate"].tolist() == [0.1, 0.1, 0.5, 0.5]
    assert watch.run.record["notes"] == []


class Bank(nn.Module):
    """Outputs near those that a buffer holds, which a training makes longer from step 3 on."""

    def __init__(self):
        super().__init__()
        self.inner, self.passes = nn.Linear(4, 3), 0
        self.register_buffer("bank", torch.ones(2, 3))

    def forward(self, inputs):
        if self.training:
            self.passes += 1
            more = [self.inner(inputs[:1]).detach()] if self.passes > 2 else []
            self.bank = torch.cat([self.bank * 0.9, *more])
        return self.inner(inputs) + self.bank.mean(0)


@pytest.mark.parametrize("flight", [0, 16])
def test_a_buffer_that_grows_is_refused_and_what_came_before_kept(tmp_path, problem, flight):
    torch.manual_seed(0)
    model = Bank()
    made = problem(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    inputs, targets = made.train
    losses = []

    def loop():
        recorder = Recorder(tmp_path / "run", made, options=Options(flight=flight), **EVERY)
        with Watch(recorder, model, optimizer) as watch:
            for _ in range(5):
                with torch.no_grad():
                    losses.append(functional.cross_entropy(model.eval()(inputs), targets).item())
                model.train()
                loss = functional.cross_entropy(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.record(loss)

    with pytest.raises(LandscapeError) as caught:
        loop()
    assert str(caught.value) == (
        "a recorded buffer must keep its shape, bank was (2, 3) and is (3, 3) at step 3; make it "
        "as large as it gets from the start, or, where it only saves computing again, "
        "register_buffer(..., persistent=False)"
    )
    run = read(tmp_path / "run")
    assert (run.record["status"], run.record["steps"]) == ("failed", 2)
    assert run.trajectory.step.tolist() == [0, 1, 2]
    np.testing.assert_allclose(run.trajectory.measures["train_loss"], losses[:3], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:the optimizer's last step is")
def test_of_steps_after_the_last_record_no_momentum_is_kept(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    recorder = Recorder(tmp_path / "run", made, record="2")
    with Watch(recorder, model, optimizer) as watch:
        for step in range(4):
            functional.cross_entropy(model(made.train[0]), made.train[1]).backward()
            optimizer.step()
            if step < 3:
                watch.record(1.0)
                held = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
                velocity = torch.cat([one.reshape(-1).clone() for one in held])
    trajectory = watch.run.trajectory
    assert trajectory.step.tolist() == [0, 2, 3]
    kept = trajectory.velocity(3)  # none, or that of step 3: the optimizer's is of step 4 by now
    assert kept is None or np.allclose(kept, velocity, atol=1e-6)


def embedded(sparse):
    """A problem whose embedding has sparse gradients, or the same one with dense ones."""
    torch.manual_seed(0)
    words, targets = torch.randint(0, 20, (40, 6)), torch.randint(0, 3, (40,))
    return Problem(
        nn.Sequential(nn.EmbeddingBag(20, 4, sparse=sparse), nn.Linear(4, 3)), (words, targets)
    )


def looped(folder, problem):
    """Two optimizers, one of the table alone."""
    both = [torch.optim.SGD(part.parameters(), lr=0.1) for part in problem.model]
    inputs, targets = problem.train
    norms = []
    with Watch(Recorder(folder, problem, **EVERY), problem.model, both) as watch:
        for _ in range(5):
            problem.model.zero_grad()
            loss = functional.cross_entropy(problem.model(inputs), targets)
            loss.backward()
            grads = [p.grad.to_dense().reshape(-1) for p in problem.model.parameters()]
            norms.append(torch.cat(grads).norm().item())
            for one in both:
                one.step()
            watch.record(loss)
    np.testing.assert_allclose(watch.run.trajectory.scalars()["gradient_norm"], norms, rtol=1e-5)
    return watch.run.trajectory


def trained(folder, problem):
    settings = Settings(lr=0.2, momentum=0.9, batch_size=16, steps=5)
    with Recorder(folder, problem, settings, record="1") as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    return recorder.run.trajectory


@pytest.mark.parametrize("training", [looped, trained])
def test_sparse_gradients_are_those_with_their_zeros(tmp_path, training):
    sparse = training(tmp_path / "sparse", embedded(True))
    dense = training(tmp_path / "dense", embedded(False))
    np.testing.assert_allclose(sparse.weights(slice(None)), dense.weights(slice(None)), atol=1e-6)
    for name, values in dense.scalars().items():
        np.testing.assert_allclose(sparse.scalars()[name], values, rtol=1e-4, atol=1e-6)


def test_another_model_is_refused(tmp_path, problem):
    other = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    recorder = Recorder(tmp_path / "run", problem(), **EVERY)
    with pytest.raises(LandscapeError) as caught:
        Watch(recorder, other, torch.optim.SGD(other.parameters(), lr=0.1))
    assert str(caught.value) == (
        "the model must be the problem's, got 0.weight (5, 4) against 0.weight (6, 4)"
    )

"""Loops that wrap the model, hand a closure to the optimizer, accumulate, or skip steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape import sgd
from landscape.errors import LandscapeError
from landscape.store import read

BATCHES = torch.arange(50).split(10)


def loss_of(model, problem, batch):
    inputs, targets = problem.train
    return functional.cross_entropy(model(inputs[batch]), targets[batch])


def plain(folder, problem, model, **options):
    """The loop that the others are compared with."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, **options)
    with sgd.watch(folder, problem, optimizer, model, record="1") as watch:
        for batch in BATCHES:
            optimizer.zero_grad()
            loss = loss_of(model, problem, batch)
            loss.backward()
            optimizer.step()
            watch.record(loss)
    return watch.recorder.run.trajectory


def same(one, other):
    np.testing.assert_array_equal(one.step, other.step)
    np.testing.assert_allclose(
        one.weights(slice(None)), other.weights(slice(None)), rtol=0, atol=1e-6
    )
    for name, values in one.measures.items():
        np.testing.assert_allclose(values, other.measures[name], rtol=1e-5)
    for name, values in one.scalars().items():
        np.testing.assert_allclose(values, other.scalars()[name], rtol=1e-4, atol=1e-6)


def test_two_lines_record_a_loop(tmp_path, problem):
    made = problem()
    trajectory = plain(tmp_path / "run", made, made.model)
    assert trajectory.step.tolist() == [0, 1, 2, 3, 4, 5]
    assert read(tmp_path / "run").record["status"] == "finished"


def test_afterwards_the_optimizer_is_free(tmp_path, problem):
    made = problem()
    one = plain(tmp_path / "one", made, made.model)
    again = plain(tmp_path / "two", made, made.model)
    # The second training went on where the first one ended, and each was recorded once.
    np.testing.assert_array_equal(again.row_weights(0), one.row_weights(5))
    assert np.abs(again.row_weights(5) - one.row_weights(5)).max() > 1e-3
    assert len(one.step) == len(again.step) == 6


def test_a_loop_that_breaks_is_kept(tmp_path, problem):
    made = problem()
    optimizer = torch.optim.SGD(made.model.parameters(), lr=0.1)

    def loop():
        with sgd.watch(tmp_path / "run", made, optimizer, record="1") as watch:
            loss_of(made.model, made, BATCHES[0]).backward()
            optimizer.step()
            watch.record(1.0)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        loop()
    run = read(tmp_path / "run")
    assert run.record["status"] == "failed"
    assert run.trajectory.step.tolist() == [0, 1]


def test_a_closure_is_watched(tmp_path, problem, mlp):
    expected = plain(tmp_path / "plain", problem(), mlp())
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    with sgd.watch(tmp_path / "run", made, optimizer, model, record="1") as watch:
        for number, batch in enumerate(BATCHES):

            def closure(batch=batch):
                optimizer.zero_grad()
                loss = loss_of(model, made, batch)
                loss.backward()
                return loss

            # Both ways of handing it over.
            loss = optimizer.step(closure) if number % 2 else optimizer.step(closure=closure)
            watch.record(loss)
    same(watch.recorder.run.trajectory, expected)


def test_of_lbfgs_the_gradient_is_that_at_the_weights(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    whole = torch.arange(50)
    with sgd.watch(tmp_path / "run", made, optimizer, model, record="1") as watch:
        for _ in range(3):

            def closure():
                optimizer.zero_grad()
                loss = loss_of(model, made, whole)
                loss.backward()
                return loss

            watch.record(optimizer.step(closure))
    trajectory = watch.recorder.run.trajectory
    for row in range(3):
        nn.utils.vector_to_parameters(
            torch.from_numpy(trajectory.row_weights(row)), model.parameters()
        )
        parts = torch.autograd.grad(loss_of(model, made, whole), list(model.parameters()))
        norm = torch.cat([part.reshape(-1) for part in parts]).norm().item()
        assert trajectory.scalars()["gradient_norm"][row] == pytest.approx(norm, rel=1e-4)


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs, *, twice: bool):
        return self.inner(inputs) * (2 if twice else 1)


class Adapter(nn.Module):
    """What the problem has where the loop's model is called in another way."""

    def __init__(self, wrapped: nn.Module) -> None:
        super().__init__()
        self.wrapped = wrapped

    def forward(self, inputs):
        return self.wrapped(inputs)


@pytest.mark.parametrize("between", [nn.Tanh, lambda: nn.BatchNorm1d(5)], ids=["mlp", "batchnorm"])
def test_the_model_may_be_inside_the_loops_or_around_it(tmp_path, problem, mlp, between):
    expected = plain(tmp_path / "plain", problem(mlp(between())), mlp(between()))

    def looped(folder, made, model, forward):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
        inputs, targets = made.train
        with sgd.watch(folder, made, optimizer, model, record="1") as watch:
            for batch in BATCHES:
                optimizer.zero_grad()
                loss = functional.cross_entropy(forward(inputs[batch]), targets[batch])
                loss.backward()
                optimizer.step()
                watch.record(loss)
        return watch.recorder.run.trajectory

    outer = Wrapper(mlp(between()))
    same(
        looped(
            tmp_path / "inside",
            problem(mlp(between())),
            outer,
            lambda inputs: outer(inputs, twice=False),
        ),
        expected,
    )
    inner = mlp(between())
    around = problem(Adapter(mlp(between())))
    same(looped(tmp_path / "around", around, inner, inner), expected)


def test_a_model_without_the_problems_is_refused_and_nothing_runs_on(tmp_path, problem):
    other = Wrapper(nn.Linear(4, 3))
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    with pytest.raises(LandscapeError) as caught:
        sgd.watch(tmp_path / "run", problem(), optimizer, other, record="1")
    assert str(caught.value) == (
        "the model must be the problem's, got 0.weight (5, 4) against inner.weight (3, 4)"
    )
    assert read(tmp_path / "run").record["status"] == "failed"


def test_accumulated_batches_are_one_step(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    norms = []
    with sgd.watch(tmp_path / "run", made, optimizer, model, record="1") as watch:
        for first in (0, 2):
            optimizer.zero_grad()
            total = 0.0
            for batch in BATCHES[first : first + 2]:
                loss = loss_of(model, made, batch) / 2
                loss.backward()
                total += loss.item()
                assert not watch.taken
            norms.append(torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm().item())
            optimizer.step()
            assert watch.taken
            watch.record(total)
    trajectory = watch.recorder.run.trajectory
    assert trajectory.step.tolist() == [0, 1, 2]
    np.testing.assert_allclose(trajectory.scalars()["gradient_norm"], norms, rtol=1e-5)


def test_mixed_precision_is_unscaled_and_skipped_steps_are_none(tmp_path, problem, mlp):
    expected = plain(tmp_path / "plain", problem(), mlp())
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=10**6)
    with sgd.watch(tmp_path / "run", made, optimizer, model, record="1") as watch:
        for number, batch in enumerate([*BATCHES[:2], BATCHES[0], *BATCHES[2:]]):
            optimizer.zero_grad()
            loss = loss_of(model, made, batch)
            scaler.scale(loss).backward()
            if number == 2:
                model[0].weight.grad.fill_(torch.inf)
            scaler.step(optimizer)
            scaler.update()
            assert watch.taken == (number != 2)
            if watch.taken:
                watch.record(loss)
    same(watch.recorder.run.trajectory, expected)


def test_a_frozen_tensor_has_no_decay_in_its_gradient(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    with sgd.watch(tmp_path / "run", made, optimizer, model, record="1") as watch:
        optimizer.zero_grad()
        loss = loss_of(model, made, BATCHES[0])
        loss.backward()
        optimizer.step()
        watch.record(loss)
    scalars = watch.recorder.run.trajectory.scalars()
    assert scalars["gradient_norm"][0] == pytest.approx(scalars["update_norm"][0] / 0.1, rel=1e-4)


def unfreezing(folder, made, **options):
    """Three steps of the last layer, then three of both."""
    model = made.model
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    with sgd.watch(folder, made, optimizer, record="1", **options) as watch:
        for number, batch in enumerate((*BATCHES, BATCHES[0])):
            if number == 3:
                model[0].requires_grad_(True)
            optimizer.zero_grad()
            loss = loss_of(model, made, batch)
            loss.backward()
            optimizer.step()
            watch.record(loss)
    return watch.recorder.run.trajectory


def test_tensors_that_are_trained_later_are_named_at_the_start(tmp_path, problem):
    made = problem()
    trajectory = unfreezing(tmp_path / "run", made, parameters=["0.*"])
    weights = trajectory.weights(slice(None))
    assert weights.shape == (7, 43)
    moved = (np.diff(weights, axis=0)[:, :25] != 0).any(1)
    assert moved.tolist() == [False, False, False, True, True, True]
    np.testing.assert_array_equal(
        weights[-1], nn.utils.parameters_to_vector(made.model.parameters()).detach()
    )


def test_a_tensor_that_is_trained_later_must_be_named(tmp_path, problem):
    with pytest.raises(LandscapeError) as caught:
        unfreezing(tmp_path / "run", problem())
    assert str(caught.value) == (
        "a tensor that is trained must be among the weights from the start, 0.weight was frozen "
        'then and isn\'t at step 3; name it at the start, watch(..., parameters=["0.weight"])'
    )
    run = read(tmp_path / "run")
    assert (run.record["status"], run.record["steps"]) == ("failed", 3)


def test_frozen_tensors_of_the_loops_model_must_be_the_problems(tmp_path, problem, mlp):
    made, model = problem(), mlp()
    made.model[0].requires_grad_(False)
    model[0].requires_grad_(False)
    model[0].bias.data += 1
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
    with pytest.raises(LandscapeError) as caught:
        sgd.watch(tmp_path / "run", made, optimizer, model, record="1")
    assert str(caught.value) == (
        "the model's frozen tensors must be the problem's, 0.bias differs; "
        "give the problem the model that is trained"
    )


def test_what_the_loop_trains_must_be_weights_of_the_problem(tmp_path, problem, mlp):
    made, model = problem(), mlp()
    made.model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(LandscapeError) as caught:
        sgd.watch(tmp_path / "run", made, optimizer, model, record="1")
    assert str(caught.value) == (
        "the problem must train what the model trains, 0.weight is frozen in the problem's; "
        'unfreeze it there, or name it, watch(..., parameters=["0.weight"])'
    )

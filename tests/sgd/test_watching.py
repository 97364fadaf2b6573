"""Loops that wrap the model, hand a closure to the optimizer, accumulate, or skip steps."""

from __future__ import annotations

import copy
import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape import sgd
from landscape.errors import LandscapeError
from landscape.sgd.session import Session
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
    assert not (tmp_path / "run").exists()


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


def stepped(made, model, optimizers, watch, *, clip=None, batches=BATCHES):
    for batch in batches:
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = loss_of(model, made, batch)
        loss.backward()
        if clip is not None:
            clip()
        for optimizer in optimizers:
            optimizer.step()
        watch.record(loss)
    return watch.recorder.run


def test_several_optimizers_are_one_step(tmp_path, problem, mlp):
    """Matrices by Muon, the rest by AdamW: the gradient and the update are all weights'."""
    model, made = mlp(), problem()
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim != 2]
    optimizers = [torch.optim.Muon(matrices, lr=0.05), torch.optim.AdamW(rest, lr=0.01)]
    norms = []
    optimizers[0].register_step_pre_hook(
        lambda *_: norms.append(nn.utils.get_total_norm([p.grad for p in model.parameters()]))
    )
    with sgd.watch(tmp_path / "run", made, optimizers, model, record="1") as watch:
        stepped(made, model, optimizers, watch)
    run = read(tmp_path / "run")
    trajectory, scalars = run.trajectory, run.trajectory.scalars()
    moved = np.linalg.norm(np.diff(trajectory.weights(slice(None)), axis=0), axis=1)
    np.testing.assert_allclose(scalars["update_norm"], moved, rtol=1e-5)
    np.testing.assert_allclose(scalars["gradient_norm"], norms, rtol=1e-5)
    assert run.record["optimizer"]["name"] == "Muon + AdamW"
    assert run.record["optimizer"]["others"][0]["lr"] == 0.01
    kept = trajectory.moments(5)
    expected = [
        optimizers[1].state[p]["exp_avg"] if p.ndim != 2 else torch.zeros_like(p)
        for p in model.parameters()
    ]
    np.testing.assert_array_equal(
        kept["optimizer/exp_avg"], nn.utils.parameters_to_vector(expected).numpy()
    )


def refused(folder, made, optimizer, model) -> str:
    with pytest.raises(LandscapeError) as caught:
        sgd.watch(folder, made, optimizer, model, record="1")
    assert not folder.exists()
    return str(caught.value)


def test_optimizers_that_lack_parameters_are_refused(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    some = torch.optim.SGD(model[0].parameters(), lr=0.1)
    assert refused(tmp_path / "run", made, some, model) == (
        "the optimizer must hold all trainable parameters of the watched model, got none for "
        "2.weight, 2.bias; give all optimizers as a list, or set requires_grad=False on what "
        "isn't trained"
    )
    of_a_copy = torch.optim.SGD(copy.deepcopy(model).parameters(), lr=0.1)
    assert refused(tmp_path / "run", made, of_a_copy, model) == (
        "the optimizer must hold the parameters of the watched model, got none of its 4 tensors: "
        "it is another model's or a copy's; give the model that the optimizer was made for as "
        "model="
    )
    assert refused(tmp_path / "run", made, [], model) == (
        "an optimizer to watch must be given, got an empty list"
    )
    assert refused(tmp_path / "run", made, model, model) == (
        "what is watched must be a torch.optim.Optimizer or a list of them, got Sequential"
    )
    model[2].requires_grad_(False)
    with sgd.watch(tmp_path / "run", made, some, model, record="1") as watch:
        stepped(made, model, [some], watch)
    assert len(watch.run.trajectory.step) == 6


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimization, as its usual implementation has it (Foret et al., 2021)."""

    def __init__(self, params, base, rho, **options):
        super().__init__(params, {"rho": rho, **options})
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self):
        params = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in params]).norm()
        for p in params:
            self.state[p]["old"] = p.clone()
            p.add_(p.grad * self.param_groups[0]["rho"] / norm)

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["old"])
        self.base_optimizer.step()

    def step(self, closure=None):
        raise NotImplementedError


def test_of_sam_the_second_step_counts(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = SAM(model.parameters(), torch.optim.SGD, 0.05, lr=0.2)
    with sgd.watch(tmp_path / "run", made, optimizer, model, record="1") as watch:
        for batch in BATCHES:
            loss = loss_of(model, made, batch)
            loss.backward()
            optimizer.first_step()
            assert not watch.taken
            optimizer.zero_grad()
            loss_of(model, made, batch).backward()
            optimizer.second_step()
            optimizer.zero_grad()
            watch.record(loss)
    run = watch.run
    scalars, w = run.trajectory.scalars(), run.trajectory.weights(slice(None))
    assert run.record["optimizer"]["name"] == "SAM"
    assert run.record["optimizer"]["base"] == "SGD"
    np.testing.assert_allclose(
        scalars["update_norm"], np.linalg.norm(np.diff(w, axis=0), axis=1), rtol=1e-5
    )
    # SGD without momentum: the gradient, at the shifted weights, times the rate.
    np.testing.assert_allclose(scalars["gradient_norm"], scalars["update_norm"] / 0.2, rtol=1e-4)


def test_an_average_is_recorded_beside(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    expected = [nn.utils.parameters_to_vector(averaged.module.parameters()).detach().clone()]
    with sgd.watch(tmp_path / "run", made, optimizer, model, average=averaged, record="1") as watch:
        for batch in BATCHES:
            optimizer.zero_grad()
            loss = loss_of(model, made, batch)
            loss.backward()
            optimizer.step()
            averaged.update_parameters(model)
            watch.record(loss)
            expected.append(
                nn.utils.parameters_to_vector(averaged.module.parameters()).detach().clone()
            )
    average = read(tmp_path / "run" / "average")
    assert average.record["average_of"] == watch.run.id
    np.testing.assert_array_equal(
        average.trajectory.weights(slice(None)), torch.stack(expected).numpy()
    )
    with pytest.raises(LandscapeError) as caught:
        sgd.watch(tmp_path / "other", made, optimizer, model, average=nn.Linear(4, 3), record="1")
    assert str(caught.value) == (
        "the average must be the problem's, got 0.weight (5, 4) against weight (3, 4)"
    )


class Averaging(torch.optim.SGD):
    """Keeps two sets of weights, as schedule-free optimizers do."""

    def train(self):
        """Show those that gradients are taken at."""

    def eval(self):
        """Show those that are evaluated."""


def test_which_weights_of_a_schedule_free_optimizer_are_recorded(tmp_path, problem, mlp):
    model, made = mlp(), problem()
    optimizer = Averaging(model.parameters(), lr=0.2)
    with pytest.warns(UserWarning, match="evaluates other weights") as caught:
        watch = sgd.watch(tmp_path / "run", made, optimizer, model, record="1")
    watch.close()
    assert [str(warning.message) for warning in caught] == [
        "Averaging evaluates other weights than it trains: recorded are those that gradients are "
        "taken at, not those of optimizer.eval(); a copy of these, kept up to date and given as "
        "average=, is recorded too"
    ]
    assert watch.run.record["optimizer"]["weights"] == "those that gradients are taken at"


def by_norm(parameters):
    return nn.utils.clip_grad_norm_(parameters, 0.3)


def by_value(parameters):
    return nn.utils.clip_grad_value_(parameters, 0.02)


def by_hand(parameters):
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
    for p in parameters:
        p.grad = p.grad * min(1.0, 0.3 / norm.item())


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("clip", "told"),
    [(by_norm, None), (by_value, None), (by_hand, None), (by_norm, 0.3), (by_hand, 0.3)],
)
def test_clipping_is_noticed(tmp_path, problem, mlp, clip, decay, told):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, weight_decay=decay)
    shortened = []

    def clipped():
        before = nn.utils.get_total_norm([p.grad for p in model.parameters()]).item()
        clip(list(model.parameters()))
        after = nn.utils.get_total_norm([p.grad for p in model.parameters()]).item()
        shortened.append(after < before * (1 - 1e-4))

    with sgd.watch(tmp_path / "run", made, optimizer, model, clip=told, record="1") as watch:
        stepped(made, model, [optimizer], watch, clip=clipped, batches=[*BATCHES] * 6)
    assert sum(shortened) >= 3
    assert watch.run.record["clipped"] == sum(shortened)


def test_what_is_not_clipped_is_not_said_to_be(tmp_path, problem, mlp):
    """Neither gradients that hardly change, nor those that a scaler has changed."""
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    whole = torch.arange(50)
    with sgd.watch(tmp_path / "still", made, optimizer, model, record="1") as watch:
        stepped(made, model, [optimizer], watch, batches=[whole] * 8)
    assert "clipped" not in watch.run.record
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with sgd.watch(tmp_path / "scaled", made, optimizer, model, record="1") as watch:
        for batch in [*BATCHES] * 3:
            optimizer.zero_grad()
            loss = loss_of(model, made, batch)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            watch.record(loss)
    assert "clipped" not in watch.run.record


def test_only_the_first_process_records(tmp_path, problem, mlp, monkeypatch):
    model, made = mlp(), problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for rank, recorded in (("1", False), ("0", True)):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
        monkeypatch.setenv("RANK", rank)
        with sgd.watch(tmp_path / rank, made, optimizer, model, record="1") as watch:
            optimizer.zero_grad()
            loss = loss_of(model, made, BATCHES[0])
            loss.backward()
            optimizer.step()
            assert watch.taken == recorded
            watch.record(loss)
        assert (tmp_path / rank).exists() == recorded
    bystander = sgd.watching.Bystander()
    with pytest.raises(LandscapeError) as caught:
        _ = bystander.run
    assert str(caught.value) == "the first process records the run, this one has none"


def test_a_trainers_session_in_another_process_records_nothing(tmp_path, problem, mlp, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("RANK", "1")
    model = mlp()
    session = Session(tmp_path / "run", problem(), {})
    session.begin(model, torch.optim.SGD(model.parameters(), lr=0.2), 5)
    session.add_loss(1.0)
    session.step()
    session.end("finished")
    assert session.run is None
    assert not (tmp_path / "run").exists()


def test_the_process_group_says_which_is_first(tmp_path, problem, mlp, monkeypatch):
    """Whatever the environment says."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("RANK", "1")
    group = f"file://{tmp_path / 'group'}"
    torch.distributed.init_process_group("gloo", init_method=group, rank=0, world_size=1)
    try:
        plain(tmp_path / "run", made := problem(), made.model)
    finally:
        torch.distributed.destroy_process_group()
    assert read(tmp_path / "run").record["status"] == "finished"


def test_a_file_system_without_locks_is_said_and_recorded_on(tmp_path, problem, mlp, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    made = problem()
    with pytest.warns(UserWarning, match="has no locks"):
        plain(tmp_path / "run", made, made.model)
    assert read(tmp_path / "run").record["status"] == "finished"
    assert not (tmp_path / "run" / ".lock").exists()


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


LOOP = """
import sys
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from landscape import sgd
from landscape.problem import Problem

torch.distributed.init_process_group("gloo")
torch.manual_seed(0)
inputs, targets = torch.randn(40, 2), torch.randint(2, (40,))
problem = Problem(nn.Linear(2, 2), (inputs, targets))
model = DistributedDataParallel(problem.model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
own = slice(torch.distributed.get_rank(), None, 2)
with sgd.watch(sys.argv[1], problem, optimizer, model, record="1") as watch:
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs[own]), targets[own])
        loss.backward()
        optimizer.step()
        watch.record(loss)
torch.distributed.barrier()  # neither leaves while the other is at work
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_of_torchrun_make_one_run(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    run = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [sys.executable, "-m", *run, tmp_path / "loop.py", tmp_path / "run"],
        check=True,
        timeout=300,
    )
    record = read(tmp_path / "run").record
    assert (record["status"], record["steps"]) == ("finished", 3)
    assert "clipped" not in record

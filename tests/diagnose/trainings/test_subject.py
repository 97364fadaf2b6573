from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.diagnose.motion.estimates import is_sgd
from landscape.diagnose.session.diagnosis import Diagnosis, conclude, measure
from landscape.diagnose.trainings.subject import Subject
from landscape.problem import Problem, half_square
from landscape.sgd import Recorder, Settings, Watch, steps
from landscape.store import read
from landscape.store.trajectories.trajectory import Event


def problem(*hidden, loss=functional.cross_entropy):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 3, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 6), *hidden, nn.ReLU(), nn.Linear(6, 2))
    if loss is half_square:
        return Problem(model, (inputs, inputs[:, :2]), loss=half_square)
    return Problem(model, (inputs, (inputs[:, 0] > 0).long()))


def record(folder, made, **values):
    settings = Settings(**values)
    with Recorder(folder, made, settings) as recorder:
        for step in steps(made, settings):
            recorder.record(step)
    return Subject(recorder.run, made)


def watched(folder, made, optimizer_class, **values):
    """A loop of one's own of 12 epochs of 4 steps."""
    optimizer = optimizer_class(made.model.parameters(), **values)
    inputs, targets = made.train
    recorder = Recorder(folder, made, record="epoch+log", steps_per_epoch=4)
    with Watch(recorder, made.model, optimizer) as watch:
        for step in range(48):
            batch = slice(10 * (step % 4), 10 * (step % 4) + 10)
            loss = functional.cross_entropy(made.model(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.record(loss)
    return Subject(read(folder), made)


def test_other_optimizers_and_clipping_are_told(tmp_path):
    adam = {"optimizer": "adam", "lr": 0.01, "beta1": 0.8, "batch_size": 8, "epochs": 3}
    setup = record(tmp_path / "adam", problem(), **adam).evidence.setup
    # Its average of gradients makes steps resemble each other, as momentum does.
    assert (setup.optimizer, setup.momentum, setup.clipped) == ("Adam", 0.8, False)
    plain = record(tmp_path / "plain", problem(), clip=1e6, batch_size=8, epochs=3)
    assert (plain.evidence.setup.optimizer, plain.evidence.setup.clipped) == ("SGD", False)
    clipped = record(tmp_path / "clipped", problem(), clip=1e-2, batch_size=8, epochs=3)
    assert clipped.evidence.setup.clipped is True
    assert clipped.run.record["clipped"] == 15
    assert not is_sgd(clipped.evidence)
    run = plain.run.update(status="running")
    assert Subject(run, plain.problem).evidence.setup.clipped is True  # it isn't known
    own = watched(tmp_path / "own", problem(), torch.optim.AdamW, lr=0.01, betas=(0.7, 0.9))
    setup = own.evidence.setup
    assert (setup.optimizer, setup.momentum, setup.clipped) == ("AdamW", 0.7, False)


def test_settings_that_matter_are_the_runs(tmp_path):
    values = {"lr": 0.2, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01, "batch_size": 8}
    subject = record(tmp_path / "run", problem(), epochs=3, **values)
    setup = subject.evidence.setup
    assert setup.learning_rate == 0.2
    assert (setup.momentum, setup.nesterov, setup.weight_decay) == (0.5, True, 0.01)
    assert (setup.batch_size, setup.samples, setup.steps_per_epoch) == (8, 40, 5)
    assert (setup.optimizer, setup.cross_entropy, setup.scale_invariant) == ("SGD", True, False)
    assert setup.constant_from == 0


def test_the_last_constant_rate_begins_where_it_last_changed(tmp_path):
    subject = record(tmp_path / "run", problem(), lr=0.1, schedule="step", steps=40, batch_size=8)
    setup = subject.evidence.setup
    assert setup.learning_rate == pytest.approx(0.001)
    assert setup.constant_from == 30


def test_normalization_and_loss_are_seen(tmp_path):
    subject = record(tmp_path / "run", problem(nn.LayerNorm(6), loss=half_square), epochs=2)
    assert subject.evidence.setup.scale_invariant
    inputs, _ = subject.problem.train
    targets = inputs[:, :2].double()
    spread = (targets - targets.mean(0)).square().mean() / 2
    assert subject.constant_loss == pytest.approx(float(spread), rel=1e-6)


def test_rows_are_those_with_losses(tmp_path):
    subject = record(tmp_path / "run", problem(), epochs=4, batch_size=8)
    trajectory, rows = subject.trajectory, subject.evidence.rows
    assert np.array_equal(rows.step, trajectory.step[trajectory.kind & 1 > 0])
    assert np.isfinite(rows.train_loss).all()
    assert rows.validation_loss is None
    assert subject.step(subject.end) == trajectory.step[-1]


def test_what_happened_is_known_as_it_was_recorded(tmp_path):
    subject = record(tmp_path / "run", problem(), epochs=4, batch_size=8)
    assert subject.evidence.recorded == tuple(subject.trajectory.events)
    events = (Event("spike", 3, 4, ""), Event("escape", 7, 20, ""))
    again = Subject(subject.run, subject.problem)
    vars(again)["trajectory"] = replace(subject.trajectory, events=events)
    assert again.evidence.recorded == events


def test_a_loop_of_ones_own_with_adam(tmp_path):
    subject = watched(tmp_path / "own", problem(), torch.optim.Adam, lr=0.01)
    setup = subject.evidence.setup
    assert setup.optimizer == "Adam"
    assert subject.settings is None
    found = Diagnosis(subject.run, subject.problem)
    reasons = {part.name: part.reason for part in measure(found)}
    assert reasons["sharpness"] == "the batch size of a training loop of your own isn't known"
    assert reasons["interventions"].startswith("the run was recorded from a loop of your own")
    assert reasons["units"] is None
    caveats = conclude(found).caveats
    assert any("are not applicable: Adam." in caveat for caveat in caveats)


def test_a_loop_of_ones_own_with_sgd(tmp_path):
    values = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.001}
    setup = watched(tmp_path / "own", problem(), torch.optim.SGD, **values).evidence.setup
    assert (setup.optimizer, setup.momentum, setup.weight_decay) == ("SGD", 0.9, 0.001)
    assert setup.learning_rate == 0.1


def test_a_loss_without_a_best_constant(tmp_path):
    made = problem()
    unbounded = Problem(made.model, made.train, loss=lambda outputs, targets: outputs[:, 0])
    assert math.isnan(record(tmp_path / "run", unbounded, steps=4).constant_loss)

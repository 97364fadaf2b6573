from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.problem.weights import Layout, flat
from landscape.scan.speed import choosing
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.weight_decay import WeightDecay, rate_of
from landscape.store.scans.records import Plane

X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 2, (20,), generator=torch.Generator().manual_seed(1))
POINTS = np.array([[0.0, 0.0], [0.5, -2.0], [3.0, 1.0]])


@pytest.mark.parametrize("strategy", ["sequential", "batched"])
def test_training_losses_are_raised_by_the_penalty(strategy):
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    model[0].bias.requires_grad_(False)
    problem = Problem(model, (X, Y), (X[:7], Y[:7]))
    weights = flat(model).numpy()
    directions = np.random.default_rng(0).standard_normal((2, len(weights))).astype(np.float32)
    plane = Plane("random", weights, directions, ("a", "b"), "x")
    asked = Evaluation(strategy=strategy)
    plain = choosing.engine(problem, plane, POINTS, asked)
    raised = choosing.engine(problem, plane, POINTS, asked, weight_decay=0.3)
    assert len(weights) == 27  # the frozen bias is a constant: no part of the vector, not decayed
    before, after = plain.at_many(POINTS), raised.at_many(POINTS)
    for number, (x, y) in enumerate(POINTS):
        w = weights.astype(float) + x * directions[0] + y * directions[1]
        expected = before["train_loss"][number] + 0.15 * np.sum(w**2)
        assert after["train_loss"][number] == pytest.approx(expected, rel=1e-6)
        assert raised.train_losses_at(POINTS)[number] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(after["validation_loss"], before["validation_loss"], rtol=1e-6)
    one = PointEvaluator(problem, plane, weight_decay=0.3)
    assert one.train_loss_at(POINTS[1]) == pytest.approx(after["train_loss"][1], rel=1e-6)
    assert one.train_loss_of(weights, {}) == pytest.approx(after["train_loss"][0], rel=1e-6)


def test_a_frozen_tensor_in_an_old_runs_vector_is_not_decayed():
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    layout = Layout.of(model, also=["bias"])
    old = Layout(tuple(replace(place, moves=place.name != "bias") for place in layout.parameters))
    problem = Problem(model, (X, Y), weights=old)
    vector = np.arange(8.0)
    decay = WeightDecay(2.0, problem, torch.from_numpy(vector), torch.zeros(1, 8))
    assert decay.of(vector) == np.sum(vector[:6] ** 2) == decay.at(np.zeros((1, 1)))[0]
    later = replace(problem, weights=layout)
    decay = WeightDecay(2.0, later, torch.from_numpy(vector), torch.zeros(1, 8))
    assert decay.of(vector) == np.sum(vector**2)


def run(**record) -> SimpleNamespace:
    return SimpleNamespace(folder="runs/a", record={"settings": None, **record})


def test_a_runs_rate():
    assert rate_of(run(settings={"lr": 0.1, "weight_decay": 0.02})) == 0.02
    assert rate_of(run(optimizer={"name": "Adam", "weight_decay": 0.1})) == 0.1


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"settings": {"weight_decay": 0.0}},
            "--with-weight-decay needs a run that was trained with one, runs/a had 0",
        ),
        (
            {"optimizer": {"name": "AdamW", "weight_decay": 0.1}},
            "--with-weight-decay needs a decay that is added to the gradient, runs/a was trained "
            "by AdamW, whose decay is a step of its own and no part of the loss",
        ),
        (
            {"settings": {"optimizer": "own", "weight_decay": 0.0}},
            "--with-weight-decay needs a decay that is known, runs/a was trained by an optimizer "
            "that a function made, whose options aren't recorded; leave it out",
        ),
    ],
)
def test_a_decay_that_is_no_penalty_is_refused(record, message):
    with pytest.raises(LandscapeError) as caught:
        rate_of(run(**record))
    assert str(caught.value) == message

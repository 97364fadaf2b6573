from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from landscape.diagnose.connectivity import curves
from landscape.errors import LandscapeError
from landscape.problem import flat

from .. import models


def ring(x):
    return (x.norm(dim=1) - 1) ** 2


def well(x):
    return (x[:, 0] ** 2 - 1) ** 2 + x[:, 1] ** 2


def test_a_curve_goes_round_a_barrier():
    problem = models.landscape(2, ring)
    a, b = np.array([-1.0, 0.05]), np.array([1.0, 0.05])
    found = curves.connect(problem, a, b, steps=1500, lr=0.1)
    assert found.line.loss > 0.85
    assert found.barrier.loss < 0.1
    assert found.note == ""
    # What is reported is the loss on the curve through the reported control point.
    t = found.t[:, None]
    points = (1 - t) ** 2 * a + 2 * t * (1 - t) * found.control + t**2 * b
    np.testing.assert_allclose(found.train_loss, ring(torch.from_numpy(points)), atol=1e-5)
    assert found.train_loss[10] == pytest.approx(
        float(ring(torch.from_numpy(points[10:11]))), abs=1e-5
    )


def test_the_best_control_point_of_a_quadratic():
    # With L = |w|^2/2 the mean over t of L is least where theta = -(a + b) E[m(1-t)^2] / E[m^2],
    # m = 2t(1-t): E[m (1-t)^2] = 1/10, E[m^2] = 2/15.
    problem = models.landscape(3, lambda x: (x**2).sum(1) / 2)
    a, b = np.array([1.0, 2.0, -1.0]), np.array([0.5, -1.0, -2.0])
    trainer = curves._Trainer(problem, a, b, device="cpu")
    *_, control = trainer.train(4000, 0.01, 0.9, 1, 0)
    np.testing.assert_allclose(control, -0.75 * (a + b), atol=0.05)


def test_where_there_is_no_way_round_the_line_stays():
    problem = models.landscape(2, well)
    a, b = np.array([-1.0, 0.0]), np.array([1.0, 0.0])
    found = curves.connect(problem, a, b, steps=200)
    assert found.barrier.loss >= 0.99
    assert found.line.loss == pytest.approx(1, abs=1e-5)


def test_divergence_is_said():
    problem = models.landscape(2, lambda x: (x**4).sum(1))
    a, b = np.array([-2.0, 3.0]), np.array([3.0, 1.0])
    found = curves.connect(problem, a, b, steps=200, lr=10.0)
    assert found.note == "training diverged at lr 10"
    np.testing.assert_array_equal(found.control, (a + b) / 2)
    assert found.barrier == found.line


def test_networks_from_two_seeds_are_connected():
    problem = models.problem(models.made("convolutional"))
    ends = []
    for seed in (0, 1):
        model = models.made("convolutional", seed)
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(60):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(problem.train[0]), problem.train[1])
            loss.backward()
            optimizer.step()
        ends.append(flat(model).double().numpy())
    found = curves.connect(problem, *ends, steps=200)
    assert found.line.loss > 0.05
    assert found.barrier.loss < 0.5 * found.line.loss
    assert curves.connect(problem, *ends, steps=20, seed=1).control == pytest.approx(
        curves.connect(problem, *ends, steps=20, seed=1).control
    )


def test_frozen_weights_stay_where_they_are():
    model = models.perceptron(1)
    model[1].weight.requires_grad_(False)
    problem = models.problem(model)
    weights = flat(model).double().numpy()
    other = weights.copy()
    other[-21:] += 1.0
    trainer = curves._Trainer(problem, weights, other, device="cpu")
    *_, control = trainer.train(20, 0.1, 0.9, 8, 0)
    assert len(control) == len(weights) == sum(p.numel() for p in model.parameters()) - 192
    assert not np.allclose(control, (weights + other) / 2)
    assert torch.equal(trainer.model[1].weight, model[1].weight)


def test_the_cost_in_passes():
    problem = models.problem(models.perceptron(1))
    assert curves.curve_cost(problem, steps=10, batch_size=8) == 3 * 10 * 8 + 2 * 21 * 24
    normalized = models.problem(models.made("convolutional"))
    assert curves.curve_cost(normalized, steps=10, batch_size=64) == 3 * 10 * 24 + 4 * 21 * 24


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"lr": -1.0}, {"batch_size": 0}, {"lr": math.nan}])
def test_what_cannot_be(wrong):
    [(name, value)] = wrong.items()
    message = f"a curve's {name} must be above 0, got {value}"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        curves.connect(models.landscape(2, ring), np.zeros(2), np.ones(2), **wrong)

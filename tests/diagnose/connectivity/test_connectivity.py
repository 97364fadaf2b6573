from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.diagnose.connectivity import connectivity
from landscape.diagnose.symmetry import symmetry
from landscape.diagnose.symmetry.groups import apply
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError
from landscape.problem import builtin, flat, vary
from landscape.sgd import Settings, steps
from landscape.store.measured.paths import Barrier

from .. import models

NOISY = 2000


def quadratic(x):
    return (torch.arange(1, x.shape[1] + 1) * x**2).sum(1) / 2


def double_well(x):
    return (x[:, 0] ** 2 - 1) ** 2 + (x[:, 1:] ** 2).sum(1) / 2


def test_a_quadratic_has_no_barrier():
    problem = models.landscape(5, quadratic)
    a, b = np.random.default_rng(0).standard_normal((2, 5))
    found = connectivity.line(problem, a, b).barrier
    assert (found.loss, found.ratio, found.at) == (0, 0, 0)
    assert math.isnan(found.error)
    assert found.connects(Thresholds())


def test_a_double_well_has_one_between_its_floors():
    problem = models.landscape(1 + NOISY, double_well)
    floors = np.zeros((2, 1 + NOISY))
    floors[:, 0] = -1, 1
    found = connectivity.between(problem, floors)
    assert found.line.worst.barrier.loss == pytest.approx(1, abs=1e-6)
    assert found.line.worst.barrier.at == pytest.approx(0.5)
    assert found.line.ratio[0, 1] == math.inf
    assert found.line.connected is False
    assert found.distance[0, 1] == 2


def test_none_is_visible_between_noisy_iterates():
    problem = models.landscape(1 + NOISY, double_well)
    iterates = 0.1 * np.random.default_rng(0).standard_normal((2, 1 + NOISY))
    iterates[:, 0] = -1, 1
    found = connectivity.between(problem, iterates)
    # Halfway, half of the noise's 2000 x 0.01 / 2 averages out: 5, more than the barrier's 1.
    assert found.line.worst.barrier.loss == 0
    assert found.line.connected is True
    middle = found.line.worst.train_loss[5]
    assert middle == pytest.approx(1 + double_well_noise(iterates.mean(0)), rel=1e-5)


def double_well_noise(point: np.ndarray) -> float:
    return float((point[1:] ** 2).sum() / 2)


def test_the_formula_at_every_point():
    problem = models.landscape(2, double_well)
    a, b = np.array([-1.2, 0.4]), np.array([0.9, -0.3])
    found = connectivity.line(problem, a, b, points=9)
    t = np.linspace(0, 1, 9)
    points = torch.from_numpy(np.outer(1 - t, a) + np.outer(t, b))
    losses = double_well(points).numpy()
    np.testing.assert_allclose(found.train_loss, losses, rtol=1e-6)
    above = losses - ((1 - t) * losses[0] + t * losses[-1])
    assert found.barrier.loss == pytest.approx(above.max(), rel=1e-5)
    assert found.barrier.at == t[above.argmax()]
    assert found.barrier.ratio == pytest.approx(above.max() / max(losses[0], losses[-1]), rel=1e-5)


def test_a_polyline_goes_round_a_barrier():
    def ring(x):
        return (x.norm(dim=1) - 1) ** 2

    problem = models.landscape(2, ring)
    angles = np.linspace(0, math.pi, 9)
    networks = np.stack([np.cos(angles), np.sin(angles)], 1)
    heard = []
    found = connectivity.between(problem, networks, listener=lambda *done: heard.append(done))
    assert heard == [(k, 36) for k in range(1, 37)]
    assert found.line.worst_pair == (0, 8)
    assert found.line.loss[0, 8] == pytest.approx(1, abs=1e-6)
    cut = (1 - math.cos(math.pi / 16)) ** 2  # how far a chord comes inside
    assert found.polyline.loss[0, 8] == pytest.approx(cut, rel=1e-3)
    assert found.polyline.loss[0, 1] == found.line.loss[0, 1]
    around = connectivity.path(problem, networks)
    assert around.barrier.loss == found.polyline.loss[0, 8]
    np.testing.assert_allclose(around.t, np.linspace(0, 1, 81), atol=1e-9)
    np.testing.assert_array_equal(found.line.loss, found.line.loss.T)


@pytest.mark.parametrize("name", ["perceptron", "convolutional", "residual"])
def test_a_permuted_copy_lies_behind_a_barrier_and_the_aligned_one_does_not(name):
    problem = fitted(name)
    weights = flat(problem.model).double().numpy()
    found = symmetry.find(problem)
    other = apply(found, found.draw(np.random.default_rng(3)), weights)
    exact = connectivity.measurer(problem, precision="float64")
    networks = np.stack([weights, other])
    between = connectivity.between(problem, networks, symmetry=found, measure=exact)
    assert between.line.worst.barrier.loss > 0.1
    assert between.train_loss[1] == pytest.approx(between.train_loss[0], rel=0, abs=1e-12)
    assert between.matched.worst.barrier.loss == pytest.approx(0, abs=1e-12)
    assert between.matched_distance[0, 1] == 0 < between.distance[0, 1]
    assert between.moved == 1
    assert between.matched.connected is True


def fitted(name: str):
    """A network that has learned its 24 samples."""
    model = models.made(name)
    problem = models.problem(model)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    torch.manual_seed(0)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(model.train()(problem.train[0]), problem.train[1]).backward()
        optimizer.step()
    return problem


def test_batchnorm_is_recomputed_at_every_point():
    problem = fitted("convolutional")
    weights = flat(problem.model).double().numpy()
    other = weights + 0.3 * np.random.default_rng(0).standard_normal(len(weights))
    found = connectivity.line(problem, weights, other, points=5)
    inputs, targets = problem.train
    model = models.made("convolutional").double()
    for t, loss in zip(found.t, found.train_loss, strict=True):
        point = torch.from_numpy((1 - t) * weights + t * other)
        nn.utils.vector_to_parameters(point, model.parameters())
        for module in model.eval().modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
                module.train()
        with torch.no_grad():
            model(inputs.double())
            expected = functional.cross_entropy(model.eval()(inputs.double()), targets)
        assert loss == pytest.approx(float(expected), rel=1e-4)


def test_networks_trained_from_two_seeds():
    weights = []
    for seed in (0, 1):
        problem = vary(builtin("mlp", "digits", seed=seed, width=48), train_samples=400)
        for step in steps(problem, Settings(lr=0.1, batch_size=16, epochs=12, seed=seed)):
            last = step.weights
        weights.append(last.double().numpy().copy())
    found = connectivity.between(problem, np.stack(weights), symmetry=symmetry.find(problem))
    assert found.train_loss.max() < 0.3
    assert found.line.worst.barrier.error > 5
    assert found.line.connected is False
    assert found.matched.worst.barrier.loss < 0.5 * found.line.worst.barrier.loss
    # The accuracy in points, by hand.
    worst = found.line.worst
    error = 100 * (1 - worst.train_accuracy)
    line = (1 - worst.t) * error[0] + worst.t * error[-1]
    assert worst.barrier.error == pytest.approx((error - line).max())


def test_without_symmetry_nothing_is_matched():
    problem = models.problem(models.Undecided())
    weights = flat(problem.model).double().numpy()
    found = connectivity.between(
        problem, np.stack([weights, weights + 0.1]), symmetry=symmetry.find(problem)
    )
    assert found.matched is found.matched_distance is None
    assert found.reason.startswith("the model's operations can't be traced")
    assert found.symmetric is None


def test_a_model_without_hidden_units_has_nothing_to_match():
    problem = models.problem(nn.Sequential(nn.Flatten(), nn.Linear(32, 3)))
    weights = flat(problem.model).double().numpy()
    networks = np.stack([weights, weights + 0.1])
    found = connectivity.between(problem, networks, symmetry=symmetry.find(problem))
    assert found.matched is None
    assert found.symmetric is False
    assert connectivity.between(problem, networks).symmetric is None


def test_a_loss_that_is_not_finite():
    def walled(x):
        return torch.where(x[:, 0].abs() < 0.1, torch.nan, x[:, 0] ** 2)

    problem = models.landscape(1, walled)
    found = connectivity.line(problem, np.array([-1.0]), np.array([1.0])).barrier
    assert (found.loss, found.ratio) == (math.inf, math.inf)
    assert found.connects(Thresholds()) is False
    found = connectivity.line(problem, np.array([0.0]), np.array([1.0])).barrier
    assert math.isnan(found.loss)
    assert found.connects(Thresholds()) is None


@pytest.mark.parametrize(
    ("barrier", "connected"),
    [
        (Barrier(0.1, 1.9, 1.9, 0.5), True),
        (Barrier(0.1, 2.1, 1.9, 0.5), False),
        (Barrier(0.1, 1.9, 2.1, 0.5), False),
        (Barrier(0.1, 1.9, math.nan, 0.5), True),
        (Barrier(0.1, math.nan, math.nan, 0.5), None),
    ],
)
def test_the_thresholds(barrier, connected):
    assert barrier.connects(Thresholds()) is connected


def test_the_cost_counts_what_is_measured(monkeypatch):
    problem = fitted("convolutional")
    weights = np.stack([flat(problem.model).double().numpy()] * 3)
    weights[1:] += 0.1 * np.random.default_rng(0).standard_normal(weights[1:].shape)
    seen = []
    handle = nn.modules.module.register_module_forward_pre_hook(
        lambda module, inputs: (
            seen.append(len(inputs[0])) if type(module) is nn.Sequential else None
        )
    )
    at = connectivity.measurer(problem)
    seen.clear()
    connectivity.between(problem, weights, points=5, measure=at)
    handle.remove()
    assert sum(seen) == connectivity.cost(problem, 3, points=5, matched=False)


@pytest.mark.parametrize(
    ("networks", "points", "message"),
    [
        (1, 11, "barriers need at least 2 networks, got 1"),
        (2, 2, "a line needs at least 3 points, got 2"),
    ],
)
def test_too_few(networks, points, message):
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        connectivity.between(models.landscape(2, quadratic), np.zeros((networks, 2)), points=points)

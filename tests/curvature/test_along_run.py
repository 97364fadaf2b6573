"""Curvature along a trajectory, against dense Hessians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature import along_run
from landscape.curvature.along_run import critical_step
from landscape.curvature.hessian import Hessian, sampled
from landscape.errors import LandscapeError
from landscape.problem import Problem, flat, half_square


def test_against_a_dense_hessian(run, dense):
    problem, trajectory = run
    asked = []
    found = along_run.measure_curvature(
        problem, trajectory, [0, 1], count=4, products=72, listener=lambda *at: asked.append(at)
    )
    assert asked == [(0, 2), (1, 2), (2, 2)]
    assert found.step.tolist() == [0, 10]
    assert (found.samples, found.total, found.parameters) == (60, 60, 75)
    for row in range(2):
        matrix = dense(problem, trajectory.row_weights(row))
        exact = np.linalg.eigvalsh(matrix)
        error = 1e-3 * exact[-1]
        np.testing.assert_allclose(found.eigenvalues[row], exact[:-5:-1], atol=error)
        assert found.lowest[row] == pytest.approx(exact[0], abs=error)
        assert found.trace[row] == pytest.approx(np.trace(matrix), abs=4 * found.trace_error[row])
        hessian = Hessian(problem, dtype=torch.float64)
        hessian.move(trajectory.row_weights(row))
        loss, slope = hessian.gradient()
        assert found.loss[row] == pytest.approx(loss, rel=1e-12)
        assert found.gradient_norm[row] == pytest.approx(np.linalg.norm(slope), rel=1e-12)
        along = slope @ matrix @ slope / (slope @ slope)
        assert found.gradient_curvature[row] == pytest.approx(along, rel=1e-9)
    assert found.products.max() <= 72 + 8 + 1


def test_the_critical_step_is_where_the_loss_is_back(run):
    problem, trajectory = run
    found = along_run.measure_curvature(problem, trajectory, [1], count=2, products=20)
    hessian = Hessian(problem, dtype=torch.float64)
    weights = trajectory.row_weights(1).astype(np.float64)
    hessian.move(weights)
    loss, slope = hessian.gradient()
    [step] = found.critical_step

    def at(share):
        hessian.move(weights - share * step * slope)
        return hessian.gradient()[0]

    assert at(1.001) >= loss > at(0.998)
    assert all(at(share) < loss for share in np.linspace(0.01, 0.99, 40))


def test_of_linear_regression(recorded):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    targets = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    model = nn.Linear(6, 1, bias=False).double()
    problem = Problem(model, (inputs, targets), loss=half_square)
    matrix = (inputs.T @ inputs / 50).numpy()
    weights = np.arange(6.0)
    found = along_run.measure_curvature(
        problem, recorded(problem, [weights]), [0], count=3, samples=None
    )
    np.testing.assert_allclose(found.eigenvalues[0], np.linalg.eigvalsh(matrix)[:-4:-1], rtol=1e-10)
    assert found.trace[0] == pytest.approx(np.trace(matrix), rel=1e-12)
    assert found.trace_error[0] == 0
    slope = matrix @ weights - (inputs.T @ targets / 50).numpy()[:, 0]
    exact = 2 * slope @ slope / (slope @ matrix @ slope)
    assert found.critical_step[0] == pytest.approx(exact, rel=1.1e-3)


def test_fewer_samples_are_the_same_ones_at_every_row(run, dense):
    problem, trajectory = run
    found = along_run.measure_curvature(
        problem, trajectory, [0, 1], count=1, products=60, samples=20, seed=3
    )
    generator = torch.Generator().manual_seed(3)
    chosen = torch.randperm(60, generator=generator)[:20]
    assert (found.samples, found.total) == (20, 60)
    for row in range(2):
        exact = np.linalg.eigvalsh(dense(problem, trajectory.row_weights(row), chosen))
        assert found.eigenvalues[row, 0] == pytest.approx(exact[-1], rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda problem, trajectory: along_run.measure_curvature(problem, trajectory, [0, 2]),
            "rows must be between 0 and 1, got 2",
        ),
        (
            lambda problem, trajectory: along_run.measure_curvature(problem, trajectory, []),
            "rows must be at least one, got none; leave them out for a few",
        ),
        (
            lambda problem, trajectory: sampled(problem, 0),
            "samples must be at least 1, got 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(run, call, message):
    with pytest.raises(LandscapeError) as caught:
        call(*run)
    assert str(caught.value) == message


def test_the_problems_model_is_left_alone(run):
    problem, trajectory = run
    before = flat(problem.model)
    along_run.measure_curvature(problem, trajectory, count=1, products=5)
    assert torch.equal(flat(problem.model), before)
    assert problem.model.training
    assert all(p.grad is None for p in problem.model.parameters())


@pytest.mark.parametrize("wrong", [1, 1e-4, 1e5])
def test_on_a_quadratic_it_is_two_over_the_curvature_along_the_gradient(wrong):
    curvature = np.diag([3.0, 1.0, 0.2])
    w = np.array([1.0, -2.0, 5.0])
    slope = curvature @ w
    exact = 2 * slope @ slope / (slope @ curvature @ slope)

    def loss(step):
        at = w - step * slope
        return float(at @ curvature @ at) / 2

    assert critical_step(loss, wrong * exact) == pytest.approx(exact, rel=1e-3)


def test_the_first_of_several():
    # Falls, rises above the start at 1, falls below it between 2 and 3, rises for good.
    def loss(step):
        return step * (step - 1) * (step - 2) * (step - 3) * -1 + 10

    def other(step):
        return -loss(step)

    assert critical_step(other, 1.3) == pytest.approx(1, rel=1e-3)


def test_a_loss_that_stays_lower_has_none():
    assert critical_step(lambda step: math.exp(-step), 1.0) == math.inf


def test_a_loss_that_does_not_fall_by_more_than_rounding_tells_nothing():
    assert math.isnan(critical_step(lambda step: 2.3 - 1e-8 * step * (2 - step), 1.0))
    assert math.isnan(critical_step(lambda step: 2.3 + step, 1.0))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_losses_that_are_not_finite_are_higher(value):
    assert critical_step(lambda step: 1 - step if step < 0.7 else value, 1.0) == pytest.approx(
        0.7, rel=1e-3
    )


def test_at_a_loss_that_is_not_finite_there_is_none():
    assert math.isnan(critical_step(lambda step: math.nan, 1.0))

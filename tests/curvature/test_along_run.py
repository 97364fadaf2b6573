"""Curvature along a trajectory, against dense Hessians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.diagnose import curvature
from landscape.diagnose.sampled import sampled
from landscape.diagnose.subspace import jump, subspace
from landscape.diagnose.trace import search, trace
from landscape.errors import LandscapeError
from landscape.plane.directions import gaussian
from landscape.problem import Problem, flat, half_square
from landscape.problem.hvp import Hessian


def made(samples: int = 60) -> Problem:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3)).double()
    inputs = torch.randn(samples, 4, generator=generator, dtype=torch.float64)
    return Problem(model, (inputs, torch.randint(3, (samples,), generator=generator)))


def dense(problem: Problem, weights, indices=None) -> np.ndarray:
    hessian = Hessian(problem, dtype=torch.float64)
    hessian.move(weights)
    if indices is not None:
        hessian.select(indices)
    return np.stack([hessian @ row for row in np.eye(hessian.size)])


@pytest.fixture
def run(recorded):
    """A problem and two rows of weights."""
    problem = made()
    start = flat(problem.model).numpy().astype(np.float32)
    later = start + np.random.default_rng(0).standard_normal(len(start)).astype(np.float32) / 3
    return problem, recorded(problem, [start, later])


def test_against_a_dense_hessian(run):
    problem, trajectory = run
    asked = []
    found = curvature.measure(
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
    found = curvature.measure(problem, trajectory, [1], count=2, products=20)
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
    found = curvature.measure(problem, recorded(problem, [weights]), [0], count=3, samples=None)
    np.testing.assert_allclose(found.eigenvalues[0], np.linalg.eigvalsh(matrix)[:-4:-1], rtol=1e-10)
    assert found.trace[0] == pytest.approx(np.trace(matrix), rel=1e-12)
    assert found.trace_error[0] == 0
    slope = matrix @ weights - (inputs.T @ targets / 50).numpy()[:, 0]
    exact = 2 * slope @ slope / (slope @ matrix @ slope)
    assert found.critical_step[0] == pytest.approx(exact, rel=1.1e-3)


def test_fewer_samples_are_the_same_ones_at_every_row(run):
    problem, trajectory = run
    found = curvature.measure(problem, trajectory, [0, 1], count=1, products=60, samples=20, seed=3)
    generator = torch.Generator().manual_seed(3)
    chosen = torch.randperm(60, generator=generator)[:20]
    assert (found.samples, found.total) == (20, 60)
    for row in range(2):
        exact = np.linalg.eigvalsh(dense(problem, trajectory.row_weights(row), chosen))
        assert found.eigenvalues[row, 0] == pytest.approx(exact[-1], rel=1e-3)


class Planted:
    """A symmetric matrix with given eigenvalues."""

    def __init__(self, values, seed=0):
        draw = np.random.default_rng(seed).standard_normal((len(values), len(values)))
        vectors = np.linalg.qr(draw)[0]
        self.matrix = vectors @ np.diag(values) @ vectors.T
        self.size = len(values)
        self.products = 0

    def __matmul__(self, vector):
        self.products += 1
        return self.matrix @ vector


SPECTRUM = np.concatenate(
    [np.random.default_rng(5).standard_normal(390) / 50, 2.0 ** np.arange(10)]
)


def test_traces_error_is_the_one_it_says():
    matrix = Planted(SPECTRUM)
    known = search(matrix, 5, products=20)
    found = np.array([trace(matrix, known, probes=8, seed=seed) for seed in range(200)])
    apart = found[:, 0] - SPECTRUM.sum()
    assert abs(apart.mean()) < 4 * apart.std() / np.sqrt(200)
    assert np.sqrt((found[:, 1] ** 2).mean()) == pytest.approx(apart.std(), rel=0.2)
    # Plain Hutchinson has sqrt(2 sum of squares off the diagonal / probes).
    off = matrix.matrix - np.diag(np.diag(matrix.matrix))
    assert apart.std() < 0.1 * np.sqrt(2 * (off**2).sum() / 8)


def test_a_search_ends_when_it_knows():
    matrix = Planted(SPECTRUM)
    found = search(matrix, 3, products=200)
    assert matrix.products < 60
    np.testing.assert_allclose(found.values[-3:], [128, 256, 512], rtol=1e-3)


def test_a_search_of_a_matrix_of_low_rank_finds_all_of_it():
    matrix = Planted([3.0, 3.0, 2.0, *np.zeros(97)])
    found = search(matrix, 4, products=50)
    np.testing.assert_allclose(found.values[-4:], [0, 2, 3, 3], atol=1e-12)
    assert trace(matrix, found, probes=2) == pytest.approx((8, 0), abs=1e-10)
    assert matrix.products < 20


def test_more_eigenvalues_than_products_are_refused():
    with pytest.raises(LandscapeError) as caught:
        search(Planted([1.0, 2.0, 3.0]), 5, products=4)
    assert str(caught.value) == "eigenvalues must be between 1 and the 4 products, got 5"


def test_mean_curvature_along_random_directions():
    # E u'Hu = tr H / P and E cos^2 = 1 / P for a random unit u.
    matrix = dense(problem := made(), flat(problem.model).numpy())
    size = len(matrix)
    draws = np.stack(gaussian(size, seed=0, count=20_000))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    curved = np.einsum("np,pq,nq->n", draws, matrix, draws, optimize=True)
    assert curved.mean() == pytest.approx(
        np.trace(matrix) / size, abs=4 * curved.std() / np.sqrt(20_000)
    )
    assert (draws[:, 0] ** 2).mean() == pytest.approx(1 / size, rel=0.05)


def test_subspace(run):
    problem, trajectory = run
    pairs = subspace(problem, trajectory, 1, count=3)
    values, vectors = np.linalg.eigh(dense(problem, trajectory.row_weights(1)))
    np.testing.assert_allclose(pairs.values, values[:-4:-1], rtol=1e-3)
    assert pairs.vectors.shape == (3, 75)
    np.testing.assert_allclose(np.abs(pairs.vectors @ vectors[:, :-4:-1]), np.eye(3), atol=0.02)


def test_a_jump_along_the_top_eigenvector(recorded):
    problem = made()
    start = flat(problem.model).numpy()
    values, vectors = np.linalg.eigh(dense(problem, start))
    move = 3 * vectors[:, -1] + 4 * vectors[:, 0]
    trajectory = recorded(problem, [start, start + move, start])
    found = jump(problem, trajectory, 0, 1, count=2)
    assert (found.first, found.last, found.count) == (0, 10, 2)
    assert found.before == pytest.approx(values[-1], rel=1e-3)
    after = np.linalg.eigvalsh(dense(problem, trajectory.row_weights(1)))[-1]
    assert found.after == pytest.approx(after, rel=1e-3)
    assert found.along_top == pytest.approx(9 / 25, abs=0.01)
    assert found.along_subspace == pytest.approx(9 / 25, abs=0.01)
    assert found.chance == pytest.approx(2 / 75)
    assert math.isnan(jump(problem, trajectory, 0, 2, count=2).along_top)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda problem, trajectory: curvature.measure(problem, trajectory, [0, 2]),
            "rows must be between 0 and 1, got 2",
        ),
        (
            lambda problem, trajectory: curvature.measure(problem, trajectory, []),
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
    curvature.measure(problem, trajectory, count=1, products=5)
    assert torch.equal(flat(problem.model), before)
    assert problem.model.training
    assert all(p.grad is None for p in problem.model.parameters())

"""Spectral density by quadrature, against all eigenvalues."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature import density
from landscape.curvature.density import count_below, trace
from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import search
from landscape.errors import LandscapeError
from landscape.plane.normalization import gaussian
from landscape.problem import Problem, flat

VALUES = np.sort(
    np.concatenate([np.random.default_rng(3).standard_normal(280) / 100, np.arange(1.0, 21)])
)


class Diagonal:
    """A diagonal matrix: a probe's weights on its eigenvalues are known."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.size = len(self.values)

    def __matmul__(self, vector):
        return self.values * vector


def test_moments_of_a_probe_are_exact():
    # m nodes integrate polynomials of degree 2 m - 1 exactly against what the probe sees.
    values = np.random.default_rng(1).uniform(-1, 1, 80)
    found = density.quadrature(Diagonal(values), probes=3, steps=6, seed=4)
    draws = np.random.Generator(np.random.PCG64([4, 3])).standard_normal((3, 80))
    seen = draws**2 / (draws**2).sum(1, keepdims=True)
    for power in range(12):
        np.testing.assert_allclose(
            (found.weights * found.nodes**power).sum(1), seen @ values**power, atol=1e-13
        )


def test_with_as_many_steps_as_rows_the_weights_are_each_eigenvalues():
    values = np.arange(1.0, 13)
    found = density.quadrature(Diagonal(values), probes=2, steps=99, seed=1)
    draws = np.random.Generator(np.random.PCG64([1, 3])).standard_normal((2, 12))
    np.testing.assert_allclose(found.nodes, [values, values], rtol=1e-10)
    np.testing.assert_allclose(
        found.weights, draws**2 / (draws**2).sum(1, keepdims=True), atol=1e-10
    )


@pytest.mark.parametrize("threshold", [-1, 0, 0.01, 0.5, 7.5, 30])
def test_eigenvalues_below_a_threshold(threshold):
    exact = int((threshold > VALUES).sum())
    for seed in range(10):
        found = density.quadrature(Diagonal(VALUES), probes=8, steps=40, seed=seed)
        count = count_below(found, threshold)
        assert count.lower <= count.value <= count.upper
        slack = 4 * count.error + 1e-9
        assert count.lower - slack <= exact <= count.upper + slack
        if threshold not in (0, 0.01):  # a gap of the spectrum, where there is no doubt about nodes
            assert count.value == pytest.approx(exact, abs=max(slack, 1e-9))


def test_the_error_of_a_count_is_the_one_it_says():
    # Two bulks, so that no number of nodes says how many eigenvalues there are in either.
    draws = np.random.default_rng(2).standard_normal(300) / 20
    halves = Diagonal(draws + np.repeat([0, 1], 150))
    found = [
        count_below(density.quadrature(halves, probes=6, steps=20, seed=seed), 0.5)
        for seed in range(60)
    ]
    assert np.mean([count.value for count in found]) == pytest.approx(150, abs=4)
    apart = np.std([count.value for count in found])
    assert np.mean([count.error for count in found]) == pytest.approx(apart, rel=0.25)


def test_one_probe_has_no_error():
    found = density.quadrature(Diagonal(VALUES), probes=1, steps=10)
    assert math.isnan(count_below(found, 0.5).error)


def test_of_a_network(recorded):
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    inputs = torch.randn(40, 4, generator=generator, dtype=torch.float64)
    problem = Problem(model, (inputs, torch.randint(3, (40,), generator=generator)))
    weights = flat(model).numpy().astype(np.float32)
    asked = []
    found = density.measure(
        problem,
        recorded(problem, [weights]),
        probes=16,
        steps=67,
        listener=lambda *at: asked.append(at),
    )
    assert asked[-1] == (16 * 67, 16 * 67)
    assert (found.size, found.samples, found.total, found.step) == (67, 40, 40, 0)
    hessian = Hessian(problem)
    hessian.move(weights)
    exact = np.linalg.eigvalsh(np.stack([hessian @ row for row in np.eye(67)]))
    # Eigenvalues at zero and their like are told apart only to rounding.
    np.testing.assert_allclose(found.nodes[0], exact, atol=1e-9)
    for threshold in (1e-3, 0.02, 0.2):
        count = count_below(found, threshold)
        assert count.value == pytest.approx((exact < threshold).sum(), abs=4 * count.error)
    assert (found.lowest, found.highest) == pytest.approx((exact[0], exact[-1]), abs=1e-9)


def test_no_probes_are_refused():
    with pytest.raises(LandscapeError) as caught:
        density.quadrature(Diagonal(VALUES), probes=0, steps=10)
    assert str(caught.value) == "probes and steps must be at least 1, got 0 probes of 10 steps"


SPECTRUM = np.concatenate(
    [np.random.default_rng(5).standard_normal(390) / 50, 2.0 ** np.arange(10)]
)


def test_traces_error_is_the_one_it_says(matrix_of):
    matrix = matrix_of(SPECTRUM)
    known = search(matrix, 5, products=20)
    found = np.array([trace(matrix, known, probes=8, seed=seed) for seed in range(200)])
    apart = found[:, 0] - SPECTRUM.sum()
    assert abs(apart.mean()) < 4 * apart.std() / np.sqrt(200)
    assert np.sqrt((found[:, 1] ** 2).mean()) == pytest.approx(apart.std(), rel=0.2)
    # Plain Hutchinson has sqrt(2 sum of squares off the diagonal / probes).
    off = matrix.matrix - np.diag(np.diag(matrix.matrix))
    assert apart.std() < 0.1 * np.sqrt(2 * (off**2).sum() / 8)


def test_of_a_known_space_the_trace_is_exact(matrix_of):
    matrix = matrix_of([3.0, 3.0, 2.0, *np.zeros(97)])
    found = search(matrix, 4, products=50)
    assert trace(matrix, found, probes=2) == pytest.approx((8, 0), abs=1e-10)


def test_mean_curvature_along_random_directions(tanh, dense):
    # E u'Hu = tr H / P and E cos^2 = 1 / P for a random unit u.
    matrix = dense(tanh, flat(tanh.model).numpy())
    size = len(matrix)
    draws = np.stack(gaussian(size, seed=0, count=20_000))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    curved = np.einsum("np,pq,nq->n", draws, matrix, draws, optimize=True)
    assert curved.mean() == pytest.approx(
        np.trace(matrix) / size, abs=4 * curved.std() / np.sqrt(20_000)
    )
    assert (draws[:, 0] ** 2).mean() == pytest.approx(1 / size, rel=0.05)

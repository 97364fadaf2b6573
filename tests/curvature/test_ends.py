from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem import Problem, half_square
from landscape.problem.hvp import Hessian
from landscape.problem.spectrum import bottom, ends, top


class Planted:
    """A symmetric matrix with given eigenvalues that counts its products."""

    def __init__(self, values, seed=0):
        draw = np.random.default_rng(seed).standard_normal((len(values), len(values)))
        self.vectors = np.linalg.qr(draw)[0]
        self.matrix = self.vectors @ np.diag(values) @ self.vectors.T
        self.size = len(values)
        self.products = 0

    def __matmul__(self, vector):
        self.products += 1
        return self.matrix @ vector


@pytest.mark.parametrize("size", [3, 20, 25, 200])
def test_both_ends_of_a_planted_spectrum(size):
    values = np.sort(np.random.default_rng(1).standard_normal(size))
    values[0], values[-1] = -7, 4  # the smallest one is the largest in magnitude
    matrix = Planted(values)
    above, below = top(matrix, 2), bottom(matrix, 2)
    np.testing.assert_allclose(above.values, values[:-3:-1], atol=1e-9)
    np.testing.assert_allclose(below.values, values[:2], atol=1e-9)
    assert ends(matrix) == pytest.approx((-7, 4), rel=1e-3)
    for pairs in (above, below):
        assert pairs.vectors.shape == (2, size)
        np.testing.assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(2), atol=1e-7)
        for value, vector in zip(pairs.values, pairs.vectors, strict=True):
            np.testing.assert_allclose(matrix @ vector, value * vector, atol=1e-6)
            assert vector[np.abs(vector).argmax()] > 0


def test_far_fewer_products_than_rows():
    matrix = Planted(np.concatenate([np.linspace(0, 1, 499), [10]]))
    assert top(matrix, 1).values[0] == pytest.approx(10, rel=1e-9)
    assert matrix.products < 150


def test_a_matrix_of_zeros():
    matrix = Planted(np.zeros(60))
    assert top(matrix, 2).values.tolist() == [0, 0]
    assert ends(matrix) == (0, 0)


def test_small_tanh_network_against_its_dense_hessian():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    problem = Problem(model, (torch.randn(50, 4), torch.randint(3, (50,))))
    matrix = Hessian(problem, dtype=torch.float64)
    exact = np.linalg.eigvalsh(np.stack([matrix @ row for row in np.eye(matrix.size)]))
    np.testing.assert_allclose(top(matrix, 3).values, exact[:-4:-1], atol=1e-9)
    np.testing.assert_allclose(bottom(matrix, 2).values, exact[:2], atol=1e-9)
    assert ends(matrix) == pytest.approx((exact[0], exact[-1]), rel=1e-3)


def test_linear_regression():
    torch.manual_seed(0)
    x = torch.randn(200, 40)
    problem = Problem(nn.Linear(40, 1, bias=False), (x, torch.randn(200, 1)), loss=half_square)
    exact = np.linalg.eigvalsh((x.double().T @ x.double() / 200).numpy())
    found = top(Hessian(problem, dtype=torch.float64), 2)
    np.testing.assert_allclose(found.values, exact[:-3:-1], rtol=1e-9)


def test_softmax_regression_at_zero():
    torch.manual_seed(0)
    x, classes = torch.randn(300, 12), 4
    model = nn.Linear(12, classes)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    problem = Problem(model, (x, torch.randint(classes, (300,))))
    extended = torch.cat([x, torch.ones(300, 1)], 1).double()
    exact = float(torch.linalg.eigvalsh(extended.T @ extended / 300)[-1]) / classes
    found = top(Hessian(problem, dtype=torch.float64), classes)
    # Multiplicity C - 1.
    np.testing.assert_allclose(found.values[:-1], exact, rtol=1e-8)
    assert found.values[-1] < 0.999 * exact


@pytest.mark.parametrize(
    ("matrix", "count", "message"),
    [
        (Planted(np.ones(5)), 6, "eigenvalues must be between 1 and the matrix's 5 rows, got 6"),
        (Planted(np.ones(5)), 0, "eigenvalues must be between 1 and the matrix's 5 rows, got 0"),
    ],
)
def test_a_count_that_cannot_be(matrix, count, message):
    with pytest.raises(LandscapeError) as caught:
        top(matrix, count)
    assert str(caught.value) == message


@pytest.mark.parametrize("size", [5, 60])
def test_products_that_are_not_finite(size):
    matrix = Planted(np.ones(size))
    matrix.matrix[0, 0] = np.nan
    with pytest.raises(LandscapeError) as caught:
        top(matrix, 1)
    assert str(caught.value) == (
        "curvature needs finite second derivatives, got a Hessian-vector product that isn't; "
        "take other weights"
    )


def test_ends_of_a_spectrum_with_a_bulk_at_zero():
    values = np.concatenate([[-0.02, -0.01], 1e-4 * np.arange(-50, 300), [3, 10]])
    matrix = Planted(values)
    lowest, highest = ends(matrix)
    assert lowest == pytest.approx(-0.02, abs=1e-3)
    assert highest == pytest.approx(10, rel=1e-4)
    assert matrix.products < 100


def test_no_convergence_of_the_ends_is_said():
    with pytest.raises(LandscapeError) as caught:
        ends(Planted(np.linspace(-1, 1, 100)), tolerance=1e-12, most=10)
    assert str(caught.value) == (
        "Lanczos iteration must converge, the ends of the spectrum didn't in 10 products; "
        "ask for a larger tolerance"
    )


def test_no_convergence_is_said():
    matrix = Planted(1 + 1e-7 * np.arange(400.0))
    with pytest.raises(LandscapeError) as caught:
        top(matrix, 1, tolerance=1e-15, most=1)
    assert str(caught.value) == (
        "Lanczos iteration must converge, 0 of 1 eigenvalues did in 1 restarts; "
        "ask for fewer, or a larger tolerance"
    )

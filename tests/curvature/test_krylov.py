"""Lanczos iteration, against planted spectra and dense Hessians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import Lanczos, ends, iterate, room, search, top
from landscape.errors import LandscapeError
from landscape.problem import Problem, half_square


def last(matrix, most):
    start = np.random.default_rng(1).standard_normal(matrix.size)
    *_, found = iterate(matrix, start, most=most)
    return found


def test_the_whole_space_gives_every_eigenvalue(matrix_of):
    values = np.sort(np.random.default_rng(2).standard_normal(40))
    found = last(matrix_of(values), most=40)
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    assert found.exhausted
    assert not found.residuals.any()


def test_a_part_of_it_is_told_with_its_residuals(matrix_of):
    values = np.concatenate([np.linspace(0, 1, 197), [3, 5, 8]])
    matrix = matrix_of(values)
    found = last(matrix, most=15)
    rows = found.basis.combined(np.eye(15))
    np.testing.assert_allclose(rows @ rows.T, np.eye(15), atol=1e-13)
    vectors = found.vectors(slice(None))
    apart = vectors @ matrix.matrix - found.values[:, None] * vectors
    np.testing.assert_allclose(found.residuals, np.linalg.norm(apart, axis=1), atol=1e-12)
    nearest = np.abs(found.values[:, None] - values).min(1)
    assert (nearest <= found.residuals + 1e-12).all()
    assert found.values[-1] <= 8 + 1e-12
    assert found.values[0] >= 0 - 1e-12


def test_an_eigenvalue_that_is_there_three_times_is_found_three_times(matrix_of):
    # The start's own space holds three distinct eigenvalues, one of each.
    found = last(matrix_of([2.0] * 3 + [0.0] * 56 + [-1.0]), most=20)
    np.testing.assert_allclose(np.sort(found.values)[-3:], 2, atol=1e-12)
    assert found.values[0] == pytest.approx(-1)


@pytest.mark.parametrize("kept", [slice(-8, None), slice(8)])
def test_after_a_restart_it_is_still_a_lanczos_iteration(matrix_of, kept):
    matrix = matrix_of(np.random.default_rng(3).standard_normal(90))
    iteration = Lanczos(matrix, np.random.default_rng(1).standard_normal(90), room=20)
    while not iteration.full:
        found = iteration.step()
    before = found.vectors(kept)
    iteration.restart(found, kept)
    while not iteration.full:
        found = iteration.step()
    assert matrix.products == 20 + 12
    rows = found.basis.combined(np.eye(20))
    np.testing.assert_allclose(rows @ rows.T, np.eye(20), atol=1e-13)
    # It still spans what was kept, and its T is the matrix in its basis.
    np.testing.assert_allclose(before @ rows.T @ rows, before, atol=1e-12)
    within = (found.coordinates * found.values) @ found.coordinates.T
    np.testing.assert_allclose(rows @ matrix.matrix @ rows.T, within, atol=1e-12)
    assert np.abs(np.triu(within, 2)).max() < 1e-12
    vectors = found.vectors(slice(None))
    apart = vectors @ matrix.matrix - found.values[:, None] * vectors
    np.testing.assert_allclose(found.residuals, np.linalg.norm(apart, axis=1), atol=1e-12)


def test_little_memory_costs_products_and_nothing_else(matrix_of, monkeypatch):
    values = np.random.default_rng(4).standard_normal(300)
    roomy, narrow = matrix_of(values), matrix_of(values)
    expected = top(roomy, 3)
    monkeypatch.setattr("landscape.curvature.krylov.WIDE", 20)
    found = top(narrow, 3)
    exact = np.sort(values)[:-4:-1]
    np.testing.assert_allclose(found.values, exact, rtol=1e-12)
    np.testing.assert_allclose(expected.values, exact, rtol=1e-12)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-6)
    assert roomy.products < narrow.products < 300


def test_copies_of_an_eigenvalue_that_is_not_the_largest(matrix_of):
    # The space holds 7, 5 and 1 when all that is left outside is 5, twice more and more.
    matrix = matrix_of([7.0, 1.0] + [5.0] * 58)
    np.testing.assert_allclose(top(matrix, 4).values, [7, 5, 5, 5], rtol=1e-12)
    assert matrix.products < 8
    found = search(matrix, 4, products=30)
    np.testing.assert_allclose(found.values[-4:], [5, 5, 5, 7], rtol=1e-12)


def test_room_is_what_fits_in_memory():
    assert room(10, 50) == 10
    assert room(10_000, 50) == 50
    assert room(10_000_000, 50) == 25
    assert room(10**9, 50) == 20


@pytest.mark.parametrize("size", [3, 20, 25, 200])
def test_both_ends_of_a_planted_spectrum(size, matrix_of):
    values = np.sort(np.random.default_rng(1).standard_normal(size))
    values[0], values[-1] = -7, 4  # the smallest one is the largest in magnitude
    matrix = matrix_of(values)
    found = top(matrix, 2)
    np.testing.assert_allclose(found.values, values[:-3:-1], atol=1e-9)
    assert ends(matrix) == pytest.approx((-7, 4), rel=1e-3)
    assert found.vectors.shape == (2, size)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(2), atol=1e-7)
    for value, vector in zip(found.values, found.vectors, strict=True):
        np.testing.assert_allclose(matrix @ vector, value * vector, atol=1e-6)
        assert vector[np.abs(vector).argmax()] > 0


def test_far_fewer_products_than_rows(matrix_of):
    matrix = matrix_of(np.concatenate([np.linspace(0, 1, 499), [10]]))
    assert top(matrix, 1).values[0] == pytest.approx(10, rel=1e-9)
    assert matrix.products < 150


def test_a_matrix_of_zeros(matrix_of):
    matrix = matrix_of(np.zeros(60))
    assert top(matrix, 2).values.tolist() == [0, 0]
    assert matrix.products == 2
    assert ends(matrix) == (0, 0)


def test_small_tanh_network_against_its_dense_hessian():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    problem = Problem(model, (torch.randn(50, 4), torch.randint(3, (50,))))
    matrix = Hessian(problem, dtype=torch.float64)
    exact = np.linalg.eigvalsh(np.stack([matrix @ row for row in np.eye(matrix.size)]))
    np.testing.assert_allclose(top(matrix, 3).values, exact[:-4:-1], atol=1e-9)
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


@pytest.mark.parametrize("count", [6, 0])
def test_a_count_that_cannot_be(matrix_of, count):
    with pytest.raises(LandscapeError) as caught:
        top(matrix_of(np.ones(5)), count)
    assert str(caught.value) == (
        f"eigenvalues must be between 1 and the matrix's 5 rows, got {count}"
    )


@pytest.mark.parametrize("size", [5, 60])
def test_products_that_are_not_finite(size, matrix_of):
    matrix = matrix_of(np.ones(size))
    matrix.matrix[0, 0] = np.nan
    with pytest.raises(LandscapeError) as caught:
        top(matrix, 1)
    assert str(caught.value) == (
        "curvature needs finite second derivatives, got a Hessian-vector product that isn't; "
        "take other weights"
    )


def test_ends_of_a_spectrum_with_a_bulk_at_zero(matrix_of):
    values = np.concatenate([[-0.02, -0.01], 1e-4 * np.arange(-50, 300), [3, 10]])
    matrix = matrix_of(values)
    lowest, highest = ends(matrix)
    assert lowest == pytest.approx(-0.02, abs=1e-3)
    assert highest == pytest.approx(10, rel=1e-4)
    assert matrix.products < 100


def test_no_convergence_of_the_ends_is_said(matrix_of):
    with pytest.raises(LandscapeError) as caught:
        ends(matrix_of(np.linspace(-1, 1, 100)), tolerance=1e-12, most=10)
    assert str(caught.value) == (
        "Lanczos iteration must converge, the ends of the spectrum didn't in 10 products; "
        "ask for a larger tolerance"
    )


def test_no_convergence_is_said(matrix_of):
    matrix = matrix_of(1 + 1e-7 * np.arange(400.0))
    with pytest.raises(LandscapeError) as caught:
        top(matrix, 1, tolerance=1e-15, most=1)
    assert str(caught.value) == (
        "Lanczos iteration must converge, 0 of 1 eigenvalues did in 1 restarts; "
        "ask for fewer, or a larger tolerance"
    )


SPECTRUM = np.concatenate(
    [np.random.default_rng(5).standard_normal(390) / 50, 2.0 ** np.arange(10)]
)


def test_a_search_ends_when_it_knows(matrix_of):
    matrix = matrix_of(SPECTRUM)
    found = search(matrix, 3, products=200)
    assert matrix.products < 60
    np.testing.assert_allclose(found.values[-3:], [128, 256, 512], rtol=1e-3)


def test_a_search_of_a_matrix_of_low_rank_finds_all_of_it(matrix_of):
    matrix = matrix_of([3.0, 3.0, 2.0, *np.zeros(97)])
    found = search(matrix, 4, products=50)
    np.testing.assert_allclose(found.values[-4:], [0, 2, 3, 3], atol=1e-12)
    assert matrix.products < 20


def test_more_eigenvalues_than_products_are_refused(matrix_of):
    with pytest.raises(LandscapeError) as caught:
        search(matrix_of([1.0, 2.0, 3.0]), 5, products=4)
    assert str(caught.value) == "eigenvalues must be between 1 and the 4 products, got 5"

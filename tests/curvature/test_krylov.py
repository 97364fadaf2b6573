from __future__ import annotations

import numpy as np
import pytest

from landscape.problem.lanczos import iterate, room


class Planted:
    """A symmetric matrix with given eigenvalues."""

    def __init__(self, values, seed=0):
        draw = np.random.default_rng(seed).standard_normal((len(values), len(values)))
        self.vectors = np.linalg.qr(draw)[0]
        self.matrix = self.vectors @ np.diag(values) @ self.vectors.T
        self.size = len(values)

    def __matmul__(self, vector):
        return self.matrix @ vector


def last(matrix, most):
    start = np.random.default_rng(1).standard_normal(matrix.size)
    *_, found = iterate(matrix, start, most=most)
    return found


def test_the_whole_space_gives_every_eigenvalue():
    values = np.sort(np.random.default_rng(2).standard_normal(40))
    found = last(Planted(values), most=40)
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    assert found.exhausted
    assert not found.residuals.any()


def test_a_part_of_it_is_told_with_its_residuals():
    values = np.concatenate([np.linspace(0, 1, 197), [3, 5, 8]])
    matrix = Planted(values)
    found = last(matrix, most=15)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(15), atol=1e-13)
    vectors = found.vectors(slice(None))
    apart = vectors @ matrix.matrix - found.values[:, None] * vectors
    np.testing.assert_allclose(found.residuals, np.linalg.norm(apart, axis=1), atol=1e-12)
    nearest = np.abs(found.values[:, None] - values).min(1)
    assert (nearest <= found.residuals + 1e-12).all()
    assert found.values[-1] <= 8 + 1e-12
    assert found.values[0] >= 0 - 1e-12


def test_an_eigenvalue_that_is_there_three_times_is_found_three_times():
    # The start's own space holds three distinct eigenvalues, one of each.
    found = last(Planted([2.0] * 3 + [0.0] * 56 + [-1.0]), most=20)
    np.testing.assert_allclose(np.sort(found.values)[-3:], 2, atol=1e-12)
    assert found.values[0] == pytest.approx(-1)


def test_room_is_what_fits_in_memory():
    assert room(10, 50) == 10
    assert room(10_000, 50) == 50
    assert room(10_000_000, 50) == 25
    assert room(10**9, 50) == 20

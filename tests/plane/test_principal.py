from __future__ import annotations

import numpy as np
import pytest

from landscape.plane import principal
from landscape.plane.principal import components
from landscape.store.trajectories.trajectory import CADENCE, EVENT


def svd(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    exact = weights.astype(np.float64)
    _, values, directions = np.linalg.svd(exact - exact.mean(0), full_matrices=False)
    return directions, values**2 / (values**2).sum()


def assert_same(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Compare direction by direction: signs are arbitrary."""
    signs = np.sign((found * expected).sum(1))[:, None]
    np.testing.assert_allclose(found, signs * expected, rtol=0, atol=tolerance)


def test_equal_to_svd(plant, walk):
    weights = walk(20, 300)
    directions, shares = components(plant(weights), count=3)
    expected, expected_shares = svd(weights)
    np.testing.assert_allclose(shares, expected_shares[:3], rtol=1e-10)
    assert_same(directions, expected[:3], 1e-10)
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_small_movements_far_from_zero(plant, walk, offset):
    weights = (offset + 1e-3 * walk(20, 300)).astype(np.float32)
    directions, shares = components(plant(weights), count=2)
    expected, expected_shares = svd(weights)
    np.testing.assert_allclose(shares, expected_shares[:2], rtol=1e-8)
    assert_same(directions, expected[:2], 1e-8)
    # Products of the weights themselves in float32 lose the movement at the offset.
    centre = np.eye(20, dtype=np.float32) - np.float32(1 / 20)
    naive = np.linalg.eigvalsh(centre @ (weights @ weights.T) @ centre)[::-1]
    is_lost = abs(naive[0] / naive.sum() - expected_shares[0]) > 0.05
    assert is_lost == (offset > 0)


def test_random_walk_has_its_known_shares_and_cosines_for_scores(plant, walk):
    weights = walk(300, 6000)
    directions, shares = components(plant(weights), count=3)
    np.testing.assert_allclose(shares, 6 / (np.pi * np.arange(1, 4)) ** 2, atol=0.015)
    scores = (weights - weights.mean(0)) @ directions.T
    for k in range(3):
        cosines = np.cos(np.pi * (k + 1) * (np.arange(300) + 0.5) / 300)
        assert abs(np.corrcoef(scores[:, k], cosines)[0, 1]) > 0.99


def test_a_walk_seen_from_its_last_point_has_its_known_shares(plant, walk):
    weights = walk(300, 6000)
    away = weights - weights[-1]
    known = 8 / (np.pi * (2 * np.arange(1, 4) - 1)) ** 2
    values = np.linalg.svd(away, compute_uv=False) ** 2
    np.testing.assert_allclose(values[:3] / values.sum(), known, atol=0.015)
    # With its mirror image the mean is the last point, and centring takes nothing away.
    _, shares = components(plant(np.concatenate([away, -away])), count=3)
    np.testing.assert_allclose(shares, known, atol=0.015)


@pytest.mark.slow
def test_chunks_of_columns_give_the_same(plant, walk, monkeypatch):
    trajectory = plant(walk(20, 301))
    whole, shares = components(trajectory, count=2)
    for columns in (1, 50, 300):
        monkeypatch.setattr(principal, "CHUNK_BYTES", columns * 8 * 20)
        parts, again = components(trajectory, count=2)
        np.testing.assert_allclose(again, shares, rtol=1e-12)
        assert_same(parts, whole, 1e-12)


def test_fewer_where_the_rows_span_less(plant):
    along_one = np.outer(np.arange(5.0), np.ones(30))
    directions, shares = components(plant(along_one), count=3)
    assert directions.shape == (1, 30)
    np.testing.assert_allclose(np.abs(directions), 1 / np.sqrt(30), rtol=1e-12)
    assert shares == pytest.approx([1], rel=1e-12)


def test_none_where_nothing_moved(plant):
    directions, shares = components(plant(np.ones((4, 30))), count=2)
    assert directions.shape == (0, 30)
    assert len(shares) == 0


def test_only_rows_of_the_cadence_count(plant, walk):
    weights = walk(20, 60)
    kinds = [CADENCE if row % 2 == 0 else EVENT for row in range(20)]
    kinds[4] |= EVENT
    directions, _ = components(plant(weights, kinds=kinds), count=2)
    expected, _ = svd(weights[::2])
    assert_same(directions, expected[:2], 1e-10)


@pytest.mark.parametrize("row", [0, 7, 19])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_left_out(plant, walk, row, value):
    weights = walk(20, 60)
    broken = weights.copy()
    broken[row, 3] = value
    directions, shares = components(plant(broken), count=2)
    expected, expected_shares = svd(np.delete(weights, row, axis=0))
    assert_same(directions, expected[:2], 1e-10)
    np.testing.assert_allclose(shares, expected_shares[:2], rtol=1e-10)

from __future__ import annotations

import numpy as np
import pytest

from landscape import plane
from landscape.errors import LandscapeError
from landscape.plane import projection
from landscape.plane.projection import coordinates, project
from landscape.store.scans.records import Plane


def at(origin: np.ndarray, directions: np.ndarray) -> Plane:
    return Plane(
        kind="random",
        origin=np.asarray(origin, np.float32),
        directions=np.asarray(directions, np.float32),
        labels=("", ""),
        unit="",
    )


@pytest.fixture
def oblique() -> np.ndarray:
    """Two directions of lengths 2 and 0.7 with a cosine of 0.8."""
    u, v = np.linalg.qr(np.random.default_rng(0).standard_normal((60, 2)))[0].T
    return np.stack([2 * u, 0.7 * (0.8 * u + 0.6 * v)])


def test_planted_coordinates_on_oblique_directions(oblique):
    generator = np.random.default_rng(1)
    xy = generator.standard_normal((20, 2))
    beside = generator.standard_normal((20, 60))
    q, _ = np.linalg.qr(oblique.T)
    beside -= beside @ q @ q.T
    displacements = xy @ oblique + beside
    found, distance = coordinates(displacements, oblique)
    np.testing.assert_allclose(found, xy, rtol=0, atol=1e-10)
    np.testing.assert_allclose(distance, np.linalg.norm(beside, axis=1), rtol=1e-10)
    # Pythagoras: in the plane and beside it make up the whole.
    whole = (displacements**2).sum(1)
    np.testing.assert_allclose(
        (found @ oblique) ** 2 @ np.ones(60) + distance**2, whole, rtol=1e-10
    )
    expected, *_ = np.linalg.lstsq(oblique.T, displacements.T, rcond=None)
    np.testing.assert_allclose(found, expected.T, rtol=0, atol=1e-10)


def test_dot_products_would_be_wrong(oblique):
    displacement = np.array([0.30, -0.70]) @ oblique
    found, distance = coordinates(displacement[None], oblique)
    np.testing.assert_allclose(found, [[0.30, -0.70]], atol=1e-12)
    assert distance[0] < 1e-12
    for power in (1, 2):
        dots = oblique @ displacement / np.linalg.norm(oblique, axis=1) ** power
        assert np.abs(dots - [0.30, -0.70]).max() > 0.1


def test_directions_of_very_different_length_are_no_less_independent():
    basis = np.zeros((2, 5))
    basis[0, 0], basis[1, 3] = 1e4, 1e-6
    found, distance = coordinates(np.array([[2e4, 0, 0, 3e-6, 7.0]]), basis)
    np.testing.assert_allclose(found, [[2, 3]], rtol=1e-12)
    assert distance[0] == pytest.approx(7, rel=1e-12)


@pytest.mark.parametrize("factor", [1.0, -3.0, 1 / 3, 0.0])
def test_dependent_directions_are_refused(oblique, factor):
    # In float32, as they are stored: parallel but for rounding.
    basis = np.stack([oblique[0], factor * oblique[0]]).astype(np.float32)
    with pytest.raises(LandscapeError) as caught:
        coordinates(np.ones((1, 60)), basis)
    assert str(caught.value) == (
        "a plane's directions must be linearly independent and not zero, these aren't; "
        "take another seed"
    )


def test_a_line_without_length_is_refused():
    with pytest.raises(LandscapeError):
        coordinates(np.ones((1, 4)), np.zeros((1, 4)))


def test_a_trajectory_is_projected_row_by_row(plant, walk, oblique):
    weights = walk(12, 60)
    where = at(weights[7], oblique)
    found = project(plant(weights), where)
    basis = where.directions.astype(np.float64)
    displacements = weights.astype(np.float64) - weights[7]
    expected, *_ = np.linalg.lstsq(basis.T, displacements.T, rcond=None)
    np.testing.assert_allclose(found.xy, expected.T, atol=1e-10)
    beside = displacements - expected.T @ basis
    np.testing.assert_allclose(
        found.distance_from_plane, np.linalg.norm(beside, axis=1), rtol=1e-10, atol=1e-10
    )
    assert found.xy[7].tolist() == [0, 0]
    assert found.distance_from_plane[7] == 0


def test_on_a_line(plant, walk, oblique):
    weights = walk(12, 60)
    found = project(plant(weights), at(weights[0], oblique[:1]))
    direction = oblique[0].astype(np.float32).astype(np.float64)
    expected = (weights.astype(np.float64) - weights[0]) @ direction / (direction @ direction)
    np.testing.assert_allclose(found.xy, expected[:, None], atol=1e-12)
    assert found.chance == 1 / 60


def dense_share(weights: np.ndarray, directions: np.ndarray) -> float:
    centred = weights.astype(np.float64) - weights.astype(np.float64).mean(0)
    q, _ = np.linalg.qr(directions.astype(np.float32).astype(np.float64).T)
    return float(((centred @ q) ** 2).sum() / (centred**2).sum())


def test_share_in_plane(plant, walk, oblique):
    weights = walk(12, 60)
    trajectory = plant(weights)
    expected = dense_share(weights, oblique)
    # It is the path's: where the plane's origin lies doesn't matter.
    for origin in (weights[0], weights[11], weights[3] + 100):
        found = project(trajectory, at(origin, oblique))
        assert found.share_in_plane == pytest.approx(expected, rel=1e-6)
        assert found.chance == 2 / 60


def test_share_of_a_path_in_the_plane_is_one(plant, oblique):
    xy = np.random.default_rng(2).standard_normal((9, 2))
    found = project(plant(xy @ oblique), at(np.zeros(60), oblique))
    assert found.share_in_plane == pytest.approx(1, rel=1e-6)
    beside = np.linalg.qr(oblique.T, mode="complete")[0].T[2:4]
    found = project(plant(xy @ beside), at(np.zeros(60), oblique))
    assert found.share_in_plane == pytest.approx(0, abs=1e-10)


def test_chance_is_what_random_planes_hold(plant, walk):
    trajectory = plant(walk(10, 40))
    shares = [
        project(trajectory, plane.random(trajectory, seed=seed, normalize="none")).share_in_plane
        for seed in range(200)
    ]
    # Its standard error over 200 planes, most of the path being one direction: 5 %.
    assert np.mean(shares) == pytest.approx(2 / 40, rel=0.2)


def test_a_path_that_is_a_point_has_no_share(plant, oblique):
    found = project(plant(np.ones((4, 60))), at(np.zeros(60), oblique))
    assert np.isnan(found.share_in_plane)


def test_rows_that_are_not_finite_are_left_out_of_the_share(plant, walk, oblique):
    weights = walk(12, 60)
    broken = np.concatenate([weights, np.full((1, 60), np.nan), np.full((1, 60), np.inf)])
    found = project(plant(broken), at(weights[0], oblique))
    assert np.isnan(found.xy[12:]).all()
    assert np.isnan(found.distance_from_plane[12:]).all()
    assert np.isfinite(found.xy[:12]).all()
    assert found.share_in_plane == pytest.approx(dense_share(weights, oblique), rel=1e-6)


def test_blocks_of_columns_give_the_same(plant, walk, oblique, monkeypatch):
    weights = walk(12, 60)
    weights[4, 50] = np.inf
    trajectory = plant(weights)
    where = at(trajectory.row_weights(5), oblique)
    whole = project(trajectory, where)
    monkeypatch.setattr(projection, "BLOCK", 7)
    parts = project(trajectory, where)
    expected, *_ = np.linalg.lstsq(oblique.T, (weights - weights[5]).T[:, :4], rcond=None)
    np.testing.assert_allclose(parts.xy[:4], expected.T, atol=1e-6)
    np.testing.assert_allclose(parts.xy, whole.xy, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(parts.distance_from_plane, whole.distance_from_plane, rtol=1e-12)
    assert np.isnan(parts.xy[4]).all()
    assert parts.share_in_plane == pytest.approx(whole.share_in_plane, rel=1e-12)


def test_chunks_of_rows_give_the_same(plant, walk, oblique, monkeypatch):
    trajectory = plant(walk(12, 60))
    where = at(trajectory.row_weights(5), oblique)
    whole = project(trajectory, where)
    for rows in (1, 5):
        monkeypatch.setattr(projection, "CHUNK_BYTES", rows * 8 * 60)
        parts = project(trajectory, where)
        np.testing.assert_allclose(parts.xy, whole.xy, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(parts.distance_from_plane, whole.distance_from_plane, rtol=1e-12)
        assert parts.share_in_plane == pytest.approx(whole.share_in_plane, rel=1e-12)

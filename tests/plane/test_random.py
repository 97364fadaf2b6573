from __future__ import annotations

import numpy as np
import pytest

from landscape import plane

SHAPES = {"a.weight": (5, 4), "a.bias": (5,), "b.weight": (3, 2, 2, 2), "b.bias": (3,)}


@pytest.fixture
def trajectory(plant, walk):
    return plant(walk(6, 52), [5, 4, 1, 2, 3, 4], shapes=SHAPES)


def test_directions_are_the_seeds_draws_scaled_by_filter(trajectory):
    found = plane.random(trajectory, seed=3)
    generator = np.random.Generator(np.random.PCG64(3))
    w = trajectory.row_weights(5).astype(np.float64)
    for direction in found.directions:
        expected = generator.standard_normal(52)
        for start, stop in [(4 * i, 4 * i + 4) for i in range(5)] + [(25, 33), (33, 41), (41, 49)]:
            part = slice(start, stop)
            expected[part] *= np.linalg.norm(w[part]) / np.linalg.norm(expected[part])
            norm = np.linalg.norm(direction[part].astype(np.float64))
            assert norm == pytest.approx(np.linalg.norm(w[part]), rel=1e-6)
        expected[20:25] = expected[49:] = 0
        np.testing.assert_allclose(direction, expected, rtol=1e-6)


def test_origin_is_the_weights_to_the_bit(trajectory):
    for at, row, step in (("final", 5, 50), ("best", 2, 20), ("30", 3, 30), (10, 1, 10)):
        found = plane.random(trajectory, at=at)
        np.testing.assert_array_equal(found.origin, trajectory.row_weights(row))
        assert (found.origin_step, found.origin_name) == (step, str(at))


def test_a_seed_gives_its_directions_again(trajectory):
    first, again, other = (plane.random(trajectory, seed=seed).directions for seed in (1, 1, 2))
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).all()


@pytest.mark.parametrize("normalize", ["filter", "layer", "weight", "none"])
def test_line_is_the_first_direction(trajectory, normalize):
    line = plane.line(trajectory, seed=3, normalize=normalize)
    assert line.directions.shape == (1, 52)
    expected = plane.random(trajectory, seed=3, normalize=normalize).directions[:1]
    np.testing.assert_array_equal(line.directions, expected)
    assert (line.kind, line.labels, line.cosine) == ("line", ("random direction",), 0)


def test_what_a_plane_says_of_itself(trajectory):
    found = plane.random(trajectory, seed=3, normalize="layer", include_1d=True)
    assert found.kind == "random"
    assert found.labels == ("random direction 1", "random direction 2")
    assert found.unit == "layer-normalized units"
    assert (found.seed, found.normalization, found.ignored) == (3, "layer", "none")
    assert found.batchnorm == "saved"
    assert plane.random(trajectory).ignored == "1-D"


def test_buffers_are_the_origins(plant, walk):
    buffers = [{"bn.running_mean": np.full(2, float(row))} for row in range(3)]
    trajectory = plant(walk(3, 8), [3, 1, 2], buffers=buffers)
    assert plane.random(trajectory, at="best").buffers["bn.running_mean"].tolist() == [1, 1]
    assert plane.line(trajectory).buffers["bn.running_mean"].tolist() == [2, 2]


def test_directions_are_nearly_orthogonal_and_of_both_signs(plant, walk):
    trajectory = plant(walk(2, 10_000), shapes={"weight": (100, 100)})
    found = plane.random(trajectory)
    u, v = found.directions.astype(np.float64)
    assert found.cosine == pytest.approx(u @ v / np.linalg.norm(u) / np.linalg.norm(v), abs=1e-12)
    assert abs(found.cosine) < 0.05
    assert abs((found.directions > 0).mean() - 0.5) < 0.02


@pytest.mark.slow
def test_mean_squared_cosine_with_anything_is_one_over_size(plant, walk):
    trajectory = plant(walk(2, 50))
    target = np.random.default_rng(9).standard_normal(50)
    squares = []
    for seed in range(600):
        [direction] = plane.line(trajectory, seed=seed, normalize="none").directions
        product = direction @ target / np.linalg.norm(direction) / np.linalg.norm(target)
        squares.append(product**2)
    # The standard error is 1/50 * sqrt(2 / 600).
    assert np.mean(squares) == pytest.approx(1 / 50, rel=0.2)

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape import plane
from landscape.errors import LandscapeError
from landscape.plane import project
from landscape.quantities import percent

# A constant output's loss of 2: from a best of 1, the end must lie above 1.25.
RISEN = [3, 2, 1, 1.5, 2.0, 2.0]
SETTLED = [3, 2, 1, 1.1, 1.2, 1.24]


def along(trajectory, **options):
    return plane.along(trajectory, **{"constant_loss": 2.0, **options})


def first_component(weights: np.ndarray) -> np.ndarray:
    exact = weights.astype(np.float64)
    return np.linalg.svd(exact - exact.mean(0), full_matrices=False)[2][0]


@pytest.mark.parametrize("at", ["final", "best"])
def test_after_a_rise_it_holds_best_and_end(plant, walk, at):
    weights = walk(6, 400)
    trajectory = plant(weights, RISEN)
    where = along(trajectory, at=at)
    assert where.labels == ("best → end", "random direction")
    between = np.linalg.norm(weights[5].astype(np.float64) - weights[2])
    found = project(trajectory, where)
    assert found.distance_from_plane[[2, 5]] == pytest.approx([0, 0], abs=1e-5 * between)
    best, end = found.xy[2], found.xy[5]
    np.testing.assert_allclose(end - best, [between, 0], atol=1e-5 * between)
    np.testing.assert_array_equal(found.xy[5 if at == "final" else 2], [0, 0])
    # The rest of the path is off the plane, and says so.
    assert (found.distance_from_plane[[0, 1, 3, 4]] > 1).all()


def test_directions_are_orthonormal(plant, walk):
    for losses in (RISEN, SETTLED):
        where = along(plant(walk(6, 400), losses))
        u = where.directions.astype(np.float64)
        np.testing.assert_allclose(u @ u.T, np.eye(2), atol=1e-6)
        assert where.norms == pytest.approx((1, 1), rel=1e-6)
        assert where.unit == "distance in weight space"
        assert (where.kind, where.batchnorm) == ("along", "recompute")


def test_the_other_direction_is_the_seeds_filter_normalized_draw(plant, walk):
    shapes = {"weight": (20, 15), "bias": (100,)}
    trajectory = plant(walk(6, 400), RISEN, shapes=shapes)
    w = trajectory.row_weights(5).astype(np.float64)
    for options, moves_bias in (({}, False), ({"include_1d": True}, True)):
        where = along(trajectory, seed=4, **options)
        draw = np.random.Generator(np.random.PCG64(4)).standard_normal(400)
        for i in range(20):
            row = slice(15 * i, 15 * i + 15)
            draw[row] *= np.linalg.norm(w[row]) / np.linalg.norm(draw[row])
        draw[300:] *= np.linalg.norm(w[300:]) / np.linalg.norm(draw[300:]) if moves_bias else 0
        movement = w - trajectory.row_weights(2)
        movement /= np.linalg.norm(movement)
        expected = draw - (draw @ movement) * movement
        np.testing.assert_allclose(
            where.directions[1], expected / np.linalg.norm(expected), atol=1e-6
        )
        assert where.ignored == ("none" if moves_bias else "1-D")


@pytest.mark.parametrize(
    ("losses", "constant_loss", "rose"),
    [
        (RISEN, 2.0, True),
        (SETTLED, 2.0, False),
        ([3, 2, 1, 1, 1, 1.26], 2.0, True),
        # Never below the constant output's loss: no best to fall from.
        ([3, 2.5, 2.2, 3, 4, 5], 2.0, False),
        # No such loss is known: the first one takes its place.
        (RISEN, math.nan, True),
        ([3, 2, 1, 1, 1, 1.49], math.nan, False),
        ([1, 2, 3, 3, 3, 3], math.nan, False),
        ([3, 2, 1, 2, 3, math.inf], 2.0, True),
    ],
)
def test_what_counts_as_a_rise(plant, walk, losses, constant_loss, rose):
    where = along(plant(walk(6, 50), losses), constant_loss=constant_loss)
    assert (where.labels[0] == "best → end") == rose


def test_without_a_rise_it_is_the_first_principal_component(plant, walk):
    weights = walk(6, 400)
    where = along(plant(weights, SETTLED))
    assert abs(where.directions[0] @ first_component(weights)) == pytest.approx(1, abs=1e-6)
    exact = weights.astype(np.float64)
    values = np.linalg.svd(exact - exact.mean(0), compute_uv=False) ** 2
    assert where.labels[0] == (
        f"first principal component, {percent(values[0] / values.sum())} of the path's variance"
    )


@pytest.mark.parametrize("seed", range(4))
def test_training_goes_to_the_right(plant, walk, seed):
    for weights in (walk(6, 50, seed=seed), -walk(6, 50, seed=seed)):
        trajectory = plant(weights, SETTLED)
        x = project(trajectory, along(trajectory)).xy[:, 0]
        assert x[-1] > x[0]


def test_origin_may_be_any_recorded_step(plant, walk):
    weights = walk(6, 400)
    trajectory = plant(weights, RISEN)
    where = along(trajectory, at=30)
    np.testing.assert_array_equal(where.origin, weights[3])
    assert (where.origin_step, where.origin_name) == (30, "30")
    distance = project(trajectory, where).distance_from_plane
    assert distance[3] == 0
    # The line from best to end is parallel to this plane, not in it.
    assert distance[2] == pytest.approx(distance[5], rel=1e-4)


def test_a_last_row_that_is_not_finite_is_not_the_end(plant, walk):
    weights = walk(6, 50)
    broken = np.concatenate([weights, np.full((1, 50), np.nan)])
    rising = along(plant(broken, [*RISEN, math.nan]))
    np.testing.assert_array_equal(rising.directions, along(plant(weights, RISEN)).directions)
    settled = along(plant(broken, [*SETTLED, math.nan]))
    expected = along(plant(weights, SETTLED)).directions
    np.testing.assert_allclose(settled.directions, expected, atol=1e-6)


def test_weights_that_never_moved_are_refused(plant):
    with pytest.raises(LandscapeError) as caught:
        along(plant(np.ones((4, 30)), [1, 1, 1, 1]))
    assert str(caught.value) == "plane along needs weights that moved, these never did"


def test_a_random_direction_of_zero_is_refused(plant, walk):
    trajectory = plant(walk(6, 30), RISEN, shapes={"bias": (30,)})
    with pytest.raises(LandscapeError) as caught:
        along(trajectory)
    assert str(caught.value) == (
        "a plane's directions must not be zero, the random one is; "
        "include 1-D tensors where there are no others; take --normalize none where weights are "
        "zero"
    )
    assert along(trajectory, include_1d=True).directions.any(1).all()

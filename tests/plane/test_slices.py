from __future__ import annotations

import re

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.plane import slices
from landscape.plane.choice import PlaneChoice

SHAPES = {"a.weight": (5, 4), "a.bias": (5,)}


class Dense:
    """A symmetric matrix that stands for a Hessian."""

    of_vectors = 10**6

    def __init__(self, values):
        rng = np.random.default_rng(0)
        self.vectors = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
        self.matrix = self.vectors @ np.diag(values) @ self.vectors.T
        self.size = len(values)

    @property
    def block(self):
        return self

    def embedded(self, vectors):
        return vectors

    def __matmul__(self, vector):
        return self.matrix @ vector


VALUES = np.array([9.0, 7.0, 5.0, *np.linspace(1, 0, 27)])


def test_the_first_row_takes_the_sharpest():
    matrix = Dense(VALUES)
    found = slices.sharpest(matrix, None)
    assert found.curvature == pytest.approx(9)
    assert np.isnan(found.overlap)
    assert abs(found.direction @ matrix.vectors[:, 0]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_direction_goes_on_by_its_overlap_and_with_its_sign(place, sign):
    matrix = Dense(VALUES)
    before = sign * matrix.vectors[:, place] + 0.3 * matrix.vectors[:, 10]
    before = (before / np.linalg.norm(before)).astype(np.float32)
    found = slices.sharpest(matrix, before)
    assert found.curvature == pytest.approx(VALUES[place])
    assert found.overlap == pytest.approx(1 / np.hypot(1, 0.3), abs=1e-4)
    assert found.direction @ before > 0


def test_what_goes_on_as_nothing_begins_anew():
    matrix = Dense(VALUES)
    found = slices.sharpest(matrix, matrix.vectors[:, 12].astype(np.float32))
    assert found.overlap < slices.TRACKED
    assert found.curvature == pytest.approx(9)


def test_a_random_direction_is_the_same_draw_scaled_to_each_row(plant, walk):
    trajectory = plant(walk(4, 25), shapes=SHAPES)
    flat = np.random.Generator(np.random.PCG64(7)).standard_normal(25)
    for row in range(4):
        weights = trajectory.row_weights(row)
        found = slices.random(weights, trajectory.parameters, PlaneChoice(seed=6), draw=1)
        filters, drawn = weights[:20].reshape(5, 4), flat[:20].reshape(5, 4)
        ratio = np.linalg.norm(filters, axis=1) / np.linalg.norm(drawn, axis=1)
        np.testing.assert_allclose(found[:20].reshape(5, 4), drawn * ratio[:, None], rtol=1e-5)
        assert (found[20:] == 0).all()


def test_ways_without_the_steps_own_are_between_snapshots(plant, walk):
    weights = walk(6, 25)
    far, missing = slices.travelled(plant(weights, shapes=SHAPES))
    steps = np.linalg.norm(np.diff(weights.astype(np.float64), axis=0), axis=1)
    np.testing.assert_allclose(far, np.concatenate([[0], np.cumsum(steps)]), rtol=1e-5)
    assert missing == 5


@pytest.mark.parametrize("count", [2, 5, 9, 40])
def test_rows_are_at_most_so_many_with_start_best_and_end(plant, walk, count):
    losses = [3, 2, 1, 0.1, 4, 5, 6, 7, 8, 9, 10, 11]
    trajectory = plant(walk(12, 25), losses, shapes=SHAPES)
    far, _ = slices.travelled(trajectory)
    for spacing in slices.SPACINGS:
        rows = slices.chosen(trajectory, far, count=count, spacing=spacing)
        assert len(rows) <= max(count, 3)
        assert {0, 3, 11} <= set(rows.tolist())
        assert (np.diff(rows) > 0).all()


def test_rows_at_equal_numbers_of_steps_or_of_ways(plant):
    # One step far, then nine short ones.
    weights = np.zeros((11, 25))
    weights[1:, 0] = 10 + np.arange(10)
    trajectory = plant(weights, np.arange(11, 0, -1), shapes=SHAPES)
    far, _ = slices.travelled(trajectory)
    by_steps = slices.chosen(trajectory, far, count=3, spacing="steps")
    by_ways = slices.chosen(trajectory, far, count=3, spacing="movement")
    assert by_steps.tolist() == [0, 5, 10]
    assert by_ways.tolist() == [0, 1, 10]


def test_weights_are_told_apart():
    weights = np.arange(4, dtype=np.float32)
    assert slices.identity(weights) == slices.identity(weights.copy())
    weights[3] = np.nextafter(weights[3], 4)
    assert slices.identity(weights) != slices.identity(np.arange(4, dtype=np.float32))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"across": "up"}, "across must be one of random, sharpest, got up"),
        ({"spacing": "even"}, "spacing must be one of movement, steps, rows, got even"),
        (
            {"batchnorm": "interpolate"},
            "a valley's rows have their own BatchNorm statistics (saved) or new ones (recompute), "
            "got interpolate; take one of these",
        ),
        (
            {"unit": "equal"},
            "a valley's unit must be own or distance, got equal: it has a single axis",
        ),
        ({"normalize": "unit"}, "normalize must be one of filter, layer, weight, none, got unit"),
    ],
)
def test_what_no_valley_can_be_made_of_is_refused(options, said):
    with pytest.raises(LandscapeError, match=f"^{re.escape(said)}$"):
        slices.check(PlaneChoice(**options))


@pytest.mark.parametrize("batchnorm", [None, "saved", "recompute"])
@pytest.mark.parametrize("across", ["random", "sharpest"])
def test_what_a_valley_can_be_made_of_is_taken(across, batchnorm):
    slices.check(PlaneChoice(across=across, batchnorm=batchnorm, unit="distance"))

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from landscape.draw.elements import finer
from landscape.draw.look.scale import Scale

X, Y = np.linspace(-1, 1, 13), np.array([-2.0, -1.5, -0.7, 0.0, 0.4, 1.0, 1.3, 2.0])
LOG = Scale(0.01, 5.0, log=True, capped=True, rule="", constant=float("nan"))


def landscape(x, y):
    """A bent valley with a round end, and a wall."""
    away = (y - 0.6 * x**2) ** 2 + 0.4 * (x - 0.2) ** 2
    return 0.02 * np.exp(2.5 * np.sqrt(0.05 + away))


def scanned(planted, loss, x=X, y=Y):
    where = planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0))
    return planted.scan(where, x, y, lambda a, b: 0 * a * b, measures={"train_loss": loss})


def rough(seed):
    rng = np.random.default_rng(seed)
    loss = np.exp(rng.normal(size=(13, 8)) * rng.choice([0.1, 3.0], size=(13, 8)))
    loss[3, 4], loss[9, 2], loss[12, 7] = np.nan, np.inf, np.nan
    return loss


@pytest.mark.parametrize("points", [2, 30, 101])
def test_what_was_measured_keeps_its_value(planted, points):
    loss = rough(0)
    grid = finer.of(scanned(planted, loss), "train_loss", LOG, points)
    parts = [(len(axis) - 1) // (n - 1) for axis, n in ((grid.x, 13), (grid.y, 8))]
    np.testing.assert_array_equal(grid.loss[:: parts[0], :: parts[1]], loss)
    np.testing.assert_array_equal(grid.x[:: parts[0]], X)
    np.testing.assert_array_equal(grid.y[:: parts[1]], Y)
    assert min(len(grid.x), len(grid.y)) > points * (points > 13)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_lies_beyond_what_is_around_it_and_nothing_crosses_the_cap(seed):
    """By brute force, cell by cell."""
    position = LOG.position(rough(seed))
    columns, rows = np.linspace(-1, 1, 97), np.linspace(-2, 2, 85)
    found = finer.between(X, Y, position, columns, rows)
    for i, j in np.ndindex(12, 7):
        inside = np.ix_((columns > X[i]) & (columns < X[i + 1]), (rows > Y[j]) & (rows < Y[j + 1]))
        corners = position[i : i + 2, j : j + 2]
        if not np.isfinite(corners).all():
            assert np.isnan(found[inside]).all()
            continue
        around = position[max(i - 1, 0) : i + 3, max(j - 1, 0) : j + 3]
        around = around[np.isfinite(around)]
        assert found[inside].min() >= around.min()
        assert found[inside].max() <= around.max()
        if (corners > 1).all():
            assert found[inside].min() >= 1
        if (corners < 1).all():
            assert found[inside].max() <= 1


def test_it_is_nearer_to_the_truth_than_straight_lines_and_so_is_the_border_of_the_cap():
    x, y = np.linspace(-1, 1, 17), np.linspace(-1, 1, 15)
    columns, rows = np.linspace(-1, 1, 211), np.linspace(-1, 1, 203)
    truth = LOG.position(landscape(columns[:, None], rows))
    position = LOG.position(landscape(x[:, None], y))
    there = np.stack(np.meshgrid(columns, rows, indexing="ij"), axis=-1)
    straight = RegularGridInterpolator((x, y), position)(there)
    found = finer.between(x, y, position, columns, rows)
    assert np.abs(found - truth).mean() < 0.2 * np.abs(straight - truth).mean()
    cap = float(np.median(truth))
    wrong = ((found > cap) != (truth > cap)).mean()
    assert wrong < 0.4 * ((straight > cap) != (truth > cap)).mean()


def test_a_cliff_leaves_no_ripples_on_the_plateau_before_it():
    position = np.where(X[:, None] < 0.3, 0.4, 30.0) + 0 * Y
    columns = np.linspace(-1, 1, 201)
    found = finer.between(X, Y, position, columns, Y)
    before = columns <= X[X < 0.3].max()
    np.testing.assert_allclose(found[before], 0.4, rtol=1e-12)
    assert (np.diff(found, axis=0) >= -1e-12).all()


def test_two_points_a_side_are_joined_straight():
    position = np.array([[0.1, 0.3], [0.5, 0.7]])
    found = finer.between(
        np.array([0.0, 1.0]),
        np.array([0.0, 2.0]),
        position,
        np.array([0.25, 1.0]),
        np.array([0.25, 1.0]),
    )
    np.testing.assert_allclose(found, 0.1 + 0.4 * np.array([[0.25], [1.0]]) + [0.025, 0.1])

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator, make_interp_spline

from landscape.scan.refine import interpolation
from landscape.scan.refine.interpolation import DEGREES, LossScale
from landscape.scan.refine.prediction import UNKNOWN, Interpolant
from landscape.store.scans.certificates import Promise


def points(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 50, (count, 2))


@pytest.mark.parametrize(("order", "kernel"), [(3, "cubic"), (5, "quintic")])
def test_weights_against_scipy(order, kernel):
    measured, wanted = points(60), points(200, seed=1)
    values = np.sin(measured[:, 0] / 9) + np.cos(measured[:, 1] / 7)
    oracle = RBFInterpolator(measured, values, kernel=kernel, degree=DEGREES[order])
    found = interpolation.weights(measured, wanted, order).of(values)
    np.testing.assert_allclose(found, oracle(wanted), rtol=0, atol=1e-8)


def test_on_a_line_it_is_the_natural_spline():
    measured = np.linspace(0, 50, 11)
    wanted = np.linspace(0, 50, 51)
    values = np.exp(-measured / 10) + np.sin(measured / 5)
    free = [(3, 0.0), (4, 0.0)]
    oracle = make_interp_spline(measured, values, k=5, bc_type=(free, free))
    found = interpolation.weights(measured[:, None], wanted[:, None]).of(values)
    np.testing.assert_allclose(found, oracle(wanted), rtol=0, atol=1e-9)


def quadratic(x):
    return 3 + 2 * x[:, 0] - x[:, 1] + x[:, 0] * x[:, 1] / 9 - x[:, 1] ** 2 / 50


def test_quadratic_values_come_out_exactly_and_measured_ones_too():
    measured, wanted = points(40), points(100, seed=1)
    found = interpolation.weights(measured, wanted).of(quadratic(measured))
    np.testing.assert_allclose(found, quadratic(wanted), rtol=0, atol=1e-6)
    rough = np.random.default_rng(2).standard_normal(40)
    again = interpolation.weights(measured, measured)
    np.testing.assert_allclose(again.of(rough), rough, atol=1e-8)
    # A root of differences: rounding is seen.
    usual = np.median(interpolation.weights(measured, wanted).power)
    assert (again.power < usual / 20).all()


@pytest.mark.parametrize(("order", "kernel"), [(3, "cubic"), (5, "quintic")])
def test_leaving_out_is_interpolation_from_the_others(order, kernel):
    measured = points(20)
    values = np.random.default_rng(3).standard_normal(20)
    left_out = interpolation.left_out(measured, order)
    found = left_out.of(values)
    for row in range(20):
        others = np.arange(20) != row
        alone = RBFInterpolator(
            measured[others], values[others], kernel=kernel, degree=DEGREES[order]
        )
        np.testing.assert_allclose(found[row], alone(measured[[row]])[0], atol=1e-7)
        power = interpolation.weights(measured[others], measured[[row]], order).power[0]
        np.testing.assert_allclose(left_out.power[row], power, rtol=1e-4)


def test_many_points_are_interpolated_box_by_box():
    measured, wanted = points(700), points(300, seed=1)
    smooth = np.sin(measured[:, 0] / 9) + np.cos(measured[:, 1] / 7)
    exact = np.sin(wanted[:, 0] / 9) + np.cos(wanted[:, 1] / 7)
    inside = ((wanted > 4) & (wanted < 46)).all(1)
    found = interpolation.weights(measured, wanted)
    assert found.nearest.shape == (300, interpolation.NEAREST)
    np.testing.assert_allclose(found.of(smooth)[inside], exact[inside], atol=1e-3)
    alone = interpolation.left_out(measured)
    own = (alone.nearest == np.arange(700)[:, None]) & (alone.weights != 0)
    assert not own.any()
    away = ((measured > 4) & (measured < 46)).all(1)
    np.testing.assert_allclose(alone.of(smooth)[away], smooth[away], atol=1e-3)


def test_points_on_a_line_tell_nothing_of_what_is_beside_it():
    measured = np.stack([np.arange(20.0), np.full(20, 3.0)], 1)
    values = np.cos(measured[:, 0] / 3)
    between = np.stack([np.arange(19) + 0.5, np.full(19, 3.0)], 1)
    found = interpolation.weights(measured, between).of(values)
    alone = RBFInterpolator(measured[:, :1], values, kernel="quintic", degree=2)
    np.testing.assert_allclose(found, alone(between[:, :1]), atol=1e-8)
    assert np.isfinite(interpolation.weights(measured, between + 5).of(values)).all()


def every_second(count: int = 25):
    grid = np.stack(np.meshgrid(*[np.arange(float(count))] * 2, indexing="ij"), -1).reshape(-1, 2)
    known = np.flatnonzero((grid % 3 == 0).all(1))
    return grid, known, np.setdiff1d(np.arange(len(grid)), known)


@pytest.mark.parametrize(
    "surface",
    [
        lambda x: np.exp(x[:, 0] / 5 + np.sin(x[:, 1] / 4)),  # smooth as a logarithm
        lambda x: (0.1 + ((x - 11) ** 2).sum(1) / 300) ** 4,  # as a fourth root
        lambda x: 1 + np.abs(x[:, 0] - 12) / 9,  # a kink
    ],
)
def test_each_point_is_guessed_by_what_says_the_others_best(surface):
    grid, known, rows = every_second()
    exact = surface(grid)
    guess = Interpolant(grid, known, {"train_loss": exact}).at(rows)["train_loss"]
    off = np.abs(guess.values - exact[rows])
    smooth = RBFInterpolator(grid[known], np.log(exact[known]), kernel="quintic", degree=2)
    assert off.mean() <= 1.05 * np.mean(np.abs(np.exp(smooth(grid[rows])) - exact[rows]))
    # And what is expected tells good guesses from bad ones.
    trusted = guess.error <= np.median(guess.error)
    assert off[trusted].mean() < off[~trusted].mean()


@pytest.mark.parametrize(
    "losses", [[1e-9, 1e-6, 2.3, 1e30], [-5.0, -1e-9, 0.0, 0.3, 40.0], [-3.0, -2.0]]
)
@pytest.mark.parametrize("cap", [np.inf, 4.6])
def test_scales_go_back(losses, cap):
    losses = np.array(losses)
    scales = LossScale.fitting(losses, Promise(0.01, cap))
    bent = [scale.cap for scale in scales if np.isfinite(scale.cap)]
    assert bent == ([cap] if losses.max() > cap and losses.min() >= 0 else [])
    for scale in scales:
        np.testing.assert_allclose(scale.back(scale.to(losses)), losses, rtol=1e-9, atol=1e-15)
        there = scale.to(losses)
        step = 1e-6 * np.where(there == 0, 1.0, np.abs(there))
        slope = (scale.back(there + step) - scale.back(there - step)) / (2 * step)
        np.testing.assert_allclose(scale.slope(losses), slope, rtol=1e-4, atol=1e-9)


def test_among_infinite_losses_a_loss_is_infinite():
    grid, known, rows = every_second()
    exact = np.where(grid[:, 0] > 12, np.inf, 1 + grid[:, 1])
    guess = Interpolant(grid, known, {"train_loss": exact}).at(rows)["train_loss"]
    within, beside = grid[rows, 0] > 15, (grid[rows, 0] > 12) & (grid[rows, 0] < 15)
    assert (guess.values[within] == np.inf).all()
    np.testing.assert_array_equal(guess.error[within], 0)
    assert (guess.error[beside] >= UNKNOWN).all()
    assert np.isfinite(guess.values[grid[rows, 0] <= 11]).all()
    out = Interpolant(grid, known, {"train_loss": exact}).left_out(known)["train_loss"]
    assert (out.values[grid[known, 0] >= 18] == np.inf).all()
    assert np.isfinite(out.values[grid[known, 0] <= 6]).all()


def test_points_beside_a_loss_that_is_not_finite_must_be_measured():
    grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0), indexing="ij"), -1).reshape(-1, 2)
    known = np.flatnonzero((grid % 2 == 0).all(1))
    loss = 1 + grid.sum(1)
    loss[(grid == [0, 0]).all(1)] = np.nan
    rows = np.setdiff1d(np.arange(81), known)
    guess = Interpolant(grid, known, {"train_loss": loss}).at(rows)["train_loss"]
    beside = guess.error >= UNKNOWN
    assert beside[(grid[rows] == [1, 1]).all(1)].all()
    assert not beside[(grid[rows] > 4).all(1)].any()
    assert np.isfinite(guess.values).all()


def test_accuracies_are_linear():
    grid = np.arange(5.0)[:, None]
    known = np.array([0, 4])
    accuracy = np.array([0.5, np.nan, np.nan, np.nan, 0.9])
    loss = np.array([1.0, np.nan, np.nan, np.nan, 2.0])
    # Some more, so that there is something to leave out.
    grid = np.concatenate([grid, 8 + 4 * np.arange(6.0)[:, None]])
    known = np.array([0, 4, *range(5, 11)])
    more = np.linspace(1.0, 1.5, 6)
    measures = {"train_loss": np.append(loss, more), "train_accuracy": np.append(accuracy, more)}
    found = Interpolant(grid, known, measures).at(np.array([1, 2, 3]))["train_accuracy"]
    np.testing.assert_allclose(found.values, [0.6, 0.7, 0.8])


def test_with_a_base_only_the_difference_is_interpolated():
    grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0), indexing="ij"), -1).reshape(-1, 2)
    rough = np.exp(np.random.default_rng(0).standard_normal(81))
    exact = 1.1 * (rough + 1e-6) - 1e-6  # off by a constant on the scale
    known = np.flatnonzero((grid % 4 == 0).all(1))
    rows = np.setdiff1d(np.arange(81), known)
    measured = np.where(np.isin(np.arange(81), known), exact, np.nan)
    found = Interpolant(grid, known, {"train_loss": measured}, {"train_loss": rough}).at(rows)
    np.testing.assert_allclose(found["train_loss"].values, exact[rows], rtol=1e-9)

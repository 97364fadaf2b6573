"""Diffusion of quadratics, walks and drifts, whose numbers are known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from landscape.diagnose.motion import diffusion, distances
from landscape.errors import LandscapeError


def measure(weights: np.ndarray, **options) -> diffusion.Diffusion:
    return diffusion.measure(distances.between(weights), **options)


def walk(dimensions: int, steps: int = 512, seed: int = 0) -> np.ndarray:
    moves = np.random.default_rng(seed).standard_normal((steps, dimensions))
    return np.concatenate([np.zeros((1, dimensions)), np.cumsum(moves, axis=0)])


def line(steps: int = 512, dimensions: int = 5) -> np.ndarray:
    return np.outer(np.arange(steps + 1.0), np.arange(1.0, dimensions + 1))


def stationary(rho: float, dimensions: int, steps: int = 512, seed: int = 0) -> np.ndarray:
    """An AR(1) process of unit variance in every coordinate."""
    generator = np.random.default_rng(seed)
    w = np.empty((steps + 1, dimensions))
    w[0] = generator.standard_normal(dimensions)
    for t in range(steps):
        w[t + 1] = rho * w[t] + math.sqrt(1 - rho**2) * generator.standard_normal(dimensions)
    return w


@pytest.fixture(scope="module")
def quadratics() -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Positions and gradients (T, D) of SGD on h w²/2 with noise of variance 1, by momentum."""
    found = {}
    for beta in (0.0, 0.9):
        generator = np.random.default_rng(1)
        w, v = np.zeros(400), np.zeros(400)
        positions, gradients = [], []
        for _ in range(12_000):
            g = 0.5 * w + generator.standard_normal(400)
            positions.append(w)
            gradients.append(g)
            v = beta * v + g
            w = w - 0.1 * v
        found[beta] = np.array(positions)[2000:], np.array(gradients)[2000:]
    return found


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_stationary_variance_of_a_quadratic(quadratics, beta):
    eta, h = 0.1, 0.5
    w, _ = quadratics[beta]
    expected = eta * (1 + beta) / (h * (1 - beta) * (2 * (1 + beta) - eta * h))
    # Var = half the mean square distance of positions far apart in time.
    found = distances.between(w[::500]).squared
    pairs = found[np.triu_indices(len(found), 1)].mean() / 2 / 400
    assert pairs == pytest.approx(expected, rel=0.02)


def test_displacement_in_a_quadratic(quadratics):
    w, _ = quadratics[0.0]
    rho = 1 - 0.1 * 0.5
    variance = 0.1 / (0.5 * (2 - 0.1 * 0.5))
    found = measure(w[:513])
    expected = 400 * 2 * variance * (1 - rho**found.lags)
    np.testing.assert_allclose(found.msd, expected, rtol=0.06)
    assert found.growth == "saturating"
    # Reached 1 − 1/e of it after the correlation time −1/ln ρ.
    assert found.correlation_time == pytest.approx(-1 / math.log(rho), rel=0.1)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_norm_balance_and_step_cosines_of_a_quadratic(quadratics, beta):
    eta, h = 0.1, 0.5
    w, g = quadratics[beta]
    moves = np.diff(w, axis=0)
    norms = np.linalg.norm(moves, axis=1)
    gradients = np.linalg.norm(g, axis=1)
    scalars = {
        "learning_rate": np.full(len(moves), eta),
        "weight_dot_gradient": (w * g).sum(1)[:-1],
        "update_norm": norms,
        "gradient_cosine": _cosines(g[:-1], gradients[:-1]),
        "update_cosine": _cosines(moves, norms),
    }
    seen = distances.between(w[::20], 20 * np.arange(len(w[::20])))
    found = diffusion.measure(seen, scalars=scalars, momentum=beta)
    assert found.norm_balance == pytest.approx(1, rel=0.01)
    if beta == 0:
        assert found.update_cosine == pytest.approx(-eta * h / 2, abs=0.003)
        assert found.gradient_cosine == pytest.approx(-eta * h / 2, abs=0.003)
    else:
        # Confined, and yet its steps go on in their direction: 0.87. Most of it is momentum.
        assert found.update_cosine == pytest.approx(0.87, abs=0.01)
        freed = moves[1:] - beta * moves[:-1]
        cosines = _cosines(freed, np.linalg.norm(freed, axis=1))
        assert found.gradient_cosine == pytest.approx(np.nanmean(cosines), abs=1e-3)
        assert found.gradient_cosine < 0.2


def _cosines(moves: np.ndarray, norms: np.ndarray) -> np.ndarray:
    inner = (moves[1:] * moves[:-1]).sum(1) / (norms[1:] * norms[:-1])
    return np.concatenate([[np.nan], inner])


def test_exponents_of_walks_and_drifts():
    found = [measure(walk(100, seed=seed)) for seed in range(20)]
    exponents = [each.exponent for each in found]
    assert np.mean(exponents) == pytest.approx(1, abs=0.006)
    assert np.std(exponents) == pytest.approx(0.008, rel=0.4)
    assert np.mean([each.exponent_error for each in found]) == pytest.approx(
        np.std(exponents), rel=0.5
    )
    assert {each.growth for each in found} == {"power law"}
    drift = measure(line())
    assert drift.exponent == pytest.approx(2, abs=1e-9)
    assert drift.growth == "power law"


@pytest.mark.parametrize(
    ("weights", "cosine", "ratio", "variance_ratio", "tolerance"),
    [
        (line(), 1, 16, 0.25, 0.01),
        (walk(20_000, 256), 0, 4, 0.5, 0.04),
        (stationary(0.0, 20_000, 256), -0.5, 1, 1, 0.04),
    ],
    ids=["drift", "walk", "confined"],
)
def test_cosine_ratio_and_variance_ratio(weights, cosine, ratio, variance_ratio, tolerance):
    found = measure(weights)
    assert found.half_cosine == pytest.approx(cosine, abs=tolerance)
    assert found.ratio == pytest.approx(ratio, rel=tolerance)
    assert found.variance_ratio == pytest.approx(variance_ratio, rel=tolerance)


def test_error_of_the_half_cosine_is_its_spread():
    for dimensions in (20, 100):
        found = [measure(walk(dimensions, 64, seed)) for seed in range(150)]
        spread = np.std([each.half_cosine for each in found])
        assert np.median([each.half_cosine_error for each in found]) == pytest.approx(
            spread, rel=0.2
        )
        assert np.median([each.dimension for each in found]) == pytest.approx(dimensions, rel=0.25)


def test_effective_dimension_of_unequal_coordinates():
    # Variances 1/k: (Σ v)²/Σ v² is 11.6 for a hundred of them.
    scales = 1 / np.sqrt(np.arange(1, 101))
    expected = (scales**2).sum() ** 2 / (scales**4).sum()
    found = [measure(scales * walk(100, 64, seed)).dimension for seed in range(60)]
    assert np.median(found) == pytest.approx(expected, rel=0.25)


def test_a_sketch_takes_its_own_noise_off_the_dimension():
    sketches = []
    for seed in range(40):
        w = walk(40, 64, seed)
        projection = np.random.default_rng(1000 + seed).choice([-1, 1], (40, 256)) / 16
        sketches.append(replace(distances.between(w @ projection), error=1 / math.sqrt(512)))
    found = [diffusion.measure(each) for each in sketches]
    assert np.median([each.dimension for each in found]) == pytest.approx(40, rel=0.3)
    raw = [diffusion.measure(replace(each, error=0.0)).dimension for each in sketches]
    assert np.median(raw) < 38


def test_hops_of_a_walk_and_of_a_leap():
    quiet = measure(walk(200))
    assert quiet.hops < 1.6
    leap = walk(200)
    leap[300:] += 40.0
    moved = np.sum(np.diff(leap[::16], axis=0) ** 2, axis=1)
    assert measure(leap).hops == pytest.approx(moved.max() / np.median(moved))
    assert measure(leap).hops > 4.9


def test_aging_tells_slowing_down():
    # A walk whose steps shrink: displacements over the same lag fall with the waiting time.
    moves = np.random.default_rng(0).standard_normal((512, 300))
    w = np.cumsum(moves / np.sqrt(1 + np.arange(512)[:, None] / 64), axis=0)
    found = measure(np.concatenate([np.zeros((1, 300)), w]))
    assert found.ages.tolist() == [0, 128, 256, 384]
    lag = int(np.flatnonzero(found.lags == 8)[0])
    assert (np.diff(found.aging[:, lag]) < 0).all()
    same = measure(walk(300))
    assert np.ptp(same.aging[:, lag]) / same.aging[:, lag].mean() < 0.1


def test_radial_and_tangential():
    outwards = np.outer(1 + np.arange(257.0), np.ones(7))
    assert measure(outwards).radial == pytest.approx(1, rel=1e-9)
    angle = np.linspace(0, 1, 257)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert measure(circle).radial == pytest.approx(0, abs=1e-9)
    # Far from the origin a straight line at an angle θ to the radius: cos² θ.
    direction = np.array([math.cos(1.1), math.sin(1.1)])
    line = np.array([1e6, 0.0]) + np.outer(np.arange(257.0), direction)
    assert measure(line).radial == pytest.approx(math.cos(1.1) ** 2, rel=1e-3)
    unknown = replace(distances.between(outwards), norm=None)
    assert math.isnan(diffusion.measure(unknown).radial)


def test_subspace_and_bulk():
    held, free = stationary(0.5, 30), walk(300, seed=3)
    both = np.concatenate([5 * held, free], axis=1)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((330, 330)))[0]
    rotated = both @ basis
    found = diffusion.measure(
        replace(distances.between(rotated), coordinates=rotated @ basis[:30].T)
    )
    inside, bulk = found.parts["subspace"], found.parts["bulk"]
    assert (inside.dimensions, bulk.dimensions) == (30, 0)
    assert inside.share + bulk.share == pytest.approx(1, rel=1e-9)
    assert inside.half_cosine == pytest.approx(-0.5, abs=0.2)
    assert inside.ratio == pytest.approx(1, abs=0.05)
    alone = measure(free)
    assert bulk.half_cosine == pytest.approx(alone.half_cosine, abs=1e-6)
    assert bulk.ratio == pytest.approx(alone.ratio, rel=1e-6)
    assert bulk.exponent == pytest.approx(alone.exponent, abs=1e-6)


def law(msd: np.ndarray, noise: float) -> str:
    generator = np.random.default_rng(0)
    found = msd * (1 + noise * generator.standard_normal(len(msd)))
    return diffusion.fitted_growth(LAGS, found, noise * msd)[0]


LAGS = np.unique(np.round(2 ** np.arange(0, 8.1, 0.25))).astype(np.int64)


def test_growth_laws():
    lags = LAGS.astype(float)
    assert law(lags**0.5, 0.01) == "power law"
    assert law(1 + np.log(lags), 0.01) == "logarithmic"
    assert law(1 - np.exp(-lags / 20), 0.01) == "saturating"
    # Where nothing grows, or noise covers the difference, none is chosen.
    assert law(np.ones(len(lags)), 0.01) == "indistinguishable"
    assert law(1 + np.log(lags), 0.5) == "indistinguishable"
    assert diffusion.fitted_growth(LAGS[:3], lags[:3], lags[:3])[0] == "indistinguishable"


def test_windows_and_uneven_steps():
    w = walk(50, 1000)
    step = np.sort(np.random.default_rng(0).choice(1001, 600, replace=False))
    found = diffusion.measure(distances.between(w[step], step), first=200, last=800, run_steps=1000)
    assert found.first_step >= 200
    assert found.last_step <= 800
    assert found.window_share == pytest.approx(0.6, abs=0.01)
    assert found.steps == found.last_step - found.first_step
    assert found.exponent == pytest.approx(1, abs=0.08)


def test_no_exponent_where_no_power_law_fits():
    lags = np.unique(np.round(2 ** np.arange(0, 6, 0.25))).astype(np.int64)
    for power in (0.3, 1.0, 2.0):
        msd = 3.0 * lags**power
        found = diffusion.fitted_exponent(lags, msd, np.tile(msd, (8, 1)))
        assert found == (pytest.approx(power), pytest.approx(0, abs=1e-9))
    for bent in (1 - np.exp(-lags / 10), lags + 0.1 * lags**2.0):
        assert all(map(math.isnan, diffusion.fitted_exponent(lags, bent, np.tile(bent, (8, 1)))))
    # A walk of 512 steps is read up to a tenth of them: 51, the lag of 45 below.
    assert measure(walk(50)).fitted_to == 45


def test_too_few_positions():
    with pytest.raises(LandscapeError) as caught:
        measure(walk(5, 31))
    assert str(caught.value) == (
        "diffusion needs at least 33 recorded steps spread evenly over its window, got 32; "
        "record more often"
    )
    assert measure(walk(5, 32)).points == 33


def test_nothing_moves():
    found = measure(np.ones((65, 4)))
    assert math.isnan(found.half_cosine)
    assert math.isnan(found.ratio)
    assert math.isnan(found.exponent)
    assert found.growth == "indistinguishable"

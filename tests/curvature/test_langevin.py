"""Langevin chains against quadrature and closed forms at the same strength and tether."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from landscape.curvature import langevin
from landscape.curvature.langevin import Tempering, effective, error, sample

MANY = 1e4 / math.log(1e4)
"""nβ of n = 10⁴ samples at β = 1/ln n."""


def quartic(points):
    return points[:, 0] ** 4, 4 * points**3


def crossing(points):
    u, v = points.T
    return (u * v) ** 2, 2 * np.stack([u * v**2, v * u**2], 1)


def quadratic(values):
    return lambda points: ((points**2 @ values) / 2, points * values)


def exact_quartic(strength: float, tether: float) -> float:
    """E[strength w⁴]."""
    # In units of the narrower of the two, so that quadrature sees the peak.
    unit = min(strength**-0.25, tether**-0.5)

    def density(t: float) -> float:
        return math.exp(-strength * (unit * t) ** 4 - tether / 2 * (unit * t) ** 2)

    whole = quad(density, 0, 40)[0]
    return quad(lambda t: strength * (unit * t) ** 4 * density(t), 0, 40)[0] / whole


def exact_crossing(strength: float, tether: float) -> float:
    """E[strength u² v²]: v is Gaussian given u, the rest is one integral over ln u."""

    def given(t: float) -> tuple[float, float]:
        square = math.exp(2 * t)
        pull = 2 * strength * square + tether
        weight = math.exp(t - tether / 2 * square) * pull**-0.5
        return weight, strength * square / pull

    span = (-0.5 * math.log(strength) - 12, -0.5 * math.log(tether) + 3)
    whole = quad(lambda t: given(t)[0], *span, limit=400)[0]
    return quad(lambda t: math.prod(given(t)), *span, limit=400)[0] / whole


def reduced_rank(m: int, h: int, n: int, r: int) -> tuple[float, int]:
    """Aoyagi and Watanabe (2005): λ and its multiplicity of y = B A x, A of (h, m), B of (n, h)."""
    if m + h < n + r:
        return (h * m - h * r + n * r) / 2, 1
    if n + h < m + r:
        return (h * n - h * r + m * r) / 2, 1
    if m + n < h + r:
        return m * n / 2, 1
    odd = (m + h + n + r) % 2
    whole = -((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * (m + n) + 2 * m * n + odd
    return whole / 8, 1 + odd


def exact_product(m: int, h: int, n: int, strength: float, tether: float = 1.0) -> float:
    """E[strength ½ |B A|²] about B = A = 0, for h of one or two.

    B is Gaussian given A; what is left are the h eigenvalues of A A', which have Wishart's density.
    On a grid of their logarithms.
    """
    grid = np.linspace(-math.log(strength) - 16, math.log(60 / tether), 1201)
    logs = np.stack(np.meshgrid(*[grid] * h, indexing="ij"))
    values = np.exp(logs)
    weight = ((m - h + 1) / 2 * logs - tether / 2 * values).sum(0)
    weight -= n / 2 * np.log(strength * values + tether).sum(0)
    weight = np.exp(weight - weight.max())
    if h == 2:
        weight *= np.abs(values[0] - values[1])
    energy = n / 2 * (strength * values / (strength * values + tether)).sum(0)
    return float((weight * energy).sum() / weight.sum())


def product(m: int, h: int, n: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """½ |B A|² and its gradient at points of A (h, m) and B (n, h)."""

    def slopes(points):
        a, b = points[:, : h * m].reshape(-1, h, m), points[:, h * m :].reshape(-1, n, h)
        whole = b @ a
        down = np.concatenate(
            [
                (b.swapaxes(1, 2) @ whole).reshape(len(points), -1),
                (whole @ a.swapaxes(1, 2)).reshape(len(points), -1),
            ],
            axis=1,
        )
        return (whole**2).sum((1, 2)) / 2, down

    return slopes


@pytest.mark.parametrize(("tether", "value"), [(1, 0.247), (10, 0.226), (100, 0.099)])
def test_quadrature_of_the_quartic_is_what_was_computed_before(tether, value):
    assert exact_quartic(MANY, tether) == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize(("tether", "value"), [(1, 0.39), (10, 0.29), (100, 0.064)])
def test_quadrature_of_the_crossing_is_what_was_computed_before(tether, value):
    assert exact_crossing(MANY, tether) == pytest.approx(value, abs=5e-3)


def test_the_crossings_one_integral_is_the_two_dimensional_one():
    tether, within = 100.0, 0.6
    whole, energy = (
        dblquad(
            lambda v, u, p=power: (
                (MANY * u * u * v * v) ** p
                * math.exp(-MANY * u * u * v * v - tether / 2 * (u * u + v * v))
            ),
            *(0, within, 0, within),
            epsabs=1e-10,
        )[0]
        for power in (0, 1)
    )
    assert exact_crossing(MANY, tether) == pytest.approx(energy / whole, rel=1e-3)


@pytest.mark.parametrize(
    ("slopes", "exact", "size", "tether", "step_size"),
    [
        (quartic, exact_quartic, 1, 10, 2e-4),
        (quartic, exact_quartic, 1, 100, 2e-4),
        (crossing, exact_crossing, 2, 10, 1e-4),
        (crossing, exact_crossing, 2, 100, 1e-4),
    ],
)
def test_chains_agree_with_quadrature(slopes, exact, size, tether, step_size):
    found = sample(
        slopes,
        np.zeros(size),
        Tempering(MANY, tether),
        step_size=step_size,
        burn_in=int(4 / (step_size * tether)) + 500,
        draws=2500,
        chains=300,
    )
    energies = MANY * found.losses
    off = abs(energies.mean() - exact(MANY, tether))
    assert off < 4 * error(energies) + 0.01 * exact(MANY, tether)
    assert error(energies) < 0.03 * exact(MANY, tether)


def test_the_slope_of_the_free_energy_tends_to_the_coefficient():
    # dF/d ln(nβ) = E[nβ L]: 1/4 of w⁴; of u²v² 1/2 less 1/ln, for its multiplicity is two.
    assert exact_quartic(1e12, 1) == pytest.approx(0.25, abs=1e-4)
    strengths = np.array([1e8, 1e12, 1e16])
    short = np.array([0.5 - exact_crossing(strength, 1) for strength in strengths])
    slopes = np.diff(1 / short) / np.diff(np.log(strengths))
    np.testing.assert_allclose(slopes, 1, rtol=0.01)


@pytest.mark.parametrize(
    ("sizes", "value", "multiplicity"),
    [((1, 1, 1, 0), 0.5, 2), ((2, 1, 2, 0), 1, 2), ((2, 2, 2, 0), 1.5, 1)],
)
def test_reduced_rank_regression_tends_to_its_formula(sizes, value, multiplicity):
    assert reduced_rank(*sizes) == (value, multiplicity)
    strengths = np.array([1e7, 1e10])
    found = np.array([exact_product(*sizes[:3], strength) for strength in strengths])
    if multiplicity == 1:
        assert found[-1] == pytest.approx(value, abs=2e-3)
    else:
        slope = np.diff(1 / (value - found)) / np.diff(np.log(strengths))
        assert slope == pytest.approx(1, rel=0.02)


def test_the_formulas_other_cases():
    # M + H < N, N + H < M, M + N < H, and a truth of rank one.
    assert reduced_rank(4, 3, 8, 0) == (6, 1)
    assert reduced_rank(8, 3, 4, 0) == (6, 1)
    assert reduced_rank(3, 8, 4, 0) == (6, 1)
    # Of rank H it is regular but for H² directions: (H (M + N) - H²)/2.
    assert reduced_rank(5, 2, 4, 2) == ((2 * 9 - 4) / 2, 1)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 2), (2, 2, 2)])
def test_chains_agree_with_reduced_rank_regression_at_the_singular_point(sizes):
    m, h, n = sizes
    strength, tether = 200.0, 4.0
    found = sample(
        product(*sizes),
        np.zeros(h * (m + n)),
        Tempering(strength, tether),
        step_size=4e-4,
        burn_in=3000,
        draws=2500,
        chains=200,
        seed=1,
    )
    energies = strength * found.losses
    exact = exact_product(*sizes, strength, tether)
    assert abs(energies.mean() - exact) < 4 * error(energies) + 0.015 * exact


def test_at_a_regular_zero_it_counts_the_steep_directions():
    # A = 0 and B invertible: four directions are flat and four have curvature 25, where the
    # singular point's coefficient is 3/2.
    start = np.concatenate([np.zeros(4), 5 * np.eye(2).ravel()])
    strength, tether = 200.0, 20.0
    found = sample(
        product(2, 2, 2),
        start,
        Tempering(strength, tether),
        step_size=2e-5,
        burn_in=4000,
        draws=4000,
        chains=100,
    )
    energies = strength * found.losses
    null = 4 * 0.5 * 25 / (25 + tether / strength)
    assert null == pytest.approx(2, abs=0.01)
    assert energies.mean() == pytest.approx(null, rel=0.05)


@pytest.mark.parametrize("steep", [False, True])
def test_eulers_bias_is_its_closed_form(steep):
    values = np.array([3.0, 40.0])
    tempering = Tempering(10.0, 5.0)
    step_size = (1.0 if steep else 0.1) / 405
    found = sample(
        quadratic(values),
        np.zeros(2),
        tempering,
        step_size=step_size,
        burn_in=int(6 / (step_size * 35)),
        draws=2000,
        chains=400,
    )
    curved = tempering.curvature(values)
    exact = 0.5 * 10 * values / (curved * (1 - step_size * curved / 4))
    energies = 10 * found.losses
    assert abs(energies.mean() - exact.sum()) < 4 * error(energies)
    # What the closed form corrects is seen where the step is large.
    plain = (0.5 * 10 * values / curved).sum()
    assert (abs(energies.mean() - plain) > 8 * error(energies)) == steep


def test_a_diagonal_that_preconditions_leaves_the_density():
    values, tempering = np.array([1.0, 400.0]), Tempering(10.0, 2.0)
    curved = tempering.curvature(values)
    found = sample(
        quadratic(values),
        np.zeros(2),
        tempering,
        step_size=0.05,
        burn_in=200,
        draws=500,
        chains=400,
        scale=1 / curved,
    )
    exact = (0.5 * 10 * values / curved / (1 - 0.05 / 4)).sum()
    energies = 10 * found.losses
    assert abs(energies.mean() - exact) < 4 * error(energies)
    held = sample(
        quadratic(values),
        np.ones(2),
        tempering,
        step_size=0.01,
        burn_in=0,
        draws=5,
        chains=2,
        scale=np.array([1.0, 0.0]),
    )
    assert (held.last[:, 1] == 1).all()
    assert (held.last[:, 0] != 1).all()


def test_a_chain_that_leaves_ends_at_once():
    def cliff(points):
        return np.where(points[:, 0] > 2, np.inf, -10 * points[:, 0]), np.full_like(points, -10.0)

    told = []
    found = sample(
        cliff,
        np.zeros(1),
        Tempering(1.0, 1e-3),
        step_size=0.1,
        burn_in=0,
        draws=500,
        chains=2,
        listener=lambda done, total: told.append((done, total)),
    )
    assert not found.is_finite
    assert told == [(0, 500)]


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_the_effective_number_of_an_autoregression_is_known(rho):
    generator = np.random.default_rng(0)
    values = np.empty((4000, 6))
    values[0] = generator.standard_normal(6)
    for t in range(1, len(values)):
        values[t] = rho * values[t - 1] + math.sqrt(1 - rho**2) * generator.standard_normal(6)
    exact = values.size * (1 - rho) / (1 + rho)
    assert effective(values) == pytest.approx(exact, rel=0.15)
    assert error(values) >= 0.9 / math.sqrt(exact)
    assert effective(np.ones((10, 2))) == 20


def test_chains_that_disagree_have_the_larger_error():
    values = np.random.default_rng(1).standard_normal((500, 4))
    values[:, 3] += 8
    assert error(values) == pytest.approx(2, rel=0.05)
    assert langevin.error(values[:, :1]) < 0.1

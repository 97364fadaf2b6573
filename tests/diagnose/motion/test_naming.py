"""Motions planted twenty times each: at least 19 named rightly or undetermined, none wrongly."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import estimates, naming, slope
from landscape.diagnose.outcome_names import MOTIONS
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.trainings import Replicas

from .. import planted_motions as planted

changed = planted.changed
LINES = planted.parts.connectivity(10, planted.parts.barrier(0.3, 0.2))
LIMITS = Thresholds()
UNDETERMINED = "undetermined"


@lru_cache(maxsize=32)
def runs(world: str, momentum: float) -> tuple[Evidence, ...]:
    return tuple(planted.evidence(getattr(planted, world)(momentum)))


def names(found: tuple[Evidence, ...]) -> Counter[str]:
    return Counter(naming.name_motion(each, LIMITS).name for each in found)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    ("world", "expected", "fewest"),
    [
        ("drift", "drifting", 19),
        ("confined", "confined", 19),
        ("mixture", "mixed", 19),
        ("drifting_mixture", "mixed", 19),
        ("walk", "wandering-in-valley", 19),
        ("wells", "hopping-basins", 19),
        ("descending", "still-descending", 19),
        ("rising", "rising", 19),
        ("leaping", UNDETERMINED, 20),
    ],
)
def test_planted_motion(world, expected, fewest, momentum):
    found = names(runs(world, momentum))
    assert found[expected] >= fewest
    assert set(found) <= {expected, UNDETERMINED}


def test_every_motion_is_planted():
    right = test_planted_motion.pytestmark[0].args[1]
    assert {expected for _, expected, _ in right} == set(MOTIONS)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_what_only_looks_like_a_walk(momentum):
    # One correlation time: c½ = −(1 − e^{−1/2})/2 and R are in a walk's range.
    found = runs("ornstein", momentum)
    assert np.median([each.measured.diffusion.half_cosine for each in found]) == pytest.approx(
        -0.197, abs=0.05
    )
    assert np.median([each.measured.diffusion.ratio for each in found]) == pytest.approx(
        3.4, abs=0.2
    )
    assert names(found) == {UNDETERMINED: 20}


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_what_only_looks_like_a_mixture(momentum):
    # R is in a mixture's range: soft directions have gone through few correlation times.
    found = runs("half_done", momentum)
    assert np.median([each.measured.diffusion.ratio for each in found]) > 1.05
    assert set(names(found)) <= {UNDETERMINED, "confined"}
    assert set(names(runs("narrow_mixture", momentum))) <= {UNDETERMINED, "mixed"}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_walk_in_four_dimensions_is_never_called_anything_else(momentum):
    found = names(runs("few", momentum))
    assert set(found) <= {UNDETERMINED, "wandering-in-valley"}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_hopping_has_the_numbers_of_confinement(momentum):
    # Only the floors' barriers tell: where they are low, the same runs are confined.
    found = runs("wells", momentum)
    assert np.median([each.measured.diffusion.half_cosine for each in found]) == pytest.approx(
        -0.5, abs=0.05
    )
    assert np.median([each.measured.diffusion.ratio for each in found]) < LIMITS.confined_ratio
    fooled = names(tuple(changed(each, connectivity=LINES) for each in found))
    assert fooled["confined"] >= 19
    assert fooled["hopping-basins"] == 0
    assert names(tuple(changed(each, connectivity=None) for each in found)) == {UNDETERMINED: 20}
    assert names(found)["confined"] == 0


def test_barriers_lie_between_floors_and_not_between_iterates():
    # A hundred double wells (x² − 1)² and two thousand noisy quadratic coordinates.
    world = planted.wells(0.0)
    x = planted.sgd(world, np.ones(100), 4096, 0, every=64)
    noise = 0.5 * np.random.default_rng(0).standard_normal((len(x), 2000))
    along = np.linspace(0, 1, 41)[:, None]

    def loss(wells: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return ((wells**2 - 1) ** 2).sum(-1) + 0.5 * (rest**2).sum(-1)

    def barrier(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> float:
        on = loss(*((1 - along) * start + along * end for start, end in zip(a, b, strict=True)))
        return float((on - (1 - along[:, 0]) * on[0] - along[:, 0] * on[-1]).max())

    still = np.zeros(2000)
    crossed = 0
    for first, second in ((10, 60), (20, 50), (30, 40)):
        floors = [descend(x[row]) for row in (first, second)]
        other = int((np.sign(floors[0]) != np.sign(floors[1])).sum())
        crossed += other
        # Each well that differs has its barrier of 1 halfway.
        assert barrier((floors[0], still), (floors[1], still)) == pytest.approx(other, abs=1e-6)
        assert barrier((x[first], noise[first]), (x[second], noise[second])) < 1e-9
    assert crossed > 30


def descend(x: np.ndarray) -> np.ndarray:
    for _ in range(500):
        x = x - 0.05 * 4 * x * (x**2 - 1)
    return x


def test_what_is_absent_is_not_guessed():
    confined = runs("confined", 0.0)[0]
    reasons = {
        "connectivity": ("confined", "only the barriers between floors tell"),
        "diffusion": ("confined", "diffusion was not measured"),
        "replicas": ("drift", "no replicas were run"),
    }
    for part, (world, reason) in reasons.items():
        moved = naming.name_motion(changed(runs(world, 0.0)[0], **{part: None}), LIMITS)
        assert moved.name == UNDETERMINED
        assert reason in str(moved.items["motion_undetermined_because"].value)
        assert moved.remedy is not None
        assert moved.remedy.call == "diagnose"
    assert naming.name_motion(confined, LIMITS).name == "confined"


def test_weights_that_do_not_move():
    found = runs("confined", 0.0)[0]
    moved = found.measured.diffusion
    still = replace(moved, msd=np.zeros_like(moved.msd), ratio=math.nan, dimension=0.0)
    named = naming.name_motion(changed(found, diffusion=still), LIMITS)
    assert (named.name, named.remedy) == (UNDETERMINED, None)
    assert named.items["motion_undetermined_because"].value == (
        "the weights don't move in its window"
    )


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_drift_beneath_confinement_is_below_its_bound(share, momentum):
    found = [naming.name_motion(each, LIMITS) for each in planted.slow_drift(momentum, share)]
    bounds = [each.items["drift_below"].value for each in found if "drift_below" in each.items]
    assert len(bounds) >= 15
    assert np.mean(np.array(bounds) >= share) >= 0.9
    assert np.median(bounds) < share + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("times", [0.3, 1.0, 4.0])
def test_the_bound_on_the_restoring_curvature_holds(momentum, times):
    world = planted.ornstein(momentum, times)
    true = planted.rate(world.steps, world.lr, momentum, times)
    found = planted.evidence(world)
    limits = [
        estimates.restoring_bound(each, estimates.pooled(each, each.measured.diffusion))
        for each in found
    ]
    assert sum(limit is None or limit >= true for limit in limits) >= 19
    named = [naming.name_motion(each, LIMITS) for each in found]
    wandering = [each for each in named if each.name == "wandering-in-valley"]
    assert all(each.bound >= true for each in wandering)


def test_the_bound_is_its_formula():
    walk = changed(runs("walk", 0.9)[0], replicas=None)
    moved = replace(estimates.pooled(walk, walk.measured.diffusion), cosine=-0.1, error=0.1)
    x = -2 * math.log(1 + 2 * (-0.3 - estimates.carried(0.9, planted.STEPS)))
    expected = x * (1 - 0.9) / (0.1 * planted.STEPS)
    assert estimates.restoring_bound(walk, moved) == pytest.approx(expected, rel=1e-12)
    # A cosine of 0, known exactly, still bounds no more than one correlation time.
    sharp = replace(moved, cosine=0.0, error=0.0)
    assert estimates.restoring_bound(walk, sharp) == pytest.approx(
        0.1 / (0.1 * planted.STEPS), rel=1e-12
    )
    assert estimates.restoring_bound(walk, replace(moved, error=0.5)) is None
    adam = replace(walk, setup=replace(walk.setup, optimizer="Adam"))
    assert estimates.restoring_bound(adam, moved) is None


def test_c_half_is_pooled_with_replicas_of_the_same_length_only():
    walk = runs("walk", 0.0)[0]
    moved = replace(walk.measured.diffusion, half_cosine=0.2, half_cosine_error=0.3)
    others = Replicas(4, 1.0, half_cosine=0.1, half_cosine_error=0.01, steps=moved.steps)
    pooled = estimates.pooled(changed(walk, replicas=others), moved)
    assert pooled.cosine == pytest.approx((0.2 + 4 * 0.1) / 5, rel=1e-12)
    assert pooled.error == pytest.approx(0.3 / math.sqrt(5), rel=1e-12)
    shorter = changed(walk, replicas=replace(others, steps=moved.steps // 2))
    alone = estimates.pooled(shorter, moved)
    assert (alone.cosine, alone.error) == (0.2, 0.3)


def test_cosine_of_a_confinement_from_its_ratio():
    for x in (0.5, 3.0, 10.0, 40.0):
        ratio = (1 - math.exp(-x / 2)) / (1 - math.exp(-x / 8))
        assert estimates.confined_cosine(ratio) == pytest.approx(
            -(1 - math.exp(-x / 2)) / 2, abs=1e-9
        )
    assert estimates.confined_cosine(0.98) == -0.5


def test_spread_of_a_walks_ratio():
    for dimensions in (30, 200):
        world = planted.walk(0.0, dimensions)
        found = [
            each.measured.diffusion
            for each in planted.evidence(replace(world, steps=512), count=60)
        ]
        ratios = [each.ratio for each in found]
        expected = estimates.RATIO_SPREAD / math.sqrt(dimensions)
        assert np.std(ratios) / np.mean(ratios) == pytest.approx(expected, rel=0.35)


def test_shares_of_planted_sums():
    plain = estimates.pooled(runs("walk", 0.0)[0], runs("walk", 0.0)[0].measured.diffusion)
    for a, w, d in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.2, 0.3)):
        # MSD(τ) of the three at T/8, with MSD(T/2) = 1; a drift's halves go the same way.
        eighth = a + w / 4 + d / 16
        found = estimates.shares(replace(plain, cosine=-a / 2 + d, ratio=1 / eighth), 0.0)
        assert (found.confined, found.walk, found.drift) == pytest.approx((a, w, d), abs=1e-12)
    # One correlation time is no such sum, which a negative share shows.
    ratio, cosine = (1 - math.exp(-5)) / (1 - math.exp(-1.25)), -(1 - math.exp(-5)) / 2
    assert estimates.shares(replace(plain, cosine=cosine, ratio=ratio), 0.0).drift < -0.15


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    ("world", "expected"), [("mixture", (0.6, 0.4, 0.0)), ("drifting_mixture", (0.4, 0.0, 0.6))]
)
def test_shares_of_planted_mixtures(world, expected, momentum):
    found = [naming.name_motion(each, LIMITS).items for each in runs(world, momentum)]
    for name, share in zip(("confined", "walk", "drift"), expected, strict=True):
        values = [items[f"share_{name}"].value for items in found]
        assert np.median(values) == pytest.approx(share, abs=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize(
    ("trend", "state"),
    [(0.0, slope.SETTLED), (-0.6, slope.DESCENDING), (0.6, slope.RISING)],
)
def test_slope_with_correlated_noise(trend, state, correlation):
    generator = np.random.default_rng(0)
    step = np.arange(400)
    right = wrong = 0
    for _ in range(200):
        noise = generator.standard_normal(400) * math.sqrt(1 - correlation**2)
        for t in range(1, 400):
            noise[t] += correlation * noise[t - 1]
        change = slope.of_log_loss(step, np.exp(trend * step / 399 + 0.1 * noise))
        found = slope.state(change, LIMITS)
        right += found == state
        wrong += found not in (state, slope.UNDETERMINED)
        assert change.rows == 400
    assert right > 190
    assert wrong <= 4


def test_slope_error_is_two_standard_errors():
    generator = np.random.default_rng(1)
    step = np.arange(200)
    found = [
        slope.of_log_loss(step, np.exp(0.1 * generator.standard_normal(200))) for _ in range(300)
    ]
    spread = np.std([change.total for change in found])
    assert np.mean([change.error for change in found]) == pytest.approx(2 * spread, rel=0.15)


def test_no_slope_of_a_few_rows():
    change = slope.of_log_loss(np.arange(7), np.ones(7))
    assert slope.state(change, LIMITS) == slope.UNDETERMINED
    flat = slope.of_log_loss(np.arange(9), np.ones(9))
    assert slope.state(flat, LIMITS) == slope.SETTLED

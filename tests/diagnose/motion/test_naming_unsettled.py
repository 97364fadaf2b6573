"""What keeps a movement from its name: numbers that aren't known, momentum, few dimensions."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import estimates, naming
from landscape.diagnose.thresholds import Thresholds

from .. import planted_motions as planted

changed = planted.changed

LIMITS = Thresholds()
UNDETERMINED = "undetermined"


@lru_cache(maxsize=8)
def one(world: str, momentum: float) -> Evidence:
    return planted.evidence(getattr(planted, world)(momentum), count=1)[0]


def names(
    found: tuple[Evidence, ...], limits: Thresholds = LIMITS
) -> Counter[tuple[str, int | None]]:
    return Counter(
        (each.name, each.steps) for each in (naming.name_motion(e, limits) for e in found)
    )


def judge(found: estimates.Pooled, momentum: float, **limits: float) -> naming.Named:
    base = one("confined", 0.0)
    apart = replace(base.measured.replicas, ratio=1.0)
    base = changed(base, setup=replace(base.setup, momentum=momentum), replicas=apart)
    return naming.judge_movement(base, found, base.measured.replicas, True, Thresholds(**limits))


def pooled(
    cosine: float = -0.5, ratio: float = 1.0, dimension: float = 400.0, steps: int = 2048
) -> estimates.Pooled:
    error = dimension**-0.5
    return estimates.Pooled(cosine, error, ratio, dimension, steps, 1.5, dimension)


@lru_cache(maxsize=4)
def slow_beside(momentum: float, fast: float, slow: float) -> tuple[Evidence, ...]:
    """Of confinement: 118 coordinates for ``fast`` correlation times, two for 1/``slow``.

    Both have the same stationary variance in sum.
    """
    h = np.full(120, planted.rate(planted.STEPS, 0.1, momentum, fast))
    h[:2] = planted.rate(planted.STEPS, 0.1, momentum, 1 / slow)
    variance = planted.spread(h, momentum) ** 2
    noise = np.ones(120)
    noise[:2] = math.sqrt(variance[2:].sum() / variance[:2].sum())
    start = planted.spread(h, momentum) * noise
    world = planted.World(planted.quadratic(h), 120, momentum, noise=noise, start=start)
    return tuple(planted.evidence(world, share=16))


@pytest.mark.parametrize("world", ["walk", "drift"])
def test_replicas_whose_spread_is_not_known_name_nothing(world):
    base = one(world, 0.0)
    found = changed(base, replicas=replace(base.measured.replicas, ratio=math.nan))
    moved = naming.name_motion(found, LIMITS)
    assert naming.name_motion(base, LIMITS).name != UNDETERMINED
    assert moved.name == UNDETERMINED
    assert "isn't known" in str(moved.items["motion_undetermined_because"].value)


@pytest.mark.parametrize("part", ["cosine", "error", "ratio", "ratio_dimension", "hops"])
@pytest.mark.parametrize(
    ("cosine", "ratio", "name"),
    [(-0.5, 1.0, "confined"), (0.0, 4.0, "wandering-in-valley"), (-0.1, 2.0, "mixed")],
)
def test_what_is_not_known_names_nothing(part, cosine, ratio, name):
    found = pooled(cosine, ratio)
    assert judge(found, 0.0).name == name
    if (name, part) != ("confined", "hops"):
        assert judge(replace(found, **{part: math.nan}), 0.0).name == UNDETERMINED


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("steps", [32, 64, 160])
def test_what_momentum_adds_to_a_walks_cosine(momentum, steps):
    lags = np.arange(steps)
    correlated = momentum ** np.abs(np.subtract.outer(lags, lags))
    half = steps // 2
    expected = correlated[:half, half:].sum() / correlated[:half, :half].sum()
    assert estimates.carried(momentum, steps) == pytest.approx(expected, abs=1e-9)


def cosine_of(x: float, momentum: float, steps: int) -> float:
    """c½ of a heavy ball in a bowl with x = hηT/(1 − β), from its autocovariance's recurrence."""
    pull = x * (1 - momentum) / steps
    first = (1 + momentum - pull) / (1 + momentum)
    kept = [1.0, first]
    for _ in range(steps):
        kept.append((1 + momentum - pull) * kept[-1] - momentum * kept[-2])
    return (1 - kept[steps]) / (2 * (1 - kept[steps // 2])) - 1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.95, 0.99])
def test_the_bound_holds_for_every_bowl_that_momentum_is_in(momentum):
    walk = replace(one("walk", 0.0), setup=replace(one("walk", 0.0).setup, momentum=momentum))
    for times in (4.2, 8, 20, 100):
        known = 0
        steps = max(16, 2 * round(times / (1 - momentum) / 2))
        # Bowls whose own steps are small: ηh ≤ 1/2.
        for x in np.geomspace(0.05, min(30, steps / (2 * (1 - momentum))), 60):
            found = replace(pooled(cosine_of(x, momentum, steps), steps=steps), error=0.0)
            bound = estimates.restoring_bound(walk, found)
            if bound is not None:
                known += 1
                assert bound >= x * (1 - momentum) / (0.1 * steps) * (1 - 1e-9)
        assert known >= 20
    short = pooled(0.3, steps=int(3.9 / (1 - momentum)))
    assert estimates.restoring_bound(walk, short) is None


def test_the_bound_holds_over_a_short_time_with_momentum():
    true = planted.rate(64, 0.1, 0.9, 1.4)
    start = planted.spread(true, 0.9)
    world = planted.World(planted.quadratic(true), 200, 0.9, start=start)
    found = [
        (each, estimates.over_replicas(each, each.measured.diffusion))
        for each in planted.evidence(world, share=32)
    ]
    bounds = [estimates.restoring_bound(each, short) for each, short in found]
    assert sum(bound is None or bound >= true for bound in bounds) >= 19
    # Without what momentum adds to c½ they would be below it.
    plain = [
        max(1.0, -2 * math.log(1 + 2 * (short.cosine - 2 * short.error))) * 0.1 / (0.1 * 64)
        for _, short in found
    ]
    assert sum(bound >= true for bound in plain) <= 10


def test_a_walk_over_a_short_time_keeps_its_shares_with_momentum():
    short = planted.evidence(planted.walk(0.9), share=32)
    found = [estimates.shares(estimates.over_replicas(e, e.measured.diffusion), 0.9) for e in short]
    assert np.median([each.walk for each in found]) == pytest.approx(1, abs=0.1)
    assert np.median([each.drift for each in found]) == pytest.approx(0, abs=0.1)


def test_oscillation_hides_nothing_over_short_times():
    # A fifth of MSD(T/2) is slow over the replicas' 128 steps, and R there is below 1.
    found = slow_beside(0.9, 40.0 * 16, 0.1)
    assert [key for key in names(found) if key[0] == "confined"] == []
    ratios = [estimates.over_replicas(each, each.measured.diffusion).ratio for each in found]
    assert np.median(ratios) < 0.95


def test_confinement_needs_time_for_oscillations_to_end():
    # √β^{T/8} is 0.05 at 455 steps for β = 0.9.
    assert judge(pooled(steps=448), 0.9).name == UNDETERMINED
    assert "oscillations" in judge(pooled(steps=448), 0.9).reason
    assert judge(pooled(steps=464), 0.9).name == "confined"
    assert judge(pooled(steps=64), 0.0).name == "confined"
    assert judge(pooled(steps=448), 0.9, oscillation=0.1).name == "confined"
    assert "shrink again" in judge(pooled(ratio=0.9), 0.9).reason
    # In few dimensions R may be as low by chance.
    assert judge(pooled(ratio=0.9, dimension=31), 0.9).name == "confined"
    assert judge(pooled(ratio=0.96), 0.9).name == "confined"


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_few_dimensions_do_not_hide_a_slow_part(momentum):
    # 0.37 of MSD(T/2) is in two coordinates with half the window as their correlation time.
    found = tuple(changed(e, replicas=None) for e in slow_beside(momentum, 40.0 * 16, 0.5))
    assert names(found)["confined", planted.STEPS] == 0
    assert names(found, Thresholds(unconfined=1.0))["confined", planted.STEPS] >= 1


def test_what_may_be_unconfined_is_said():
    found = judge(pooled(ratio=1.02, dimension=100), 0.0)
    expected = 4 / 3 * (1 - 1 / (1.02 * (1 + 2 * 0.8 / 10)))
    assert found.name == "confined"
    assert found.items["unconfined_below"].value == pytest.approx(expected, rel=1e-12)
    few = judge(pooled(dimension=29), 0.0)
    assert (few.name, few.lacks) == (UNDETERMINED, "dimensions")
    assert "of it may be a walk" in few.reason


@pytest.mark.slow
@pytest.mark.parametrize("times", [60.0, 200.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_spread_of_a_confined_ratio(momentum, times):
    world = planted.confined(momentum, times=times)
    found = [each.measured.diffusion for each in planted.evidence(world)]
    dimension = np.median([each.dimension for each in found])
    ratios = [each.ratio for each in found]
    assert np.std(ratios) * math.sqrt(dimension) < estimates.CONFINED_SPREAD

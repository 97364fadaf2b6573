"""Replicas that are shorter than the window: over which time the motion has its name."""

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
from landscape.diagnose.verdict.questions import answers
from landscape.diagnose.verdict.verdict import judge

from .. import planted_motions as planted

changed = planted.changed

LIMITS = Thresholds()
UNDETERMINED = "undetermined"
WANDERING = "wandering-in-valley"
SHARE = 8
WINDOW, SHORT = planted.STEPS, planted.STEPS // SHARE


@lru_cache(maxsize=32)
def runs(world: str, momentum: float) -> tuple[Evidence, ...]:
    made = getattr(planted, world)(momentum)
    return tuple(planted.evidence(made, share=SHARE))


def names(world: str, momentum: float) -> Counter[tuple[str, int | None]]:
    found = (naming.name_motion(each, LIMITS) for each in runs(world, momentum))
    return Counter((each.name, each.steps) for each in found)


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    ("world", "expected", "steps", "fewest"),
    [
        # What takes replicas has its name over their time,
        ("drift", "drifting", SHORT, 19),
        ("walk", WANDERING, SHORT, 19),
        ("few", WANDERING, SHORT, 10),
        # what doesn't over the window's.
        ("confined", "confined", WINDOW, 19),
        ("drifting_mixture", "mixed", WINDOW, 19),
        ("mixture", "mixed", WINDOW, 1),
        ("narrow_mixture", "mixed", WINDOW, 1),
        ("half_done", "confined", WINDOW, 0),
    ],
)
def test_planted_motion(world, expected, steps, fewest, momentum):
    found = names(world, momentum)
    assert found[expected, steps] >= fewest
    assert found[expected, steps] + found[UNDETERMINED, None] == planted.SEEDS


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_hopping_and_leaps(momentum):
    assert names("wells", momentum) == {("hopping-basins", 4 * WINDOW): 20}
    assert names("leaping", momentum) == {(UNDETERMINED, None): 20}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_walk_that_drifts_in_the_end(momentum):
    found = planted.evidence(planted.drifting_walk(momentum), share=16)
    named = [naming.name_motion(each, LIMITS) for each in found]
    assert {each.name for each in named} <= {WANDERING, UNDETERMINED}
    assert sum(each.name == WANDERING for each in named) >= 10
    for each in named:
        assert each.items["half_cosine"].value > 0.5
        assert (each.name == WANDERING) == (each.steps == WINDOW // 16)


def test_nothing_is_confined_that_moves_on_over_the_window():
    """A confined movement over the replicas' time, and few dimensions that don't keep to it."""
    floors = runs("walk", 0.0)[0].measured.connectivity
    base = next(
        each
        for each in (changed(one, connectivity=floors) for one in runs("few", 0.0))
        if each.measured.diffusion.ratio < LIMITS.drift_ratio
        and each.measured.diffusion.half_cosine < 0.5
    )
    held = {"half_cosine": -0.5, "half_cosine_error": 0.01, "dimension": 100.0}
    short = changed(
        base,
        replicas=replace(base.measured.replicas, ratio=0.5, lag_ratio=1.0, **held),
        stretches=replace(base.measured.stretches, ratio=1.0, **held),
    )
    for ratio, name in ((1.2, "confined"), (2.4, "confined"), (2.6, UNDETERMINED)):
        found = changed(
            short, diffusion=replace(base.measured.diffusion, ratio=ratio, dimension=5.0)
        )
        moved = naming.name_motion(found, LIMITS)
        assert moved.name == name
        assert "too few independent directions" in str(
            moved.items[
                "over_window_because" if name == "confined" else "motion_undetermined_because"
            ].value
        )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_one_correlation_time_is_a_walk_over_an_eighth_of_it(momentum):
    """Where it is called one, the curvature is below the bound, of that time."""
    true = planted.rate(WINDOW, 0.1, momentum, 1.0)
    found = [naming.name_motion(each, LIMITS) for each in runs("ornstein", momentum)]
    walks = [each for each in found if each.name == WANDERING]
    assert len(walks) >= 10
    assert {each.name for each in found} <= {WANDERING, UNDETERMINED}
    for each in walks:
        assert each.bound >= (1 - momentum) / (0.1 * SHORT)
        assert each.bound >= true
        assert f"over {SHORT} steps" in each.items["restoring_below"].meaning
        assert each.items["over_window"].value == UNDETERMINED
    # Where the window's own numbers are trusted and gainsay it, the shorter time doesn't decide.
    for each in found:
        if each.name == UNDETERMINED:
            assert each.items["over_replicas"].value == WANDERING


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("world", ["walk", "few", "confined", "ornstein", "mixture"])
def test_the_error_of_what_is_pooled_is_that_of_twenty_runs(world, momentum):
    found = [
        estimates.over_replicas(each, each.measured.diffusion) for each in runs(world, momentum)
    ]
    spread = float(np.std([each.cosine for each in found], ddof=1))
    claimed = float(np.median([each.error for each in found]))
    # Twenty runs know their spread to a sixth. Confined cosines are spread less than 1/√D_eff.
    least = 0.2 if world in ("confined", "mixture") else 0.45
    assert least * claimed < spread < 1.35 * claimed
    ratios = [each.ratio for each in found]
    expected = estimates.RATIO_SPREAD / math.sqrt(np.median([e.ratio_dimension for e in found]))
    assert np.std(ratios) / np.mean(ratios) < 1.5 * expected


def test_replicas_and_stretches_count_alike():
    one = runs("walk", 0.0)[0]
    own = replace(
        one.measured.stretches,
        count=12,
        half_cosine=0.1,
        half_cosine_error=0.01,
        ratio=3.0,
        dimension=20.0,
    )
    others = replace(
        one.measured.replicas,
        half_cosine=-0.1,
        half_cosine_error=0.01,
        lag_ratio=5.0,
        dimension=40.0,
    )
    moved = one.measured.diffusion
    found = estimates.over_replicas(changed(one, stretches=own, replicas=others), moved)
    assert found.steps == SHORT
    assert found.cosine == pytest.approx((12 * 0.1 - 4 * 0.1) / 16)
    assert found.ratio == pytest.approx((12 * 3 + 4 * 5) / 16)
    assert found.ratio_dimension == pytest.approx(12 * 20 + 4 * 40)
    assert found.error == pytest.approx(1 / math.sqrt(12 * 20 + 4 * 40))
    wide = replace(own, half_cosine_error=0.2)
    found = estimates.over_replicas(changed(one, stretches=wide, replicas=others), moved)
    assert found.error == pytest.approx(math.hypot(12 * 0.2, 4 * 0.01) / 16)
    alone = estimates.over_replicas(changed(one, stretches=None, replicas=others), moved)
    assert (alone.cosine, alone.ratio, alone.ratio_dimension) == (-0.1, 5.0, 160.0)
    unread = replace(others, half_cosine=math.nan, lag_ratio=math.nan, dimension=math.nan)
    assert estimates.over_replicas(changed(one, stretches=None, replicas=unread), moved) is None
    assert estimates.over_replicas(changed(one, replicas=None), moved) is None
    long = replace(others, steps=moved.steps)
    assert estimates.over_replicas(changed(one, replicas=long), moved) is None


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_what_momentum_adds_to_a_walks_ratio(momentum):
    lags = np.arange(400)
    correlated = momentum ** np.abs(np.subtract.outer(lags, lags))

    def msd(lag: int) -> float:
        return float(correlated[:lag, :lag].sum())

    assert estimates.memory(momentum, 160) == pytest.approx(msd(80) / msd(20) / 4, rel=1e-9)
    assert estimates.memory(momentum, 10**6) == pytest.approx(1, rel=1e-3)


def test_hops_of_few_dimensions():
    """One walk in twenty has a larger block than the line says."""
    generator = np.random.default_rng(0)
    blocks = (generator.standard_normal((4000, 32, 8)) ** 2).sum(-1)
    hops = blocks.max(1) / np.median(blocks, 1)
    found = replace(
        estimates.over_replicas(runs("walk", 0.0)[0], runs("walk", 0.0)[0].measured.diffusion)
    )
    line = estimates.hops_line(replace(found, hop_dimension=8.0), 3.0)
    assert (hops > line).mean() == pytest.approx(0.05, abs=0.025)
    assert estimates.hops_line(replace(found, hop_dimension=200.0), 3.0) == 3.0
    assert estimates.hops_line(replace(found, hop_dimension=1.0), 3.0) == estimates.LEAP
    assert estimates.hops_line(replace(found, hop_dimension=math.nan), 3.0) == 3.0


def test_the_time_is_said():
    def said(evidence: Evidence) -> str:
        return next(a.text for a in answers(judge(evidence), evidence) if a.question == "2.1")

    walk, confined = runs("walk", 0.0)[0], runs("confined", 0.0)[0]
    assert said(walk).startswith("Over 256 steps the weights wander through a connected valley")
    assert judge(walk).evidence["over_window_because"].value == (
        "it moves as a walk does; whether others go elsewhere takes replicas; replicas ran 256 of "
        "its window's 2,048 steps, 4 of 2,048 steps, 4 times its training, would tell more"
    )
    assert said(confined).startswith(
        "Over the window's 2,048 steps the weights stay near one place"
    )
    assert str(judge(confined).evidence["over_replicas_because"].value).startswith(
        "confined, for few"
    )
    [one] = [
        each
        for each in runs("half_done", 0.0)
        if naming.name_motion(each, LIMITS).name == UNDETERMINED
    ][:1]
    assert said(one).startswith("Whether it stays or wanders is undetermined")
    assert judge(one).evidence["over_replicas"].value == UNDETERMINED
    items = judge(runs("walk", 0.0)[0]).evidence
    assert items["motion_steps"].value == SHORT
    assert items["window_steps"].value == WINDOW
    assert items["replicas_half_cosine"].meaning.endswith(
        "8 stretches of the window and 4 replicas: −½ confined, 0 a walk, 1 a drift"
    )

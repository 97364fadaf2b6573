"""Stretches of planted losses, and what the last one is beside the best."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.sgd import endings
from landscape.sgd.endings import EndingRules

L0 = math.log(10)


def wandering(rows: int, correlation: float, size: float, seed: int) -> np.ndarray:
    """Stationary AR(1) noise."""
    kicks = size * np.random.default_rng(seed).standard_normal(rows)
    found = np.zeros(rows)
    found[0] = kicks[0] / math.sqrt(1 - correlation**2)
    for row in range(1, rows):
        found[row] = correlation * found[row - 1] + kicks[row]
    return found


def cut(logs: np.ndarray) -> list[int]:
    return [each.end for each in endings.stretches(np.exp(logs))]


def read(loss: np.ndarray, **rules) -> endings.Ending:
    return endings.of(np.asarray(loss, float), L0, 0.0, EndingRules(**rules))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_wandering_noise_is_one_stretch(correlation):
    whole = [len(cut(wandering(200, correlation, 0.1, seed))) for seed in range(20)]
    assert whole.count(1) >= 19


@pytest.mark.parametrize("rows", [20, 40, 100])
def test_a_shift_of_four_deviations_is_found_where_it_is(rows):
    for seed in range(10):
        logs = wandering(200, 0.3, 0.1, seed)
        logs[-rows:] += 0.42
        assert abs(cut(logs)[-2] - (200 - rows)) <= 4


def test_a_spike_is_no_stretch():
    logs = wandering(200, 0.0, 0.1, 0)
    logs[100:102] += 3
    assert len(cut(logs)) == 1


def test_a_line_is_one_stretch_however_far_it_falls():
    assert cut(np.linspace(0, -5, 100) + wandering(100, 0.0, 0.05, 0)) == [100]


def test_many_rows_are_joined_to_blocks():
    logs = wandering(5000, 0.3, 0.1, 0)
    logs[4000:] += 0.5
    ends = cut(logs)
    assert ends[-1] == 5000
    assert abs(ends[-2] - 4000) <= 40


def test_levels_and_noise_of_a_stretch():
    loss = np.exp(np.r_[np.zeros(50), np.full(50, 1.0)] + wandering(100, 0.0, 0.2, 1))
    first, last = endings.stretches(loss)
    assert (first.low, last.last) == pytest.approx((1.0, math.e), rel=0.1)
    assert (first.noise, last.noise) == pytest.approx((0.2, 0.2), rel=0.4)
    flat = endings.stretches(np.full(30, L0))[0]
    assert (flat.noise, flat.last) == (endings.FLOOR, L0)


def settled(level: float, rows: int = 60, noise: float = 0.03) -> np.ndarray:
    return level * np.exp(wandering(rows, 0.0, noise, 3))


LEARNING = np.geomspace(L0, 0.5, 20)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (0.5, "near"),
        (0.58, "near"),
        (0.75, "between"),
        (0.95, "away"),
        (2.3, "away"),
        (0.2, "near"),
    ],
)
def test_how_far_above_the_best_the_end_is(end, kind):
    # L₀ − L_best is 1.8: 0.95 loses a quarter of it, 0.75 an eighth, 0.58 a twenty-second.
    assert read(np.r_[LEARNING, settled(0.5), settled(end)]).kind == kind


def test_a_small_share_is_lost_if_the_factor_is_large():
    low = np.geomspace(L0, 0.01, 20)
    assert read(np.r_[low, settled(0.01), settled(0.3)]).kind == "away"
    # A hundredth of L₀ is near, ten times or not.
    assert read(np.r_[low, settled(0.002), settled(0.02)]).kind == "near"


def test_what_is_clear_depends_on_the_runs_own_noise():
    for noise, kind in ((0.03, "away"), (0.3, "between")):
        loss = np.r_[LEARNING, settled(0.5, noise=noise), settled(1.0, noise=noise)]
        assert read(loss).kind == kind


def test_all_that_is_lost_needs_no_more_than_all_that_was_learned():
    # Two and a half deviations: not clear of a half lost, clear where it is back at L₀.
    for end, kind in ((1.32, "between"), (L0, "away")):
        loss = np.r_[LEARNING, settled(0.6 * L0 / 2.3, noise=0.5), settled(end, noise=0.005)]
        assert read(loss).kind == kind


def test_the_row_that_it_left_at():
    loss = np.r_[LEARNING, settled(0.5), settled(2.3)]
    assert read(loss).left == 80
    # The cut is found to a few rows; what counts is the last one nearer to the best.
    loss[82] = 0.5
    assert read(loss).left == 83


def test_learned_for_a_glimpse():
    flat = np.full(60, L0)
    seen = flat.copy()
    seen[5:7] = 1.3
    found = read(seen)
    assert (found.kind, found.glimpsed, found.best, found.left) == ("away", True, 1.3, 7)
    assert read(flat).kind == "never"
    faint = flat.copy()
    faint[5:7] = 0.92 * L0
    assert read(faint).kind == "never"
    # At the very end it begins to learn: it hasn't left.
    late = flat.copy()
    late[-4:] = (2.2, 1.9, 1.5, 1.2)
    assert read(late).kind == "near"


def test_noise_that_dips_is_no_glimpse():
    jumps = L0 * (1 + 0.4 * np.random.default_rng(0).random(100))
    jumps[50] = 0.75 * L0
    # Only where L₀ isn't known: nothing that ignores its input goes below the real one.
    assert endings.of(jumps, L0, 0.3, EndingRules()).kind == "never"
    assert endings.of(jumps, L0, 0.0, EndingRules()).glimpsed


def test_an_excursion_that_is_too_short_for_a_stretch():
    loss = np.r_[LEARNING, settled(0.5), [2.0, 2.2, 2.1]]
    assert endings.of(loss, L0, 0.0, EndingRules(), inside=80).kind == "inside"


def test_a_row_that_dips_ends_no_time_away():
    loss = np.concatenate([np.full(60, 0.5), np.full(40, L0)])
    loss[-3] = 0.5  # what reaches the end as an excursion has two rows, the time away has 40
    found = endings.of(loss * np.exp(wandering(100, 0, 0.02, 0)), L0, 0.0, EndingRules(), inside=98)
    assert (found.kind, found.left) == (endings.AWAY, 60)


def test_the_lowest_of_many_noisy_rows_has_not_been_left():
    # Half of such runs have a row as low as what shows that something was learned.
    logs = [wandering(80, 0.0, 0.5, seed) + math.log(1.5 * L0) for seed in range(40)]
    found = [read(np.exp(each)) for each in logs]
    glimpsed = [each for each in found if each.glimpsed]
    assert len(glimpsed) > 20
    assert {each.kind for each in glimpsed} <= {endings.BETWEEN, endings.NEAR}


def test_losses_below_zero_are_cut_as_they_are():
    loss = np.r_[np.full(40, -5.0), np.full(40, -1.0)] + 0.01 * wandering(80, 0.0, 1.0, 0)
    assert [each.end for each in endings.stretches(loss)] == [40, 80]

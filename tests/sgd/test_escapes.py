"""Events in planted losses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.sgd.escapes import EventRules, detect, is_away, read, rise_levels
from landscape.sgd.recording.flight import FlightWindow, joined
from landscape.store.trajectories.trajectory import Event

L0 = math.log(10)


def found(losses, *, every=10, **options):
    losses = np.array(losses)
    steps = every * np.arange(len(losses))
    options = {"constant_loss": L0, "steps_per_epoch": every, **options}
    return [(e.name, e.first, e.last) for e in detect(steps, losses, **options)]


LEARNING = [2.30, 1.8, 1.2, 0.8, 0.6, 0.55, 0.5, 0.5, 0.5, 0.5]
SETTLED = [*LEARNING, *[0.5] * 10]
"""Long enough for its noise to be known."""


def test_learning_is_no_event():
    assert found(LEARNING) == []


def test_spike_and_recovery():
    rise = [1.5, 2.0, 1.2, 0.6, 0.5, 0.5]
    assert found([*SETTLED, *rise]) == [("spike", 200, 220), ("recovery", 210, 230)]
    # Half a way that noise goes too, or before it is known what noise does: no spike.
    noisy = [loss + 0.3 * (-1) ** row for row, loss in enumerate(SETTLED)]
    assert found([*noisy, *rise]) == found([*LEARNING, *rise]) == []


def test_escape_to_a_plateau():
    assert found([*LEARNING, 1.5, *[2.31] * 20]) == [
        ("escape", 100, 300),
        ("plateau", 110, 300),
    ]


def test_swinging_about_before_an_escape_is_a_spike():
    """Above L_best + ¼(L₀ − L_best) = 0.95, and nearer to 0.5 than to 2.31 (in between: 1.07)."""
    swings = [1.0, 1.05, 1.0]
    assert found([*SETTLED, *swings, *[2.31] * 20]) == [
        ("spike", 200, 230),
        ("escape", 230, 420),
        ("plateau", 230, 420),
    ]
    # Where noise goes as far it is none.
    noisy = [loss + 0.3 * (-1) ** row for row, loss in enumerate(SETTLED)]
    assert found([*noisy, *swings, *[2.31] * 20])[0][0] == "escape"


def test_a_run_whose_batches_were_back_after_the_first_row_away_left_later():
    losses = [*LEARNING, 1.5, *[2.31] * 20]
    batches = np.full(310, 0.5)
    batches[110:] = 2.31
    assert found(losses, batches=batches)[0] == ("escape", 110, 300)
    # Twice: at 100 and at 110, an epoch later at most.
    assert ("escape", 120, 300) in found(losses, batches=np.full(310, 0.5))
    # Not back: above the level, too few of them, or too far apart to tell.
    away = np.full(310, 2.31)
    seven, apart = away.copy(), away.copy()
    seven[102:109] = 0.5
    apart[100:110] = [0.1, 2.3] * 5
    for none in (away, seven, apart, np.full(310, np.nan), np.empty(0)):
        assert found(losses, batches=none)[0] == ("escape", 100, 300)


def test_an_escape_is_a_last_stretch_of_five_rows_whatever_came_before():
    short = [*LEARNING, *[2.0] * 4]
    assert found(short) == [("spike", 100, 130)]
    assert found([*short, 2.0]) == [("escape", 100, 140)]
    back = [*SETTLED, *[2.0] * 6, *[0.5] * 8]
    assert found(back) == [("spike", 200, 250), ("recovery", 200, 260)]
    assert found([*back, *[2.0] * 6])[-1] == ("escape", 340, 390)


def test_what_never_learned_has_no_excursion():
    assert found([2.30, 2.31, 2.29, 2.32, 2.30, 2.9, 2.30]) == [("plateau", 0, 40)]
    assert found([2.3, *[2.30, 2.31] * 10]) == [("plateau", 0, 200)]


def test_initial_plateau_ends():
    assert found([*[2.30] * 8, *LEARNING[1:]]) == [("plateau", 0, 70)]


def test_noise_is_no_onset():
    rng = np.random.default_rng(0)
    noisy = [*LEARNING, *(0.5 + 0.15 * np.abs(rng.standard_normal(100)))]
    assert found(noisy) == []


def test_levels_by_hand():
    limits = rise_levels(0.3, 2.3, [0.01, -0.02, 0.03])
    assert (limits.level, limits.onset) == pytest.approx((0.8, 0.8))
    limits = rise_levels(0.3, 2.3, [0.1, -0.1, 0.1])
    assert (limits.level, limits.onset) == pytest.approx((0.8, 1.1))
    limits = rise_levels(0.3, 2.3, [1.0, -1.0, 1.0])
    assert (limits.level, limits.onset) == pytest.approx((0.8, 1.3))


def test_losses_that_are_not_finite_are_left_out():
    assert found([*LEARNING, math.nan, math.inf]) == []
    assert found([math.nan, 1.0]) == found([]) == []


def test_without_a_constant_output_the_first_loss_stands_for_it():
    losses = [*LEARNING, *[2.31] * 20]
    assert ("escape", 100, 290) in found(losses, constant_loss=math.nan)


def test_joined_with_what_the_flight_recorder_saw():
    seen = [
        FlightWindow("spike", 95, 400, "batch_loss 2.9 > 1.1 at step 95", 2.0),
        FlightWindow("spike", 500, 501, "batch_loss 3 > 1 at step 500", 2.0),
        FlightWindow("non-finite", 600, 600, "batch_loss nan at step 600", math.inf),
    ]
    events = [Event("escape", 100, 390, "train_loss 2 > 1 at step 100")]
    events.append(Event("plateau", 110, 390, "flat"))
    assert joined(events, seen) == [
        Event("escape", 95, 400, "batch_loss 2.9 > 1.1 at step 95; train_loss 2 > 1 at step 100"),
        Event("plateau", 110, 390, "flat"),
        Event("batch spike", 500, 501, "batch_loss 3 > 1 at step 500"),
        Event("non-finite", 600, 600, "batch_loss nan at step 600"),
    ]


def test_a_single_row_is_away_above_a_quarter_of_the_way_back():
    # The best is 0.3 of 2.3: the level is 0.8.
    assert is_away(0.81, 0.3, 2.3)
    assert not is_away(0.79, 0.3, 2.3)
    assert not is_away(math.nan, 0.3, 2.3)
    # At 2.2 of 2.3 nothing was learned, whatever comes after.
    assert not is_away(2.29, 2.2, 2.3)
    assert is_away(2.29, 2.2, 2.3, learned=0)
    assert not is_away(2.5, 2.4, 2.3, learned=0)


def test_rules_may_ask_more_of_a_spike_and_of_learning():
    losses = np.array([*LEARNING, 1.45, 0.5, 0.5, *[0.5, 0.6] * 4, 1.5, 0.5])
    steps = 10 * np.arange(len(losses))

    def course(**rules):
        plain = {"learned_noise": 0.0, "spike_noise": 0.0, "spike_rows": 0}
        limits = EventRules(**plain | rules)
        return read(steps, losses, constant_loss=L0, steps_per_epoch=10, rules=limits)

    firsts = [[spike.first for spike in course(spike_rows=rows).spikes] for rows in (0, 11, 22)]
    assert firsts == [[10, 21], [21], []]
    before = [float(np.median(np.abs(course().residuals[:row]))) for row in (10, 21)]
    times = [(height - 0.5) / noise for height, noise in zip((1.45, 1.5), before, strict=True)]
    for number in range(2):
        for factor, expected in ((0.99, True), (1.01, False)):
            spikes = course(spike_noise=factor * times[number]).spikes
            assert (((10, 21)[number]) in [spike.first for spike in spikes]) == expected
    quiet = course().noise / L0
    assert course(learned_noise=0.9 / quiet).learned is None
    assert course(learned_noise=0.5 / quiet).learned is not None

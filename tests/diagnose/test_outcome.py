"""Outcomes planted twenty times each: at least 19 named rightly or undetermined, none wrongly."""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landscape.diagnose import excursions, outcome, window
from landscape.diagnose.evidence import Branch, Evidence, State
from landscape.diagnose.thresholds import Thresholds
from landscape.errors import LandscapeError

spec = importlib.util.spec_from_file_location(
    "planted_outcomes", Path(__file__).with_name("planted_outcomes.py")
)
planted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted)

LIMITS = Thresholds()
SEEDS = 20


def decide(evidence: Evidence) -> outcome.Outcome:
    return outcome.decide(evidence, LIMITS)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    ("name", "expected", "confidence"),
    [
        ("learned", "learned", "observation"),
        ("noisy_learned", "learned", "observation"),
        ("diverged", "diverged", "observation"),
        ("dead_plateau", "dead-plateau", "observation"),
        ("dead_bounce", "dead-plateau", "observation"),
        ("asleep", "initial-plateau", "observation"),
        ("vanishing", "vanishing-signal", "observation"),
        ("too_slow", "too-slow", "observation"),
        ("bouncing", "bouncing", "observation"),
        ("restless", "bouncing", "observation"),
        ("escaped", "escaped", "observation"),
        ("escaped_after_spikes", "escaped", "observation"),
        ("spike", "spike-recovered", "observation"),
        ("catapult", "catapult", "observation"),
        ("stuck", "suboptimal-plateau", "intervention"),
        ("noise_floor", "noise-floor", "intervention"),
        ("late_spike", "undetermined", "undetermined"),
        ("slow_rise", "undetermined", "undetermined"),
    ],
)
def test_planted_outcome(name, expected, confidence, momentum):
    found = [decide(getattr(planted, name)(seed, momentum)) for seed in range(SEEDS)]
    counts = Counter((each.name, each.confidence) for each in found)
    assert counts[expected, confidence] >= 19
    assert set(counts) <= {(expected, confidence), ("undetermined", "undetermined")}


def test_every_outcome_is_planted():
    right = test_planted_outcome.pytestmark[0].args[1]
    assert {expected for _, expected, _ in right} == set(outcome.NAMES)


def test_quantiles_would_call_a_good_run_bouncing():
    loss = planted.learned(0, 0.0).rows.train_loss
    assert np.quantile(loss, 0.9) / np.quantile(loss, 0.1) > 100
    assert decide(planted.learned(0, 0.0)).name == "learned"


def test_landings():
    escaped = planted.escaped(0, 0.9)
    dead = decide(escaped)
    assert (dead.landing, dead.layers) == ("dead-plateau", ("hidden",))
    assert dead.items["landing_kind"].value == "flat"
    assert dead.items["gradient_norm_end"].value == 1e-3
    collapsed = State(1, dead=(), saturated=(), partly_dead={"first": 0.9, "second": 0.2})
    elsewhere = State(1, dead=(), saturated=(), lambda_max=3.0, lambda_min=-1.0)
    unknown = State(1)
    for state, landing, layers in (
        (collapsed, "partial-collapse", ("first",)),
        (elsewhere, "elsewhere", ()),
        (unknown, "undetermined", ()),
    ):
        states = {**escaped.states, "end": state}
        found = decide(replace(escaped, states=states))
        assert (found.landing, found.layers) == (landing, layers)


@pytest.mark.parametrize(
    ("lowest", "kind"),
    [(-1.0, "saddle"), (-1e-3, "flat-valley"), (6e-36, "flat-valley"), (0.1, "minimum")],
)
def test_the_kind_of_point_landed_on(lowest, kind):
    end = State(1, dead=(), saturated=(), lambda_max=3.0, lambda_min=lowest)
    found = decide(replace(planted.escaped(0, 0.9), states={"end": end}))
    assert found.items["landing_kind"].value == kind


def test_interventions_after_an_escape():
    best, landing = 0.5, 2.3
    branches = [Branch("lower-rate", "best", 100, 0.01, best, 0.05, velocity=False)]
    branches += [Branch("other-order", "best", 100, 0.1, best, 2.3, order=k) for k in range(10)]
    branches += [
        Branch("rate", "end", 1000, rate, landing, 2.3) for rate in (1e-3, 1e-2, 1e-1, 1.0)
    ]
    found = decide(replace(planted.escaped(3, 0.9), branches=tuple(branches)))
    assert found.confidence == "intervention"
    assert found.also == ("unstable-at-rate",)
    assert found.items["left_again"].value == 1.0
    assert found.items["lower_rate_from_best"].value == 0.05
    assert found.items["rate_1_from_landing"].value == 2.3
    assert "velocity zero" in found.caveats[0]
    # 7 of 10 is no proof: the interval reaches below one half.
    mixed = [replace(b, end_loss=0.4) if b.order in (0, 1, 2) else b for b in branches]
    again = decide(replace(planted.escaped(3, 0.9), branches=tuple(mixed)))
    assert again.items["left_again"].value == 0.7
    assert again.also == ()


def test_a_training_that_diverged_has_left():
    branches = tuple(
        Branch("other-order", "best", 100, 0.1, 0.5, loss, order=k)
        for k, loss in enumerate((np.inf, np.nan, 0.4))
    )
    found = decide(replace(planted.escaped(3, 0.9), branches=branches))
    assert found.items["left_again"].value == pytest.approx(2 / 3)


def test_what_was_not_measured_is_not_guessed():
    for name in ("dead_plateau", "asleep", "too_slow", "restless", "stuck"):
        found = decide(replace(getattr(planted, name)(0, 0.0), states={}))
        assert (found.name, found.confidence) == ("undetermined", "undetermined")
    blind = replace(planted.stuck(0, 0.0), branches=())
    assert "lower rate" in str(decide(blind).items["undetermined_because"].value)


def test_siblings_raise_the_line():
    found = planted.add(planted.run(planted.noisy(planted.decay(200, 0.9), 0), 0.0), end_after=0.89)
    assert decide(found).name == "learned"
    assert decide(replace(found, siblings_share=0.95)).name == "suboptimal-plateau"


def test_without_a_constant_output_the_first_loss_stands_for_it():
    for name, expected in (("spike", "spike-recovered"), ("learned", "learned")):
        found = replace(getattr(planted, name)(0, 0.0), constant_loss=float("nan"))
        assert decide(found).name == expected


def test_one_row_is_no_run():
    assert decide(planted.run(np.array([2.3]), 0.0)).name == "undetermined"


def test_the_noise_of_a_quiet_half_counts():
    loss = np.concatenate([3 + np.random.default_rng(0).random(50), np.full(50, 0.5)])
    course = excursions.read(planted.run(loss, 0.0))
    assert course.noise == 0
    assert course.learned == pytest.approx(50, abs=1)


def test_thresholds_are_options():
    strict = Thresholds(escape_rows=500)
    assert outcome.decide(planted.escaped(0, 0.0), strict).name == "undetermined"
    with pytest.raises(LandscapeError) as caught:
        Thresholds(excursion=-0.5)
    assert str(caught.value) == (
        "threshold excursion must be above 0, got -0.5; the default is 0.25"
    )


def test_the_window_begins_after_an_escape_and_a_change_of_rate():
    escaped = planted.escaped(0, 0.0)
    course = excursions.read(escaped)
    onset, last = course.step(course.last.first), course.step(-1)
    found = window.of_run(escaped)
    length = round(0.5 * (last - onset))
    assert (found.first, found.last) == (last - length + length // 16, last)
    assert found.share == pytest.approx((found.last - found.first) / last)
    whole = window.of_run(planted.learned(0, 0.0), Thresholds(window=1.0))
    assert (whole.first, whole.last) == (995 // 16, 995)
    changed = planted.learned(0, 0.0)
    setup = replace(changed.setup, constant_from=800)
    found = window.of_run(replace(changed, setup=setup), Thresholds(window=1.0))
    assert found.first == 800 + 195 // 16

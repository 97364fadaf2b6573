"""Outcomes planted twenty times each: at least 19 named rightly or undetermined, none wrongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from landscape.diagnose.course import course_of
from landscape.diagnose.evidence import Evidence, Rows
from landscape.diagnose.motion import window
from landscape.diagnose.outcome_names import OUTCOMES
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict import outcome
from landscape.diagnose.verdict.never_learned import SHORT
from landscape.errors import LandscapeError

from .. import planted_outcomes as planted

LIMITS = Thresholds()
SEEDS = 20


def decide(evidence: Evidence) -> outcome.NamedOutcome:
    return outcome.name_outcome(evidence, LIMITS)


@pytest.mark.parametrize(
    ("name", "expected", "confidence"),
    [
        ("learned", "learned", "observation"),
        ("noisy_learned", "learned", "observation"),
        ("diverged", "diverged", "observation"),
        ("dead_plateau", "dead-plateau", "observation"),
        ("early", "escaped", "observation"),
        ("asleep", "initial-plateau", "observation"),
        ("vanishing", "vanishing-signal", "observation"),
        ("too_slow", "too-slow", "observation"),
        ("bouncing", "learned", "observation"),
        ("half_holding", "undetermined", "undetermined"),
        ("noisy_descent", "learned", "observation"),
        ("learned_late", "learned", "observation"),
        ("lost_at_the_end", "undetermined", "undetermined"),
        ("lost_in_noise", "escaped", "observation"),
        ("seldom_low", "undetermined", "undetermined"),
        ("surer", "escaped", "observation"),
        ("no_level", "bouncing", "observation"),
        ("jumping_learner", "bouncing", "observation"),
        ("jumping_seldom", "undetermined", "undetermined"),
        ("learned_briefly", "escaped", "observation"),
        ("restless", "stuck-jumping", "observation"),
        ("saturated", "stuck-jumping", "observation"),
        ("escaped", "escaped", "observation"),
        ("escaped_after_spikes", "escaped", "observation"),
        ("spikes_then_dead", "escaped", "observation"),
        ("collapse", "escaped", "observation"),
        ("half_back", "escaped", "observation"),
        ("slow_rise", "escaped", "observation"),
        ("spike", "learned", "observation"),
        ("catapult", "learned", "observation"),
        ("entropy_floor", "learned", "observation"),
        ("sagging", "learned", "observation"),
        ("hotter", "learned", "intervention"),
        ("stuck", "suboptimal-plateau", "intervention"),
        ("noise_floor", "noise-floor", "intervention"),
        ("one_more", "learned", "observation"),
        ("late_spike", "undetermined", "undetermined"),
    ],
)
def test_planted_outcome(name, expected, confidence):
    # The losses don't depend on momentum: half of the seeds have it.
    found = [decide(getattr(planted, name)(seed, 0.9 * (seed % 2))) for seed in range(SEEDS)]
    counts = Counter((each.name, each.confidence) for each in found)
    assert counts[expected, confidence] >= 19
    assert set(counts) <= {(expected, confidence), ("undetermined", "undetermined")}


def test_every_outcome_is_planted():
    right = test_planted_outcome.pytestmark[0].args[1]
    given = {name for name, term in OUTCOMES.items() if not term.is_old}
    assert {expected for _, expected, _ in right} == given


@pytest.mark.parametrize(
    ("name", "landing", "also"),
    [
        ("early", "dead-plateau", ("early",)),
        ("spikes_then_dead", "dead-plateau", ("spikes (5)",)),
        ("collapse", "partial-collapse", ()),
        ("half_back", "elsewhere", ()),
        ("bouncing", None, ("bouncing",)),
        ("half_holding", None, ("bouncing",)),
        ("surer", "elsewhere", ("accuracy-kept",)),
        ("sagging", None, ("end-above-best",)),
        ("spike", None, ("spikes (1)",)),
        ("catapult", None, ("spikes (1)", "catapult")),
        ("hotter", None, ("noise-floor-raised",)),
        ("saturated", None, ("saturated",)),
        ("one_more", None, ("spikes (3)", "ended-in-excursion")),
        ("no_level", None, ()),
    ],
)
def test_what_happened_on_the_way_stands_beside_the_name(name, landing, also):
    for seed in range(SEEDS):
        found = decide(getattr(planted, name)(seed, 0.0))
        assert found.landing == landing
        assert set(also) <= set(found.also)


@pytest.mark.parametrize(("rows", "bounces"), [(2, False), (4, True)])
def test_a_run_that_bounced_on_the_way_may_escape(rows, bounces):
    """Five excursions, over less and more than a tenth of what follows learning, then away."""
    loss = planted.noisy(planted.decay(200, 0.3), 0)
    for at in range(40, 140, 20):
        loss[at : at + rows] = 1.8
    loss[150:] = planted.noisy(np.full(50, 1.6), 1, 0.02)
    evidence = planted.run(loss, 0.0)
    course = course_of(evidence, LIMITS)
    found = decide(evidence)
    assert (found.name, course.left) == ("escaped", 150)
    assert ("bouncing" in found.also) == bounces
    share = found.items["excursion_share"]
    assert share.value == pytest.approx(5 * rows / (150 - course.learned))
    assert share.meaning.endswith(", up to where it left")
    said = "above: bouncing on the way," if bounces else "below: too few rows for bouncing on"
    assert share.side.startswith(said)


@pytest.mark.parametrize(
    ("lost", "expected"), [(0.004, "learned"), (0.03, "undetermined"), (0.2, "escaped")]
)
def test_a_level_a_little_above_the_best_is_decided_by_accuracy(lost, expected):
    found = decide(planted.sagging(0, 0.0, lost))
    assert found.name == expected
    if expected != "escaped":
        assert found.items["accuracy_lost"].value == pytest.approx(lost)
        assert found.items["accuracy_lost"].threshold == LIMITS.points


@pytest.mark.parametrize(("late", "is_kept"), [(0.74, True), (0.5, False)])
def test_accuracy_of_a_glimpse_is_that_of_its_lowest_row(late, is_kept):
    found = planted.early(0, 0.0)
    accuracy = np.full(len(found.rows.step), late)
    accuracy[1:3] = 0.75
    assert course_of(found).ending.glimpsed
    named = decide(replace(found, rows=replace(found.rows, train_accuracy=accuracy)))
    assert named.name == "escaped"
    assert ("accuracy-kept" in named.also) is is_kept


def test_names_of_earlier_versions_stay_readable():
    assert [name for name, term in OUTCOMES.items() if term.is_old] == [
        "spike-recovered",
        "catapult",
    ]


def test_quantiles_would_call_a_good_run_bouncing():
    loss = planted.learned(0, 0.0).rows.train_loss
    assert np.quantile(loss, 0.9) / np.quantile(loss, 0.1) > 100
    assert decide(planted.learned(0, 0.0)).name == "learned"


def test_what_was_not_measured_is_not_guessed():
    for name in ("dead_plateau", "asleep", "too_slow", "restless"):
        found = decide(planted.changed(getattr(planted, name)(0, 0.0), states={}))
        assert (found.name, found.confidence) == ("undetermined", "undetermined")
    blind = planted.changed(planted.stuck(0, 0.0), branches=())
    assert "lower rate" in str(decide(blind).items["undetermined_because"].value)


@pytest.mark.parametrize("name", ["asleep", "vanishing", "too_slow"])
def test_a_run_that_has_just_begun_is_not_called_after_what_it_never_did(name):
    """The same losses a few steps apart, of the first steps alone."""
    evidence = getattr(planted, name)(0, 0.0)
    called = decide(evidence).name

    def cut(rows: int) -> outcome.NamedOutcome:
        few = Rows(np.arange(rows), evidence.rows.train_loss[:rows])
        return decide(replace(evidence, rows=few))

    for steps in (10, SHORT - 1):
        short = cut(steps + 1)
        assert short.name == "undetermined"
        assert short.items["undetermined_because"].value == (
            f"it hasn't learned, and its {steps} steps are too few to tell a plateau from a start "
            f"({SHORT} are needed); training on would tell"
        )
        assert short.remedy.options["steps"] > SHORT
    assert cut(SHORT + 1).name == called != "undetermined"
    # What is dead is dead after one step.
    dead = planted.changed(evidence, states={"end": planted.DEAD})
    few = Rows(np.arange(3), evidence.rows.train_loss[:3])
    assert decide(replace(dead, rows=few)).name == "dead-plateau"


def test_siblings_raise_the_line():
    found = planted.add(planted.run(planted.noisy(planted.decay(200, 0.9), 0), 0.0), end_after=0.89)
    alone, beside = decide(found), decide(replace(found, siblings_share=0.95))
    assert (alone.name, beside.name) == ("learned", "suboptimal-plateau")
    assert "siblings_share" not in alone.items
    assert beside.items["siblings_share"].value == 0.95


def test_a_run_that_still_falls_is_held_against_siblings_by_its_last_rows():
    """The median of its last stretch is above them, as that of each of theirs is."""
    loss = planted.noisy(np.linspace(2.2, 1.0, 40), 0, 0.001)
    found = planted.run(loss, 0.0)
    end = np.median(loss[-5:])
    same = 1 - end / found.constant_loss
    assert decide(replace(found, siblings_share=1.15 * same)).name == "learned"
    assert decide(replace(found, siblings_share=1.5 * same)).name == "undetermined"


@pytest.mark.parametrize("start", ["best", "end"])
def test_a_floor_from_one_place_alone_says_nothing(start):
    found = planted.hotter(0, 0.0)
    branches = [one for one in found.measured.branches if one.start == start]
    decided = decide(planted.changed(found, branches=branches))
    assert decided.name == "escaped"
    assert not {"floor_best", "floor_end"} & set(decided.items)


@pytest.mark.parametrize(("rise", "overfits"), [(0.0, False), (0.02, False), (0.4, True)])
def test_a_validation_loss_that_rises_stands_beside_the_name(rise, overfits):
    found = planted.learned(0, 0.0)
    validation = planted.noisy(planted.decay(200, 0.5), 7, 0.01)
    validation[100:] += np.linspace(0, rise, 100)
    found = decide(replace(found, rows=replace(found.rows, validation_loss=validation)))
    assert found.name == "learned"
    assert ("overfitting" in found.also) == overfits
    expected = np.median(validation[-20:]) / validation.min()
    assert found.items["validation_rise"].value == pytest.approx(expected)
    assert "validation_rise" not in decide(planted.learned(0, 0.0)).items


@pytest.mark.parametrize(
    ("after", "siblings", "name"),
    [
        *((1.58, None, "learned"), (1.58, 0.95, "suboptimal-plateau")),
        *((1.3, None, "noise-floor"), (1.5, 0.95, "undetermined"), (0.2, 0.95, "noise-floor")),
        *((np.inf, None, "learned"), (np.inf, 0.95, "suboptimal-plateau")),
    ],
)
def test_only_others_tell_that_more_could_be_learned(after, siblings, name):
    # At 1.6, u = 0.31; what η/10 reaches counts if it gains over a tenth of the way, 0.07.
    loss = planted.noisy(np.maximum(planted.decay(200, 1.6), 1.6), 0, 0.01)
    found = planted.add(planted.run(loss, 0.0), end_after=after)
    found = decide(replace(found, siblings_share=siblings))
    assert found.name == name
    if name == "undetermined":
        assert "not to where siblings are" in str(found.items["undetermined_because"].value)


@pytest.mark.parametrize("change", [{}, {"constant_from": 100}, {"optimizer": "Adam"}])
def test_too_slow_is_told_from_the_bound_only_where_there_is_one(change):
    found = planted.too_slow(0, 0.0)
    found = decide(replace(found, setup=replace(found.setup, **change)))
    assert found.name == "too-slow"
    assert ("rate_over_bound" in found.items) == (not change)


def test_a_rate_near_its_bound_is_not_too_slow():
    steep = planted.State(500, dead=(), saturated=(), logit_spread=0.1, lambda_max=5.0)
    found = planted.changed(planted.too_slow(0, 0.0), states={"end": steep})
    found = decide(found)
    assert found.name == "undetermined"
    assert "at a rate that isn't small" in str(found.items["undetermined_because"].value)


@pytest.mark.parametrize(
    ("after", "along", "is_catapult"),
    [(12.0, 0.9, True), (29.0, 0.9, False), (12.0, 0.3, False), (12.0, np.nan, False)],
)
def test_a_catapult_needs_both(after, along, is_catapult):
    found = decide(
        planted.changed(planted.spike(0, 0.0), jump=planted.parts.jump(30.0, after, along))
    )
    assert found.name == "learned"
    assert ("catapult" in found.also) == is_catapult
    assert bool(found.caveats) == np.isnan(along)


def test_without_a_constant_output_the_first_loss_stands_for_it():
    for name, expected in (("spike", "learned"), ("escaped", "escaped")):
        found = replace(getattr(planted, name)(0, 0.0), constant_loss=float("nan"))
        assert decide(found).name == expected


def test_one_row_is_no_run():
    assert decide(planted.run(np.array([2.3]), 0.0)).name == "undetermined"


def test_the_noise_of_a_quiet_half_counts():
    loss = np.concatenate([3 + np.random.default_rng(0).random(50), np.full(50, 0.5)])
    course = course_of(planted.run(loss, 0.0))
    assert course.noise == 0
    assert course.learned == pytest.approx(50, abs=1)


def test_thresholds_are_options():
    strict = Thresholds(noises=1e3)
    assert outcome.name_outcome(planted.half_back(1, 0.0), strict).name == "undetermined"
    with pytest.raises(LandscapeError) as caught:
        Thresholds(excursion=-0.5)
    assert str(caught.value) == (
        "threshold excursion must be above 0, got -0.5; the default is 0.25"
    )


def test_the_window_begins_after_an_escape_and_a_change_of_rate():
    escaped = planted.escaped(0, 0.0)
    course = course_of(escaped)
    onset, last = course.step(course.left), course.step(-1)
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
    told = replace(changed.setup, after=300)
    found = window.of_run(replace(changed, setup=told))
    assert (found.first, found.last) == (300, 995)
    with pytest.raises(LandscapeError) as caught:
        window.of_run(replace(changed, setup=replace(told, after=995)))
    assert str(caught.value) == "after must be a step from 0 to below 995, got 995"

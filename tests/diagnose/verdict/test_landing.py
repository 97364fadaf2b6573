"""Where an escape led, and what trainings from before it tell."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from landscape.diagnose.course import course_of
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import after_escape
from landscape.diagnose.verdict import outcome
from landscape.store.measured.trainings import Trained
from landscape.store.measured.whole import StateAtStep as State

from .. import planted_outcomes as planted

changed = planted.changed
EVERYWHERE = {"start": planted.ALIVE, "best": planted.ALIVE}


def decide(evidence: Evidence) -> outcome.NamedOutcome:
    return outcome.name_outcome(evidence, Thresholds())


def test_landings():
    escaped = planted.escaped(0, 0.9)
    best = replace(planted.ALIVE, lambda_min=-0.2)
    dead = decide(changed(escaped, states={**EVERYWHERE, "best": best, "end": planted.DEAD}))
    assert (dead.landing, dead.layers) == ("dead-plateau", ("hidden",))
    assert dead.items["landing_kind"].value == "flat"
    planted_points = {
        "gradient_norm_best": 0.1,
        "gradient_norm_end": 1e-3,
        "lambda_min_best": -0.2,
        "lambda_min_end": -1e-7,
        "logit_spread_best": 0.8,
        "logit_spread_end": 0.0,
    }
    assert {name: dead.items[name].value for name in planted_points} == planted_points
    collapsed = State(1, dead=(), saturated=(), partly_dead={"first": 0.9, "second": 0.2})
    elsewhere = State(1, dead=(), saturated=(), lambda_max=3.0, lambda_min=-1.0)
    unknown = State(1)
    for state, landing, layers in (
        (collapsed, "partial-collapse", ("first",)),
        (elsewhere, "elsewhere", ()),
        (unknown, "undetermined", ()),
    ):
        found = decide(changed(escaped, states={**EVERYWHERE, "end": state}))
        assert (found.landing, found.layers) == (landing, layers)
    assert "logit_spread_end" not in found.items


@pytest.mark.parametrize(
    ("lowest", "kind"),
    [(-1.0, "saddle"), (-1e-3, "flat-valley"), (6e-36, "flat-valley"), (0.1, "minimum")],
)
def test_the_kind_of_point_landed_on(lowest, kind):
    end = State(1, dead=(), saturated=(), lambda_max=3.0, lambda_min=lowest)
    found = decide(changed(planted.escaped(0, 0.9), states={"end": end}))
    assert found.items["landing_kind"].value == kind
    # The row beside it claims no other curvature than the sentence.
    row = found.items["lambda_min_end"]
    assert ("curves down along a direction" in row.side) == (kind == "saddle")
    assert ("up along every" in row.side) == (kind == "minimum")


def escaped_with(branches: tuple[Trained, ...]) -> outcome.NamedOutcome:
    return decide(changed(planted.escaped(3, 0.9), branches=branches))


def test_interventions_after_an_escape():
    ends = tuple(Trained("rate", "end", 1000, rate, 2.3, 2.3) for rate in (1e-3, 1e-2, 1e-1, 1.0))
    lower = Trained("lower-rate", "end", 1000, 0.01, 2.3, 2.3, velocity=False)
    found = escaped_with((*planted.tried(best=10, onset=10), *ends, lower))
    assert found.confidence == "intervention"
    assert found.also == ("unstable-at-rate",)
    for start in ("best", "onset"):
        assert found.items[f"left_again_from_{start}"].value == 1.0
        assert found.items[f"lower_rate_from_{start}"].value == 0.05
    assert found.items["rate_1_from_landing"].value == 2.3
    # The run's own rate is none of the others.
    assert "rate_0.1_from_landing" not in found.items
    assert "Trainings from step 1,000 started with velocity zero" in found.caveats[0]
    assert len(found.caveats) == 1
    assert found.caveats[0].endswith("velocity zero: none was recorded there.")


def test_velocity_is_missing_before_the_onset_for_a_reason_that_is_said():
    branches = planted.tried(best=10, onset=10)
    resting = tuple(replace(b, velocity=b.start != "before-onset") for b in branches)
    found = escaped_with(resting)
    assert found.caveats == (
        "Trainings from step 310, the last with a logged loss before it left, started with "
        "velocity zero: none was recorded there, for only afterwards is it known when a run left.",
    )
    # Where none was recorded anywhere it is not for that.
    without = tuple(replace(b, velocity=False) for b in branches)
    assert escaped_with(without).caveats == (
        "Trainings from step 100, 310 started with velocity zero: none was recorded there.",
    )


@pytest.mark.parametrize(
    ("best", "onset", "is_unstable"), [(8, 10, True), (6, 8, False), (9, 9, True), (0, 9, True)]
)
def test_each_start_has_its_own_test(best, onset, is_unstable):
    # Of ten; the ones that left come first, and 7 of 7 decide whatever comes after.
    found = escaped_with(planted.tried(best=best, onset=min(onset, 6) if best == 6 else onset))
    assert found.items["left_again_from_best"].value == best / 10
    assert (found.also == ("unstable-at-rate",)) == is_unstable


def test_too_few_orders_leave_it_open():
    found = escaped_with(planted.tried(best=6, onset=6, orders=6))
    assert found.items["stability_from_best"].value == "open"
    assert "unstable-at-rate" not in found.also
    told = "From the lowest logged loss 6 of 6 other batch orders left, which decides nothing"
    assert found.caveats[0].startswith(f"{told}: trainings lasted 15 epochs, the run took ")
    more = "It takes 1 more at least: landscape diagnose --orders, --epochs."
    assert found.caveats[0].endswith(more)
    # From before it left they were longer than the run took, and that is no reason.
    assert found.caveats[1] == (
        "From the last weights before it left 6 of 6 other batch orders left, which decides "
        "nothing. It takes 1 more at least: landscape diagnose --orders."
    )
    found = escaped_with(planted.tried(best=1, onset=1))
    assert found.items["stability_from_best"].value == "not unstable"
    assert not any("decides nothing" in each for each in found.caveats)


def test_a_training_that_wanders_as_the_run_did_has_not_left():
    loss = planted.noisy(planted.decay(200, 0.45), 0)
    loss[30:120] = planted.noisy(np.full(90, 1.1), 0, 0.05)
    loss[118], loss[119] = 0.5, 2.0  # back once more; away already
    loss[120:] = planted.noisy(np.full(80, planted.L0), 0, 0.002)
    run = planted.run(loss, 0.9, end=planted.DEAD)
    course = course_of(run)
    assert course.wandered == pytest.approx(1.1, abs=0.05)
    assert course.level < 1.1 < course.leaving == pytest.approx((1.1 + planted.L0) / 2, abs=0.05)
    every = SimpleNamespace(step=np.arange(0, 1000, 5))
    subject = SimpleNamespace(trajectory=every, cadence=np.arange(200))
    assert after_escape.before_onset(subject, course) == 118
    again = planted.tried(best=10, onset=10)
    left = decide(changed(run, branches=again))
    assert (left.also, left.confidence) == (("unstable-at-rate",), "intervention")
    wandering = tuple(replace(b, end_loss=1.3) if b.end_loss == 2.3 else b for b in again)
    stayed = decide(changed(run, branches=wandering))
    assert (stayed.also, stayed.confidence) == ((), "observation")
    assert stayed.items["left_again_from_best"].value == 0.0
    loss[30:120] = planted.noisy(np.full(90, 1.1), 0, 0.05)  # of which nothing comes back
    course = course_of(planted.run(loss, 0.9, end=planted.DEAD))
    assert (course.wandered, course.leaving) == (None, course.level)
    assert after_escape.before_onset(subject, course) == 29


def test_nothing_follows_where_the_control_does_not_leave():
    found = escaped_with(planted.tried(best=10, onset=10, control=0.4))
    assert (found.also, found.confidence) == ((), "observation")
    assert found.items["took_from_best"].value == 21.5
    assert "took_from_onset" not in found.items  # trainings were longer
    [first, second] = found.caveats
    # The onset is at row 63, step 315; an epoch is 10 steps.
    assert first == (
        "From the lowest logged loss the control (the run's own rate and order of batches) did not "
        "leave either: trainings lasted 15 epochs, the run took 21.5 to leave. Nothing follows "
        "there."
    )
    assert "did not leave either. Nothing" in second  # which took the run half an epoch
    without = tuple(b for b in planted.tried(best=10, onset=10) if b.kind != "control")
    found = escaped_with(without)
    assert (found.also, found.confidence) == ((), "observation")
    assert "no control was trained" in found.caveats[0]
    # A control alone contrasts with nothing.
    alone = tuple(b for b in planted.tried(best=10, onset=10) if b.kind == "control")
    assert escaped_with(alone).confidence == "observation"


def test_a_training_that_diverged_has_left():
    branches = tuple(
        Trained("other-order", "best", 100, 0.1, 0.5, loss, order=k)
        for k, loss in enumerate((np.inf, np.nan, 0.4))
    )
    found = escaped_with(branches)
    assert found.items["left_again_from_best"].value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("away", "side"),
    [
        (4, "below: fewer than half leave again"),
        (5, "at the line: half leave again"),
        (6, "above: most leave again"),
    ],
)
def test_half_of_the_orders_is_not_most(away, side):
    found = escaped_with(planted.tried(best=away, onset=0))
    assert found.items["left_again_from_best"].side == side
    assert found.items["orders_from_best"].value == 10


def test_a_network_initialized_dead_is_stuck_only_if_it_ignores_its_input():
    branches = tuple(
        Trained("plateau", "plateau", 0, rate, 2.3, 2.3, constant=constant)
        for rate, constant in ((1e-3, True), (0.1, True), (1.0, False), (10.0, None))
    )
    found = escaped_with(branches)
    assert found.items["stuck_from_plateau"].value == 0.5
    assert found.items["plateau_rates"].value == 4


def test_dead_layers_are_no_plateau_where_outputs_depend_on_the_input():
    # A residual network goes around a dead block.
    around = replace(planted.DEAD, logit_spread=0.4)
    never = changed(planted.dead_plateau(0, 0.0), states={"end": around})
    assert decide(never).name not in ("dead-plateau", "vanishing-signal", "initial-plateau")
    escaped = planted.escaped(0, 0.9)
    found = decide(changed(escaped, states={**EVERYWHERE, "end": around}))
    assert (found.landing, found.layers) == ("partial-collapse", ("hidden",))
    unknown = replace(planted.DEAD, logit_spread=None)
    assert decide(changed(never, states={"end": unknown})).name != "dead-plateau"


def test_what_was_dead_at_the_best_weights_did_not_die_in_the_escape():
    escaped = planted.escaped(0, 0.9)
    before = replace(planted.ALIVE, dead=("first",))
    both = replace(planted.DEAD, dead=("first", "hidden"))
    found = decide(changed(escaped, states={"best": before, "end": both}))
    assert (found.landing, found.layers) == ("dead-plateau", ("hidden",))


@pytest.mark.parametrize(
    ("end", "setup", "for_good"),
    [
        ({}, {}, True),
        ({"moving": ()}, {}, True),
        ({"moving": ("first.weight", "output.bias")}, {}, False),
        ({"moving": ("output.weight",)}, {}, False),
        ({"dead": (), "saturated": ("hidden",)}, {}, False),
        ({}, {"weight_decay": 1e-4}, False),
        ({}, {"perturbed": True}, False),
        ({}, {"scale_invariant": True}, False),
    ],
)
def test_no_way_back_only_where_it_is_a_theorem(end, setup, for_good):
    for planted_run in (planted.escaped(0, 0.9), planted.dead_plateau(0, 0.0)):
        states = {**EVERYWHERE, "end": replace(planted.DEAD, **end)}
        others = replace(planted_run.setup, **setup)
        found = decide(changed(planted_run, states=states, setup=others))
        assert found.items["no_way_back"].value is for_good
        assert found.items["exactly_zero"].value == 6 - len(states["end"].moving)
        assert found.items["tensors"].value == 6


def test_a_landing_with_a_large_gradient_is_a_slope():
    escaped = planted.escaped(0, 0.9)
    for norm, kind in ((0.004, "flat"), (0.006, "slope")):
        state = replace(planted.DEAD, gradient_norm=norm)
        found = decide(changed(escaped, states={**EVERYWHERE, "end": state}))
        assert found.items["landing_kind"].value == kind

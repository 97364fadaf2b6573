from __future__ import annotations

import json
import math
import re
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landscape.diagnose.evidence import Evidence, Rows
from landscape.diagnose.outcome_names import LANDINGS, MOTIONS, OUTCOMES, MotionTerm
from landscape.diagnose.symmetry import copies
from landscape.diagnose.verdict import overfitting, verdict
from landscape.diagnose.verdict.questions import answers
from landscape.diagnose.verdict.verdict import decided, judge
from landscape.diagnose.verdict.wording import headline
from landscape.problem import builtin, flat
from landscape.quantities import number
from landscape.store.measured.trainings import Trained
from landscape.store.measured.whole import StateAtStep as State
from landscape.store.trajectories.trajectory import Event

from .. import planted_motions as motions
from .. import planted_outcomes as outcomes
from .. import planted_questions

changed = outcomes.changed


def said(evidence: Evidence, question: str) -> str:
    """What the page says to a part."""
    [found] = [a for a in answers(judge(evidence), evidence) if a.question == question]
    return found.text


EVERYWHERE = dict.fromkeys(("start", "best", "end"), outcomes.ALIVE)


@pytest.fixture(scope="module")
def settled() -> dict[str, Evidence]:
    """A learned run with each motion."""
    found = {}
    for name in ("walk", "confined", "mixture", "drift", "wells"):
        moved = motions.evidence(getattr(motions, name)(0.0), count=1)[0]
        found[name] = changed(moved, states=EVERYWHERE)
    return found


KEYS = (
    *("format", "version", "verdict", "motion", "landing", "layers", "also", "confidence"),
    *("events", "evidence", "overfitting", "mistakes", "caveats"),
    *("would_tell", "answers", "rests_on"),
)


@pytest.mark.parametrize("name", ["escaped", "learned", "diverged", "early", "late_spike"])
def test_the_record_has_the_fields_of_verdict_json(name):
    found = judge(getattr(outcomes, name)(0, 0.9))
    record = json.loads(json.dumps(found.record()))
    assert tuple(record) == KEYS
    assert record["verdict"] in OUTCOMES
    assert record["motion"] in MOTIONS
    assert record["confidence"] in ("intervention", "observation", "undetermined")
    for item in record["evidence"].values():
        assert set(item) == {"value", "threshold", "meaning", "side"}
        assert item["meaning"]


@pytest.mark.parametrize("name", ["escaped", "learned", "diverged", "early", "late_spike"])
def test_what_decided_comes_first(name):
    found = judge(getattr(outcomes, name)(0, 0.9))
    first = decided(found)
    assert first == tuple(found.evidence)[: len(first)]
    assert 0 < len(first) <= len(found.evidence)
    outcome, motion = OUTCOMES[found.verdict], MOTIONS[found.motion]
    named = [outcome.is_decided_by(one) for one in first]
    assert named == sorted(named, reverse=True)  # the outcome's, then the motion's
    rest = list(found.evidence)[len(first) :]
    assert not any(outcome.is_decided_by(one) or motion.is_decided_by(one) for one in rest)


def test_an_escape_is_decided_by_where_it_ended_and_by_trainings():
    found = judge(planted_questions.escape())
    first = [one for one in decided(found) if OUTCOMES["escaped"].is_decided_by(one)]
    assert {"best_share", "end_lost", "end_times", "left_again_from_best"} <= set(first)
    assert "lambda_max_end" not in decided(found)


def test_every_name_that_decides_is_one_of_evidence():
    folder = Path(verdict.__file__).parents[1]
    sources = (*folder.glob("verdict/*.py"), *folder.glob("motion/*.py"))
    rules = "".join(file.read_text(encoding="utf-8") for file in sources)
    rules += (folder / "connectivity/basins.py").read_text(encoding="utf-8")
    for term in (*OUTCOMES.values(), *MOTIONS.values()):
        for name in term.decided_by:
            # As an item's key: written out, or begun so with the rest filled in.
            assert re.search(rf'"{name}(\w*"|{{)', rules), name


def test_events():
    found = judge(outcomes.escaped(4, 0.0))
    told = [(each.name, each.first, each.last) for each in found.events]
    assert told == [("escape", 320, 995), ("plateau", 335, 995)]
    spike = judge(outcomes.spike(4, 0.0))
    told = [(each.name, each.first, each.last) for each in spike.events]
    assert told == [("spike", 420, 435), ("recovery", 425, 440)]
    lost = judge(outcomes.diverged(0, 0.0)).events
    assert [(each.name, each.first, each.last) for each in lost] == [("non-finite", 250, 495)]
    assert [each.name for each in judge(outcomes.late_spike(0, 0.0)).events] == ["spike"]
    assert judge(outcomes.learned(0, 0.0)).events == ()


def test_overfitting_whatever_the_outcome():
    step = np.arange(100)
    validation = 0.5 + 0.001 * np.abs(step - 30)
    rows = Rows(step, np.full(100, 0.1), validation, np.full(100, 0.99), np.full(100, 0.9))
    found = overfitting.measure(rows)
    assert (found.step, found.validation_minimum) == (30, 0.5)
    assert found.validation_end == pytest.approx(np.median(validation[-10:]))
    assert found.rise == pytest.approx(found.validation_end - 0.5)
    assert found.gap == pytest.approx(found.validation_end - 0.1)
    assert (found.rows, found.validation_accuracy) == (10, 0.9)
    assert found.accuracy_gap == pytest.approx(0.09)
    holes = rows.train_loss.copy()
    holes[30] = np.nan
    found = overfitting.measure(replace(rows, train_loss=holes))
    assert (found.step, found.validation_minimum) == (29, pytest.approx(0.501))
    assert overfitting.measure(Rows(step, validation)) is None
    assert overfitting.measure(Rows(step, validation, np.full(100, np.nan))) is None


def test_validation_is_beside_training_in_the_same_rows():
    # The medians of the two losses are of different rows, and one row lacks a validation loss.
    evidence = outcomes.learned(0, 0.0)
    train = evidence.rows.train_loss.copy()
    validation = train + 0.01
    count = len(train)
    train[-6:] = [0.1700, 0.1820, 0.1837, 9.0, 0.1927, 0.1950]
    validation[-6:] = [0.2300, 0.1927, 0.1982, np.nan, 0.2093, 0.2150]
    losses = list(zip(train[-6:], validation[-6:], strict=True))
    rows = replace(evidence.rows, train_loss=train, validation_loss=validation)
    cut = Rows(*(values[count - 30 :] for values in (rows.step, train, validation)))
    found = overfitting.measure(cut)
    known = [pair for pair in losses if not math.isnan(pair[1])]
    assert found.rows == len(known) == 5
    assert found.train_end == statistics.median(pair[0] for pair in known)
    assert found.validation_end == statistics.median(pair[1] for pair in known)
    assert found.gap == statistics.median(pair[1] - pair[0] for pair in known)
    assert found.gap != pytest.approx(found.validation_end - found.train_end, rel=0.01)
    told = said(replace(evidence, rows=cut), "1.8")
    assert (
        f". Medians over its last 5 logged rows: validation {found.validation_end:.4g}, training "
        f"{found.train_end:.4g}, the difference row by row {found.gap:.3g}." in told
    )


@pytest.mark.parametrize(("right", "means"), [(0.97, "which means little here"), (0.3, "far off")])
def test_a_validation_loss_orders_above_is_far_off_only_where_the_network_is(right, means):
    evidence = outcomes.learned(0, 0.0)
    count = len(evidence.rows.step)
    rows = replace(
        evidence.rows,
        validation_loss=np.full(count, 0.5),
        train_accuracy=np.full(count, 1.0),
        validation_accuracy=np.full(count, right),
    )
    told = said(replace(evidence, rows=rows), "1.8")
    assert "times the training loss" in told
    assert means in told
    assert ("far off" in told) == (right < 0.5)


def test_caveats_apply_to_this_run_and_no_other(settled):
    confined = settled["confined"]
    assert any("logarithmic drift beneath" in each for each in judge(confined).caveats)
    walk = settled["walk"]
    assert not any("logarithmic drift beneath" in each for each in judge(walk).caveats)
    problem = builtin(model="mlp", data="moons", depth=1, width=4)
    moved, others = walk.measured.diffusion, walk.measured.replicas
    alone = copies.measure(problem, flat(problem.model).numpy())
    for change, word in (
        ({"permutations": alone}, "independently trained"),
        ({"replicas": None}, "No replicas from the window that the motion is read from: "),
        ({"connectivity": None}, "No floors"),
        ({"constant_loss": math.nan}, "The loss of ignoring the input isn't known here"),
        ({"setup": replace(walk.setup, optimizer="Adam")}, "not applicable: Adam"),
        ({"setup": replace(walk.setup, clipped=True)}, "gradients were clipped"),
        ({"setup": replace(walk.setup, scale_invariant=True)}, "blind to scale"),
        ({"setup": replace(walk.setup, momentum=0.9)}, "about 10 of them"),
        ({"setup": replace(walk.setup, constant_from=32)}, "from step 32"),
        ({"setup": replace(walk.setup, steps_per_epoch=16)}, "whole epochs only"),
        (
            {"diffusion": replace(moved, source="sketch", distance_error=0.044)},
            "4.4 %",
        ),
        (
            {"replicas": replace(others, steps=100)},
            "100 of the window's 2048 steps",
        ),
        ({"absent": ("The model can not be traced.",)}, "can not be traced"),
    ):
        complete = replace(walk, setup=replace(walk.setup, steps_per_epoch=100))
        assert not any(word in each for each in judge(complete).caveats)
        assert sum(word in each for each in judge(changed(complete, **change)).caveats) == 1


def test_other_orders_from_before_an_escape_are_no_replicas(settled):
    escaped = planted_questions.escape()
    dead = changed(escaped, diffusion=settled["walk"].measured.diffusion)
    moved = replace(dead, setup=replace(dead.setup, weight_decay=1e-4))
    said = "No replicas from the window that the motion is read from"
    before = " (trainings with other orders of batches began before it left)"
    assert any(each.startswith(f"{said}{before}: ") for each in judge(moved).caveats)
    # Nothing moves the weights where all gradients are zero for good.
    assert not any(each.startswith(said) for each in judge(dead).caveats)
    untried = changed(moved, interventions=None)
    assert any(each.startswith(f"{said}: ") for each in judge(untried).caveats)


def test_separable_data():
    walk = motions.evidence(motions.walk(0.0, 20), count=1)[0]
    rows = replace(walk.rows, train_accuracy=np.ones(len(walk.rows.step)))
    assert any("no finite minimum" in each for each in judge(replace(walk, rows=rows)).caveats)
    decayed = replace(walk, rows=rows, setup=replace(walk.setup, weight_decay=1e-4))
    assert not any("no finite minimum" in each for each in judge(decayed).caveats)
    squares = replace(walk, rows=rows, setup=replace(walk.setup, cross_entropy=False))
    assert not any("no finite minimum" in each for each in judge(squares).caveats)


def test_no_minimum_is_isolated_where_the_loss_has_symmetries(settled):
    def told(**setup: object) -> list[str]:
        found = settled["confined"]
        changed = replace(found, setup=replace(found.setup, **setup))
        return [each for each in judge(changed).caveats if "No minimum is isolated" in each]

    assert "adding the same to all logits changes no loss" in told()[0]
    [both] = told(rectified=True)
    assert "scaling a ReLU unit's inputs up" in both
    assert "all logits" in both
    assert "logits" not in told(rectified=True, cross_entropy=False)[0]
    assert told(cross_entropy=False) == []
    assert told(rectified=True, weight_decay=1e-4) == []
    drift = judge(settled["drift"]).caveats
    assert not any("isolated" in each for each in drift)


def test_slow_hops_may_look_like_a_mixture(settled):
    def told(found: Evidence) -> bool:
        return any("Slow hops between basins" in each for each in judge(found).caveats)

    assert not told(settled["mixture"])
    assert told(changed(settled["mixture"], connectivity=None))


def test_sharpness_before_the_onset_is_told():
    escaped = outcomes.escaped(0, 0.9)
    onset = State(295, lambda_max=45.0, batch_sharpness=3.0, batch_sharpness_error=0.1)
    states = {**EVERYWHERE, "end": outcomes.DEAD, "onset": onset}
    found = changed(escaped, states=states)
    assert judge(found).evidence["sharpness_onset"].value == 45.0
    assert said(found, "1.9") == (
        "Before it left curvature was 45 along the sharpest direction (step 295, loss 0), above "
        "both stability bounds (2 and 38); along the batches' gradients 3 ± 0.2."
    )
    above = said(found, "1.9")
    curvature = found.measured.curvature
    largest, loss = curvature.eigenvalues.copy(), curvature.loss.copy()
    largest[curvature.step < 295] = np.nan
    assert said(changed(found, curvature=replace(curvature, eigenvalues=largest)), "1.9") == above
    # Where the loss has risen already it is no cause any more.
    loss[curvature.step == 295] = 9.0
    risen = said(changed(found, curvature=replace(curvature, loss=loss)), "1.9")
    assert "between the stability bounds" in risen
    within = replace(onset, lambda_max=37.0)
    found = changed(escaped, states=states | {"onset": within})
    assert said(found, "1.9") == (
        "Curvature along the batches' gradients was 3 ± 0.2 before it left (step 295), between the "
        "stability bounds (2 under noise, 38 without), which alone proves nothing."
    )
    for value, error in ((143.0, 103.0), (3.0, 0.6), (37.0, 1.0)):
        noisy = replace(within, batch_sharpness=value, batch_sharpness_error=error)
        assert said(changed(escaped, states=states | {"onset": noisy}), "1.9") == (
            f"Curvature along the batches' gradients was {number(value)} ± {number(2 * error, 2)} "
            "before it left (step 295), too uncertain (two standard errors) to be on a side of the "
            "stability bounds (2 under noise, 38 without)."
        )


def test_judging_changes_nothing_and_is_repeatable():
    evidence = outcomes.escaped(0, 0.9)
    before = evidence.rows.train_loss.copy()
    assert judge(evidence) == judge(evidence)
    np.testing.assert_array_equal(evidence.rows.train_loss, before)


def test_words_for_an_escape():
    branches = [*outcomes.tried(best=10, onset=2)]
    branches += [Trained("rate", "end", 995, rate, 2.3, 2.302) for rate in (1e-3, 0.1, 1.0)]
    branches += [Trained("lower-rate", "end", 995, 0.01, 2.3, 0.4, epochs=15)]
    branches += [Trained("plateau", "plateau", 0, 0.1, 2.3, 2.3, constant=True)]
    found = changed(outcomes.escaped(0, 0.9), branches=tuple(branches))
    happened = said(found, "1.3")
    assert happened.startswith("It learned to a logged loss of 0.")
    assert f"low loss at step {judge(found).left} and stayed away, at a level of 2.3." in happened
    assert (
        "It landed on the plateau of networks that ignore their input: every unit of the "
        "layer hidden is dead." in happened
    )
    assert said(found, "1.2").startswith(
        "No: around the last weights the loss is flat, its curvature"
    )
    assert said(found, "1.5").startswith(
        "At the last weights the full gradient's norm is 0.001 (0.1 at its lowest logged loss). It "
        "is 0 for 5 of 6 parameter tensors: only "
    )
    assert said(found, "1.9").endswith("(not clearly unstable).")
    assert said(found, "1.4") == (
        "A layer is dead: only an output's bias still has a gradient, so no rate can bring it "
        "back. From its last weights 1 of 3 other rates make it learn within 15 epochs, a tenth "
        "of its own among them."
    )
    assert "still there after training at 1 of 1 rates" in said(found, "1.7")
    blind = outcomes.tried(best=10, onset=10, control=0.4)
    told = said(changed(outcomes.escaped(0, 0.9), branches=blind), "1.9")
    assert "other batch orders" not in told


def test_words_for_every_outcome():
    for name in ("learned", "diverged", "dead_plateau", "asleep", "vanishing", "too_slow"):
        check_words(getattr(outcomes, name)(0, 0.0))
    others = ("no_level", "spike", "catapult", "stuck", "noise_floor", "early", "saturated")
    for name in (*others, "restless", "late_spike"):
        check_words(getattr(outcomes, name)(0, 0.0))
    assert "during an excursion of 3 rows" in said(outcomes.late_spike(0, 0.0), "1.3")
    assert "On the way it spiked once." in said(outcomes.spike(0, 0.0), "1.3")
    assert "It had learned for less than an epoch when it left." in said(
        outcomes.early(0, 0.0), "1.3"
    )


def check_words(evidence: Evidence) -> None:
    for found in answers(judge(evidence), evidence):
        assert not any(hole in found.text for hole in ("{", "None"))


def test_rates_tell_of_a_run_that_never_learned():
    tried = [
        Trained("rate", start, step, rate, 2.3, loss, epochs=15)
        for start, step in (("end", 495), ("start", 0))
        for rate, loss in ((1e-3, 2.3), (1.0, 0.2 if start == "start" else 2.3))
    ]
    found = changed(outcomes.dead_plateau(0, 0.0), branches=tuple(tried))
    assert judge(found).confidence == "intervention"
    assert said(found, "1.4").endswith(
        "From its last weights 0 of 2 other rates make it learn within 15 epochs. "
        "From its start 1 of 2 other rates make it learn within 15 epochs."
    )


def test_mistakes_are_in_the_verdict():
    found = replace(outcomes.spike(0, 0.0), mistakes=("All labels are 3.",), loss_floor=1.461)
    judged = judge(found)
    assert judged.mistakes == ("All labels are 3.",)
    assert judged.evidence["loss_floor"].value == 1.461


def test_a_landing_and_a_motion_are_lines_of_their_tables(monkeypatch, settled):
    monkeypatch.setitem(LANDINGS, "asleep", "It landed asleep, {layers} too.")
    monkeypatch.setitem(MOTIONS, "dithering", MotionTerm("{over} it dithers."))
    judged = judge(outcomes.escaped(0, 0.9))
    what = headline(replace(judged, landing="asleep"))[0].text
    assert what.endswith(" It landed asleep, the layer hidden too.")
    moves = headline(replace(judge(settled["walk"]), motion="dithering"))[-1]
    assert moves.text == "Over the window's 2,048 steps it dithers."


def test_words_for_motions(settled):
    expected = {
        "walk": "wander through a connected valley",
        "confined": "stay near one place",
        "mixture": "part of the movement is confined and part of it is not",
        "drift": "drift: the same way",
        "wells": "hop between basins",
    }
    for name, words in expected.items():
        assert words in said(settled[name], "2.1")
        assert ("restoring_below" in judge(settled[name]).evidence) == (name == "walk")


def test_a_layer_that_died_at_last_is_told_whatever_the_outcome():
    learned = outcomes.learned(0, 0.0)
    dead = State(1, dead=("hidden",), saturated=("output",))
    found = judge(changed(learned, states={**EVERYWHERE, "end": dead}))
    assert found.verdict == "learned"
    assert any(
        each == "At the last weights every unit of the layers hidden and output is dead or "
        "saturated."
        for each in found.caveats
    )
    escaped = judge(outcomes.escaped(0, 0.9))
    assert escaped.layers == ("hidden",)
    for told in (escaped, judge(learned)):
        assert not any(each.startswith("At the last weights every unit") for each in told.caveats)


def test_basins_that_no_curve_was_tried_between(settled):
    wells = settled["wells"]
    assert judge(wells).motion == "hopping-basins"
    untried = judge(changed(wells, curves=None))
    assert untried.motion == "undetermined"
    assert untried.evidence["motion_undetermined_because"].value == (
        "no line connects its floors, matched or not, and no bent path was tried; one for "
        "each pair that needs it, up to 45 times 600 steps, would tell"
    )
    low = outcomes.parts.curves(10, outcomes.parts.barrier(0.3, 0.2))
    assert judge(changed(wells, curves=low)).motion == "confined"


@pytest.mark.parametrize("make", [outcomes.escaped, outcomes.learned, outcomes.bouncing])
@pytest.mark.parametrize("recorded", ["escape", "spike", None])
def test_an_escape_is_among_the_events_where_the_outcome_says_so_and_nowhere_else(make, recorded):
    found = make(0, 0.9)
    last = int(found.rows.step[-1])
    events = () if recorded is None else (Event(recorded, 200, last, ""),)
    judged = judge(replace(found, recorded=events))
    escapes = [each for each in judged.events if each.name == "escape"]
    assert len(escapes) == (judged.verdict == "escaped") == (judged.left is not None)


def test_a_run_that_only_its_dead_units_show_to_have_left_is_dated_after_the_last_low_loss():
    loss = outcomes.noisy(outcomes.decay(200, 0.3), 0)
    loss[-4:] = outcomes.L0  # too few rows for a stretch
    dead = judge(outcomes.run(loss, 0.9, end=outcomes.DEAD))
    assert dead.verdict == "escaped"
    assert dead.left == 5 * 196
    assert not any(each.name == "spike" and each.last > dead.left for each in dead.events)

"""Both questions, part by part: answered with what was planted, or said not to be."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landscape import quantities
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, held
from landscape.diagnose.motion import deciding
from landscape.diagnose.verdict.questions import OF_A_DEAD_RUN, OF_A_DIVERGED_RUN, PARTS, answers
from landscape.diagnose.verdict.verdict import judge
from landscape.diagnose.verdict.wording import headline
from landscape.store.measured.whole import Measured
from landscape.store.trajectories.trajectory import Event
from landscape.store.verdicts import Remedy, typed

from .. import planted_motions as motions
from .. import planted_outcomes as outcomes
from .. import planted_questions as planted

NUMBERS = {f"{question}.{part}" for question in (1, 2) for part in range(1, 10)}


def asked(evidence: Evidence) -> dict[str, tuple[str, str]]:
    found = answers(judge(evidence), evidence)
    return {each.question: (each.text, each.confidence) for each in found}


def every_evidence() -> dict[str, Evidence]:
    names = ("learned", "diverged", "dead_plateau", "too_slow", "no_level", "early", "late_spike")
    found = {name: getattr(outcomes, name)(0, 0.0) for name in names}
    found |= {name: make() for name, make in planted.PLANTED.items()}
    found["bare"] = replace(outcomes.learned(0, 0.9), measured=Measured(), places={})
    return found


@pytest.mark.parametrize("name", list(every_evidence()))
def test_every_part_has_a_line(name):
    evidence = every_evidence()[name]
    found = answers(judge(evidence), evidence)
    expected = PARTS
    if name == "diverged":
        expected = OF_A_DIVERGED_RUN
    elif evidence.is_for_good:
        expected = OF_A_DEAD_RUN
    assert [each.question for each in found] == list(expected)
    assert set(PARTS) == NUMBERS
    for each in found:
        assert each.about == PARTS[each.question].about
        # What isn't answered says so and, after that, why and what would.
        question, not_answered, why = each.text.partition("Not answered: ")
        if not_answered:
            assert question == f"{PARTS[each.question].asks} "
            assert each.confidence == "undetermined"
            assert len(why) > 20
        assert len(each.text) > 20
        assert each.text.endswith(".")
        assert "{" not in each.text
        assert "None" not in each.text
        # Statistics are said in words.
        assert not re.search(r"c½|\bR\b|\bu\b|MSD|L₀|D_eff", each.text)


def test_an_escape_is_answered_whole():
    said = asked(planted.escape())
    answered = {number for number, (text, _) in said.items() if "Not answered: " not in text}
    assert answered >= {f"1.{part}" for part in range(1, 10)}
    assert "that region of low loss at step 500 and stayed away" in said["1.3"][0]
    # What decides comes first, curvature after it.
    assert said["1.9"][0].startswith("At this rate other batch orders leave (end above a ")
    assert "On the way it spiked 5 times." in said["1.3"][0]
    assert said["1.3"][1] == said["1.9"][1] == said["1.4"][1] == said["1.7"][1] == "intervention"
    first, later = re.findall(r"of 10 from (.*?, step [\d,]+ \(.*?\))", said["1.9"][0])
    branches = {b.start: b.start_step for b in planted.escape().measured.branches}
    assert first == f"the lowest logged loss, step {branches['best']:,} (unstable)"
    assert later == f"before it left, step {branches['before-onset']:,} (not clearly unstable)"
    # Bounds: 2(1 − β)/η and (2 + 2β)/η at η 0.1, β 0.9.
    assert said["1.9"][0].endswith(
        "Before it left curvature was 45 along the sharpest direction (step 495, loss 0), above "
        "both stability bounds (2 and 38); along the batches' gradients 3 ± 0.2."
    )
    assert (
        "From its last weights 0 of 4 other rates make it learn within 15 epochs." in said["1.4"][0]
    )
    assert said["1.5"] == (
        "At the last weights the full gradient's norm is 0.001 (0.3 at its lowest logged loss). It "
        "is 0 for 5 of 6 parameter tensors: only output.bias still has a gradient.",
        "observation",
    )
    assert said["1.6"][0] == (
        "Yes, by what the network does: no output depends on the input; all units of the layer "
        "hidden are dead."
    )
    assert "still there after training at 5 of 5 rates from 0.0001 to 1." in said["1.7"][0]
    assert "90 %" in said["1.1"][0]


@pytest.mark.parametrize(
    # Logged losses are those of every 5th step, the last near one that of step 495.
    ("dated", "left"),
    [(None, 500), (497, 497), (500, 500), (495, 500), (300, 500), (510, 500)],
)
def test_an_escape_has_one_date_that_batches_may_tell_between_two_logged_losses(dated, left):
    recorded = None if dated is None else (Event("escape", dated, 995, ""),)
    evidence = replace(planted.escape(), recorded=recorded)
    verdict, said = judge(evidence), asked(evidence)
    assert verdict.left == left
    assert [each.first for each in verdict.events if each.name == "escape"] == [left]
    assert f"that region of low loss at step {left} and stayed away" in said["1.3"][0]
    assert f"and before it left (step {left})" in verdict.evidence["between_low"].meaning
    lowest = int(evidence.rows.step[int(np.argmin(evidence.rows.validation_loss))])
    assert f", {left - lowest} steps before it left." in said["1.8"][0]


def test_overfitting_is_set_beside_the_jump():
    evidence = planted.escape()
    rows = evidence.rows
    lowest = int(rows.step[int(np.argmin(rows.validation_loss))])
    text = asked(evidence)["1.8"][0]
    least = f"{rows.validation_loss.min():.3g}"
    assert text.startswith(
        "Undetermined, and nothing here would tell: an escape lifts the training loss too. The "
        f"validation loss was lowest, {least}, at step {lowest}"
    )
    assert f", {500 - lowest} steps before it left." in text


@pytest.mark.parametrize(
    ("ends", "noise", "said"),
    [
        (0.2, 0.0, "No, the validation loss hasn't risen from its lowest. "),
        (0.21, 0.0, "No: the validation loss ends at 1.05 times its lowest, and up to 1.1 "),
        (0.4, 0.0, "Yes: the validation loss ends at 2 times its lowest, clear of its noise. "),
        (0.4, 0.3, "Not clearly: the validation loss ends at "),
    ],
)
def test_overfitting_is_answered_by_a_word_first(ends, noise, said):
    evidence = outcomes.learned(0, 0.0)
    rows = evidence.rows
    count = len(rows.step)
    validation = np.concatenate([np.geomspace(2, 0.2, 50), np.linspace(0.2, ends, count - 70)])
    validation = np.concatenate([validation, np.full(20, ends)])
    validation[50::2] += noise  # never below what it is without
    rows = replace(rows, validation_loss=validation)
    assert asked(replace(evidence, rows=rows))["1.8"][0].startswith(said)


@pytest.mark.parametrize("make", [outcomes.dead_plateau, outcomes.late_spike, outcomes.one_more])
def test_overfitting_that_cannot_be_judged_says_what_would_tell(make):
    evidence = make(0, 0.0)
    rising = np.linspace(2.4, 2.9, len(evidence.rows.step))
    text = asked(replace(evidence, rows=replace(evidence.rows, validation_loss=rising)))["1.8"][0]
    assert text.startswith(
        "Undetermined: it is judged where a run has learned and ends near its best; only a run "
        "that does so tells. The validation loss was lowest, 2.4, at step 0"
    )


def test_a_loss_that_still_falls_ends_at_its_last_and_swings_about_its_way():
    count, rate = 200, 0.006
    loss = 1.5 - rate * np.arange(count)
    loss[3::8] += 0.05
    said = asked(outcomes.run(loss, 0.0))
    text = said["2.7"][0]
    found = re.search(
        r"the loss still falls, from (\S+) to (\S+); 9 of 10 logged losses lie between (\S+) below "
        r"and (\S+) above the median of the 5 rows around them\.$",
        text,
    )
    first, last, low, high = (float(each) for each in found.groups())
    at = int(re.match(r"From step (\d+) on \(its window, about the last half\)", text)[1])
    assert first == pytest.approx(loss[-(-at // outcomes.EVERY)], abs=0.001)
    assert last == pytest.approx(loss[-1], abs=0.001)
    # One row in eight leaps; medians are off by what a row or two fall.
    assert high == pytest.approx(0.05, abs=2 * rate)
    assert 0 <= low <= 2 * rate
    assert said["1.4"][0] == (
        "It needn't: it ends near its best and still falls (its last logged loss is 0.306, the "
        "lowest)."
    )
    few = asked(outcomes.run(loss[::20], 0.0))["2.7"][0]
    assert few.endswith("; its 5 rows are too few to tell swings from that.")


@pytest.mark.parametrize(
    ("world", "rests_on"), [("descending", "observation"), ("walk", "intervention")]
)
def test_that_the_loss_moves_is_no_trainings_finding(world, rests_on):
    evidence = motions.evidence(getattr(motions, world)(0.0), count=1)[0]
    assert evidence.measured.replicas is not None
    assert asked(evidence)["2.1"][1] == headline(judge(evidence))[-1].confidence == rests_on


def test_an_escape_is_named_and_its_plateau_waits_for_trainings():
    evidence = outcomes.spikes_then_dead(0, 0.9)
    some = replace(outcomes.DEAD, moving=("output.weight", "output.bias"))
    said = asked(outcomes.changed(evidence, states={"end": some}))
    assert said["2.7"][0].startswith("It escapes: it left at step 500. From")
    assert said["1.7"][0] == (
        "At which rates does it get stuck on the plateau? Not answered: no network was put "
        "on the plateau and trained; trainings from its snapshots would tell."
    )


def test_that_no_rate_brings_it_back_is_one_claim():
    evidence = outcomes.spikes_then_dead(0, 0.9)
    said = asked(evidence)
    assert said["1.4"] == (
        "A layer is dead: only an output's bias still has a gradient, so no rate can bring it "
        "back.",
        "observation",
    )
    assert said["1.7"] == (
        "At every rate, started from its last weights: no rate moves a dead layer. No network was "
        "put on the plateau to see what rates do from there.",
        "observation",
    )
    caveats = judge(evidence).caveats
    assert "Why it left is not tested: no interventions were run." in caveats
    assert not [text for text in caveats if "come back" in text]


@pytest.mark.parametrize(
    ("dead", "said"),
    [
        (("2", "hidden"), "all units of the layers 2 and hidden are dead."),
        (
            ("conv1", "hidden"),
            "all units of the layer hidden are dead, as those of the layer conv1 were at its "
            "lowest logged loss.",
        ),
    ],
)
def test_a_layer_has_one_name_wherever_it_is_said(dead, said):
    before = tuple(name for name in dead if name == "conv1")
    evidence = outcomes.changed(
        outcomes.spikes_then_dead(0, 0.9),
        states={
            "start": outcomes.ALIVE,
            "best": replace(outcomes.ALIVE, dead=before),
            "end": replace(outcomes.DEAD, dead=dead),
        },
    )
    found = asked(evidence)
    named = said.removeprefix("all units of ").partition(" are ")[0]
    assert found["1.6"][0].endswith(said)
    assert f"every unit of {named} is dead." in found["1.3"][0]


def test_units_are_saturated_only_where_that_was_seen():
    escaped = outcomes.spikes_then_dead(0, 0.9)

    def landed(**state) -> dict[str, tuple[str, str]]:
        end = replace(outcomes.DEAD, **{"dead": (), **state})
        return asked(outcomes.changed(escaped, states={"best": outcomes.ALIVE, "end": end}))

    found = landed(saturated=("tanh1",))
    assert "all units of the layer tanh1 are saturated." in found["1.6"][0]
    found = landed(dead=("relu1",), saturated=("tanh1",))
    assert "all units of the layers relu1 and tanh1 are dead or saturated." in found["1.6"][0]
    some = {"relu1": 0.9, "relu2": 0.2}
    found = landed(logit_spread=0.5, partly_dead=some, moving=("w", "b"))
    assert "It landed where many units of the layer relu1 are dead." in found["1.3"][0]
    assert (
        "90 % of the units of the layer relu1, more than of any other layer, are dead."
        in (found["1.6"][0])
    )
    assert "(from input to input they vary by 50 % of their own size)" in found["1.6"][0]


def test_why_it_does_not_come_back_is_not_said_of_what_may_not_have_left():
    text, confidence = asked(outcomes.lost_at_the_end(0, 0.0))["1.4"]
    assert text == (
        "Why doesn't it find the old optimum again? Not answered: what the end is "
        "beside the best stretch isn't clear; training on would tell."
    )
    assert confidence == "undetermined"


def test_a_long_run_is_answered_whole():
    evidence = planted.long()
    said = asked(evidence)
    answered = {number for number, (text, _) in said.items() if "Not answered: " not in text}
    assert answered >= {f"2.{part}" for part in range(1, 10)}
    assert said["2.1"][0].startswith("Over the window's 2,048 steps the weights wander through")
    assert said["2.1"][1] == said["2.8"][1] == said["2.9"][1] == "intervention"
    moved = evidence.measured.diffusion
    half = math.sqrt(float(moved.msd[np.argmin(np.abs(moved.lags - 1024))]))
    text = said["2.3"][0]
    measured = float(re.search(r"it moves ([\d.]+) \(root", text)[1])
    assert measured == pytest.approx(half, rel=0.05)
    assert f": {half / 200:.2g} times as far as the nearest permuted copy (200)" in text
    many = evidence.measured.permutations.typical.samples
    assert f"{100 * half / 4000:.2g} % of the way to a typical one (4,000, mean of {many})" in text
    assert f"{100 * half / 4100:.2g} % to an independent twin (4,100)" in text
    assert f"{100 * half / 2000:.2g} % to the twin, units matched" in text
    assert "Below 10 of its snapshots lie floors; paths of low loss join all: one" in said["2.9"][0]
    assert said["2.8"][0].startswith(
        "Trained again from step 0 for 100 steps on all data, so without noise, weights move 0.5, "
        "to a training loss of 0.03; replicas, with batches, 1.5 (root mean square), to 0.05 "
        "(mean)."
    )
    dropped = replace(evidence, setup=replace(evidence.setup, perturbed=True))
    said_of = {each.question: each.text for each in answers(judge(dropped), dropped)}
    assert "without noise of batches, though with dropout or augmentation" in said_of["2.8"]
    assert "from 0.05 to 0.02" in said["2.8"][0]
    assert said["2.6"][0].endswith(
        "A run without it at a rate of 1, the same in effect, would tell whether it goes elsewhere."
    )
    told = {each.question: each.remedy for each in answers(judge(evidence), evidence)}
    assert told["2.6"] == Remedy("train", {"momentum": 0.0, "lr": 1.0})
    # Under a schedule it is the rate that was asked for.
    decayed = replace(evidence.setup, learning_rate=1e-6, highest_rate=0.2)
    evidence = replace(evidence, setup=decayed)
    told = {each.question: each.remedy for each in answers(judge(evidence), evidence)}
    assert told["2.6"] == Remedy("train", {"momentum": 0.0, "lr": 2.0})
    assert told["1.7"] == Remedy("sweep", {"lr": (0.001, 0.01, 0.1)})


def test_a_half_window_is_said_with_its_pairs():
    evidence = planted.long()
    text = asked(evidence)["2.3"][0]
    moved = evidence.measured.diffusion
    half = (moved.points - 1) // 2
    pairs = sum(1 for first in range(moved.points) if first + half < moved.points)
    assert f"(root mean square of {pairs} pairs): " in text
    sketched = replace(moved, source="sketch")
    evidence = replace(evidence, measured=replace(evidence.measured, diffusion=sketched))
    assert f" of {pairs} pairs of steps, estimated from sketches): " in asked(evidence)["2.3"][0]


def asked_pairs(text: str) -> list[int]:
    """Of how many pairs distances by lag are said to be."""
    said = re.search(r"mean square of ([\d,]+), ([\d,]+) and ([\d,]+) pairs\)", text)
    return [int(count.replace(",", "")) for count in said.groups()]


def lags_apart(evidence: Evidence, text: str) -> list[int]:
    """How many pairs of steps lie in the three octave thirds that are told, counted one by one."""
    steps = [int(step) for step in evidence.measured.distances.distances.step]
    lags = [later - step for at, step in enumerate(steps) for later in steps[at + 1 :]]
    said = re.search(r"weights ([\d,]+), ([\d,]+) and ([\d,]+) steps apart", text).groups()
    bins = [math.floor(3 * math.log2(lag)) for lag in lags]
    told = [math.floor(3 * math.log2(float(lag.replace(",", "")))) for lag in said]
    return [bins.count(each) for each in told]


def test_distances_by_lag_are_those_of_the_walk():
    text = asked(planted.long())["2.2"][0]
    assert text.startswith("Since step 0 (its window, about the last half) weights 16, ")
    assert asked_pairs(text) == lags_apart(planted.long(), text)
    first, last = re.search(r"differ by ([\d.]+), [\d.]+ and ([\d.]+) \(root", text).groups()
    # A random walk of 50 coordinates with unit steps, every 16 training steps.
    assert float(first) == pytest.approx(math.sqrt(50), rel=0.05)
    assert float(last) > 3 * float(first)


@pytest.mark.parametrize(
    ("count", "told"), [(1, "(one pair each)"), (2, "(root mean square of 2, ")]
)
def test_one_pair_is_no_mean(count, told):
    evidence = planted.long()
    spread = evidence.measured.distances
    few = {
        name: curve and replace(curve, pairs=np.full_like(curve.pairs, count))
        for name, curve in (("by_lag", spread.by_lag), ("settled", spread.settled))
    }
    measured = replace(evidence.measured, distances=replace(spread, **few))
    assert told in asked(replace(evidence, measured=measured))["2.2"][0]


def test_basins_that_no_path_joins_are_said():
    wells = motions.evidence(motions.wells(0.0), count=1)[0]
    assert "no path that was tried joins them: 10 groups" in asked(wells)["2.9"][0]


def test_nothing_is_answered_of_what_was_not_measured():
    said = asked(every_evidence()["bare"])
    for number in ("1.2", "1.5", "1.6", "1.7", "1.8", "1.1", "2.2", "2.3", "2.4", "2.8", "2.9"):
        assert "? Not answered: " in said[number][0]
        assert said[number][1] == "undetermined"


@pytest.mark.parametrize("name", list(every_evidence()))
def test_no_sentence_knows_how_it_is_asked(name):
    evidence = every_evidence()[name]
    verdict = judge(evidence)
    found = answers(verdict, evidence)
    reasons = [str(item.value) for name, item in verdict.evidence.items() if "because" in name]
    for text in (*(each.text for each in found), *reasons, *verdict.caveats):
        assert not re.search(r"--[a-z]|\blandscape [a-z]", text)
    for each in found:
        assert typed(each.remedy) == "" or re.match(
            r"(without )?--|landscape tr", typed(each.remedy)
        )


def test_the_share_that_stays_about_a_place_is_of_the_time_that_the_name_is_of():
    evidence = motions.evidence(motions.walk(0.0), count=1, share=8)[0]
    items = judge(evidence).evidence
    assert items["motion_steps"].value == items["replicas_steps"].value == 256
    shares = [items[f"replicas_share_{kind}"].value for kind in ("confined", "walk", "drift")]
    text = asked(evidence)["2.7"][0]
    share = re.search(r"; (\d+) % of the squared displacement is to and fro", text)
    # Whole percents that add up to 100 are less than one off.
    assert abs(int(share[1]) - 100 * shares[0] / sum(max(each, 0.0) for each in shares)) < 1


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        # 90 + 12 + 0 would be 102: what is below 0 within its error counts as 0.
        ((0.894, 0.1172, -0.0112), "is 88 % confined, 12 % a walk, 0 % a drift."),
        ((0.335, 0.335, 0.33), "is 34 % confined, 33 % a walk, 33 % a drift."),
        ((1.1, -0.3, 0.2), ""),
        ((2.0, -1.2, 0.2), " It is no sum of a confined movement, a walk and a drift either."),
    ],
)
def test_a_movement_is_a_sum_of_a_hundred_percent_or_is_none(shares, said):
    evidence = motions.evidence(motions.few(0.0), count=1)[0]
    verdict = judge(evidence)
    kinds = zip(("confined", "walk", "drift"), shares, strict=True)
    items = {f"share_{kind}": held(share, -0.7, "", below="", above="") for kind, share in kinds}
    verdict = replace(verdict, motion="undetermined", evidence=verdict.evidence | items)
    text = {each.question: each.text for each in answers(verdict, evidence)}["2.1"]
    assert text.endswith(said or str(verdict.evidence["motion_undetermined_because"].value) + ".")
    in_all = [int(share) for share in re.findall(r"(\d+) % (?:confined|a walk|a drift)", text)]
    assert sum(in_all) == (100 if "Read as a sum" in text else 0)
    swings = {each.question: each.text for each in answers(verdict, evidence)}["2.7"]
    assert ("of the squared displacement is to and fro" in swings) == bool(in_all)


def test_a_power_is_said_where_one_fits_and_up_to_which_lag():
    def grown(world: motions.World) -> str:
        moved = motions.evidence(world, count=1)[0].measured.diffusion
        long = planted.long()
        return asked(replace(long, measured=replace(long.measured, diffusion=moved)))["2.2"][0]

    text = grown(motions.walk(0.0))
    # A tenth of the window's 2,048 steps, at the grid's lag below.
    assert re.search(r"; up to lags of 1\d\d steps the square grows like lag\^(1|0.9\d) ± ", text)
    assert "; the motion is read at longer lags, where it may be another." in text
    text = grown(motions.confined(0.0))
    assert "; the square grows like no power of the lag: it levels off after about " in text
    assert "lag^" not in text


@pytest.mark.parametrize("name", [name for name in every_evidence() if name != "diverged"])
def test_what_is_undetermined_says_what_would_decide_or_that_nothing_would(name):
    verdict = judge(every_evidence()[name])
    for which, name_given in (("outcome", verdict.verdict), ("motion", verdict.motion)):
        if name_given == "undetermined":
            because = {"outcome": "undetermined_because", "motion": "motion_undetermined_because"}
            reason = str(verdict.evidence[because[which]].value)
            nothing = deciding.NOTHING in reason or reason == deciding.MOOT
            assert nothing != (verdict.would_tell.get(which) is not None)


def test_excursions_are_counted_one_way():
    evidence = outcomes.late_spike(0, 0.0)
    verdict = judge(evidence)
    counts = {"spikes": Item(2, None, ""), "excursions": Item(3, 5, "")}
    verdict = replace(verdict, verdict="learned", evidence=verdict.evidence | counts)
    said = {each.question: each.text for each in answers(verdict, evidence)}
    assert "came back each time (3 excursions, 2 of them spikes)" in said["1.4"]
    assert said["2.5"].startswith("It made 3 excursions, 2 of them spikes, and came back each time")
    noises = replace(verdict.evidence["end_noises"], value=-0.4)
    verdict = replace(verdict, evidence=verdict.evidence | {"end_noises": noises})
    said = {each.question: each.text for each in answers(verdict, evidence)}
    assert said["1.4"].startswith(
        f"It needn't: it ends near its best ({verdict.evidence['end_loss'].value:.3g} over its "
        f"last stretch, its lowest is {evidence.rows.train_loss.min():.3g}), and came back each"
    )


def test_that_no_more_orders_were_needed_is_said_where_the_test_is_decided():
    evidence = planted.escape()
    level = (
        f"(end above a loss of {judge(evidence).evidence['control_from_best'].threshold:.3g}, 25 % "
        "of the way to the loss of ignoring the input)"
    )
    decided = f"orders leave {level}, as many tried as decide: 10 of 10 from "
    assert decided in asked(evidence)["1.9"][0]
    # 6 of 10 decide nothing.
    undecided = outcomes.changed(evidence, branches=outcomes.tried(best=10, onset=6))
    text = asked(undecided)["1.9"][0]
    assert f"orders leave {level}: 10 of 10 from " in text
    # ln 1.6 for each that leaves, ln 0.4 for each that stays: at ± ln 19 it is decided.
    ratio, stays = 6 * math.log(1.6) + 4 * math.log(0.4), -math.log(0.4)
    more = math.ceil((math.log(19) + ratio) / stays)
    assert f"(undecided: it takes {more} more at least)" in text


def test_the_line_of_leaving_is_halfway_to_an_end_that_is_low():
    loss = outcomes.noisy(outcomes.decay(200, 0.3), 0)
    loss[100:] = outcomes.noisy(np.full(100, 1.0), 0, 0.002)
    branches = outcomes.tried(best=10, onset=10)
    evidence = outcomes.changed(outcomes.run(loss, 0.9, end=outcomes.DEAD), branches=branches)
    verdict = judge(evidence)
    best, end = (verdict.evidence[name].value for name in ("best_stretch", "end_loss"))
    line = quantities.number((best + end) / 2)
    told = asked(evidence)["1.9"][0]
    assert f"(end above a loss of {line}, halfway from its best stretch to its end)" in told


def test_what_surrounds_the_point_and_what_the_network_does_are_two_statements():
    evidence = planted.escape()
    end = replace(evidence.state("end"), lambda_max=0.13, lambda_min=1e-30)
    found = outcomes.changed(evidence, states={"best": evidence.state("best"), "end": end})
    said = asked(found)
    assert said["1.2"][0].startswith("No: a flat valley, not an isolated minimum. ")
    assert "Weights of dead units are such: they change no output." in said["1.2"][0]
    assert "eigenvalues go from next to 0 to 0.13" in said["1.2"][0]
    assert said["1.6"][0].startswith("Yes, by what the network does: ")
    verdict = judge(found)
    assert (verdict.landing, verdict.evidence["landing_kind"].value) == (
        "dead-plateau",
        "flat-valley",
    )
    assert verdict.evidence["landing_kind"].meaning.startswith("what surrounds the last weights")


def test_two_dead_layers_are_two():
    evidence = outcomes.spikes_then_dead(0, 0.9)
    both = replace(outcomes.DEAD, dead=("first", "second"))
    found = asked(outcomes.changed(evidence, states={"end": both}))
    assert found["1.4"][0].startswith("2 layers are dead: only an output's bias still has")


def test_a_distance_is_set_beside_a_matched_twin_or_beside_none():
    evidence = planted.long()
    text = asked(evidence)["2.4"][0]
    assert "of the way to a twin trained apart, units matched;" in text
    page = "docs/science/regimes.md"
    assert (Path(__file__).parents[3] / page).exists()
    assert f"for other networks see {page} in landscape's source" in text
    copies = replace(evidence.measured.permutations, twin=None, twin_matched=None)
    alone = replace(evidence, measured=replace(evidence.measured, permutations=copies))
    found = {each.question: each for each in answers(judge(alone), alone)}["2.4"]
    assert "Not answered: it takes an independently trained twin, for one run" in found.text
    assert "%" not in found.text
    assert page in found.text
    assert typed(found.remedy) == "--twin RUN"


def test_what_is_lacking_to_set_a_movement_beside_copies_is_said():
    evidence = planted.long()
    for lacking, why in (
        ("permutations", "distances to its copies weren't measured"),
        ("diffusion", "how far it moves while it stays wasn't measured"),
    ):
        without = replace(evidence, measured=replace(evidence.measured, **{lacking: None}))
        assert asked(without)["2.3"][0] == f"{PARTS['2.3'].asks} Not answered: {why}."

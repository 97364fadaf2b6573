from __future__ import annotations

import dataclasses
import inspect
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item
from landscape.diagnose.session import kept
from landscape.diagnose.verdict.questions import answers
from landscape.diagnose.verdict.verdict import judge
from landscape.diagnose.verdict.wording import (
    INTERVENE,
    ORDERS,
    Statement,
    before_it_left,
    headline,
    other_rates,
    too_high,
)
from landscape.errors import LandscapeError
from landscape.quantities import number, percent
from landscape.store.measured.trainings import Trained
from landscape.store.strict import dumps
from landscape.store.verdicts import CONFIDENCE, Remedy

from .. import planted_outcomes

WORLDS = {
    name: world
    for name, world in vars(planted_outcomes).items()
    if inspect.isfunction(world)
    and list(inspect.signature(world).parameters)[:2] == ["seed", "momentum"]
}


def world(name) -> Evidence:
    return WORLDS[name](0, 0.9)


@pytest.mark.parametrize("name", WORLDS)
def test_the_headline_is_of_the_answers(name):
    evidence = world(name)
    verdict = judge(evidence)
    what, *why = headline(verdict)
    said = {each.question: each.text for each in answers(verdict, evidence)}
    sentences = re.split(r"(?<=\.) (?=[A-Z])", what.text)
    assert len(sentences) <= 2
    assert said["1.3"].startswith(sentences[0])
    assert sentences[-1] in said["1.3"]
    assert what.confidence == verdict.confidence
    # Whether the rate is too high, unless the outcome says it.
    says_it = {"noise-floor", "suboptimal-plateau", "too-slow", "undetermined"}
    assert (too_high(verdict) is None) == (verdict.verdict in says_it)
    moves = verdict.verdict not in ("diverged", "escaped")
    assert len(why) == moves + (verdict.verdict not in says_it)
    assert all(one.text.count(". ") <= 1 for one in why)
    for statement in why:
        assert any(statement.text in each for each in said.values())
        assert statement.confidence in CONFIDENCE


@pytest.mark.parametrize(
    ("control", "lower", "why", "remedy"),
    [
        (
            2.3,
            0.05,
            "from its snapshots it leaves again in its own order of batches, but not at a tenth of "
            "the rate; other orders weren't tried.",
            ORDERS,
        ),
        (2.3, 2.2, "from its snapshots it leaves again, at a tenth of the rate too.", None),
        (2.3, None, "from its snapshots it leaves again, but no lower rate was tried.", None),
        (
            0.05,
            0.05,
            "from its snapshots it doesn't leave again in its own order of batches.",
            Remedy("diagnose", {"epochs": 21}),  # trainings were shorter than the run took
        ),
        (None, None, "no training from its snapshots tried a lower one.", INTERVENE),
    ],
)
def test_whether_the_rate_is_too_high_is_what_trainings_from_before_say(
    control, lower, why, remedy
):
    branches = tuple(
        Trained(kind, "best", 100, rate, 0.1, loss, epochs=15.0)
        for kind, rate, loss in (("control", 0.1, control), ("lower-rate", 0.01, lower))
        if loss is not None
    )
    escaped = planted_outcomes.escaped(0, 0.9)
    evidence = planted_outcomes.changed(escaped, branches=branches)
    verdict = judge(evidence)
    text = f"Whether its learning rate is too high is undetermined: {why}"
    assert too_high(verdict) == Statement(text, "undetermined", remedy)
    assert headline(verdict)[1:] == (too_high(verdict),)
    [happened] = [one for one in answers(verdict, evidence) if one.question == "1.3"]
    assert text in happened.text
    assert happened.remedy == remedy


@pytest.mark.parametrize(
    ("away", "why", "confidence"),
    [
        (
            10,
            "Its learning rate is too high: from the lowest logged loss 10 of 10 other batch "
            "orders leave again, not at a tenth of it.",
            "intervention",
        ),
        (5, "; other orders were too few to tell.", "undetermined"),
        (0, "; other orders don't clearly leave.", "undetermined"),
    ],
)
def test_the_rate_is_too_high_where_other_orders_of_the_batches_leave_too(away, why, confidence):
    branches = planted_outcomes.tried(best=away, onset=away)
    escaped = planted_outcomes.escaped(0, 0.9)
    verdict = judge(planted_outcomes.changed(escaped, branches=branches))
    said = too_high(verdict)
    assert why in said.text
    assert said.confidence == confidence
    assert (said.remedy == ORDERS) == (away == 5)
    assert ("unstable-at-rate" in verdict.also) == (away == 10)


def test_the_count_is_of_the_start_that_decides():
    escaped = planted_outcomes.escaped(0, 0.9)
    branches = planted_outcomes.tried(best=2, onset=9)
    verdict = judge(planted_outcomes.changed(escaped, branches=branches))
    assert "from before it left 9 of 10 other batch orders leave" in too_high(verdict).text
    counted = {name for name in verdict.evidence if name.startswith("orders_from_")}
    assert counted == {"orders_from_best", "orders_from_onset"}
    kept = {name: item for name, item in verdict.evidence.items() if name not in counted}
    older = too_high(replace(verdict, evidence=kept)).text
    assert "from before it left other batch orders leave again, not" in older


def test_what_more_orders_take_is_said_where_it_is_known():
    branches = planted_outcomes.tried(best=5, onset=5)
    found = planted_outcomes.changed(planted_outcomes.escaped(0, 0.9), branches=branches)
    said = too_high(judge(replace(found, orders_seconds=390.0)))
    assert said.text.endswith("other orders were too few to tell, more take about 6 min or longer.")
    assert said.remedy == ORDERS


@pytest.mark.parametrize("name", WORLDS)
def test_a_verdict_is_read_as_it_was_written(name, tmp_path):
    verdict = judge(world(name))
    (tmp_path / "verdict.json").write_text(dumps(verdict.record()))
    found = kept.verdict(tmp_path)
    assert json.loads(dumps(found.record())) == json.loads(dumps(verdict.record()))
    for name, item in verdict.evidence.items():
        if isinstance(item.value, float) and not math.isfinite(item.value):
            assert isinstance(found.evidence[name].value, float)
    assert headline(found) == headline(verdict)


@pytest.mark.parametrize(
    ("epochs", "within"), [(1, " within 1 epoch"), (2.5, " within 2.5 epochs"), (None, "")]
)
def test_other_rates_are_counted_with_the_lower_one(epochs, within):
    ends = {
        "lower_rate_from_start": 0.4,
        "rate_0.1_from_start": 0.2,
        "rate_1_from_start": 2.3,
        "control_from_start": 0.1,
        "rate_1_from_landing": 1.1,
    }
    evidence = {name: Item(value, 1.0, "end loss") for name, value in ends.items()}
    if epochs is not None:
        evidence["epochs_from_start"] = Item(epochs, None, "epochs of each training")
    verdict = dataclasses.replace(judge(world(next(iter(WORLDS)))), evidence=evidence)
    assert list(other_rates(verdict)) == [
        "From its last weights 0 of 1 other rates make it learn.",
        f"From its start 2 of 3 other rates make it learn{within}, a tenth of its own among them.",
    ]


def test_no_verdict(tmp_path):
    assert kept.verdict(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "wrong"),
    [({"evidence": {}}, "'best_loss'"), ({"layers": "hidden"}, "layers can't be str")],
)
def test_one_that_says_less_is_refused(tmp_path, change, wrong):
    record = dataclasses.asdict(judge(world("escaped"))) | change
    (tmp_path / "verdict.json").write_text(dumps(record))
    with pytest.raises(LandscapeError) as caught:
        kept.verdict(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/verdict.json must be a verdict of this version, it lacks or differs in "
        f"{wrong}; make it anew with `landscape diagnose {tmp_path}`"
    )


def test_it_ends_at_a_level_only_where_the_loss_holds_one():
    level = judge(planted_outcomes.escaped(0, 0.9))
    assert "end_change" not in level.evidence
    assert headline(level)[0].text.endswith(
        f"left that region of low loss at step {level.left} and stayed away, at a level of 2.3. "
        "It landed on the plateau of networks that ignore their input: every unit of the layer "
        "hidden is dead."
    )
    # After the escape the loss falls by a factor 1.5, by the same share at every row.
    falling = planted_outcomes.escaped(0, 0.9)
    loss = falling.rows.train_loss.copy()
    loss[63:] = np.geomspace(2.4, 1.6, len(loss) - 63)
    falling = judge(replace(falling, rows=replace(falling.rows, train_loss=loss)))
    change = falling.evidence["end_change"]
    first = int(falling.evidence["end_loss"].meaning.rsplit(" ", 1)[1]) // planted_outcomes.EVERY
    assert change.value == pytest.approx(math.log(loss[-1] / loss[first]), rel=0.02)
    assert change.side == "below: it still falls, no level"
    assert falling.evidence["end_loss"].value == loss[-1]
    fallen = percent(1 - loss[-1] / loss[first])
    assert (
        f"left that region of low loss at step {falling.left} and stayed away, at a loss of "
        f"{number(loss[-1])} that still falls (by {fallen} over its last stretch)."
    ) in headline(falling)[0].text


DOWN = 8
"""Rows of the descent."""


def _rose(loss: list[float]) -> Evidence:
    """Fell to 0.1, went through these losses, and stayed at that of a constant output."""
    escaped = planted_outcomes.escaped(0, 0.9)
    rows = np.full(len(escaped.rows.step), planted_outcomes.L0)
    rows[:DOWN] = np.geomspace(planted_outcomes.L0, 0.1, DOWN)
    rows[DOWN : DOWN + len(loss)] = loss
    return replace(escaped, rows=replace(escaped.rows, train_loss=rows))


@pytest.mark.parametrize(
    ("loss", "between"),
    [
        ([1.0, 0.9, 1.0, 0.8] * 5, "it wandered well above, at 0.8 to 1."),
        ([0.11, 0.12, 0.13, 0.12] * 5, None),
        ([], None),
    ],
)
def test_what_lay_between_its_lowest_loss_and_leaving_is_said(loss, between):
    every = planted_outcomes.EVERY
    verdict = judge(_rose(loss))
    assert verdict.verdict == "escaped"
    assert f" at step {every * (DOWN + len(loss))} and stayed away" in headline(verdict)[0].text
    expected = (
        f"Its loss was lowest at step {every * (DOWN - 1)}; between that and when it left {between}"
    )
    assert list(before_it_left(verdict)) == ([expected] if between else [])
    if loss:
        assert verdict.evidence["between"].value == pytest.approx(np.median(loss))


def test_of_a_diverged_run_its_step_is_said_and_what_would_tell_why():
    verdict = judge(planted_outcomes.diverged(0, 0.9))
    [step] = [each.first for each in verdict.events if each.name == "non-finite"]
    assert [(one.text, one.confidence) for one in headline(verdict)] == [
        (
            f"It diverged: its loss, a gradient or a weight became NaN or infinite at step {step}.",
            "observation",
        ),
        (
            "Whether its learning rate is too high is undetermined: a training at a lower one "
            "would tell.",
            "undetermined",
        ),
    ]
    # Where older versions said no step, none is made up.
    assert headline(replace(verdict, events=()))[0].text.endswith("became NaN or infinite.")

"""Every number beside its line says on which side it is, and what that counts for."""

from __future__ import annotations

import inspect
import math
from functools import partial

import pytest

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, held, label
from landscape.diagnose.verdict.verdict import judge

from . import planted_motions, planted_outcomes, planted_questions

OUTCOMES = {
    name: world
    for name, world in vars(planted_outcomes).items()
    if inspect.isfunction(world)
    and list(inspect.signature(world).parameters)[:2] == ["seed", "momentum"]
}
MOTIONS = (
    "drift",
    "confined",
    "walk",
    "mixture",
    "few",
    "descending",
    "rising",
    "leaping",
    "wells",
)


WORLDS = {name: partial(make, 0, 0.9) for name, make in OUTCOMES.items()}
WORLDS |= planted_questions.PLANTED


def motion(name: str) -> Evidence:
    return planted_motions.evidence(getattr(planted_motions, name)(0.0), count=1)[0]


def check(evidence: Evidence) -> None:
    for name, item in judge(evidence).evidence.items():
        known = item.value is not None and item.value == item.value
        if item.threshold is None or not known:
            assert not item.side, name
            continue
        assert ": " in item.side or item.side.startswith("within "), name
        if isinstance(item.threshold, float) and isinstance(item.value, float):
            word = "above" if item.value > item.threshold else "below"
            beside = f"between {item.threshold:g}", "between 0.2 and 0.4"
            assert item.side.startswith((word, "at the line", *beside)), name


@pytest.mark.parametrize("name", WORLDS)
def test_of_outcomes(name):
    check(WORLDS[name]())


@pytest.mark.parametrize("name", MOTIONS)
def test_of_motions(name):
    check(motion(name))


@pytest.mark.parametrize(
    ("name", "cosine", "ratio"),
    [
        ("drift", "above 0.5: a drift", "above 9: a drift"),
        ("confined", "within 0.15 of −½: confined", "below 1.05: confined"),
        ("walk", "within 0.25 of a walk's", "from 2.5 to 6: a walk"),
    ],
)
def test_what_a_walk_and_a_drift_give(name, cosine, ratio):
    found = judge(motion(name)).evidence
    assert found["half_cosine"].side == cosine
    assert found["half_cosine"].meaning.endswith(": −½ confined, 0 a walk, 1 a drift")
    assert found["ratio"].side == ratio
    exponent = found["exponent"]
    if name == "confined":  # the square bends within T/10
        assert exponent.value == "none"
        assert exponent.meaning == (
            "no power law of the lag fits MSD up to T/10: it is over 10 % off somewhere"
        )
        return
    low, high = {"drift": (1.9, 2.1), "walk": (0.85, 1.15)}[name]
    assert low < exponent.value < high
    assert exponent.meaning.endswith(": 2 a drift, 1 a walk, towards 0 where it is confined")


@pytest.mark.parametrize(
    ("value", "side"), [(2.0, "above: far"), (1.0, "at the line: near"), (-math.inf, "below: near")]
)
def test_a_side(value, side):
    item = held(value, 1.0, "so far", below="near", above="far")
    assert item == Item(value, 1.0, "so far", side)
    assert item.text == f"{side}; so far"


def test_what_is_not_known_is_on_no_side():
    item = held(math.nan, 1.0, "so far", below="near", above="far")
    assert (item.side, item.text) == ("", "so far")


def test_labels():
    assert label("end_loss") == "loss it ends at"

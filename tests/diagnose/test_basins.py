"""What barriers between floors decide: connected, different basins, or neither."""

from __future__ import annotations

import importlib.util
import itertools
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from landscape.diagnose import basins, motion
from landscape.diagnose.evidence import Barrier, Evidence, Floors
from landscape.diagnose.thresholds import Thresholds

spec = importlib.util.spec_from_file_location(
    "planted_motions", Path(__file__).with_name("planted_motions.py")
)
planted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted)

LOW, HIGH = Barrier(0.3, 0.2, 0.01), Barrier(20.0, 8.0, 1.0)
UNSURE = Barrier(0.0, 3.0, 3e-5)
"""No point of error, but floors so low that any barrier is many times their loss."""
UNKNOWN = Barrier(math.nan, math.nan)


@cache
def run(world: str) -> Evidence:
    return planted.evidence(getattr(planted, world)(0.0), count=1)[0]


def named(world: str, *barriers: Barrier | None) -> str:
    line, polyline, matched = barriers
    floors = Floors(10, line, polyline, matched=matched)
    return motion.decide(replace(run(world), floors=floors), Thresholds()).name


@pytest.mark.parametrize(
    ("barriers", "connected"),
    [
        ((LOW, HIGH, HIGH), True),
        ((HIGH, LOW, HIGH), True),
        ((HIGH, HIGH, LOW), True),
        ((HIGH, HIGH, HIGH), False),
        ((HIGH, None, HIGH), False),
        ((HIGH, HIGH, None), None),
        ((HIGH, UNSURE, HIGH), None),
        ((UNSURE, UNSURE, UNSURE), None),
        ((UNKNOWN, UNKNOWN, UNKNOWN), None),
        ((Barrier(math.nan, 8.0, 1.0),) * 3, False),
        ((Barrier(math.nan, 8.0, 1e-3),) * 3, None),
        ((Barrier(math.nan, 8.0),) * 3, None),
        ((Barrier(math.nan, 0.5, 1e-3), HIGH, HIGH), True),
        ((Barrier(2.0, 0.5, 1e-3), HIGH, HIGH), False),
    ],
)
def test_one_low_path_connects_and_only_high_ones_part(barriers, connected):
    expected = {True: "confined", False: "hopping-basins", None: "undetermined"}[connected]
    assert named("confined", *barriers) == expected


def test_a_drift_stays_one_whatever_lies_between():
    assert named("drift", HIGH, HIGH, HIGH) == "drifting"


@pytest.mark.parametrize("world", ["descending", "rising"])
def test_barriers_are_told_while_the_loss_moves(world):
    items = motion.decide(run(world), Thresholds()).items
    assert items["barrier_line"].value == 0.3
    assert "from floor to floor" in basins.PATHS["polyline"]


def test_where_there_is_nothing_to_match_lines_alone_part():
    floors = Floors(2, HIGH, HIGH)
    for symmetric, expected in ((False, "hopping-basins"), (None, "undetermined")):
        found = replace(run("confined"), floors=replace(floors, symmetric=symmetric))
        moved = motion.decide(found, Thresholds())
        assert moved.name == expected
        assert ("basins" in moved.items) == (symmetric is False)
    assert (
        "no units to match"
        in motion.decide(
            replace(run("confined"), floors=replace(floors, symmetric=False)), Thresholds()
        )
        .items["basins"]
        .meaning
    )


def between(count: int, paths: dict[tuple[int, int], tuple[Barrier, Barrier, Barrier]]) -> Floors:
    """Floors whose pairs have these barriers (line, polyline, matched), all others low ones."""
    kinds = ("line", "polyline", "matched")
    pairs = {
        pair: dict(zip(kinds, paths.get(pair, (LOW, LOW, LOW)), strict=True))
        for pair in itertools.combinations(range(count), 2)
    }
    worst = {
        kind: max((each[kind] for each in pairs.values()), key=lambda barrier: barrier.error)
        for kind in kinds
    }
    return Floors(count, **worst, symmetric=True, pairs=pairs)


ALL = (HIGH, HIGH, HIGH)


@pytest.mark.parametrize(
    ("paths", "connected"),
    [
        # The worst of every kind is high, of another pair each.
        ({(0, 1): (HIGH, LOW, LOW), (0, 2): (LOW, HIGH, LOW), (1, 2): (LOW, LOW, HIGH)}, True),
        # One pair is apart by all of its own paths, and joined by way of the third floor.
        ({(0, 1): ALL}, True),
        # The first floor lies alone.
        ({(0, 1): ALL, (0, 2): ALL, (0, 3): ALL}, False),
        # Two and two; a single low path between them joins them all.
        ({(0, 2): ALL, (0, 3): ALL, (1, 2): ALL, (1, 3): ALL}, False),
        ({(0, 2): ALL, (0, 3): ALL, (1, 2): ALL, (1, 3): (HIGH, HIGH, LOW)}, True),
        ({(0, 2): ALL, (0, 3): ALL, (1, 2): ALL, (1, 3): (HIGH, UNSURE, HIGH)}, None),
    ],
)
def test_floors_are_apart_only_where_every_path_of_a_pair_is_high(paths, connected):
    count = 1 + max(j for _, j in paths)
    found = replace(run("confined"), floors=between(max(count, 3), paths))
    moved = motion.decide(found, Thresholds())
    assert moved.connected is connected
    assert moved.items["barrier_line"].value == 20.0
    if connected is False:
        assert moved.items["basins"].value == 2

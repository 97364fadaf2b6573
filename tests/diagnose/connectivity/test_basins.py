"""What barriers between floors decide: connected, different basins, or neither."""

from __future__ import annotations

import math
from functools import cache

import pytest

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import naming
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.paths import PATHS, Barrier

from .. import planted_motions as planted

barrier, connectivity, changed = (
    *(planted.parts.barrier, planted.parts.connectivity),
    planted.changed,
)
LOW, HIGH = barrier(0.3, 0.2, 0.01), barrier(20.0, 8.0, 1.0)
UNSURE = barrier(0.0, 3.0, 3e-5)
"""No point of error, but floors so low that any barrier is many times their loss."""
UNKNOWN = barrier(math.nan, math.nan)


@cache
def run(world: str) -> Evidence:
    return planted.evidence(getattr(planted, world)(0.0), count=1)[0]


def named(world: str, line: Barrier, *others: Barrier | None) -> str:
    polyline, matched = others
    floors = connectivity(10, line, polyline, matched)
    # A curve, tried too, that is no lower than the line.
    tried = changed(run(world), connectivity=floors, curves=planted.parts.curves(10, line))
    return naming.name_motion(tried, Thresholds()).name


@pytest.mark.parametrize(
    ("barriers", "connected"),
    [
        ((LOW, HIGH, HIGH), True),
        ((HIGH, LOW, HIGH), True),
        ((HIGH, HIGH, LOW), True),
        ((HIGH, HIGH, HIGH), False),
        ((HIGH, HIGH, None), None),
        ((HIGH, UNSURE, HIGH), None),
        ((UNSURE, UNSURE, UNSURE), None),
        ((UNKNOWN, UNKNOWN, UNKNOWN), None),
        ((barrier(math.nan, 8.0, 1.0),) * 3, False),
        ((barrier(math.nan, 8.0, 1e-3),) * 3, None),
        ((barrier(math.nan, 8.0),) * 3, None),
        ((barrier(math.nan, 0.5, 1e-3), HIGH, HIGH), True),
        ((barrier(2.0, 0.5, 1e-3), HIGH, HIGH), False),
    ],
)
def test_one_low_path_connects_and_only_high_ones_part(barriers, connected):
    expected = {True: "confined", False: "hopping-basins", None: "undetermined"}[connected]
    assert named("confined", *barriers) == expected


def test_a_drift_stays_one_whatever_lies_between():
    assert named("drift", HIGH, HIGH, HIGH) == "drifting"


@pytest.mark.parametrize("world", ["descending", "rising"])
def test_barriers_are_told_while_the_loss_moves(world):
    items = naming.name_motion(run(world), Thresholds()).items
    assert items["barrier_line"].value == 0.3
    assert PATHS["polyline"].along in items["barrier_polyline"].meaning


def test_where_there_is_nothing_to_match_lines_alone_part():
    for symmetric, expected in ((False, "hopping-basins"), (None, "undetermined")):
        floors = connectivity(2, HIGH, HIGH, symmetric=symmetric)
        tried = changed(run("confined"), connectivity=floors, curves=planted.parts.curves(2, HIGH))
        moved = naming.name_motion(tried, Thresholds())
        assert moved.name == expected
        assert ("basins" in moved.items) == (symmetric is False)
        if symmetric is False:
            assert "no units to match" in moved.items["basins"].meaning


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
    floors = connectivity(max(count, 3), LOW, LOW, LOW, symmetric=True, pairs=paths)
    moved = naming.name_motion(changed(run("confined"), connectivity=floors), Thresholds())
    assert moved.connected is connected
    assert moved.items["barrier_line"].value == 20.0
    if connected is False:
        assert moved.items["basins"].value == 2

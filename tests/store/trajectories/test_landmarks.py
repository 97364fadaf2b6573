from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.store.trajectories.landmarks import checked_rows, landmarks, spread
from landscape.store.trajectories.trajectory import Event


@pytest.fixture
def run(recorded):
    """Fifty rows at steps 0, 10, ... with the best loss at row 20, not finite in the last one."""
    problem = Problem(nn.Linear(2, 2), (torch.zeros(3, 2), torch.zeros(3).long()))
    weights = np.ones((50, 6))
    weights[-1] = np.nan
    losses = np.ones(50)
    losses[20] = 0.5
    return recorded(problem, weights, losses)


def test_start_best_and_end(run):
    assert landmarks(run) == [0, 20, 48]


def test_events_come_after_them_the_longest_first(run):
    events = Event("spike", 103, 130, ""), Event("escape", 205, 480, "")
    found = replace(run, events=events)
    # Step 200 is row 20, known already; the last rows in and before the spike are 13 and 10.
    assert landmarks(found, most=4) == [0, 10, 20, 48]
    assert landmarks(found, most=9) == [0, 10, 13, 20, 48]


def test_without_losses_there_is_no_best(run):
    nothing = {name: np.full(50, np.nan) for name in run.measures}
    assert landmarks(replace(run, measures=nothing)) == [0, 48]


def test_spread_evenly(run):
    found = spread(run, most=7)
    assert {0, 20, 48} <= set(found)
    assert len(found) == 7
    assert found == sorted(found)
    assert spread(run, most=100) == list(range(49))


def test_many_events_leave_room_for_other_rows(run):
    events = tuple(Event("spike", at, at + 5, "") for at in range(13, 200, 20))
    found = spread(replace(run, events=events), most=12)
    assert len(found) == 12
    assert max(np.diff(found)) < 15
    # Half of them are landmarks at most: what else is there is spread.
    known = set(landmarks(replace(run, events=events), most=6))
    assert known <= set(found)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "rows must be at least one, got none; leave them out for a few"),
        ([0, 50], "rows must be between 0 and 49, got 50"),
        ([-1], "rows must be between 0 and 49, got -1"),
    ],
)
def test_rows_that_there_are_not(run, rows, message):
    with pytest.raises(LandscapeError) as caught:
        checked_rows(run, rows)
    assert str(caught.value) == message


def test_rows_that_there_are(run):
    assert checked_rows(run, [0, 49]) == [0, 49]

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.plane import random
from landscape.plane.still import StillWeights
from landscape.problem import Problem
from landscape.store.trajectories.trajectory import CADENCE


@pytest.fixture
def problem():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).double()
    model[1].running_mean += 2.0
    return Problem(model, (torch.randn(8, 3).double(), torch.arange(8) % 4))


def test_it_is_one_row_of_the_models_numbers(problem):
    still = StillWeights.of(problem)
    weights = torch.nn.utils.parameters_to_vector(problem.model.parameters()).detach()
    np.testing.assert_array_equal(still.row_weights(still.row("final")), weights.float())
    assert still.size == len(weights) == 24
    np.testing.assert_array_equal(still.buffers(0)["1.running_mean"], np.full(4, 2.0))
    assert (still.step.tolist(), still.kind.tolist()) == ([0], [CADENCE])
    assert {values.shape for values in still.measures.values()} == {(1,)}
    assert (still.sketches().size, still.sketch_seed()) == (0, None)
    assert {name: values.size for name, values in still.scalars().items()} == {"learning_rate": 0}


def test_planes_go_through_it(problem):
    plane = random(StillWeights.of(problem), seed=3)
    assert plane.directions.shape == (2, 24)
    assert plane.origin_step == 0


def test_training_it_later_changes_nothing(problem):
    still = StillWeights.of(problem)
    before = still.row_weights(0)
    with torch.no_grad():
        problem.model[0].weight.zero_()
    np.testing.assert_array_equal(still.row_weights(0), before)


def test_it_has_no_best_weights(problem):
    message = "best needs a recorded training loss, the model has none"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        StillWeights.of(problem).row("best")


def test_it_says_its_size(problem):
    said = "<trajectory: 1 row, steps 0 to 0, 24 parameters>"
    assert repr(StillWeights.of(problem)) == said

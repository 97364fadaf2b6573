from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.plane import random
from landscape.plane.still import StillWeights
from landscape.problem import Problem
from landscape.scan.speed import strategies
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.strategies.base import example
from landscape.scan.speed.strategies.first_layer import find_first_layers


def dead(layer: int) -> Problem:
    """A network of which no unit of a hidden layer answers to any sample."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.constant_(model[2 * layer].bias, -30.0)
    return Problem(model, (torch.randn(40, 4), torch.randint(0, 3, (40,))))


@pytest.mark.parametrize("layer", [0, 1])
def test_behind_a_dead_layer_none_is_a_first_one(layer: int):
    of = dead(layer)
    plane = random(StillWeights.of(of))
    evaluator = PointEvaluator(of, plane)
    with torch.inference_mode():
        assert find_first_layers(evaluator, example(evaluator)) == ["0"]


@pytest.mark.parametrize("name", ["shared", "shared+batched"])
@pytest.mark.parametrize("layer", [0, 1])
def test_a_dead_network_comes_alive_along_a_direction(name: str, layer: int):
    of = dead(layer)
    plane = random(StillWeights.of(of))
    engine = Engine(of, plane)
    with torch.inference_mode():
        way = strategies.make(name, engine)
        engine.adopt(TilePlan(name, 4 if way.at_once else 1, 40), way)
    # Far enough that biases of -30 are lost in what else moves.
    xy = np.array([[0.0, 0.0], [60.0, 0.0], [0.0, -60.0], [45.0, 45.0]])
    wanted = PointEvaluator(of, plane).at_many(xy)["train_loss"]
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(engine.at_many(xy)["train_loss"], wanted, rtol=1e-5)

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem import presets
from landscape.sgd import Settings


def test_steps_of_an_epoch_count_the_smaller_last_batch():
    settings = Settings(batch_size=16, epochs=3)
    assert [settings.steps_per_epoch(n) for n in (1, 16, 17, 50)] == [1, 1, 2, 4]
    assert settings.total_steps(50) == 12


def test_a_batch_size_that_is_the_problems_is_asked_for():
    problem = presets.make("mlp", "moons", width=4)
    left = Settings(lr=0.1, epochs=2)
    assert (left.on(problem).batch, left.on(replace(problem, batch_size=50)).batch) == (32, 50)
    with pytest.raises(LandscapeError, match=r"depends on the batch size, got none; give batch_si"):
        left.total_steps(100)


def test_steps_replace_epochs():
    assert Settings(batch_size=16, epochs=3, steps=7).total_steps(50) == 7


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1] * 8),
        ("step", [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("cosine", [math.cos(math.pi * t / 16) ** 2 for t in range(8)]),
    ],
)
def test_schedule(schedule, factors):
    settings = Settings(lr=0.2, schedule=schedule)
    found = [settings.learning_rate(step, 8) for step in range(8)]
    assert found == pytest.approx([0.2 * factor for factor in factors], rel=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0.0}, "lr must be above 0 and finite, got 0.0"),
        ({"lr": -0.1}, "lr must be above 0 and finite, got -0.1"),
        ({"lr": math.nan}, "lr must be above 0 and finite, got nan"),
        ({"lr": math.inf}, "lr must be above 0 and finite, got inf"),
        ({"momentum": -0.1}, "momentum must be at least 0 and below 1, got -0.1"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"momentum": math.nan}, "momentum must be at least 0 and below 1, got nan"),
        ({"weight_decay": -1e-9}, "weight decay must be at least 0 and finite, got -1e-09"),
        ({"weight_decay": math.inf}, "weight decay must be at least 0 and finite, got inf"),
        ({"batch_size": 0}, "batch size must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"seed": -1}, "seed must be between 0 and 2**63 - 1, got -1"),
        ({"seed": 2**63}, "seed must be between 0 and 2**63 - 1, got 9223372036854775808"),
        ({"schedule": "linear"}, "schedule must be one of constant, step, cosine, got linear"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, mps, got tpu"),
        (
            {"nesterov": True},
            "nesterov needs a momentum above 0, got 0.0; set --momentum 0.9",
        ),
    ],
)
def test_out_of_range_is_refused(values, message):
    with pytest.raises(LandscapeError) as caught:
        Settings(**values)
    assert str(caught.value) == message


def test_numbers_of_numpy_and_torch_are_numbers():
    given = Settings(
        lr=np.float64(0.1), momentum=torch.tensor(0.5), seed=np.int64(2), steps=torch.tensor(3)
    )
    assert given == Settings(lr=0.1, momentum=0.5, seed=2, steps=3)
    kinds = [type(value) for value in (given.lr, given.momentum, given.seed, given.steps)]
    assert kinds == [float, float, int, int]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", 1.5, "seed must be a whole number, got 1.5"),
        ("seed", True, "seed must be a whole number, got True"),
        ("batch_size", 8.0, "batch size must be a whole number, got 8.0"),
        ("lr", "0.1", "lr must be a number, got '0.1'"),
        ("lr", [0.1], "lr must be a number, got [0.1]"),
        ("lr", torch.zeros(2), "lr must be a number, got tensor([0., 0.])"),
    ],
)
def test_what_is_no_number(name, value, message):
    with pytest.raises(LandscapeError) as caught:
        Settings(**{name: value})
    assert str(caught.value) == message

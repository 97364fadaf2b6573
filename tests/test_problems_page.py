"""`docs/problems.md` in order: each block runs, and what it makes can be trained and measured."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from landscape import sgd
from landscape.problem import Evaluator, Problem
from landscape.problem.examine import verify

PAGE = Path(__file__).parents[1] / "docs" / "problems.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
NAMES = [
    *("waves", "ignored", "weighted", "regression", "tagger", "denoiser", "contrastive", "sine"),
    *("citations", "controller", "resampled"),
]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        exec(compile(block, PAGE, "exec"), found)
    return found


def test_every_problem_of_the_page_is_tried(made):
    found = {name for name, value in made.items() if isinstance(value, Problem)}
    assert {*found, "waves"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_trained_and_measured(made, name):
    problem = made[name]() if name == "waves" else made[name]
    verify(problem)
    assert math.isfinite(Evaluator(problem).on_train(problem.model).loss)
    *_, last = sgd.steps(problem, sgd.Settings(lr=0.01, epochs=1, batch_size=32))
    assert last.finite
    assert math.isfinite(last.scalars["batch_loss"])

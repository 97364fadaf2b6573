"""Silent mistakes, planted one by one; and none where there is none."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.diagnose.units import mistakes
from landscape.problem import Problem, builtin, cross_entropy

CLASSES = 10


def problem(*, last: nn.Module | None = None, seed: int = 0, **changes) -> Problem:
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, CLASSES)]
    if last is not None:
        layers.append(last)
    inputs = torch.randn(200, 4)
    made = Problem(nn.Sequential(*layers), (inputs, torch.arange(200) % CLASSES))
    return replace(made, **changes)


def lowest(last: nn.Module) -> float:
    """The lowest loss that is found with logits chosen freely before the last module."""
    logits = torch.full((CLASSES, CLASSES), -1e3).fill_diagonal_(1e3)
    return float(functional.cross_entropy(last(logits), torch.arange(CLASSES)))


@pytest.mark.parametrize(
    ("last", "floor"),
    [
        (nn.Softmax(1), 1.4612),
        (nn.Sigmoid(), 1.4612),
        (nn.Tanh(), 0.7969),
        (nn.Hardtanh(-3, 3), math.log1p(9 * math.exp(-6))),
    ],
)
def test_confined_outputs_are_found_by_their_range(last, floor):
    found = mistakes.find(problem(last=last))
    assert found.floor == pytest.approx(floor, abs=1e-3)
    assert found.floor == pytest.approx(lowest(last), abs=1e-3)
    [sentence] = found.sentences
    assert f"with 10 classes the loss can't fall below {found.floor:.4g}" in sentence


def test_the_sentence_says_what_to_do():
    assert mistakes.find(problem(last=nn.Softmax(1))).sentences == (
        "The outputs stay between 0 and 1 whatever the weights, and cross-entropy takes them for "
        "logits: with 10 classes the loss can't fall below 1.461. Leave out the softmax, sigmoid "
        "or tanh before it.",
    )


@pytest.mark.parametrize(
    ("loss", "is_known"),
    [
        (functional.cross_entropy, True),
        (partial(functional.cross_entropy), True),
        (partial(functional.cross_entropy, ignore_index=9, reduction="none"), True),
        (nn.CrossEntropyLoss(ignore_index=9), True),
        (cross_entropy(ignore_index=9), True),
        (partial(functional.nll_loss, reduction="none"), False),
        (partial(torch.mul, torch.ones(())), False),
    ],
)
def test_cross_entropy_is_known_whatever_its_options(loss, is_known):
    made = problem(last=nn.Softmax(1), loss=loss)
    assert mistakes.is_cross_entropy(made) == is_known
    assert math.isnan(mistakes.find(made).floor) == (not is_known)
    if getattr(loss, "keywords", vars(loss)).get("ignore_index") == 9:
        # A label that doesn't count may be any number: here one that there is no output for.
        fewer = problem(last=nn.Linear(CLASSES, 9), loss=loss)
        assert mistakes.find(fewer).sentences == ()


@pytest.mark.parametrize("last", [None, nn.LogSoftmax(1), nn.ReLU(), nn.BatchNorm1d(CLASSES)])
def test_outputs_that_grow_with_the_weights_are_harmless(last):
    found = mistakes.find(problem(last=last))
    assert found.sentences == ()
    assert math.isnan(found.floor)


def test_the_builtin_problems_have_none():
    for model, data in (("mlp", "digits"), ("cnn", "digits"), ("mlp", "moons")):
        assert mistakes.find(builtin(model, data, depth=1, width=4)) == mistakes.Mistakes()


def test_nothing_of_the_model_is_changed():
    made = problem(last=nn.Softmax(1))
    before = [parameter.clone() for parameter in made.model.parameters()]
    mistakes.find(made)
    assert all(torch.equal(*pair) for pair in zip(before, made.model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("inputs", "targets", "sentence"),
    [
        (
            lambda x: (127 + 40 * x).clamp(0, 255),
            lambda y: y,
            "Inputs are as large as ",
        ),
        (
            lambda x: torch.cat([x[:, :3], torch.ones(200, 1)], 1),
            lambda y: y,
            "1 of 4 features are the same in every sample (columns 3): they tell nothing, and "
            "dividing by their deviation gives NaN.",
        ),
        (
            lambda x: x,
            lambda y: torch.full_like(y, 3),
            "All labels are 3: there is nothing to tell apart. Look at how they are read.",
        ),
        (
            lambda x: x,
            lambda y: y + 1,
            "Labels of the training data go from 1 to 10, the model has 10 outputs: labels must "
            "be 0 to 9.",
        ),
    ],
)
def test_mistakes_of_the_data(inputs, targets, sentence):
    made = problem()
    x, y = made.train
    [found] = mistakes.find(replace(made, train=(inputs(x), targets(y)))).sentences
    assert found.startswith(sentence)


def test_labels_that_are_not_counted_are_no_mistake():
    made = problem()
    x, y = made.train
    y = y.clone()
    y[::3] = -100
    assert mistakes.find(replace(made, train=(x, y))).sentences == ()


def test_validation_labels_are_looked_at_too():
    made = problem()
    x, y = made.train
    [found] = mistakes.find(replace(made, validation=(x, y + 5))).sentences
    assert found.startswith("Labels of the validation data go from 5 to 14")


def test_targets_that_confined_outputs_cannot_reach():
    made = problem(last=nn.Sigmoid(), loss=_squares)
    x, _ = made.train
    targets = 5 * torch.rand(200, CLASSES)
    [found] = mistakes.find(replace(made, train=(x, targets))).sentences
    assert found.startswith("The outputs stay between 0 and 1 whatever the weights; the targets")
    assert mistakes.find(replace(made, train=(x, targets / 5))).sentences == ()


def _squares(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).square().mean(1)

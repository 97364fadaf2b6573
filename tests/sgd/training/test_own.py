"""Trainings by an optimizer that somebody's function makes, beside plain loops of torch's."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem import Problem, builtin, flat
from landscape.sgd.training.own import Remaker
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import Training, steps

STEPS = 6


@pytest.fixture(scope="module")
def moons() -> Problem:
    return builtin("mlp", "moons", width=4, depth=1)


def last(problem: Problem, settings: Settings, **given) -> torch.Tensor:
    found = list(islice(steps(problem, settings, **given), STEPS + 1))
    return found[-1].weights.clone()


def momentum(model: nn.Module):
    return torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9), 16


def two_groups(model: nn.Module):
    first, *rest = model.parameters()
    groups = [{"params": rest, "lr": 0.1}, {"params": [first], "lr": 0.02}]
    return torch.optim.AdamW(groups, weight_decay=0.1), 16


def test_it_is_the_optimizer_that_trains_here_too(moons):
    ours = last(moons, Settings(lr=0.3, momentum=0.9, batch_size=16))
    own = last(moons, Settings(optimizer="own", lr=0.3, batch_size=16), own=momentum)
    torch.testing.assert_close(own, ours)


def test_groups_keep_their_shares_of_the_rate_that_is_asked_for(moons):
    """Half of the first group's rate: a plain loop on the batches that a training takes."""
    settings = Settings(optimizer="own", lr=0.05, batch_size=16)
    own = last(moons, settings, own=two_groups)
    plain = builtin("mlp", "moons", width=4, depth=1)
    optimizer, _ = two_groups(plain.model)
    for group, rate in zip(optimizer.param_groups, (0.05, 0.01), strict=True):
        group["lr"] = rate
    order = Training(moons, settings, own=two_groups)
    inputs, targets = plain.train
    for step in range(STEPS):
        chosen = order.batch(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(plain.model(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    torch.testing.assert_close(own, flat(plain.model))


@pytest.mark.parametrize("remaker", [momentum, two_groups])
def test_it_goes_on_with_what_was_kept(moons, remaker):
    settings = Settings(optimizer="own", lr=0.3, batch_size=16)
    training = steps(moons, settings, own=remaker)
    *_, half = islice(training, 4)
    state = {name: value.clone() for name, value in half.moments().items()}
    begin = half.capture()
    assert set(state) == (
        {"velocity"}
        if remaker is momentum
        else {f"optimizer/{name}" for name in ("exp_avg", "exp_avg_sq", "step")}
    )
    one = [step.weights.clone() for step in islice(training, 3)]
    again = steps(moons, settings, start=begin, own=remaker)
    other = [step.weights.clone() for step in islice(again, 4)][1:]
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def nothing(model: nn.Module):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def half(model: nn.Module):
    return torch.optim.SGD(list(model.parameters())[:2], lr=0.1), 8


@pytest.mark.parametrize(
    ("remaker", "message"),
    [
        (
            nothing,
            "the function of --again must give an optimizer of torch's and the batch size, got "
            "SGD; return torch.optim.SGD(model.parameters(), lr=0.1), 32",
        ),
        (
            half,
            "the optimizer of --again must hold all trainable parameters of the model that its "
            "function is given and no others, got 2 for 4",
        ),
        (
            None,
            "a training by an optimizer of your own needs the function that makes it, got none; "
            "give it with --again FILE.py:function",
        ),
    ],
)
def test_mistakes(moons, remaker: Remaker | None, message):
    with pytest.raises(LandscapeError) as refused:
        next(steps(moons, Settings(optimizer="own", lr=0.1), own=remaker))
    assert str(refused.value) == message


def test_parameters_of_several_types_are_refused():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2).double())
    model.forward = lambda inputs: model[2](model[1](model[0](inputs)).double())
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32))
    problem = Problem(model, (inputs, torch.zeros(8, dtype=torch.long)))
    with pytest.raises(LandscapeError) as refused:
        next(steps(problem, Settings(optimizer="own", lr=0.1), own=momentum))
    assert str(refused.value) == (
        "a run of your own loop is trained again only if all of its parameters are of one real "
        "dtype, got several"
    )

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.hessian import Hessian
from landscape.diagnose.trainings import plateau
from landscape.diagnose.trainings.trials import Start, starting_at
from landscape.problem import Problem, builtin, flat
from landscape.problem.weights import Layout, buffers


def start_of(problem):
    return Start(flat(problem.model).numpy(), buffers(problem.model))


@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet20"])
def test_every_gradient_but_the_output_bias_is_exactly_zero(model):
    problem = builtin(model=model, data="digits", width=4, seed=0)
    inputs, targets = problem.train
    small = Problem(problem.model, (inputs[:64], targets[:64]))
    placed = plateau.place(small, start_of(small))
    assert placed.reason == ""
    hessian = Hessian(starting_at(small, placed.start))
    gradient = hessian.gradient()[1]
    moving = {
        p.name for p in Layout.of(small.model).parameters if np.abs(gradient[p.slice]).max() > 0
    }
    assert len(moving) == 1
    assert next(iter(moving)).endswith("bias")


def test_only_biases_of_one_layer_are_moved():
    problem = builtin(model="mlp", data="moons", depth=2, width=6, seed=1)
    start = start_of(problem)
    placed = plateau.place(problem, start)
    changed = {
        p.name
        for p in Layout.of(problem.model).parameters
        if not np.array_equal(start.weights[p.slice], placed.start.weights[p.slice])
    }
    assert changed == {"hidden2.bias"} == {f"{placed.layer}.bias"}


def test_outputs_are_constant_on_the_plateau_alone():
    problem = builtin(model="mlp", data="moons", depth=2, width=8)
    start = start_of(problem)
    assert not plateau.is_constant(problem, start)
    placed = plateau.place(problem, start)
    assert plateau.is_constant(problem, placed.start)
    lost = Start(np.full_like(start.weights, np.nan), start.buffers)
    assert not plateau.is_constant(problem, lost)


class Around(nn.Module):
    """Its output reads the input beside the hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(2, 3), nn.Linear(5, 2)

    def forward(self, inputs):
        return self.output(torch.cat([self.hidden(inputs).relu(), inputs], 1))


class Recurrent(nn.Module):
    """Reads (N, T, 1); its LSTM's ``bias`` is a bool, and its outputs are a tuple."""

    def __init__(self, *, hidden: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 4, batch_first=True)
        self.hidden = nn.Linear(4, 4) if hidden else None
        self.output = nn.Linear(4, 2)

    def forward(self, inputs):
        last = self.lstm(inputs)[0][:, -1]
        return self.output(last if self.hidden is None else self.hidden(last).relu())


class Planes(nn.Module):
    """A bias of three axes, of which no unit has one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 2, 1))
        self.output = nn.Linear(2, 2)

    def forward(self, inputs):
        return self.output((inputs[..., None] + self.bias).relu()[..., 0])


def sequences():
    inputs = torch.randn(20, 5, 1, generator=torch.Generator().manual_seed(0))
    return inputs, (inputs.sum((1, 2)) > 0).long()


def test_a_hidden_layer_after_an_lstm_is_put_on_the_plateau():
    torch.manual_seed(0)
    problem = Problem(Recurrent(hidden=True), sequences())
    start = start_of(problem)
    placed = plateau.place(problem, start)
    assert placed.layer == "hidden"
    changed = {
        p.name
        for p in Layout.of(problem.model).parameters
        if not np.array_equal(start.weights[p.slice], placed.start.weights[p.slice])
    }
    assert changed == {"hidden.bias"}
    assert plateau.is_constant(problem, placed.start)


@pytest.mark.parametrize(
    ("model", "data"), [(Recurrent(hidden=False), sequences()), (Planes(), None)]
)
def test_a_bias_that_is_no_units_is_no_way_onto_the_plateau(model, data):
    planar = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    problem = Problem(model, data or (planar, torch.zeros(20, dtype=torch.int64)))
    reason = "no hidden layer with a bias comes before the output"
    assert plateau.place(problem, start_of(problem)) == plateau.Placed(None, reason=reason)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Around(), "the output depends on the input however low hidden is put"),
        (nn.Linear(2, 2), "no hidden layer with a bias comes before the output"),
    ],
)
def test_says_why_there_is_no_plateau(model, reason):
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(20, 2, generator=generator), torch.zeros(20, dtype=torch.int64)
    problem = Problem(model, data)
    before = flat(model)
    assert plateau.place(problem, start_of(problem)) == plateau.Placed(None, reason=reason)
    assert torch.equal(flat(model), before)

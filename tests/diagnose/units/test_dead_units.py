"""Units that do the same on all data, planted in models written in every way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from landscape.diagnose.units.dead_units import UnitWatch

INPUTS = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))


def watched(model: nn.Module, inputs: torch.Tensor = INPUTS, size: int = 20) -> list[tuple]:
    """Name, kind and stuck units of every layer, from batches of some size."""
    watch = UnitWatch(model.eval())
    with torch.inference_mode():
        for batch in torch.split(inputs, size):
            watch.begin()
            with watch:
                model(batch)
    return [
        (layer.name, layer.kind, layer.stuck.nonzero()[:, 0].tolist()) for layer in watch.layers
    ]


class Written(nn.Module):
    """Two layers with an activation between them, called as a function."""

    def __init__(self, activation):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(3, 6), nn.Linear(6, 2)
        self.activation = activation

    def forward(self, inputs):
        return self.second(self.activation(self.first(inputs)))


def planted(activation, biases) -> nn.Module:
    model = Written(activation)
    with torch.no_grad():
        for unit, bias in biases.items():
            model.first.bias[unit] = bias
    return model


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.ReLU6(),
        functional.relu,
        functional.relu_,
        functional.relu6,
        functional.gelu,
        nn.SiLU(),
        functional.mish,
        functional.hardswish,
        torch.relu,
        torch.relu_,
        lambda x: x.relu(),
        lambda x: x.clone().relu_(),
        lambda x: x.clamp(min=0),
        lambda x: torch.clamp(x, 0),
        lambda x: x.clamp_min(0.0),
        lambda x: functional.hardtanh(x, 0, 2),
    ],
)
def test_dead_units(activation):
    model = planted(activation, {1: -100.0, 4: -30.0})
    assert watched(model) == [("first", "dead", [1, 4])]


def test_inputs_are_units_too_at_every_position():
    class OfSequences(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 2)

        def forward(self, inputs):
            return self.last(inputs.relu()).mean(1)

    inputs = INPUTS.reshape(10, 5, 3).clone()
    inputs[..., 2] = -1.0
    assert watched(OfSequences(), inputs, size=4) == [("inputs", "dead", [2])]


@pytest.mark.parametrize(
    "activation",
    [
        nn.Tanh(),
        torch.tanh,
        functional.tanh,
        lambda x: x.tanh_(),
        nn.Sigmoid(),
        torch.sigmoid,
        torch.special.expit,
        functional.hardsigmoid,
        nn.Hardtanh(),
    ],
)
def test_saturated_units(activation):
    model = planted(activation, {0: 40.0, 5: -40.0})
    assert watched(model) == [("first", "saturated", [0, 5])]


@pytest.mark.parametrize(
    ("activation", "bias"),
    [(nn.ELU(), -30), (nn.ELU(2.0), -30), (nn.CELU(), -30), (nn.SELU(), -30), (nn.Softsign(), 5e3)],
)
def test_units_at_their_only_bound(activation, bias):
    model = planted(activation, {2: float(bias), 3: -float(bias) if bias < 0 else 0.0})
    assert watched(model) == [("first", "saturated", [2])]


def test_one_sample_keeps_a_unit_alive():
    model = planted(torch.relu, {1: -100.0})
    with torch.no_grad():
        model.first.weight[1] = torch.tensor([1.0, 0, 0])
    inputs = INPUTS.clone()
    assert watched(model, inputs) == [("first", "dead", [1])]
    inputs[37, 0] = 100.5
    assert watched(model, inputs) == [("first", "dead", [])]


class Convolutions(nn.Module):
    """Channels before a residual addition, then tokens: both have three dimensions."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv1d(1, 4, 3, padding=1)
            self.norm = nn.BatchNorm1d(4)
            self.tokens = nn.Linear(4, 5)
        with torch.no_grad():
            self.norm.bias[2] = -100
            self.tokens.bias[3] = -100

    def forward(self, inputs):
        hidden = torch.relu(self.norm(self.conv(inputs[:, None])))
        return torch.relu(self.tokens(hidden.transpose(1, 2)))


def test_units_of_a_convolution_are_channels_and_of_tokens_the_last_axis():
    assert watched(Convolutions()) == [("conv", "dead", [2]), ("tokens", "dead", [3])]


def test_a_channel_lives_at_a_single_position():
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU())
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[0].bias.copy_(torch.tensor([-100.0, -100.0, 0.0]))
    images = torch.zeros(6, 1, 4, 4)
    assert watched(model, images) == [("0", "dead", [0, 1, 2])]
    images[5, 0, 2, 3] = 1
    assert watched(model, images) == [("0", "dead", [0, 1])]


class Own(nn.Module):
    """Weights that are no layer's, and one layer used twice."""

    def __init__(self):
        super().__init__()
        self.cell = nn.Parameter(torch.eye(3))

    def forward(self, inputs):
        hidden = torch.relu(inputs @ self.cell - torch.tensor([0, 1e3, 1e3]))
        return torch.relu(hidden @ self.cell + torch.tensor([0, 1e4, 0]))


def test_weights_of_ones_own_and_used_twice():
    # The second unit is silent the first time only.
    assert watched(Own()) == [("cell", "dead", [2])]


def test_reparametrized_weights_have_their_layers_name():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU())
    assert [name for name, _, _ in watched(model)] == ["0"]


def test_an_encoder_of_transformers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
        tokens = nn.Unflatten(1, (3, 1)), nn.Linear(1, 4)
        model = nn.Sequential(*tokens, nn.TransformerEncoder(layer, 1))
    with torch.no_grad():
        model[2].layers[0].linear1.bias.copy_(torch.tensor([100.0] * 5 + [-100]))
    assert watched(model) == [("2.layers.0.linear1", "dead", [5])]


def test_what_bounds_weights_and_not_units_is_no_activation():
    assert watched(planted(lambda x: x.clamp(-1, 1), {})) == []
    assert watched(planted(lambda x: x.clamp(max=3), {})) == []


def test_outside_of_the_watch_nothing_is_changed():
    model = planted(torch.relu, {})
    expected = model(INPUTS)
    watched(model)
    assert torch.equal(model(INPUTS), expected)

"""The table of filters: a test a row, against what moves which output."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from landscape.plane.normalization import normalized
from landscape.problem.filters import FILTERS
from landscape.problem.weights import Layout, flat

transformers = pytest.importorskip("transformers.pytorch_utils")


def outputs_moved(model: nn.Module, name: str, inputs: torch.Tensor, units: int) -> np.ndarray:
    """For each entry of a tensor, which output unit it moves: found by shaking it."""
    tensor = dict(model.named_parameters())[name]
    owner = np.empty(tensor.numel(), int)
    with torch.no_grad():
        before = as_units(model(inputs), units)
        for entry in range(tensor.numel()):
            kept = tensor.view(-1)[entry].item()
            tensor.view(-1)[entry] += 1
            moved = (as_units(model(inputs), units) - before).abs().amax(1)
            tensor.view(-1)[entry] = kept
            [owner[entry]] = moved.nonzero()[:, 0].tolist()
    return owner


def as_units(outputs: torch.Tensor, units: int) -> torch.Tensor:
    axis = 1 if outputs.ndim > 2 else outputs.ndim - 1
    assert outputs.shape[axis] == units
    return outputs.movedim(axis, 0).reshape(units, -1)


def image(channels: int, dimensions: int) -> torch.Tensor:
    return torch.randn(2, channels, *[5] * dimensions)


MODULES = {
    "linear": (lambda: nn.Linear(3, 4), torch.randn(5, 3), 4),
    "bilinear": (lambda: Pair(nn.Bilinear(3, 3, 4)), torch.randn(5, 3), 4),
    "conv1d": (lambda: nn.Conv1d(2, 3, 2), image(2, 1), 3),
    "conv2d": (lambda: nn.Conv2d(4, 6, 2, groups=2), image(4, 2), 6),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), image(2, 3), 3),
    "transposed 1d": (lambda: nn.ConvTranspose1d(4, 3, 2), image(4, 1), 3),
    "transposed 2d": (lambda: nn.ConvTranspose2d(4, 2, 3), image(4, 2), 2),
    "transposed 3d": (lambda: nn.ConvTranspose3d(2, 3, 2), image(2, 3), 3),
    "transposed, grouped": (lambda: nn.ConvTranspose2d(4, 6, 2, groups=2), image(4, 2), 6),
    "transformers": (lambda: transformers.Conv1D(4, 3), torch.randn(5, 3), 4),
    "spectral norm": (
        lambda: parametrizations.spectral_norm(nn.ConvTranspose2d(4, 2, 3)).eval(),
        image(4, 2),
        None,
    ),
    "older spectral norm": (
        lambda: old_spectral_norm(nn.ConvTranspose2d(4, 2, 3)).eval(),
        image(4, 2),
        None,
    ),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Conv2d(2, 3, 2)), image(2, 2), 3),
    "older weight norm": (lambda: old_weight_norm(nn.Linear(3, 4)), torch.randn(5, 3), 4),
}


class Pair(nn.Module):
    """A bilinear layer of one input."""

    def __init__(self, layer: nn.Bilinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layer(inputs, inputs + 1)


@pytest.mark.parametrize("name", MODULES)
def test_each_filter_gets_the_norm_of_the_weights_of_one_output(name):
    torch.manual_seed(1)
    make, inputs, units = MODULES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = nn.Sequential(make())
    layout, weights = Layout.of(model), flat(model).numpy()
    draw = np.random.default_rng(0).standard_normal(len(weights))
    found = normalized(draw, weights, layout.to_records())
    [place] = [p for p in layout.parameters if np.any(found[p.slice])]
    # Spectral norm divides all by one number: every entry moves every output a bit.
    owner = (
        np.broadcast_to(np.arange(2)[None, :, None, None], place.shape).reshape(-1)
        if units is None
        else outputs_moved(model, place.name, inputs, units)
    )
    direction, own = found[place.slice], weights[place.slice]
    for unit in np.unique(owner):
        assert np.linalg.norm(direction[owner == unit]) == pytest.approx(
            np.linalg.norm(own[owner == unit].astype(float)), rel=1e-6
        )
    assert len(np.unique(owner)) == (units or 2)


def test_rows_of_embeddings_recurrent_layers_and_attention():
    """By their documented shapes: a token, a gate's unit, a feature of q, k or v a row."""
    model = nn.ModuleDict(
        {
            "tokens": nn.Embedding(7, 4),
            "bag": nn.EmbeddingBag(6, 4),
            "lstm": nn.LSTM(3, 5),
            "cell": nn.GRUCell(3, 2),
            "attention": nn.MultiheadAttention(4, 2),
        }
    )
    shapes = {
        place.name: (place.shape, place.filters.axis) for place in Layout.of(model).parameters
    }
    assert shapes["tokens.weight"] == ((7, 4), 0)
    assert shapes["bag.weight"] == ((6, 4), 0)
    assert shapes["lstm.weight_ih_l0"] == ((4 * 5, 3), 0)
    assert shapes["lstm.weight_hh_l0"] == ((4 * 5, 5), 0)
    assert shapes["cell.weight_hh"] == ((3 * 2, 2), 0)
    assert shapes["attention.in_proj_weight"] == ((3 * 4, 4), 0)


@pytest.mark.parametrize(
    "model",
    [
        nn.LayerNorm((3, 4)),
        nn.RMSNorm((3, 4)),
        parametrizations.weight_norm(nn.Conv2d(2, 3, 2), dim=None),
    ],
    ids=["layer norm", "rms norm", "weight norm, one magnitude"],
)
def test_factors_of_any_shape_are_left_out_unless_1d_tensors_are_in(model):
    layout, weights = Layout.of(model), flat(model).numpy()
    draw = np.random.default_rng(0).standard_normal(len(weights))
    factor = next(p for p in layout.parameters if p.name.endswith(("weight", "original0")))
    assert not normalized(draw, weights, layout.to_records())[factor.slice].any()
    assert normalized(draw, weights, layout.to_records(), include_1d=True)[factor.slice].any()


def test_every_row_of_the_table_names_classes_that_there_are():
    for row in FILTERS.values():
        for name in row.modules:
            room, _, kind = name.rpartition(".")
            assert issubclass(getattr(__import__(room, fromlist=[kind]), kind), nn.Module)


def test_a_layout_keeps_where_filters_lie():
    layout = Layout.of(nn.ConvTranspose2d(4, 6, 2, groups=2))
    assert layout.to_records()[0] == {
        "name": "weight",
        "shape": [4, 3, 2, 2],
        "offset": 0,
        "axis": 1,
        "groups": 2,
    }
    assert Layout.from_records(layout.to_records()) == layout

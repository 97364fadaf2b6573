from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from landscape.errors import LandscapeError
from landscape.problem.weights import Layout, buffers, constants, flat, load_buffers, tied


class Shared(nn.Module):
    """An output layer that uses the embedding's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.output = nn.Linear(4, 7)
        self.output.weight = self.embedding.weight

    def forward(self, tokens):
        return self.output(self.embedding(tokens))


def test_layout_by_hand():
    layout = Layout.of(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1, bias=False)))
    assert layout.to_records() == [
        {"name": "0.weight", "shape": [2, 3], "offset": 0},
        {"name": "0.bias", "shape": [2], "offset": 6},
        {"name": "2.weight", "shape": [1, 2], "offset": 8},
    ]
    assert layout.size == 10
    assert layout.parameters[1].slice == slice(6, 8)
    assert Layout.from_records(layout.to_records()) == layout


def test_flat_is_pytorchs_own_order_of_what_is_trained(net):
    trained = [tensor for tensor in net.parameters() if tensor.requires_grad]
    assert torch.equal(flat(net), parameters_to_vector(trained))


def test_flat_is_a_copy(net, untouched):
    holds = untouched(net)
    flat(net).zero_()
    assert holds()


def test_shared_tensor_counts_once():
    model = Shared()
    assert Layout.of(model).size == 7 * 4 + 7
    copy = tied(model)
    twin, vector = copy.model, copy.vector
    assert len(vector) == 35
    assert twin.output.weight is twin.embedding.weight
    vector.fill_(0.5)
    # 4 products of a half with a half, and the bias.
    assert torch.equal(twin(torch.tensor([[3]])), torch.full((1, 1, 7), 1.5))


def test_vector_is_live(net, images):
    copy = tied(net.eval())
    twin, vector = copy.model, copy.vector
    assert torch.equal(twin(images[0]), net(images[0]))
    vector.zero_()
    assert torch.equal(twin(images[0]), torch.zeros(23, 3))
    with torch.no_grad():
        twin.linear.bias.fill_(2.0)
    assert torch.equal(vector, torch.tensor([0.0] * (len(vector) - 3) + [2.0] * 3))


def test_recurrent_layers_follow_the_vector():
    model = nn.LSTM(3, 4)
    inputs = torch.randn(5, 1, 3)
    copy = tied(model)
    twin, vector = copy.model, copy.vector
    vector.mul_(0.5)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.mul_(0.5)
    torch.testing.assert_close(twin(inputs)[0], model(inputs)[0])


def test_weights_in_channels_last_are_read_in_logical_order(net):
    expected = flat(net)
    assert torch.equal(flat(net.to(memory_format=torch.channels_last)), expected)
    assert torch.equal(tied(net).vector, expected)


def test_model_stays_as_it_was(net, untouched):
    holds = untouched(net)
    copy = tied(net)
    twin, vector = copy.model, copy.vector
    vector.zero_()
    twin.eval()
    for buffer in twin.buffers():
        buffer.zero_()
    assert holds()


def test_copy_keeps_modes_and_frozen_tensors(net):
    twin = tied(net).model
    assert [m.training for m in twin.modules()] == [m.training for m in net.modules()]
    assert [p.requires_grad for p in twin.parameters()] == [
        p.requires_grad for p in net.parameters()
    ]
    assert not twin.conv.bias.requires_grad


def test_model_that_cannot_be_copied_is_refused():
    model = nn.Linear(2, 2)
    model.kept = model.weight * 2
    with pytest.raises(LandscapeError) as caught:
        tied(model)
    start, _, end = str(caught.value).partition("got: ")
    assert start == "a model must be copyable with copy.deepcopy, "
    assert end.endswith("; don't keep tensors with a history as attributes")


def test_buffers_round_trip(net, images):
    net.bn.train()
    net(images[0])
    kept = buffers(net)
    assert {name: (value.dtype.name, value.shape) for name, value in kept.items()} == {
        "bn.running_mean": ("float32", (5,)),
        "bn.running_var": ("float32", (5,)),
        "bn.num_batches_tracked": ("int64", ()),
    }
    expected = {name: value.copy() for name, value in kept.items()}
    net(images[0])
    np.testing.assert_equal(kept, expected)  # A copy.
    assert net.bn.num_batches_tracked == 2

    places = [buffer.data_ptr() for buffer in net.buffers()]
    load_buffers(net, kept)
    np.testing.assert_equal(buffers(net), expected)
    assert [buffer.data_ptr() for buffer in net.buffers()] == places


def test_buffers_outside_the_state_are_left_out():
    model = nn.Linear(1, 1)
    model.register_buffer("mask", torch.ones(2), persistent=False)
    model.register_buffer("none", None)
    assert buffers(model) == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "bn.running_mean",
            np.zeros(4),
            "buffer bn.running_mean of shape (4,) must be one of the model's, got a model (5,)",
        ),
        (
            "bn2.running_mean",
            np.zeros(4),
            "buffer bn2.running_mean of shape (4,) must be one of the model's, "
            "got a model without it",
        ),
    ],
)
def test_foreign_buffers_are_refused(net, name, value, message):
    with pytest.raises(LandscapeError) as caught:
        load_buffers(net, {name: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (nn.Sequential(nn.Linear(3, 2)), ""),
        (nn.Sequential(nn.Linear(2, 3)), "0.weight (2, 3) against 0.weight (3, 2)"),
        (nn.Linear(3, 2), "0.weight (2, 3) against weight (2, 3)"),
        (nn.Sequential(nn.Linear(3, 2, bias=False)), "2 tensors against 1"),
    ],
)
def test_differences_in_words(other, difference):
    mine = Layout.of(nn.Sequential(nn.Linear(3, 2)))
    assert mine.difference(Layout.of(other)) == difference
    assert (mine.fingerprint == Layout.of(other).fingerprint) is (difference == "")


class Mixed(nn.Module):
    """A complex, a 16-bit, a scalar and an empty parameter, frozen and sparse tensors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.base = nn.Linear(3, 4).requires_grad_(False)
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.none = nn.Parameter(torch.zeros(0, 3))
        self.wave = nn.Parameter(torch.randn(4, 4, dtype=torch.complex64))
        self.low = nn.Linear(4, 2).to(torch.bfloat16)
        self.register_buffer("graph", torch.eye(4).to_sparse())
        self.register_buffer("table", torch.arange(3.0).to(torch.bfloat16))

    def forward(self, inputs):
        hidden = torch.sparse.mm(self.graph, self.base(inputs).T).T * self.scale
        waves = hidden.to(torch.complex64) @ self.wave
        return self.low((waves.real + waves.imag).to(torch.bfloat16)).float()


def test_frozen_tensors_are_in_no_vector():
    model = Mixed()
    layout = Layout.of(model)
    assert [(p.name, p.shape, p.offset, p.dtype) for p in layout.parameters] == [
        ("scale", (), 0, "float32"),
        ("none", (0, 3), 1, "float32"),
        ("wave", (4, 4, 2), 1, "complex64"),
        ("low.weight", (2, 4), 33, "bfloat16"),
        ("low.bias", (2,), 41, "bfloat16"),
    ]
    assert Layout.from_records(layout.to_records()) == layout
    named = [p.name for p in Layout.of(model, also=["base.bias"]).parameters]
    assert named == ["scale", "none", "wave", "base.bias", "low.weight", "low.bias"]
    found = constants(model, layout)
    assert sorted(found) == ["base.bias", "base.weight", "graph:indices", "graph:values"]
    np.testing.assert_array_equal(found["base.weight"], model.base.weight.numpy())
    np.testing.assert_array_equal(found["graph:indices"], [[0, 1, 2, 3], [0, 1, 2, 3]])


def test_complex_and_16_bit_parameters_follow_the_vector():
    model = Mixed()
    copy = tied(model)
    assert copy.vector.dtype == torch.float32
    wave = model.wave.detach()
    expected = torch.stack([wave.real, wave.imag], -1).reshape(-1)
    assert torch.equal(copy.vector[1:33], expected)
    assert torch.equal(copy.vector[33:41], model.low.weight.detach().float().reshape(-1))

    there = torch.linspace(-1, 1, len(copy.vector))
    copy.move(there)
    parts = there[1:33].view(4, 4, 2)
    assert torch.equal(copy.model.wave, torch.complex(parts[..., 0], parts[..., 1]))
    low = there[33:41].view(2, 4).to(torch.bfloat16)
    assert torch.equal(copy.model.low.weight, low)
    # What the vector says is what the model has, to the bit.
    assert torch.equal(copy.vector[33:41].view(2, 4), low.float())
    assert torch.equal(copy.vector[1:33], there[1:33])
    assert torch.equal(flat(copy.model), copy.vector)


def test_vectors_split_into_the_parameters_tensors_and_back():
    copy = tied(Mixed())
    vector = torch.linspace(0, 2, len(copy.vector)).to(torch.bfloat16).float()
    parts = copy.split(vector)
    assert [(part.shape, part.dtype) for part in parts] == [
        (p.shape, p.dtype) for p in copy.parameters
    ]
    assert torch.equal(copy.joined(parts), vector)


def test_float64_keeps_imaginary_parts():
    copy = tied(Mixed(), dtype=torch.float64)
    assert copy.vector.dtype == torch.float64
    assert copy.model.wave.dtype == torch.complex128
    assert torch.equal(copy.model.wave.to(torch.complex64), Mixed().wave)


def test_a_vector_of_mixed_dtypes_holds_all_of_them():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    copy = tied(model)
    assert copy.vector.dtype == torch.float64
    copy.move(torch.full((12,), 0.1, dtype=torch.float64))
    assert torch.equal(copy.model[0].weight, torch.full((2, 2), 0.1))
    assert torch.equal(copy.model[1].weight, torch.full((2, 2), 0.1).double().fill_(0.1))


def test_plain_parameters_are_views(net):
    copy = tied(net)
    assert copy.apart == ()
    base = copy.vector.untyped_storage().data_ptr()
    assert {p.untyped_storage().data_ptr() for p in copy.parameters} == {base}


def test_sparse_buffers_stay_the_models_own():
    kept = buffers(Mixed())
    assert list(kept) == ["table"]
    assert kept["table"].dtype == np.float32
    np.testing.assert_array_equal(kept["table"], [0, 1, 2])
    model = Mixed()
    load_buffers(model, {"table": np.array([3, 4, 5], np.float32)})
    assert torch.equal(model.table, torch.tensor([3, 4, 5], dtype=torch.bfloat16))


def test_the_older_weight_norm_can_be_copied():
    with pytest.warns(FutureWarning):
        model = nn.utils.weight_norm(nn.Linear(3, 2))
    inputs = torch.randn(4, 3)
    expected = model(inputs).detach()
    copy = tied(model)
    assert torch.equal(copy.model(inputs), expected)
    copy.move(copy.vector * 2)  # g doubles; v's length says nothing
    torch.testing.assert_close(copy.model(inputs), 2 * expected)


def test_some_tensors_move(net):
    layout = Layout.of(net).narrowed(["linear.*", "bn.bias"])
    assert [p.name for p in layout.moving] == ["bn.bias", "linear.weight", "linear.bias"]
    assert layout.size == Layout.of(net).size
    assert Layout.from_records(layout.to_records()) == layout


def test_a_pattern_that_matches_nothing_is_refused(net):
    with pytest.raises(LandscapeError) as caught:
        Layout.of(net).narrowed(["linear.weight, head.*"])
    assert str(caught.value) == (
        "a pattern of parameters to scan must match a name, got head.*; the names are "
        "conv.weight, bn.weight, bn.bias, linear.weight, linear.bias"
    )


def test_weights_that_come_in_pieces(net):
    made = tied(net, "cpu")
    weights = np.arange(len(made.vector), dtype=np.float32)
    made.move(iter([weights[:3], weights[3:10], weights[10:]]))
    np.testing.assert_array_equal(flat(made.model).numpy(), weights)
    with pytest.raises(AssertionError, match="all weights"):
        made.move(iter([weights[:3]]))


@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_a_copys_parameters_are_views_of_another_memory(net, dtype):
    made = tied(net, "cpu", dtype)
    own = {tensor.data_ptr() for tensor in net.parameters()}
    memory = made.vector.untyped_storage().data_ptr()
    for copy in made.parameters:
        assert copy.untyped_storage().data_ptr() == memory
        assert copy.data_ptr() not in own
    assert made.vector.dtype == (torch.float32 if dtype is None else dtype)
    np.testing.assert_array_equal(made.vector.numpy(), flat(net).numpy())

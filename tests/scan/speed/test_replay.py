from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from landscape.scan.speed.replay import Recorded, in_rows

from .recordings import Counted, over_points, random, stacked


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


MODELS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5), nn.GELU(), nn.Linear(5, 20)
    ),
    "norm": lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Tanh()),
    "convolutions": lambda: nn.Sequential(
        nn.Unflatten(2, (2, 2)), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 20)
    ),
    "attention": lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_give_the_same_to_the_bit_without_being_run(name):
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    function = over_points(model)
    counted = Counted(function)
    made = Recorded(counted)
    batches = [random(6, 3, 4), random(6, 3, 4) + 1, random(2, 3, 4), random(6, 3, 4) - 1]
    for shift in range(3):
        fixed = [value + shift for value in stacked(model)]
        made.fix(fixed)
        for batch in batches:
            before = batch.clone(), [value.clone() for value in fixed]
            assert torch.equal(made([batch]), function(fixed, [batch]))
            assert torch.equal(batch, before[0])
            assert all(map(torch.equal, fixed, before[1]))
    # Recorded for two shapes, and compared for each batch.
    assert counted.calls == 6


class Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def operations(made, *moving):
    with Operations() as seen:
        made(list(moving))
    return seen.names


def test_what_only_the_fixed_ones_decide_is_done_once():
    made = Recorded(lambda fixed, moving: moving[0] @ (fixed[0].exp() * 2).t())
    x = random(2, 3)
    made.fix([random(4, 3)])
    made([x]), made([x])
    assert operations(made, x) == ["aten::matmul"]
    made.fix([random(4, 3) + 1])
    assert operations(made, x) == ["aten::exp", "aten::mul.Tensor", "aten::t", "aten::matmul"]
    assert operations(made, x) == ["aten::matmul"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("classes", "exchanged"), [(10, True), (17, False)])
def test_a_last_layer_with_few_outputs_gives_them_class_by_class(classes, exchanged, bias):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, classes, bias=bias))
    made, x = Recorded(over_points(model)), random(6, 12)
    made.fix(stacked(model))
    made([x]), made([x])
    found = made([x])
    assert found.stride() == ((6 * classes, 1, 6) if exchanged else (6 * classes, classes, 1))
    rows = in_rows(found)
    assert rows.shape == (18, classes)
    assert (rows.t() if exchanged else rows).is_contiguous()
    for point, weights in enumerate(zip(*stacked(model), strict=True)):
        names = [name for name, _ in model.named_parameters()]
        doubled = {name: value.double() for name, value in zip(names, weights, strict=True)}
        wanted = functional_call(copy.deepcopy(model).double(), doubled, (x.double(),))
        torch.testing.assert_close(found[point].double(), wanted, rtol=1e-5, atol=1e-6)
        assert torch.equal(rows[6 * point : 6 * (point + 1)], found[point])


def test_a_product_that_something_else_needs_stays_as_it_is():
    def function(fixed, moving):
        found = moving[0] @ fixed[0]
        return found + found.sum(1, keepdim=True)

    made, x, fixed = Recorded(function), random(2, 3, 4), [random(2, 4, 5)]
    made.fix(fixed)
    made([x]), made([x])
    assert torch.equal(made([x]), function(fixed, [x]))
    assert "aten::matmul" in operations(made, x)


def test_what_nothing_needs_is_not_done():
    def function(fixed, moving):
        moving[0].exp()
        return moving[0] * fixed[0]

    made = Recorded(function)
    x = random(3)
    made.fix([random(3)])
    made([x]), made([x])
    assert operations(made, x) == ["aten::mul.Tensor"]


def in_place(function, *moving, owned=0):
    """The in-place operations of a recording, whose values are checked."""
    fixed, batch = [random(3), random(2, 3)], torch.zeros(1)
    made = Recorded(function, owned)
    made.fix(fixed)
    for shift in (0.0, 0.1, 0.2):
        given = [t + shift for t in moving]
        wanted = function(fixed, [t.clone() for t in given])
        assert torch.equal(made([*given, batch]), wanted)
    return [name for name in operations(made, *moving, batch) if name.split(".")[0].endswith("_")]


def test_memory_that_nothing_else_needs_is_overwritten():
    x = random(2, 3)
    assert in_place(lambda f, m: (m[0] * 2).relu(), x) == ["aten::relu_"]
    assert in_place(lambda f, m: f[0] + m[0] * 2, x) == ["aten::add_.Tensor"]
    assert in_place(lambda f, m: m[0].relu() * 2, x, owned=1) == ["aten::relu_"]
    assert in_place(lambda f, m: m[0].view(-1).relu() * 2, x, owned=1) == ["aten::relu_"]


def test_memory_that_something_else_needs_is_not():
    x, y = random(2, 3), random(3)
    assert in_place(lambda f, m: m[0].relu(), x) == []
    assert in_place(lambda f, m: m[0].view(-1).relu(), x) == []
    assert in_place(lambda f, m: f[1].relu() + f[0] * m[0], x) == ["aten::add_.Tensor"]
    assert in_place(lambda f, m: (f[1] * 2).relu() * m[0], x) == []  # kept between calls

    def through_a_view(f, m):
        whole = m[0] * 2
        part = whole[:1]
        return whole.relu() * part

    assert in_place(through_a_view, x) == []
    # A sum that is larger than its terms, and one of another type.
    assert in_place(lambda f, m: (m[1] * 2) + f[1], x, y) == []
    assert in_place(lambda f, m: (m[0] * 2) + f[0].double(), x) == []
    assert in_place(lambda f, m: torch.add(m[0] * 2, f[0], alpha=2), x) == []

    def same_twice(f, m):
        both = m[0] * 2
        return both + both

    assert in_place(same_twice, x) == []

    def with_its_transpose(f, m):
        square = m[0].T @ m[0]
        return square + square.T

    assert in_place(with_its_transpose, x) == []
    # The same memory is the batch too, which isn't owned.
    base = random(2, 3)
    made = Recorded(lambda f, m: m[0].relu() - m[1], owned=1)
    made.fix([random(1)])
    for _ in range(3):
        assert torch.equal(made([base, base.view(2, 3)]), base.relu() - base)

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from landscape.scan import recorded
from landscape.scan.recorded import Recorded


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, fixed, moving):
        self.calls += 1
        return self.function(fixed, moving)


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(hash(shape) % 1000))


def stacked(model, points=3):
    return [torch.stack([value + 0.1 * n for n in range(points)]) for value in model.parameters()]


def over_points(model):
    names = [name for name, _ in model.named_parameters()]

    def one(fixed, inputs):
        return functional_call(model, dict(zip(names, fixed, strict=True)), (inputs,))

    run = vmap(one, in_dims=(0, None))
    return lambda fixed, moving: run(fixed, *moving)


MODELS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5), nn.GELU(), nn.Linear(5, 3)
    ),
    "norm": lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Tanh()),
    "convolutions": lambda: nn.Sequential(
        nn.Unflatten(2, (2, 2)), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)
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


def by_sign(fixed, moving):
    return moving[0] * fixed[0] if moving[0].sum() > 0 else moving[0] - fixed[0]


def by_position(fixed, moving):
    return moving[0][moving[0] > 0].sum() * fixed[0]


def by_count(fixed, moving):
    return len(torch.where(moving[0] > 0)[0]) * fixed[0] + moving[0]


def by_maximum(fixed, moving):
    return moving[0] / 255 if bool((moving[0] > 2).any()) else moving[0] * fixed[0]


@pytest.mark.parametrize("function", [by_sign, by_position, by_count, by_maximum])
def test_what_depends_on_values_is_not_recorded(function):
    counted = Counted(function)
    made = Recorded(counted)
    made.fix([random(3)])
    ordinary, rare = random(3).abs().clamp(max=1), torch.tensor([-3.0, -1.0, 2.5])
    for number, x in enumerate((ordinary, ordinary, ordinary, rare, ordinary, rare), start=1):
        assert torch.equal(made([x]), function([random(3)], [x]))
        assert counted.calls == number


def by_hidden_sign(fixed, moving):
    sign = float(moving[0].numpy().sum()) > 0  # not an operation of torch's
    return moving[0] * fixed[0] if sign else moving[0] - fixed[0]


def by_hidden_size(fixed, moving):
    count = max(1, round(max(moving[0].tolist())))
    return torch.cat([moving[0]] * count) + fixed[0][:1]


@pytest.mark.parametrize("function", [by_hidden_sign, by_hidden_size])
def test_every_batch_is_compared_with_the_function_once(function):
    made = Recorded(function)
    batches = [random(3).abs(), random(3).abs() + 1e-3, torch.tensor([1.0, -9.0, 3.0])]
    for shift in range(4):
        made.fix([random(3) + shift])
        for x in batches:
            assert torch.equal(made([x]), function([random(3) + shift], [x]))


def shifted(model, count=3):
    """A model's function over points, and their parameters."""
    torch.manual_seed(0)
    return over_points(model), stacked(model, count)


class Cropped(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.out = nn.Conv1d(3, 4, 3, padding=2), nn.Linear(4 * 4, 2)

    def forward(self, x):
        return self.out(self.layer(x)[:, :, :-2].relu().flatten(1))


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.out = nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x):
        h = self.layer(x)
        return self.out((h.mean(1, keepdim=True).expand_as(h) + h.tanh()).amax(1))


@pytest.mark.parametrize("model", [Cropped, Pooled])
def test_strided_and_expanded_memory_is_not_overwritten(model):
    function, fixed = shifted(model().eval())
    counted = Counted(function)
    made, batch = Recorded(counted), random(6, 3, 4)
    made.fix(fixed)
    for _ in range(4):
        assert torch.equal(made([batch]), function(fixed, [batch]))
    assert counted.calls == 2


def test_random_numbers_are_drawn_anew():
    made = Recorded(lambda fixed, moving: moving[0] + torch.rand_like(fixed[0]))
    made.fix([random(3)])
    drawn = [made([torch.zeros(3)]) for _ in range(4)]
    assert len({float(values[0]) for values in drawn}) == 4


def test_a_model_that_works_in_place_is_left_alone():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    function = over_points(model)
    made, fixed = Recorded(function), stacked(model)
    made.fix(fixed)
    for _ in range(3):
        assert torch.equal(made([random(5, 4)]), function(fixed, [random(5, 4)]))


def test_large_results_are_not_kept_for_recording(monkeypatch):
    monkeypatch.setattr(recorded, "LIMIT", 100)
    counted = Counted(lambda fixed, moving: moving[0] * fixed[0])
    made = Recorded(counted)
    made.fix([random(1)])
    for _ in range(4):
        made([random(30)])
    assert counted.calls == 4


def test_results_that_only_the_fixed_ones_decide():
    made = Recorded(lambda fixed, moving: fixed[0] * 2)
    for value in (1.0, 1.0, 2.0, 3.0):
        made.fix([torch.tensor([value])])
        assert float(made([random(2)])) == 2 * value


def test_the_function_s_errors_are_its_own():
    made = Recorded(lambda fixed, moving: fixed[0] @ moving[0])
    made.fix([random(2, 3)])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="mat"):
            made([random(2, 3)])


def test_recording_does_not_import_the_compiler():
    code = """
import sys, torch
from landscape.scan.recorded import Recorded
made = Recorded(lambda fixed, moving: (fixed[0] * moving[0]).relu())
made.fix([torch.ones(2)])
with torch.inference_mode():
    for _ in range(3):
        made([torch.ones(2)])
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""What a recording must not take for granted: values, layouts, random numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from landscape.scan.speed import replay
from landscape.scan.speed.replay import Recorded

from .recordings import Counted, over_points, random, stacked


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


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
    monkeypatch.setattr(replay, "LIMIT", 100)
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


@pytest.mark.slow
def test_recording_does_not_import_the_compiler():
    code = """
import sys, torch
from landscape.scan.speed.replay import Recorded
made = Recorded(lambda fixed, moving: (fixed[0] * moving[0]).relu())
made.fix([torch.ones(2)])
with torch.inference_mode():
    for _ in range(3):
        made([torch.ones(2)])
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

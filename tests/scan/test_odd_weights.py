"""Frozen, complex, 16-bit, float64, tied, sparse and parametrized: from training to a scan.

Each against a plain loop over the model that the recorded numbers are put into by their names.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from landscape import sgd
from landscape.curvature.hessian import Hessian
from landscape.plane.random import random
from landscape.plane.through import through
from landscape.problem import Problem, flat, spectral
from landscape.scan import grid
from landscape.scan.speed import strategies
from landscape.scan.speed.engine import Engine
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.sgd import Settings, importing, steps
from landscape.sgd.recording.recorder import Recorder
from landscape.store.run import read

SETTINGS = Settings(lr=0.1, momentum=0.9, batch_size=16, steps=12)


class Waves(nn.Module):
    """A complex linear map between two real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 3)  # an odd count: pairs don't begin at even places
        self.wave = nn.Parameter(0.5 * torch.randn(3, 5, dtype=torch.complex64))
        self.shift = nn.Parameter(torch.zeros(5, dtype=torch.complex64))
        self.last = nn.Linear(5, 3)

    def forward(self, inputs):
        waves = self.first(inputs).to(self.wave.dtype) @ self.wave + self.shift
        return self.last(waves.abs())


class Types(nn.Module):
    """Layers in float32, float64 and bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.second = nn.Linear(5, 5).double()
        self.last = nn.Linear(5, 3).to(torch.bfloat16)

    def forward(self, inputs):
        hidden = self.second(self.first(inputs).tanh().double()).tanh()
        return self.last(hidden.to(torch.bfloat16)).float()


class Low(nn.Module):
    """All of it in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(torch.bfloat16)

    def forward(self, inputs):
        return self.layers(inputs.to(torch.bfloat16)).float()


class High(nn.Module):
    """All of it in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()

    def forward(self, inputs):
        return self.layers(inputs.double())


class Tied(nn.Module):
    """A layer used twice, a scalar and an empty parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first
        self.scale = nn.Parameter(torch.tensor(0.8))
        self.none = nn.Parameter(torch.zeros(0, 3))
        self.last = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.last(self.scale * self.second(self.first(inputs).tanh()).tanh())


class Graph(nn.Module):
    """A sparse buffer, a mask, and a frozen layer in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.kept = nn.Linear(4, 4).requires_grad_(False)
        self.last = nn.Linear(4, 3)
        ring = torch.eye(4) + torch.eye(4).roll(1, 0)
        self.register_buffer("ring", ring.to_sparse())
        self.register_buffer("mask", torch.ones(4, 4).tril())

    def forward(self, inputs):
        hidden = self.kept(self.first(inputs).tanh()).tanh() @ self.mask
        return self.last(torch.sparse.mm(self.ring, hidden.T).T)


def normed(norm) -> nn.Module:
    return nn.Sequential(norm(nn.Linear(4, 6)), nn.Tanh(), norm(nn.Linear(6, 6)), nn.Linear(6, 3))


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return normed(nn.utils.weight_norm)


MODELS = {
    "complex": Waves,
    "types": Types,
    "bfloat16": Low,
    "float64": High,
    "tied": Tied,
    "graph": Graph,
    "spectral norm": lambda: normed(parametrizations.spectral_norm),
    "older spectral norm": lambda: normed(nn.utils.spectral_norm),
    "weight norm": lambda: normed(parametrizations.weight_norm),
    "older weight norm": old_weight_norm,
}


def problem_of(name: str) -> Problem:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(50, 4, generator=generator)
    return Problem(MODELS[name](), (inputs, inputs.argmax(1) % 3))


def put(model: nn.Module, trajectory, row: int) -> nn.Module:
    """The model with a row's numbers, by the names and shapes that the file lists."""
    named = dict(model.named_parameters())
    weights = torch.from_numpy(trajectory.row_weights(row))
    with torch.no_grad():
        for entry in trajectory.parameters:
            size = int(np.prod(entry["shape"]))
            part = weights[entry["offset"] : entry["offset"] + size].view(entry["shape"])
            if entry.get("dtype", "").startswith("complex"):
                part = torch.complex(part[..., 0], part[..., 1])
            named[entry["name"]].copy_(part)
        own = dict(model.named_buffers())
        for buffer, value in trajectory.buffers(row).items():
            own[buffer].copy_(torch.from_numpy(value))
    return model.eval()


def plain_loss(model: nn.Module, problem: Problem) -> float:
    with torch.no_grad():
        outputs = model(problem.train[0])
    return float(functional.cross_entropy(outputs.double(), problem.train[1]))


@pytest.fixture
def recorded(tmp_path):
    def train(name: str):
        problem = problem_of(name)
        with Recorder(tmp_path / "run", problem, SETTINGS, record="4") as recorder:
            for step in steps(problem, SETTINGS):
                recorder.record(step)
        return problem, recorder.run.trajectory

    return train


@pytest.mark.parametrize("name", MODELS)
def test_recorded_losses_and_the_centre_of_a_scan_are_a_plain_loops(recorded, name):
    problem, trajectory = recorded(name)
    assert trajectory.step.tolist() == [0, 4, 8, 12]
    assert (np.diff(trajectory.weights(slice(None)), axis=0) != 0).any()
    for row in range(4):
        expected = plain_loss(put(problem_of(name).model, trajectory, row), problem)
        assert trajectory.measures["train_loss"][row] == pytest.approx(expected, rel=1e-6)
    scan = grid(problem, random(trajectory), trajectory, size=3, extent=0.5)
    assert scan.measures["train_loss"][1, 1] == pytest.approx(expected, rel=1e-5)
    assert np.ptp(scan.measures["train_loss"]) > 0


@pytest.mark.parametrize("name", MODELS)
def test_going_on_gives_the_same_weights_to_the_bit(name):
    problem = problem_of(name)
    states, whole = {}, []
    for step in steps(problem, SETTINGS):
        whole.append(step.weights.clone())
        if step.step == 5:
            states[5] = step.capture()
    rest = [step.weights.clone() for step in steps(problem, SETTINGS, start=states[5])]
    assert all(torch.equal(a, b) for a, b in zip(whole[5:], rest, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_somebodys_own_loop_is_recorded_as_the_model_is(tmp_path, name):
    problem = problem_of(name)
    model = problem.model
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    with sgd.watch(tmp_path / "run", problem, optimizer, record="1") as watch:
        for start in (0, 16, 32):
            optimizer.zero_grad()
            inputs, targets = (part[start : start + 16] for part in problem.train)
            loss = functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            watch.record(loss)
    trajectory = read(tmp_path / "run").trajectory
    parts = [
        (torch.view_as_real(p) if p.is_complex() else p).detach().float().reshape(-1)
        for p in model.parameters()
        if p.requires_grad
    ]
    assert torch.equal(torch.from_numpy(trajectory.row_weights(3)), torch.cat(parts))
    model.eval()
    assert trajectory.measures["train_loss"][3] == pytest.approx(
        plain_loss(model, problem), rel=1e-6
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_is_imported_as_it_is(tmp_path, name):
    problem = problem_of(name)
    other = problem_of(name).model
    with torch.no_grad():
        for tensor in other.parameters():
            if tensor.requires_grad:
                tensor += 0.1
    torch.save(other.state_dict(), tmp_path / "step-7.pt")
    files = importing.order([str(tmp_path / "step-7.pt")])
    list(importing.record(tmp_path / "run", problem, files))
    trajectory = read(tmp_path / "run").trajectory
    expected = plain_loss(other.eval(), problem)
    assert trajectory.measures["train_loss"][0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"types", "bfloat16"}))
def test_the_hessian_is_the_gradients_slope(name):
    problem = problem_of(name)
    spectral.compute(problem.model)
    hessian = Hessian(problem, dtype=torch.float64)
    generator = np.random.default_rng(0)
    weights = flat(problem.model).double().numpy()
    direction = generator.standard_normal(len(weights))
    product = hessian @ direction
    slopes = []
    for sign in (1, -1):
        hessian.move(weights + sign * 1e-5 * direction)
        slopes.append(hessian.gradient()[1])
    expected = (slopes[0] - slopes[1]) / 2e-5
    np.testing.assert_allclose(product, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["types", "bfloat16"])
def test_slopes_of_types_are_those_of_torch(name):
    problem = problem_of(name)
    model = problem_of(name).model
    loss, found = Hessian(problem).gradient()
    inputs, targets = problem.train
    functional.cross_entropy(model(inputs).double(), targets).backward()
    parts = [parameter.grad.double().reshape(-1) for parameter in model.parameters()]
    assert loss == pytest.approx(plain_loss(model, problem), rel=1e-6)
    np.testing.assert_allclose(found, torch.cat(parts).numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("strategy", ["batched", "shared", "shared+batched"])
@pytest.mark.parametrize("name", ["complex", "types"])
def test_fast_strategies_say_that_they_cannot(recorded, name, strategy):
    problem, trajectory = recorded(name)
    engine = Engine(problem, random(trajectory))
    with pytest.raises(strategies.UnsuitableError) as caught, torch.inference_mode():
        strategies.make(strategy, engine)
    assert str(caught.value) == "its weights are complex or of several types"


@pytest.mark.parametrize("strategy", ["batched", "folded", "shared"])
def test_fast_strategies_leave_frozen_tensors_alone(tmp_path, strategy):
    """The first layer is frozen, so that the second sees the same inputs at every point."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    model[0].requires_grad_(False)
    problem = Problem(model, problem_of("tied").train)
    with Recorder(tmp_path / "run", problem, SETTINGS, record="4") as recorder:
        for step in steps(problem, SETTINGS):
            recorder.record(step)
    plane = random(recorder.run.trajectory)
    slow = grid(problem, plane, size=3, extent=0.5, strategy="sequential")
    fast = grid(problem, plane, size=3, extent=0.5, strategy=strategy)
    assert strategy in fast.strategy["name"]
    np.testing.assert_allclose(fast.measures["train_loss"], slow.measures["train_loss"], rtol=1e-5)


def test_planes_through_weights_with_spectral_norm_have_their_losses(recorded):
    problem, trajectory = recorded("spectral norm")
    plane = through(trajectory, 0, 8, 12)
    evaluator = PointEvaluator(problem, plane)
    for point in plane.points:
        model = put(problem_of("spectral norm").model, trajectory, trajectory.row(point.step))
        for name in ("0", "2"):
            layer = model.get_submodule(name)
            weight = layer.parametrizations.weight.original.detach()
            left, _, right = torch.linalg.svd(weight)
            layer.parametrizations.weight[0]._u.copy_(left[:, 0])
            layer.parametrizations.weight[0]._v.copy_(right[0])
        found = evaluator.at(np.array(point.xy))["train_loss"]
        assert found == pytest.approx(plain_loss(model, problem), rel=1e-5)
        # One step of the power method a step of training follows the weights closely.
        recorded_loss = trajectory.measures["train_loss"][trajectory.row(point.step)]
        assert found == pytest.approx(recorded_loss, rel=0.05)


def test_saved_spectral_norms_are_the_origins(recorded):
    problem, trajectory = recorded("spectral norm")
    scan = grid(problem, random(trajectory), trajectory, size=3, extent=0.5)
    assert scan.measures["train_loss"][1, 1] == pytest.approx(
        trajectory.measures["train_loss"][-1], rel=1e-6
    )

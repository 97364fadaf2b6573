"""Units, spread and slope along a trajectory; the dead plateau's closed form."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.diagnose.units import units
from landscape.problem import Problem, flat

CLASSES = torch.tensor([0] * 20 + [1] * 25 + [2] * 15)


def made(dtype: torch.dtype = torch.float32) -> Problem:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, 7),
            nn.ReLU(),
            nn.Linear(7, 3),
        ).to(dtype)
    return Problem(model, (torch.randn(60, 1, 4, 4, generator=generator).to(dtype), CLASSES))


def dead(problem: Problem, *, units_of: slice = slice(None)) -> torch.Tensor:
    """The weights with some of the last hidden layer's units dead."""
    model = copy.deepcopy(problem.model)
    with torch.no_grad():
        model[3].bias[units_of] = -1e3
        model[5].bias.copy_((CLASSES.bincount() / 60.0).log())
    return flat(model)


@pytest.fixture
def run(recorded):
    """A healthy start, a collapse of a part, and of the whole last hidden layer."""
    problem = made()
    rows = [flat(problem.model), dead(problem, units_of=slice(0, 3)), dead(problem)]
    return (
        problem,
        recorded(problem, rows),
        units.measure(problem, recorded(problem, rows), [0, 1, 2]),
    )


def test_layers_with_their_units(run):
    _, _, found = run
    assert found.layers == ("0", "3")
    assert found.kinds == ("dead", "dead")
    assert found.sizes.tolist() == [4, 7]
    assert (found.stuck[1:, 1] - found.stuck[0, 1]).tolist() == [3, 7 - found.stuck[0, 1]]
    assert [found.whole("dead", row) for row in range(3)] == [(), (), ("3",)]
    assert found.partly("dead", 1)["3"] == pytest.approx(found.stuck[1, 1] / 7)
    assert "3" not in found.partly("dead", 2)
    assert found.whole("saturated", 2) == ()


def test_a_dead_layer_moves_nothing_but_the_output_bias(run):
    _, _, found = run
    assert found.moving(2) == ("5.bias",)
    assert found.gradient_norms[2, :-1].tolist() == [0] * 5
    assert found.gradient_norm[2] == found.gradient_norms[2, -1]
    assert found.moving(0) == found.tensors


def test_at_a_dead_layer_and_the_logarithms_of_the_frequencies_the_loss_is_their_entropy(recorded):
    # In float64, with the bias not rounded to a trajectory's float32.
    problem = made(torch.float64)
    vector = dead(problem)
    torch.nn.utils.vector_to_parameters(vector, problem.model.parameters())
    shares = CLASSES.bincount().double() / 60
    problem.model[5].bias.data.copy_(shares.log())
    inputs, targets = problem.train
    loss = functional.cross_entropy(problem.model(inputs), targets)
    entropy = float(-(shares * shares.log()).sum())
    assert loss.item() == pytest.approx(entropy, rel=0, abs=1e-12)
    loss.backward()
    gradients = [p.grad for p in problem.model.parameters()]
    assert not any(gradient.any() for gradient in gradients[:-1])
    assert gradients[-1].abs().max() < 1e-15
    found = units.measure(problem, recorded(problem, [vector]))
    assert found.loss[0] == pytest.approx(entropy, abs=1e-12)
    assert found.constant_loss == pytest.approx(entropy, abs=1e-12)


def test_spread_of_outputs(run):
    problem, trajectory, found = run
    model = copy.deepcopy(problem.model)
    for row in range(3):
        torch.nn.utils.vector_to_parameters(
            torch.from_numpy(trajectory.row_weights(row)), model.parameters()
        )
        outputs = model(problem.train[0]).double().detach().numpy()
        assert found.spread[row] == pytest.approx(np.sqrt(outputs.var(0).mean()), rel=1e-6)
        assert found.scale[row] == pytest.approx(np.sqrt((outputs**2).mean()), rel=1e-6)
    assert found.spread[2] == 0
    assert found.relative_spread[2] == 0
    assert found.start_spread == found.spread[0] > 0


def test_loss_and_slope(run):
    problem, _, found = run
    model = copy.deepcopy(problem.model).double()
    loss = functional.cross_entropy(model(problem.train[0].double()), problem.train[1])
    loss.backward()
    assert found.loss[0] == pytest.approx(loss.item(), rel=1e-6)
    norms = [float(p.grad.norm()) for p in model.parameters()]
    np.testing.assert_allclose(found.gradient_norms[0], norms, rtol=1e-4)


def test_the_starts_spread_is_known_without_its_row(run):
    problem, trajectory, found = run
    assert units.measure(problem, trajectory, [2]).start_spread == found.start_spread


def test_an_initialization_that_sleeps_is_not_dead(recorded):
    problem = made()
    asleep = flat(problem.model)
    asleep[-24:-3] *= 1e-5  # the output's weights
    found = units.measure(problem, recorded(problem, [asleep]))
    assert found.relative_spread[0] < 1e-4
    assert found.whole("dead", 0) == ()
    assert found.moving(0) == found.tensors


def test_outputs_of_zero_have_no_scale(recorded):
    problem = made()
    found = units.measure(problem, recorded(problem, [torch.zeros_like(flat(problem.model))]))
    assert math.isnan(found.relative_spread[0])


def test_the_model_is_left_alone(run):
    problem, trajectory, _ = run
    problem.model.train()
    before = flat(problem.model)
    units.measure(problem, trajectory)
    assert torch.equal(flat(problem.model), before)
    assert problem.model.training
    assert all(p.grad is None for p in problem.model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in problem.model.modules())


def test_progress_is_told(run):
    problem, trajectory, _ = run
    asked = []
    units.measure(problem, trajectory, [0, 2], listener=lambda *at: asked.append(at))
    assert asked == [(0, 2), (1, 2), (2, 2)]

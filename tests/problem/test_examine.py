from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import Problem, half_square
from landscape.problem.examine import verify


def test_verify_leaves_the_model(problem, untouched):
    holds = untouched(problem.model)
    verify(problem)
    assert holds()


@pytest.mark.parametrize("count", [1, 23])
def test_verify_refuses_a_loss_that_is_a_mean(net, images, count):
    data = (images[0][:count], images[1][:count])
    size = min(count, 8)
    with pytest.raises(LandscapeError) as caught:
        verify(Problem(net, data, loss=functional.cross_entropy))
    assert str(caught.value) == (
        f"a loss must return one value a sample, shape ({size},) or ({size}, ...) for {size} "
        'samples, got a scalar; use reduction="none", or return (value, weight) for one of the '
        "batch"
    )


def test_verify_refuses_data_the_model_cannot_take(untouched):
    model = nn.Linear(2, 1).train()
    holds = untouched(model)
    with pytest.raises(LandscapeError) as caught:
        verify(Problem(model, (torch.zeros(5, 3), torch.zeros(5, 1)), loss=half_square))
    assert str(caught.value) == (
        "a problem's model must run on its data, got RuntimeError: mat1 and mat2 shapes cannot be "
        "multiplied (5x3 and 2x1) on float32 (5, 3); LANDSCAPE_DEBUG=1 shows the traceback"
    )
    assert holds()


def test_verify_passes_on_what_a_loss_says():
    problem = Problem(nn.Linear(2, 1), (torch.zeros(5, 2), torch.zeros(5)), loss=half_square)
    with pytest.raises(LandscapeError) as caught:
        verify(problem)
    assert str(caught.value) == (
        "a problem's loss must run on its data, got ValueError: half_square wants outputs and "
        "targets of one shape, got (5, 1) and (5,) on float32 (5, 1); float32 (5,); "
        "LANDSCAPE_DEBUG=1 shows the traceback"
    )


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False)),
        nn.Sequential(
            nn.Unflatten(1, (1, 1, 3)), nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten()
        ),
    ],
)
def test_verify_refuses_outputs_that_depend_on_the_batch(model):
    inputs = torch.arange(15.0).reshape(5, 3)
    with pytest.raises(LandscapeError, match="track_running_stats"):
        verify(Problem(model, (inputs, torch.zeros(5, dtype=torch.int64))))
    assert all(module.training for module in model.modules())

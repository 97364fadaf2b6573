"""Planes with the sharpest direction, on a quadratic whose sharpest direction is an axis."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.choice import PlaneChoice
from landscape.plane.drift import drift, sharpest, window
from landscape.plane.kinds import Given
from landscape.problem import Problem

STEEP = np.array([0.0, 1.0, 30.0, 4.0, 2.0, 0.5])


class Bowl(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 3))
        self.register_buffer("steep", torch.tensor(STEEP, dtype=torch.float32), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        height = 0.5 * (self.steep * self.weight.flatten() ** 2).sum()
        return height.expand(len(inputs), 1)


@pytest.fixture
def problem() -> Problem:
    inputs = torch.zeros(4, 1)
    return Problem(Bowl(), (inputs, inputs), loss=lambda outputs, _: outputs[:, 0])


def drifting() -> np.ndarray:
    """A slow drift along the first axis, with oscillations along the third."""
    weights = np.zeros((21, 6))
    weights[:, 0] = np.arange(21)
    weights[:, 1] = 1.0
    weights[:-1, 2] = 0.02 * (-1.0) ** np.arange(20)
    return weights


def test_the_drift_and_the_sharpest_direction(problem, recorded):
    trajectory = recorded(problem, drifting())
    # Half of 200 steps, less a sixteenth of these.
    assert window(trajectory) == 106
    plane = drift(problem, trajectory)
    middle = 150
    movement = drifting()[20] - drifting()[15]
    along, sharp = plane.directions.astype(np.float64)
    np.testing.assert_allclose(along, movement / np.linalg.norm(movement), atol=1e-6)
    assert abs(sharp[2]) == pytest.approx(1, abs=1e-4)
    assert abs(along @ sharp) < 1e-6
    assert plane.labels == (
        f"slow drift, steps {middle} to 200",
        "sharpest direction at the origin, λ = 30",
    )
    assert [(point.name, point.step) for point in plane.points] == [("step 150", 150)]
    assert plane.points[0].xy == pytest.approx((-np.linalg.norm(movement), 0), abs=1e-5)
    np.testing.assert_array_equal(plane.origin, drifting()[20].astype(np.float32))


def test_a_random_direction_and_the_sharpest(problem, recorded):
    trajectory = recorded(problem, drifting())
    plane = sharpest(problem, trajectory, at=100, seed=2)
    drawn, sharp = plane.directions.astype(np.float64)
    assert abs(sharp[2]) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(plane.norms, 1, rtol=1e-6)
    # Each of the two filters is scaled to its own weights, then the whole to length 1.
    flat = np.random.Generator(np.random.PCG64(2)).standard_normal(6).reshape(2, 3)
    weights = drifting()[10].astype(np.float32).reshape(2, 3)
    ratio = np.linalg.norm(weights, axis=1) / np.linalg.norm(flat, axis=1)
    expected = (flat * ratio[:, None]).ravel()
    np.testing.assert_allclose(drawn, expected / np.linalg.norm(expected), atol=1e-6)


def test_weights_that_rest_have_no_drift(problem, recorded):
    weights = drifting()
    weights[10:] = weights[10]
    with pytest.raises(LandscapeError) as caught:
        drift(problem, recorded(problem, weights))
    assert str(caught.value) == (
        "plane drift needs weights that moved after step 150, these didn't; take plane along"
    )


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (np.linspace(2.3, 0.1, 21), ("random", "valley", "drift")),
        ([2.3, *np.linspace(2, 0.1, 9), *np.linspace(0.5, 2.3, 11)], ("random", "valley", "event")),
        # Never below the constant output's: nothing was left.
        (np.full(21, 2.31), ("random", "valley", "drift")),
        ([2.3, *[np.nan] * 19, 0.1], ("random", "valley", "drift")),
    ],
)
def test_what_a_run_gets_without_asking(problem, recorded, losses, expected):
    trajectory = recorded(problem, drifting(), losses)
    assert kinds.specs(PlaneChoice(), trajectory, 2.3026) == expected
    assert kinds.specs(PlaneChoice(("pca",)), trajectory, 2.3026) == ("pca",)
    assert kinds.specs(PlaneChoice(at="best"), trajectory, 2.3026) == ("random", "sharpest")


@pytest.mark.parametrize("kept", [[0, 20], [0, 10, 20]])
def test_without_weights_in_the_window_along_takes_drifts_place(problem, recorded, kept):
    weights = drifting()
    weights[11:] = weights[10]
    trajectory = recorded(problem, weights)
    assert kinds.specs(PlaneChoice(), trajectory, 2.3026) == ("random", "valley", "along")


def test_what_a_single_checkpoint_gets(problem, recorded):
    trajectory = recorded(problem, drifting()[:1])
    assert kinds.specs(PlaneChoice(), trajectory, 2.3026) == ("random", "sharpest")


def test_a_valley_is_no_plane(problem, recorded):
    trajectory = recorded(problem, drifting())
    given = Given(trajectory, problem, 2.3, PlaneChoice(("valley",), across="sharpest", seed=4))
    assert kinds.file_name("valley", given) == "valley-sharpest-4"
    with pytest.raises(LandscapeError) as caught:
        kinds.make("valley", given)
    assert str(caught.value) == (
        "a valley is slices across a path, no plane: `landscape scan` makes it"
    )

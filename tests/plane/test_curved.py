from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape import plane
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.problem import Problem, flat

SHAPES = {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (3, 6), "2.bias": (3,)}


@pytest.fixture
def problem() -> Problem:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
        return Problem(model, (torch.randn(60, 4), torch.randint(3, (60,))))


@pytest.fixture
def trajectory(problem, plant):
    start = flat(problem.model).numpy()
    return plant(np.stack([0.5 * start, start]), shapes=SHAPES)


def exact(problem, trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and dense Hessian in float64 at the last weights."""
    matrix = Hessian(problem, dtype=torch.float64)
    matrix.move(trajectory.row_weights(1))
    return matrix.gradient()[1], np.stack([matrix @ row for row in np.eye(matrix.size)])


def curvature(problem, where, xy, step=1e-2) -> float:
    """Second difference of the loss at the plane's origin."""
    matrix = Hessian(problem, dtype=torch.float64)

    def loss(sign):
        point = sign * step * np.array(xy, float) @ where.directions.astype(np.float64)
        matrix.move(where.origin + point)
        return matrix.gradient()[0]

    before, here, after = map(loss, (-1, 0, 1))
    return (before - 2 * here + after) / step**2


def test_hessian_plane(problem, trajectory):
    where = plane.hessian(problem, trajectory)
    values, vectors = np.linalg.eigh(exact(problem, trajectory)[1])
    cosines = (where.directions * vectors[:, :-3:-1].T).sum(1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-4)
    assert where.labels == tuple(
        f"Hessian eigenvector {k}, λ = {value:.3g}"
        for k, value in enumerate(values[:-3:-1], start=1)
    )
    # What the plane shows at its origin is these eigenvalues.
    for xy, value in (((1, 0), values[-1]), ((0, 1), values[-2])):
        assert curvature(problem, where, xy) == pytest.approx(value, rel=1e-3)
    assert (where.kind, where.unit, where.batchnorm) == (
        "hessian",
        "distance in weight space",
        "saved",
    )
    np.testing.assert_array_equal(where.origin, trajectory.row_weights(1))


def test_hessian_plane_is_the_same_again(problem, trajectory):
    first, second = (plane.hessian(problem, trajectory) for _ in range(2))
    np.testing.assert_array_equal(first.directions, second.directions)


def test_gradient_plane(problem, trajectory):
    where = plane.gradient(problem, trajectory)
    slope, matrix = exact(problem, trajectory)
    length = np.linalg.norm(slope)
    np.testing.assert_allclose(where.directions[0], -slope / length, atol=1e-5)
    sharpest = np.linalg.eigh(matrix)[1][:, -1]
    span = np.linalg.lstsq(where.directions.T.astype(float), sharpest, rcond=None)[0]
    assert np.linalg.norm(span @ where.directions) == pytest.approx(1, abs=1e-4)
    gram = where.directions.astype(float) @ where.directions.T
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-6)
    assert where.labels[0] == f"descent (−gradient), ‖g‖ = {length:.3g}"
    assert where.points == ()  # no learning rate was recorded


def test_one_step_is_marked_where_the_learning_rate_is_known(problem, trajectory, monkeypatch):
    monkeypatch.setattr(
        type(trajectory), "scalars", lambda self: {"learning_rate": np.full(10, 0.25)}
    )
    [step] = plane.gradient(problem, trajectory).points
    length = np.linalg.norm(exact(problem, trajectory)[0])
    assert (step.name, step.step) == ("one step, η‖g‖", 10)
    assert step.xy == (pytest.approx(0.25 * length, rel=1e-5), 0)


def test_no_gradient_no_plane(problem, plant):
    # All inputs zero and balanced classes: nothing to descend.
    inputs, targets = torch.zeros(3, 4), torch.arange(3)
    trajectory = plant(np.zeros((2, 51)), shapes=SHAPES)
    with pytest.raises(LandscapeError) as caught:
        plane.gradient(replace(problem, train=(inputs, targets)), trajectory)
    assert str(caught.value).startswith("plane gradient needs a gradient that isn't zero, ‖g‖ is ")


@pytest.mark.parametrize("unit", ["distance", "equal", "own"])
def test_units(trajectory, unit):
    own = plane.random(trajectory, seed=3)
    other = plane.scaled(own, unit)
    norms = np.array(own.norms)
    cosine = (own.directions * other.directions).sum(1) / norms / np.array(other.norms)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)
    expected, words = {
        "distance": ([1, 1], "distance in weight space"),
        "equal": ([np.sqrt(norms.prod())] * 2, f"{own.unit}, equal in distance on both axes"),
    }.get(unit, (norms, own.unit))
    np.testing.assert_allclose(other.norms, expected, rtol=1e-6)
    assert other.unit == words


def test_a_direction_without_length_has_no_unit(trajectory):
    own = plane.random(trajectory, seed=3)
    flat = replace(own, directions=own.directions * np.array([[1.0], [0.0]], np.float32))
    with pytest.raises(LandscapeError) as caught:
        plane.scaled(flat, "distance")
    assert str(caught.value) == (
        "unit distance needs directions that aren't zero; normalize in another way"
    )


def test_an_unknown_unit(trajectory):
    with pytest.raises(LandscapeError) as caught:
        plane.scaled(plane.random(trajectory), "metre")
    assert str(caught.value) == "unit must be one of own, distance, equal, got metre"

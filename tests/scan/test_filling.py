from __future__ import annotations

import time
from unittest.mock import patch

import numpy as np
import pytest
import torch

from landscape import plane
from landscape.errors import LandscapeError
from landscape.plane import project
from landscape.scan import PointEvaluator, empty, fill, grid, marks, trace
from landscape.scan.paths import Track, measured_rows
from landscape.store.scans.records import Scan
from landscape.store.trajectories.trajectory import Trajectory

NAMES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def assert_grid(scan: Scan, made, check) -> None:
    """Compare every point and measure with a float64 loop over i and j of the definition."""
    directions = scan.plane.directions.astype(np.float64)
    assert set(scan.measures) == set(NAMES)
    for index in np.ndindex(scan.measured.shape):
        weights = scan.plane.origin.astype(np.float64)
        for axis, i, direction in zip((scan.x, scan.y), index, directions, strict=False):
            weights = weights + axis[i] * direction
        check.put(weights, scan.plane.buffers)
        values = check.measure(made.train) + check.measure(made.validation)
        for name, value in zip(NAMES, values, strict=True):
            assert abs(scan.measures[name][index] - value) <= 1e-5 * abs(value) + 1e-9, (
                name,
                index,
            )


@pytest.mark.parametrize("size", ["5x3", "3x5", "2", "2x3"])
@pytest.mark.parametrize("model", ["dense", "normalized"])
def test_every_point_of_a_grid(problem, trained, oracle, model, size):
    made = problem(model)
    where = plane.random(trained(made).trajectory, seed=2)
    scan = grid(made, where, size=size, extent="-1:0.5:-0.2:2")
    shape = tuple(map(int, size.split("x"))) if "x" in size else (2, 2)
    assert (len(scan.x), len(scan.y)) == shape
    assert all(values.shape == shape for values in scan.measures.values())
    assert (scan.x[0], scan.x[-1], scan.y[0], scan.y[-1]) == (-1, 0.5, -0.2, 2)
    assert scan.complete
    assert_grid(scan, made, oracle(model))


@pytest.mark.parametrize("size", [2, 5])
def test_every_point_of_a_line(problem, trained, oracle, size):
    made = problem()
    scan = grid(made, plane.line(trained(made).trajectory), size=size, extent=0.7)
    assert scan.is_line
    assert scan.measures["train_loss"].shape == (size,)
    assert len(scan.y) == 0
    assert_grid(scan, made, oracle())


@pytest.mark.parametrize("model", ["dense", "normalized"])
def test_centre_is_the_loss_of_the_saved_weights(problem, trained, model):
    made = problem(model)
    trajectory = trained(made).trajectory
    scan = grid(made, plane.random(trajectory), size="5x3")
    for name in NAMES:
        recorded = trajectory.measures[name][trajectory.row("final")]
        assert scan.measures[name][2, 1] == pytest.approx(recorded, rel=1e-6, abs=1e-9)


def test_a_scan_again_is_the_same(problem, trained):
    made = problem("normalized")
    where = plane.random(trained(made).trajectory)
    first, second = (grid(made, where, size="5x3") for _ in range(2))
    for name in NAMES:
        np.testing.assert_array_equal(first.measures[name], second.measures[name])


def test_filling_goes_on_where_it_stopped(problem, trained):
    made = problem()
    where = plane.random(trained(made).trajectory)
    whole = grid(made, where, size="5x3")
    begun = empty(where, whole.x, whole.y, values=NAMES)
    assert not begun.measured.any()
    assert all(np.isnan(values).all() for values in begun.measures.values())
    begun.measures["train_loss"][1, 1] = 123.0
    begun.measures["train_loss"][3, 0] = np.nan
    begun.measures["train_loss"][4, 2] = 0.0
    for index in ((1, 1), (3, 0), (4, 2)):
        begun.measured[index] = True
    counts = [int(scan.measured.sum()) for scan in fill(begun, PointEvaluator(made, where))]
    assert counts == list(range(4, 16))
    # What was measured stays as it was measured, a NaN and a zero too.
    expected = whole.measures["train_loss"].copy()
    expected[1, 1], expected[3, 0], expected[4, 2] = 123.0, np.nan, 0.0
    np.testing.assert_array_equal(begun.measures["train_loss"], expected)


def test_losses_that_are_not_finite_are_measured(problem, planted):
    weights = torch.nn.Linear(1, 1, bias=False)
    inputs = torch.ones(6, 1)
    made = problem(
        weights,
        train=(inputs, inputs),
        validation=None,
        loss=lambda outputs, _: -outputs[:, 0].log(),
    )
    where = plane.line(planted(made, np.ones((2, 1))).trajectory)
    sign = int(where.directions[0, 0])
    scan = grid(made, where, size=5, extent="-2:2")
    assert scan.complete
    losses = scan.measures["train_loss"][::sign]
    expected = [np.nan, np.inf, 0, -np.log(2), -np.log(3)]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_what_a_scan_says_of_its_making(problem, trained):
    made = problem("normalized")
    where = plane.random(trained(made).trajectory)
    scan = grid(made, where, size="5x3", constant_loss=1.5)
    assert scan.samples == {"train": 50, "validation": 20}
    assert scan.samples_evaluated == 15 * 70
    assert scan.strategy == {
        "name": "sequential",
        "batch_size": 50,
        "threads": torch.get_num_threads(),
        "dtype": "float32",
        "device": "cpu",
        "points": 1,
        "lanes": 1,
        "note": "",
    }
    assert scan.constant_loss == 1.5
    assert scan.paths == ()


def test_seconds_are_those_of_evaluating_alone(problem, trained):
    made = problem()
    where = plane.random(trained(made).trajectory)
    begun = empty(where, np.array([0.0, 1.0]), np.array([0.0, 1.0, 2.0]), values=NAMES)
    evaluator = PointEvaluator(made, where)
    started = time.perf_counter()
    *_, (scan, _) = ((scan, time.sleep(0.05)) for scan in fill(begun, evaluator))
    # The six pauses of the caller don't count.
    assert 0 < scan.evaluation_seconds <= time.perf_counter() - started - 6 * 0.05
    assert scan.choosing_seconds > 0


def test_path_across_a_plane(problem, trained, oracle):
    made = problem()
    trajectory = trained(made).trajectory
    where = plane.random(trajectory)
    scan = grid(made, where, trajectory, size=2, name="mine")
    [path] = scan.paths
    expected = project(trajectory, where)
    assert path.name == "mine"
    np.testing.assert_array_equal(path.step, trajectory.step)
    np.testing.assert_array_equal(path.xy, expected.xy)
    np.testing.assert_array_equal(path.distance_from_plane, expected.distance_from_plane)
    assert (path.share_in_plane, path.chance) == (expected.share_in_plane, 2 / 43)
    check, directions = oracle(), where.directions.astype(np.float64)
    for row in range(len(trajectory.step)):
        check.put(trajectory.row_weights(row), {})
        assert path.true_loss[row] == pytest.approx(check.measure(made.train)[0], rel=1e-5)
        check.put(where.origin.astype(np.float64) + path.xy[row] @ directions, {})
        assert path.plane_loss[row] == pytest.approx(check.measure(made.train)[0], rel=1e-5)
    # The plane passes through the last weights, and misses the others.
    assert path.true_loss[-1] == pytest.approx(path.plane_loss[-1], rel=1e-6)
    assert np.abs(path.true_loss - path.plane_loss).max() > 1e-2


def test_path_with_recomputed_statistics(problem, trained, oracle):
    made = problem("normalized")
    trajectory = trained(made).trajectory
    where = plane.along(trajectory, constant_loss=1.0)
    scan = grid(made, where, trajectory, size=2)
    [path] = scan.paths
    check, directions = oracle("normalized"), where.directions.astype(np.float64)
    for row in range(len(trajectory.step)):
        places = (
            (path.true_loss, trajectory.row_weights(row)),
            (path.plane_loss, where.origin.astype(np.float64) + path.xy[row] @ directions),
        )
        for losses, weights in places:
            check.put(weights, trajectory.buffers(row))
            check.recompute(made.train[0])
            assert losses[row] == pytest.approx(check.measure(made.train)[0], rel=1e-5)
    # The recorded losses belong to the running statistics.
    recorded = trajectory.measures["train_loss"]
    assert np.abs(path.true_loss - recorded).max() > 1e-3


def test_along_an_escape(problem, planted, oracle):
    made = problem()
    start = torch.nn.utils.parameters_to_vector(made.model.parameters()).detach().numpy()
    generator = np.random.default_rng(0)
    away = generator.standard_normal(43)
    # Back and forth around a start, then off: the logits grow and the loss with them.
    weights = np.stack([start + 0.01 * k * generator.standard_normal(43) for k in range(5)])
    weights = np.concatenate([weights, start + np.outer([2.0, 6.0, 8.0], away)])
    trajectory = planted(made, weights).trajectory
    losses = trajectory.measures["train_loss"]
    best = int(losses.argmin())
    assert best < 5
    assert losses[-1] > 3 * losses[best]
    where = plane.along(trajectory, constant_loss=losses[best] + 0.1)
    assert where.labels[0] == "best → end"
    scan = grid(made, where, trajectory, size=3, extent="auto")
    [path] = scan.paths
    for row in (best, 7):
        assert path.plane_loss[row] == pytest.approx(path.true_loss[row], rel=1e-4)
    points = {point.name: point for point in scan.points}
    assert points.keys() == {"start", "best", "end"}
    assert points["end"].xy == (0, 0)
    distance = np.linalg.norm(weights[7] - weights[best])
    assert points["best"].xy == pytest.approx((-distance, 0), abs=1e-4)
    for axis, coordinates in zip((scan.x, scan.y), path.xy.T, strict=True):
        assert axis[0] < coordinates.min()
        assert coordinates.max() < axis[-1]


def test_at_most_200_rows_of_a_path_are_measured(problem, planted):
    made = problem()
    start = torch.nn.utils.parameters_to_vector(made.model.parameters()).detach().numpy()
    # Worse and worse but for one row, which must not be missed.
    weights = start * (1 + 0.01 * np.arange(451))[:, None]
    weights[223] = 0
    trajectory = planted(made, weights).trajectory
    best = trajectory.row("best")
    assert best == 223
    where = plane.random(trajectory)
    rows = measured_rows(trajectory)
    assert len(rows) == len(set(rows)) <= 200
    assert {0, best, 450} <= set(rows)
    assert max(np.diff(rows)) <= 3
    evaluator = PointEvaluator(made, where)
    *_, path = trace(Track.on(where, trajectory, name=""), evaluator)
    for losses in (path.true_loss, path.plane_loss):
        assert np.flatnonzero(np.isfinite(losses)).tolist() == rows
    np.testing.assert_array_equal(path.true_loss[rows], trajectory.measures["train_loss"][rows])
    assert len(path.xy) == 451
    assert np.isfinite(path.xy).all()


def test_where_batches_had_the_highest_losses_a_path_is_measured(problem, planted):
    made = problem()
    weights = np.random.default_rng(0).standard_normal((451, 43))
    batches = np.ones(451)
    batches[[101, 206, 303]] = 9.0, np.inf, 5.0
    trajectory = planted(made, weights).trajectory
    with patch.object(Trajectory, "scalars", return_value={"batch_loss": batches}):
        rows = measured_rows(trajectory)
    assert {101, 303} <= set(rows)
    assert len(rows) <= 200


@pytest.mark.parametrize(("count", "measured"), [(199, 199), (200, 200), (201, 200)])
def test_shorter_paths_are_measured_throughout(problem, planted, count, measured):
    made = problem()
    trajectory = planted(made, np.random.default_rng(0).standard_normal((count, 43))).trajectory
    found = measured_rows(trajectory)
    assert len(found) <= measured
    if count <= 200:
        assert found == list(range(count))


def test_tracing_yields_after_each_row(problem, trained):
    made = problem()
    trajectory = trained(made).trajectory
    where = plane.random(trajectory)
    evaluator = PointEvaluator(made, where)
    path_of = trace(Track.on(where, trajectory, name=""), evaluator)
    counts = [np.isfinite([path.true_loss, path.plane_loss]).sum(1).tolist() for path in path_of]
    assert counts == [[k, k] for k in range(1, len(trajectory.step) + 1)]


def test_marks(problem, trained):
    made = problem()
    trajectory = trained(made).trajectory
    where = plane.random(trajectory)
    found = project(trajectory, where)
    track = Track.on(where, trajectory, name="")
    *_, path = trace(track, PointEvaluator(made, where))
    points = marks(track, path)
    best = int(path.true_loss.argmin())
    assert [(point.name, point.step) for point in points] == [
        ("start", 0),
        ("best", trajectory.step[best]),
        ("end", 30),
    ]
    assert points[0].xy == tuple(found.xy[0])
    assert points[1].xy == tuple(found.xy[best])
    assert points[2].xy == (0, 0)


def test_auto_extent_needs_a_path(problem, trained):
    made = problem()
    where = plane.random(trained(made).trajectory)
    with pytest.raises(LandscapeError) as caught:
        grid(made, where, extent="auto")
    assert str(caught.value) == "extent auto needs a trajectory, got none; give a number"

"""Paths on several planes of one problem."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landscape.scan import paths
from landscape.scan.prepare import prepare
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.sgd import Options
from landscape.store.best import BestWeights, best_known

from .requests import asked


def test_a_loss_of_recorded_weights_is_measured_for_one_plane_alone(
    problem, trained, finish, oracle, monkeypatch
):
    made = problem("normalized")
    run = trained(made)
    counted, measure = [], PointEvaluator.train_loss_of

    def counting(self, weights, buffers):
        counted.append(weights)
        return measure(self, weights, buffers)

    monkeypatch.setattr(PointEvaluator, "train_loss_of", counting)
    # Statistics are estimated anew there, so that no loss is the recorded one.
    request = asked(kinds=("pca", "through:0,12,final"), size="2")
    together = [finish(job) for job in prepare(run, made, request)]
    rows = len(run.trajectory.step)
    assert len(counted) == rows
    one, other = (scan.paths[0].true_loss for scan in together)
    np.testing.assert_array_equal(one, other)
    plain = oracle("normalized")
    for row, loss in enumerate(one):
        plain.put(run.trajectory.row_weights(row), run.trajectory.buffers(row))
        plain.recompute(made.train[0])
        assert loss == pytest.approx(plain.measure(made.train)[0], rel=1e-5)
    # A plane of other statistics has losses of its own.
    kept = asked(kinds=("hessian",), size="2")
    [job] = prepare(run, made, kept)
    assert finish(job).paths[0].true_loss[3] == run.trajectory.measures["train_loss"][3]
    assert len(counted) == rows


def test_best_and_peak_are_those_of_all_recorded_weights(problem, trained, planted, finish, oracle):
    """Between two evaluated steps it was better, and worse, than at any of them."""
    made = problem()
    low = trained(made, count=60).trajectory
    low = low.row_weights(low.row("final"))
    # Down to step 12, up to step 17, and half of that way back beside it: evaluated are steps 0,
    # 5, ...
    there = np.interp(np.arange(21), [0, 12, 17, 20], [0.0, 1.0, -4.0, -3.0])[:, None] * low
    there[18:, ::2] += 0.3
    run = planted(made, there, record="5", options=Options(dense=("0:20",), flight=0))
    recorded = run.trajectory
    assert recorded.step.tolist() == list(range(21))
    assert np.isfinite(recorded.measures["train_loss"]).tolist() == [k % 5 == 0 for k in range(21)]
    assert recorded.row("best") == 10
    losses = []
    for row in range(21):
        oracle_of = oracle("dense")
        oracle_of.put(recorded.row_weights(row), {})
        losses.append(oracle_of.measure(made.train)[0])
    assert (int(np.argmin(losses)), int(np.argmax(losses))) == (12, 17)
    [job] = prepare(run, made, asked(kinds=("event",), size="3"))
    scan = finish(job)
    np.testing.assert_allclose(scan.paths[0].true_loss, losses, rtol=1e-5)
    assert [(point.name, point.step) for point in scan.points] == [
        ("start", 0),
        ("best", 12),
        ("end", 20),
        ("peak", 17),
    ]
    np.testing.assert_array_equal(scan.plane.origin, recorded.row_weights(12))
    # On a plane that was made before its path was measured, too.
    [job] = prepare(run, made, asked(kinds=("random",), size="2"))
    assert {p.name: p.step for p in finish(job).points} == {"start": 0, "best": 12, "end": 20}


@pytest.mark.slow
@pytest.mark.parametrize(
    "wanted",
    [
        {"kinds": ("random",), "at": "best"},
        {"kinds": ("event",)},
        {"kinds": ("through:best,5,final",)},
        {"kinds": ("line:best,final",)},
        {"kinds": ("line:{run}@best,final",)},
    ],
)
def test_planes_through_the_best_go_through_the_best_that_figures_mark(
    problem, trained, planted, finish, wanted
):
    made = problem()
    low = trained(made, count=60).trajectory
    low = low.row_weights(low.row("final"))
    there = np.interp(np.arange(21), [0, 12, 17, 20], [0.0, 1.0, -4.0, -3.0])[:, None] * low
    there[18:, ::2] += 0.3
    run = planted(made, there, record="5", options=Options(dense=("0:20",), flight=0))
    assert run.trajectory.row("best") == 10
    assert best_known(run.id, run.trajectory, {}) is None
    kinds = tuple(kind.format(run=run.folder) for kind in wanted["kinds"])
    request = asked(size="2", **{**wanted, "kinds": kinds})
    [job] = prepare(run, made, request)
    begun = job.run()
    next(begun)
    begun.close()
    # It is gone on with, though what was recorded names another step.
    [job] = prepare(run, made, request, resume=True)
    scan = finish(job)
    assert scan.plane.origin_step == 12
    np.testing.assert_array_equal(scan.plane.origin, run.trajectory.row_weights(12))
    assert {p.name: p.step for p in scan.points if p.name == "best"} == {"best": 12}
    # `info` and the page have it from there.
    loss = float(scan.paths[0].true_loss[12])
    assert best_known(run.id, run.trajectory, {"one": scan}) == BestWeights(12, loss, "one")
    assert best_known("another run's", run.trajectory, {"one": scan}) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_losses_of_weights_recorded_without_are_those_of_a_plain_loop(
    problem, trained, oracle, threads, monkeypatch
):
    """Side by side on two threads: each row's weights and statistics of BatchNorm are its own."""
    made = problem("normalized")
    run = trained(made, record="5", options=Options(dense=("0:20",), flight=0))
    recorded, known = run.trajectory, {}
    missing = np.isnan(recorded.measures["train_loss"])
    assert missing.sum() > 10
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    losses = paths.evaluated(run, made, known, device="cpu").measures["train_loss"]
    plain = oracle("normalized")
    for row in np.flatnonzero(missing):
        plain.put(recorded.row_weights(row), recorded.buffers(row))
        assert losses[row] == pytest.approx(plain.measure(made.train)[0], rel=1e-5)
    np.testing.assert_array_equal(losses[~missing], recorded.measures["train_loss"][~missing])
    assert len(known) == missing.sum()


def test_a_path_is_measured_where_the_grid_says_too_little_of_it(problem, trained, finish, oracle):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("pca",), size="21", tolerance=0.05))
    scan = finish(job)
    [path] = scan.paths
    assert scan.certificate.passed
    assert 0.3 < path.interpolated.mean() < 1
    # Marks are measured, so is what lies outside the grid.
    for point in scan.points:
        assert not path.interpolated[path.step == point.step].any()
    exact = oracle("dense")
    directions = scan.plane.directions.astype(np.float64)
    for xy, loss, guessed in zip(path.xy, path.plane_loss, path.interpolated, strict=True):
        exact.put(scan.plane.origin + xy @ directions, {})
        near = 0.1 if guessed else 1e-5
        assert loss == pytest.approx(exact.measure(made.train)[0], rel=near)
    # An exact scan's path is measured throughout.
    [job] = prepare(run, made, asked(kinds=("pca",), size="3", tolerance=0.0), name="exact")
    assert not finish(job).paths[0].interpolated.any()

"""Paths on several planes of one problem."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.scan.prepare import prepare
from landscape.scan.speed.evaluator import PointEvaluator

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

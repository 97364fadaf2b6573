from __future__ import annotations

import pytest

from landscape.sgd import Settings, bench


def test_rounds_and_report(problem):
    settings = Settings(lr=0.01, momentum=0.9, batch_size=16, epochs=1000)
    *rounds, report = bench.recorder(problem(), settings, block=3, rounds=4)
    assert rounds == [1, 2, 3, 4]
    assert len(report.costs) == 5
    base = next(cost for cost in report.costs if cost.name == bench.BASE)
    assert base.overhead == 0
    for cost in report.costs:
        assert cost.milliseconds > 0
        assert cost.overhead == pytest.approx(cost.milliseconds / base.milliseconds - 1)
    assert report.evaluation_share == pytest.approx(
        report.evaluation / (report.evaluation + 4 * base.milliseconds)
    )
    assert (report.steps_per_epoch, report.parameters) == (4, 43)


def test_all_ways_train_the_same(problem):
    """Else their times couldn't be compared."""
    made, settings = problem(), Settings(lr=0.1, momentum=0.9, batch_size=16, epochs=1000)
    bare = bench.Training(made, settings, measured=False)
    measured = bench.Training(made, settings)
    for step in range(20):
        for training in (bare, measured):
            training.step(step, settings.lr)
    assert bare.weights.equal(measured.weights)

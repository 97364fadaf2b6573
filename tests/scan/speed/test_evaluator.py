from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape import plane
from landscape.problem import half_square
from landscape.scan import PointEvaluator
from landscape.scan.speed import evaluator
from landscape.scan.speed.strategies.batched import Stack

NAMES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
POINTS = np.array([[0, 0], [1, 1], [-1, 1], [1, -1], [-1, -1], [0.3, -0.7], [0, 0], [8, 5]])


def expected(oracle, problem, where, xy, *, recompute=False) -> dict[str, float]:
    directions = where.directions.astype(np.float64)
    oracle.put(where.origin.astype(np.float64) + xy @ directions, where.buffers)
    if recompute:
        oracle.recompute(problem.train[0])
    values = oracle.measure(problem.train) + oracle.measure(problem.validation)
    return dict(zip(NAMES, values, strict=True))


def assert_agree(found, wanted):
    assert found.keys() == wanted.keys()
    for name in NAMES:
        assert abs(found[name] - wanted[name]) <= 1e-5 * abs(wanted[name]) + 1e-9, name


@pytest.mark.parametrize("model", ["dense", "normalized"])
def test_points_against_a_plain_loop(problem, trained, oracle, model):
    made = problem(model)
    where = plane.random(trained(made).trajectory, include_1d=True)
    points = PointEvaluator(made, where)
    for xy in POINTS:
        assert_agree(points.at(xy), expected(oracle(model), made, where, xy))


def test_a_large_models_points_are_computed_in_parts(problem, trained, monkeypatch):
    made = problem("dense")
    where = plane.random(trained(made).trajectory, include_1d=True)
    whole = PointEvaluator(made, where)
    monkeypatch.setattr(evaluator, "PART", 7)
    parts = PointEvaluator(made, where)
    assert (whole.directions.dtype, parts.directions.dtype) == (torch.float64, torch.float32)
    for xy in POINTS:
        whole.move(xy)
        parts.move(xy)
        assert parts.vector.equal(whole.vector)
    for one, other in zip(Stack(parts).at(POINTS), Stack(whole).at(POINTS), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_recomputed_statistics_against_a_plain_loop(problem, trained, oracle):
    # More than one batch of 256: the statistics are pooled.
    for samples in (50, 300):
        made = problem("normalized", samples)
        where = plane.along(trained(made).trajectory, constant_loss=1.0, include_1d=True)
        points = PointEvaluator(made, where)
        differences = []
        for xy in POINTS:
            wanted = expected(oracle("normalized"), made, where, xy, recompute=True)
            saved = expected(oracle("normalized"), made, where, xy)
            assert_agree(points.at(xy), wanted)
            differences.append(abs(wanted["train_loss"] - saved["train_loss"]))
        assert max(differences) > 0.1


def test_origin_has_the_loss_of_the_saved_weights(problem, trained):
    for model in ("dense", "normalized"):
        made = problem(model)
        trajectory = trained(made).trajectory
        for at in ("final", "best", 0):
            found = PointEvaluator(made, plane.random(trajectory, at=at)).at(np.zeros(2))
            for name in NAMES:
                recorded = trajectory.measures[name][trajectory.row(at)]
                assert found[name] == pytest.approx(recorded, rel=1e-6, abs=1e-9)


def test_weights_at_the_origin_are_exact_after_any_journey(problem, trained):
    made = problem()
    where = plane.random(trained(made).trajectory)
    points = PointEvaluator(made, where)
    points.at(np.array([1e6, -3e5]))
    points.at(np.zeros(2))
    held = nn.utils.parameters_to_vector(points.model.parameters()).detach().numpy()
    np.testing.assert_array_equal(held, where.origin)


@pytest.mark.parametrize("model", ["dense", "normalized"])
@pytest.mark.parametrize("kind", ["saved", "recompute"])
def test_order_of_evaluation_does_not_matter(problem, trained, model, kind):
    made = problem(model)
    trajectory = trained(made).trajectory
    if kind == "saved":
        where = plane.random(trajectory)
    else:
        where = plane.along(trajectory, constant_loss=1.0)
    points = PointEvaluator(made, where)
    forwards = [points.at(xy) for xy in POINTS]
    # Somewhere else entirely, with other statistics, and back in the other order.
    other = {name: value + 7 for name, value in trajectory.buffers(0).items()}
    points.train_loss_of(trajectory.row_weights(0), other)
    backwards = [points.at(xy) for xy in POINTS[::-1]][::-1]
    assert forwards == backwards
    assert [points.train_loss_at(xy) for xy in POINTS] == [v["train_loss"] for v in forwards]


@pytest.mark.parametrize("kind", ["random", "along"])
def test_losses_of_recorded_weights(problem, trained, oracle, kind):
    made = problem("normalized")
    trajectory = trained(made).trajectory
    if kind == "random":
        where, recompute = plane.random(trajectory), False
    else:
        where, recompute = plane.along(trajectory, constant_loss=1.0), True
    points = PointEvaluator(made, where)
    assert points.true_loss_is_recorded != recompute
    for row in (0, 4, len(trajectory.step) - 1):
        weights, buffers = trajectory.row_weights(row), trajectory.buffers(row)
        check = oracle("normalized")
        check.put(weights, buffers)
        if recompute:
            check.recompute(made.train[0])
        loss = check.measure(made.train)[0]
        assert points.train_loss_of(weights, buffers) == pytest.approx(loss, rel=1e-5)


def test_model_that_was_handed_over_stays(problem, trained):
    made = problem("normalized")
    trajectory = trained(made).trajectory
    made.model.train()
    made.model[3].eval()
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    for where in (plane.random(trajectory), plane.along(trajectory, constant_loss=1.0)):
        points = PointEvaluator(made, where)
        for xy in POINTS:
            points.at(xy)
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.requires_grad and p.grad is None for p in made.model.parameters())
    modes = [module.training for module in made.model]
    assert modes == [True, True, True, False, True]


class Scale(nn.Module):
    """One weight, times the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.weight


def test_losses_that_are_not_finite_are_given_as_they_are(problem, planted):
    inputs = torch.ones(6, 1)
    made = problem(
        Scale(),
        train=(inputs, inputs),
        validation=None,
        loss=lambda outputs, _: -outputs[:, 0].log(),
    )
    where = plane.line(planted(made, np.ones((2, 1))).trajectory)
    points = PointEvaluator(made, where)
    sign = float(where.directions[0, 0])
    losses = [points.at(np.array([x * sign]))["train_loss"] for x in (-2.0, -1.0, 0.0, 1.0)]
    np.testing.assert_allclose(losses, [np.nan, np.inf, 0, -np.log(2)], rtol=1e-6)


def test_without_validation_and_classes(problem, planted):
    inputs = torch.linspace(-1, 1, 6)[:, None]
    made = problem(Scale(), train=(inputs, 3 * inputs), validation=None, loss=half_square)
    points = PointEvaluator(made, plane.line(planted(made, np.ones((2, 1))).trajectory))
    found = points.at(np.zeros(1))
    assert found.keys() == {"train_loss", "train_accuracy"}
    assert found["train_loss"] == pytest.approx(2 * float((inputs**2).mean()), rel=1e-6)
    assert np.isnan(found["train_accuracy"])
    assert points.samples == {"train": 6}


def test_samples_and_passes(problem, trained):
    made = problem("normalized")
    trajectory = trained(made).trajectory
    saved = PointEvaluator(made, plane.random(trajectory))
    assert saved.samples == {"train": 50, "validation": 20}
    assert saved.passes == 70
    recomputed = PointEvaluator(made, plane.along(trajectory, constant_loss=1.0))
    assert recomputed.passes == 120


def test_batch_size_is_the_fastest_or_the_given_one(problem, trained, monkeypatch):
    made = problem("dense", 300)
    where = plane.random(trained(made).trajectory)
    points = PointEvaluator(made, where)
    assert points.strategy.batch_size in (64, 128, 256, 300)
    assert points.choosing_seconds > 0
    monkeypatch.setattr(evaluator, "measure_samples", None)  # nothing is timed
    given = PointEvaluator(made, where, batch_size=7)
    assert given.strategy.batch_size == 7
    assert given.strategy.device == "cpu"
    monkeypatch.undo()
    assert_agree(given.at(POINTS[5]), points.at(POINTS[5]))

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from landscape import draw, plane, scan, sgd
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.problem import Evaluator, Problem, half_square
from landscape.problem.examine import verify
from landscape.problem.rebuild import from_record, to_record
from landscape.problem.samples import Samples, fingerprint
from landscape.store.scans import scanfile
from landscape.store.scans.attributes import MeasureInfo


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def slope(model, points):
    points = points.requires_grad_()
    (found,) = torch.autograd.grad(model(points).sum(), points, create_graph=True)
    return found.square()[:, 0], 1 + points[:, 1].detach().square()


def summed(model=None, **more) -> Problem:
    """A residual with weights on 40 points, values on 7 and their mean over 3."""
    model = model or network()
    draw = torch.Generator().manual_seed(1)

    def points(count):
        return torch.rand(count, 2, generator=draw, dtype=torch.float64)

    known = (points(7), torch.rand(7, 1, generator=draw, dtype=torch.float64))
    wall = Problem(model, known, validation=(known[0] + 1, known[1]), loss=half_square)
    return Problem.sum(
        {
            "residual": (Problem(model, points(40), objective=slope), 0.5),
            "wall": (wall, 10.0),
            "mean": (Problem(model, points(3), objective=level, batch_size=3), 2.0),
        },
        **more,
    )


def level(model, points):
    return model(points).mean().square(), len(points)


def oracle(problem, model, chosen=None):
    """The terms by a plain loop; ``chosen``: rows of each term's data."""
    data = {name: term.problem.train for name, term in problem.terms.items()}
    if chosen is not None:
        data["residual"] = data["residual"][chosen["residual"]]
        data["wall"] = tuple(part[chosen["wall"]] for part in data["wall"])
        data["mean"] = data["mean"][chosen["mean"]]
    values, weights = slope(model, data["residual"].clone())
    inputs, targets = data["wall"]
    return {
        "residual": (values * weights).sum() / weights.sum(),
        "wall": (model(inputs) - targets).square().mean() / 2,
        "mean": model(data["mean"]).mean().square(),
    }


def total(parts):
    return 0.5 * parts["residual"] + 10 * parts["wall"] + 2 * parts["mean"]


@pytest.mark.parametrize("batch_size", [1, 6, 256])
def test_each_term_is_measured_beside_the_sum(batch_size):
    problem = summed()
    parts = oracle(problem, problem.model)
    found = Evaluator(problem, batch_size=batch_size).on_train(problem.model).named
    assert found["loss"] == pytest.approx(float(total(parts)), rel=1e-12)
    for name, value in parts.items():
        assert found[f"loss_{name}"] == pytest.approx(float(value), rel=1e-12)
    validation = Evaluator(problem).on_validation(problem.model).named
    inputs, targets = problem.terms["wall"].problem.validation
    wall = float((problem.model(inputs) - targets).square().mean() / 2)
    assert validation["loss_wall"] == pytest.approx(wall, rel=1e-12)
    assert np.isnan(validation["loss"])  # not every term has validation data


def test_a_step_takes_a_batch_of_each_term_and_the_shorter_ones_cycle():
    problem = summed()
    settings = sgd.Settings(lr=0.05, batch_size=4, epochs=2, seed=3)
    model = network()
    order = [
        np.random.Generator(np.random.PCG64([3, epoch, 0])).permutation(40) for epoch in range(2)
    ]
    done = list(sgd.steps(problem, settings))
    assert len(done) == 1 + 2 * 10  # an epoch is the longest term's
    for step in range(20):
        epoch, at = divmod(step, 10)
        indices = torch.from_numpy(order[epoch][4 * at : 4 * at + 4])
        rows = {"residual": indices, "wall": indices % 7, "mean": torch.arange(3)}
        model.zero_grad()
        parts = oracle(problem, model, rows)
        total(parts).backward()
        scalars = next(s for s in sgd.steps(problem, settings) if s.step == step + 1).scalars
        if step in (0, 19):
            assert scalars["batch_loss"] == pytest.approx(float(total(parts)), rel=1e-9)
            assert scalars["batch_loss_wall"] == pytest.approx(float(parts["wall"]), rel=1e-9)
            assert scalars["term_weight_wall"] == 10
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.05 * parameter.grad


def test_gradient_and_curvature_are_those_of_the_sum():
    problem = summed()
    model = problem.model
    parameters = list(model.parameters())
    loss = total(oracle(problem, model))
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    flat = torch.cat([part.reshape(-1) for part in gradient])
    vector = torch.linspace(-1, 1, len(flat), dtype=torch.float64)
    product = torch.autograd.grad(flat @ vector, parameters, materialize_grads=True)
    hessian = Hessian(problem, batch_size=5)
    value, found = hessian.gradient()
    assert value == pytest.approx(float(loss), rel=1e-10)
    np.testing.assert_allclose(found, flat.detach().numpy(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        hessian @ vector.numpy(),
        torch.cat([part.reshape(-1) for part in product]).numpy(),
        rtol=1e-7,
        atol=1e-9,
    )


def test_the_data_of_each_term_is_known_by_its_fingerprint():
    problem, other = summed(), summed()
    assert fingerprint(problem.train) == fingerprint(other.train)
    other.terms["mean"].problem.train[0, 0] += 1e-9
    assert fingerprint(problem.train) != fingerprint(other.train)
    assert len(Samples(problem.train)) == 40


def term(model=None):
    return Problem(model or network(), torch.zeros(4, 2, dtype=torch.float64), objective=slope)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({}, "a sum must have at least one term, got none"),
        (
            {"Residual": (term(), 1.0)},
            "a term's name must be small letters, digits and _, beginning with a letter, and "
            "not penalty, got 'Residual'",
        ),
        (
            {"penalty": (term(), 1.0)},
            "a term's name must be small letters, digits and _, beginning with a letter, and "
            "not penalty, got 'penalty'",
        ),
        ({"a": term()}, "a term must be a pair (problem, weight), got a Problem for a"),
        (
            {"a": (term(), float("nan"))},
            "a term's weight must be a finite number, got nan for a",
        ),
    ],
)
def test_terms_that_are_refused(terms, message):
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        Problem.sum(terms)


def test_terms_share_one_model():
    message = (
        "all terms must have one model, the same object, got another one for b: two players that "
        "minimise losses of their own have no single loss; take one player's problem, with the "
        "other in it fixed (requires_grad_(False))"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        Problem.sum({"a": (term(), 1.0), "b": (term(), 1.0)})


def test_sums_are_not_nested():
    message = "a term must be a problem of one term, got a sum for a; name all terms in one sum"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        Problem.sum({"a": (summed(), 1.0)})


def test_a_penalty_is_part_of_the_sum_and_of_its_curvature():
    problem = summed(penalty=decay)
    model = problem.model
    parts = oracle(problem, model)
    found = Evaluator(problem, batch_size=6).on_train(model).named
    assert found["loss_penalty"] == pytest.approx(float(decay(model)), rel=1e-12)
    assert found["loss"] == pytest.approx(float(total(parts) + decay(model)), rel=1e-12)
    loss = total(oracle(problem, model)) + decay(model)
    slope = torch.autograd.grad(loss, list(model.parameters()))
    value, gradient = Hessian(problem, batch_size=5).gradient()
    assert value == pytest.approx(float(loss), rel=1e-10)
    expected = torch.cat([part.reshape(-1) for part in slope]).numpy()
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-10)


def decay(model):
    return 0.1 * sum(parameter.square().sum() for parameter in model.parameters())


@pytest.mark.parametrize("weights", [False, True])
def test_a_penalty_is_added_to_any_loss(weights):
    torch.manual_seed(0)
    x, y, counts = torch.randn(30, 2).double(), torch.randn(30, 1).double(), torch.rand(30, 1)

    def loss(outputs, targets):
        squares = (outputs - targets["y"]).square()
        return (squares, targets["counts"]) if weights else squares

    problem = Problem(network(), (x, {"y": y, "counts": counts}), loss=loss, penalty=decay)
    model = problem.model
    w = counts.double() if weights else torch.ones_like(y)
    expected = (w * (model(x) - y).square()).sum() / w.sum() + decay(model)
    assert Evaluator(problem, batch_size=7).on_train(model).loss == pytest.approx(float(expected))
    value, gradient = Hessian(problem, batch_size=7).gradient()
    assert value == pytest.approx(float(expected), rel=1e-9)
    slope = torch.autograd.grad(expected, list(model.parameters()))
    expected = torch.cat([part.reshape(-1) for part in slope]).numpy()
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-9)
    [_, step] = sgd.steps(problem, sgd.Settings(lr=0.1, batch_size=30, epochs=1))
    assert step.scalars["gradient_norm"] == pytest.approx(np.linalg.norm(expected), rel=1e-6)


def test_a_penalty_that_is_no_scalar():
    problem = summed(penalty=lambda model: model[0].weight)
    message = "a penalty must be a scalar tensor of the model, got shape (5, 2)"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        verify(problem)


def test_terms_and_values_of_the_model_alone_are_measured_on_a_plane(recorded, tmp_path):
    def reward(model):
        return float(model[0].bias.sum()), 0.25

    problem = summed(measures={"reward": reward, "width": lambda model: model[0].weight.norm()})
    start = torch.cat([p.detach().reshape(-1) for p in problem.model.parameters()]).numpy()
    trajectory = recorded(problem, [start, start + 0.1])
    view = plane.random(trajectory, seed=1)
    file = tmp_path / "scan.h5"
    scanfile.save(file, scan.grid(problem, view, trajectory, size=5))
    found = scanfile.load(file)
    names = ["train_loss_residual", "train_loss_wall", "train_loss_mean", "validation_loss_wall"]
    assert set(names) < set(found.measures)
    assert found.samples == {"train": 50, "validation": 7}
    assert not {"validation_loss", "validation_loss_mean"} & set(found.measures)
    assert found.measure("train_loss_wall") == MeasureInfo("loss", "train", "", "wall")
    assert found.measure("reward") == MeasureInfo("other")
    for i, j in [(0, 0), (2, 2), (4, 1)]:
        weights = view.origin + found.x[i] * view.directions[0] + found.y[j] * view.directions[1]
        model = network()
        nn.utils.vector_to_parameters(torch.from_numpy(weights).double(), model.parameters())
        parts = oracle(problem, model)
        for name, value in parts.items():
            assert found.measures[f"train_loss_{name}"][i, j] == pytest.approx(float(value), 1e-5)
        assert found.measures["train_loss"][i, j] == pytest.approx(float(total(parts)), 1e-5)
        assert found.measures["reward"][i, j] == pytest.approx(float(model[0].bias.sum()), abs=1e-5)
        assert found.errors["reward"][i, j] == 0.25
        assert found.measures["width"][i, j] == pytest.approx(float(model[0].weight.norm()), 1e-5)
        assert found.errors["width"][i, j] == 0
    assert "measures" in draw.kinds(found)
    titles = [axes.get_title(loc="left") for axes in draw.measured(found).axes]
    assert "wall" in titles


def test_a_sums_measures_are_of_the_model():
    message = "a sum's measures must be of the model alone, measure(model), got gap"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        summed(measures={"gap": half_square})


def test_every_steps_terms_are_recorded(tmp_path):
    problem = summed(penalty=decay)
    settings = sgd.Settings(lr=0.01, batch_size=10, epochs=1)
    with sgd.Recorder(tmp_path / "run", problem, settings) as recorder:
        steps = list(sgd.steps(problem, settings))
        for step in steps:
            recorder.record(step)
    trajectory = recorder.run.trajectory
    for name in ("residual", "wall", "mean", "penalty"):
        found = trajectory.scalars()[f"batch_loss_{name}"]
        expected = [step.scalars[f"batch_loss_{name}"] for step in steps[1:]]
        np.testing.assert_array_equal(found, expected)
    weights = [trajectory.scalars()[f"term_weight_{name}"][0] for name in ("residual", "penalty")]
    assert weights == [0.5, 1.0]
    parts = {n: trajectory.scalars()[f"batch_loss_{n}"] for n in ("residual", "wall", "mean")}
    np.testing.assert_allclose(
        total(parts) + trajectory.scalars()["batch_loss_penalty"],
        trajectory.scalars()["batch_loss"],
    )


def test_weights_that_adapt_are_recorded_by_an_own_loop(tmp_path):
    problem = summed()
    optimizer = torch.optim.Adam(problem.model.parameters(), lr=0.01)
    with sgd.watch(tmp_path / "run", problem, optimizer, record="log+1") as watch:
        for step in range(3):
            parts = oracle(problem, problem.model)
            loss = parts["residual"] + (step + 1) * parts["wall"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            given = {name: parts[name] for name in ("residual", "wall")}
            watch.record(loss, terms=given, term_weights={"residual": 1, "wall": step + 1})
        message = "terms must be those of the problem's sum, residual, wall, mean, got floor"
        with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
            watch.record(loss, terms={"floor": 1.0})
    found = watch.run.trajectory.scalars()
    assert found["term_weight_wall"].tolist() == [1, 2, 3]
    again = found["batch_loss_residual"] + found["term_weight_wall"] * found["batch_loss_wall"]
    np.testing.assert_allclose(again, found["batch_loss"])
    assert np.isnan(found["batch_loss_mean"]).all()


def test_other_weights_are_another_loss(tmp_path):
    problem = summed()
    record = to_record(problem, tmp_path)
    assert from_record(record, tmp_path, problem=problem) is problem
    pairs = {name: (term.problem, 2 * term.weight) for name, term in problem.terms.items()}
    other = Problem.sum(pairs)
    message = (
        f"the problem's loss must be the one that run {tmp_path} was trained with, "
        "0.5 × residual + 10 × wall + 2 × mean, got 1 × residual + 20 × wall + 4 × mean; "
        "put terms and weights back, or accept the change with --accept-changes"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        from_record(record, tmp_path, problem=other)
    assert from_record(record, tmp_path, problem=other, accept_changes=True) is other


def test_a_value_of_the_model_alone_keeps_its_own_error_at_every_point(recorded):
    """Interpolation to a tolerance would put its own there: all points are measured."""
    problem = summed(measures={"reward": lambda model: (model[0].bias.sum(), 0.25)})
    start = torch.cat([p.detach().reshape(-1) for p in problem.model.parameters()]).numpy()
    trajectory = recorded(problem, [start, start + 0.1])
    found = scan.grid(problem, plane.random(trajectory, seed=1), trajectory, size=15)
    assert found.measured.all()
    assert (found.errors["reward"] == 0.25).all()
    plain = scan.grid(summed(), plane.random(trajectory, seed=1), trajectory, size=15)
    assert not plain.measured.all()

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from landscape import plane, scan, sgd
from landscape.errors import LandscapeError
from landscape.problem import Evaluator, Problem, half_square
from landscape.problem.examine import verify
from landscape.problem.samples import fingerprint


def points(generator, size=16):
    x = torch.rand(size, 1, generator=generator)
    return x, torch.sin(3 * x)


def drawn(**more) -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))
    return Problem(model, points, loss=half_square, **more)


def test_what_is_measured_is_drawn_once():
    problem = drawn(draws=5)
    verify(problem)
    parts = [points(torch.Generator().manual_seed(k)) for k in range(5)]
    x, y = (torch.cat(part) for part in zip(*parts, strict=True))
    expected = float((problem.model(x) - y).square().mean() / 2)
    assert Evaluator(problem).on_train(problem.model).loss == pytest.approx(expected, rel=1e-6)
    assert fingerprint(problem.train) == fingerprint(drawn(draws=5).train)


def test_a_step_draws_anew():
    problem = drawn(draws=5)
    settings = sgd.Settings(lr=0.1, batch_size=16, epochs=2, seed=4)
    model, generator = drawn().model, torch.Generator().manual_seed(4)
    steps = list(sgd.steps(problem, settings))
    assert len(steps) == 1 + 2 * 5
    losses = []
    for _ in steps[1:]:
        x, y = points(generator)
        loss = (model(x).double() - y).square().mean() / 2
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, slope in zip(model.parameters(), slopes, strict=True):
                parameter -= 0.1 * slope
        losses.append(float(loss.detach()))
    found = [step.scalars["batch_loss"] for step in sgd.steps(problem, settings) if step.scalars]
    np.testing.assert_allclose(found, losses, rtol=1e-5)


def test_a_step_over_all_samples_has_no_noise():
    problem = drawn(draws=2)
    [_, step] = sgd.steps(problem, sgd.Settings(lr=0.1, batch_size=32, epochs=1))
    expected = Evaluator(problem).on_train(problem.model).loss
    assert step.scalars["batch_loss"] == pytest.approx(expected, rel=1e-6)


def test_a_training_that_goes_on_draws_what_it_would_have():
    problem, settings = drawn(draws=5), sgd.Settings(lr=0.1, batch_size=16, epochs=2)
    *_, last = sgd.steps(problem, settings)
    whole = last.weights.clone()
    for step in sgd.steps(problem, settings):
        if step.step == 4:
            state = step.capture()
            break
    *_, last = sgd.steps(problem, settings, start=state)
    assert torch.equal(last.weights, whole)


def test_losses_have_the_standard_errors_of_what_was_drawn(recorded):
    problem = drawn(draws=8)
    start = torch.cat([p.detach().reshape(-1) for p in problem.model.parameters()]).numpy()
    trajectory = recorded(problem, [start, start])
    found = scan.grid(problem, plane.random(trajectory), trajectory, size=3)
    x, y = problem.train
    losses = ((problem.model(x) - y).square() / 2).double().detach().numpy()
    expected = losses.std(ddof=1) / np.sqrt(len(losses))
    assert found.errors["train_loss"][1, 1] == pytest.approx(expected, rel=1e-5)
    assert found.measures["train_loss"][1, 1] == pytest.approx(losses.mean(), rel=1e-5)
    assert np.isfinite(found.errors["train_loss"]).all()


def test_a_term_may_be_drawn():
    model = drawn().model
    known = torch.zeros(4, 1), torch.zeros(4, 1)
    draw = partial(points, size=6)
    problem = Problem.sum(
        {
            "inside": (Problem(model, draw, loss=half_square, draws=3), 1.0),
            "wall": (Problem(model, known, loss=half_square), 2.0),
        }
    )
    generator = torch.Generator().manual_seed(0)
    x, y = points(generator, size=6)
    first = float((model(x) - y).square().mean() / 2)
    step = next(s for s in sgd.steps(problem, sgd.Settings(batch_size=6, epochs=1)) if s.step == 1)
    assert step.scalars["batch_loss_inside"] == pytest.approx(first, rel=1e-5)


def test_a_draw_by_another_generator_is_refused():
    message = (
        "draw must give the same batch again for a generator with the same seed, it doesn't: "
        "draw by the generator that it is given"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        Problem(drawn().model, lambda generator: (torch.rand(4, 1), torch.rand(4, 1)))


def test_one_draw_is_too_few():
    with pytest.raises(LandscapeError, match=r"^draws must be at least 2, got 1$"):
        drawn(draws=1)

"""Problems that only the plain loop can evaluate: none takes a fast path in silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape import scan
from landscape.problem import Problem, cross_entropy
from landscape.problem.examine import objective
from landscape.problem.weights import flat
from landscape.scan import subset
from landscape.scan.speed import choosing
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.strategies import STRATEGIES
from landscape.store.scans.records import Plane

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 2, (40,), generator=torch.Generator().manual_seed(1))
IGNORED = torch.where(torch.arange(40) % 4 == 0, -100, Y)


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


class Mapped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x):
        return self.net(x)


class Named(Mapped):
    def forward(self, x):
        return {"logits": self.net(x)}


class Noisy(Mapped):
    def forward(self, x):
        return self.net(functional.dropout(x, 0.2))


class Scaling(Mapped):
    def forward(self, x):
        return self.net(x.mul_(2))


class Sloped(Mapped):
    """Its outputs take a derivative, so that there are none without a graph."""

    def forward(self, x):
        x = x.requires_grad_()
        (slope,) = torch.autograd.grad(self.net(x).sum(), x, create_graph=True)
        return self.net(x) + slope[:, :2]


def whole(model, batch):
    return functional.cross_entropy(model(batch[0]), batch[1]), len(batch[1])


RICH = {
    "the problem has an objective of its own": lambda: Problem(mlp(), (X, Y), objective=whole),
    "the model takes or gives more than one tensor": lambda: Problem(
        Named(), (X, Y), loss=lambda o, t: cross_entropy(o["logits"], t)
    ),
    "the loss is one of whole batches": lambda: Problem(
        mlp(), (X, Y), loss=lambda o, t: (functional.cross_entropy(o, t), len(t))
    ),
    "random numbers are drawn in eval mode": lambda: Problem(Noisy(), (X, Y)),
    "the loss takes derivatives": lambda: Problem(Sloped(), (X, Y)),
    "the model changes its inputs in place": lambda: Problem(Scaling(), (X.clone(), Y)),
}


def plane(problem: Problem) -> Plane:
    weights = flat(problem.model).numpy()
    directions = np.random.default_rng(0).standard_normal((2, len(weights))).astype(np.float32)
    return Plane("random", weights, directions / 4, ("a", "b"), "x", seed=3)


@pytest.mark.parametrize("reason", RICH)
def test_only_the_plain_loop(reason, monkeypatch):
    problem = RICH[reason]()
    assert objective(problem).rich == reason
    for name in set(STRATEGIES) - {"sequential"}:
        monkeypatch.setitem(STRATEGIES, name, None)  # calling it would fail
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    points = np.zeros((10**6, 2))  # so many that choosing would be worth it
    for asked in ("auto", "sequential", "batched", "shared", "folded"):
        made = choosing.engine(problem, plane(problem), points, Evaluation(strategy=asked))
        assert (made.strategy.name, made.strategy.points, made.strategy.lanes) == (
            "sequential",
            1,
            1,
        )
        silent = asked in ("auto", "sequential")
        assert made.strategy.note == ("" if silent else f"not {asked}: {reason}")
        assert made.seconds > 0


@pytest.mark.parametrize(
    "problem",
    [
        lambda: Problem(mlp(), (X, Y)),
        lambda: Problem(mlp(), (X, IGNORED)),
        lambda: Problem(mlp(), (X, IGNORED), loss=cross_entropy(weight=torch.tensor([1.0, 5.0]))),
        lambda: Problem(mlp(), (X, X[:, :2]), loss=nn.MSELoss(reduction="none")),
    ],
)
@pytest.mark.parametrize("name", ["batched", "shared", "shared+batched", "folded"])
def test_fast_paths_give_weighted_losses_too(problem, name):
    """Weights and positions are no reason for the plain loop: every strategy has its values."""
    made = problem()
    assert objective(made).rich == ""
    on, points = plane(made), np.array([[0.0, 0.0], [0.7, -0.4], [-1.0, 1.0]])
    plain = choosing.engine(made, on, points, Evaluation(strategy="sequential"))
    at_once = 2 if "batched" in name else 1
    stored = {"name": name, "points": at_once, "batch_size": 16, "threads": 1}
    fast = choosing.engine(made, on, points, stored=stored)
    expected, found = plain.at_many(points), fast.at_many(points)
    assert fast.strategy.name == name
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-5)


def test_fixed_batches_are_in_the_file_and_everywhere():
    problem = replace(RICH["the loss is one of whole batches"](), batch_size=16)
    found = scan.grid(problem, plane(problem), size=3)
    assert found.strategy["batch_size"] == 16
    assert found.settings["objective"] == {
        "coupled": True,
        "batch_size": 16,
        "notes": ["The loss is one of whole batches, fixed ones of 16 samples."],
    }
    assert "The loss is one of whole batches, fixed ones of 16 samples." in found.remarks


def test_a_subset_of_whole_batches_has_no_error():
    problem = replace(RICH["the loss is one of whole batches"](), batch_size=8)
    fewer, population = subset.of(problem, 17, seed=0)
    assert population == {"train": 40}
    rows = [int((row == X).all(1).nonzero()) for row in fewer.train[0]]
    assert len(rows) == 16
    assert all(rows[k : k + 8] == list(range(rows[k], rows[k] + 8)) for k in (0, 8))
    assert all(rows[k] % 8 == 0 for k in (0, 8))
    found = scan.grid(problem, plane(problem), size=3, samples=17, tolerance=0)
    assert found.measured.all()
    assert np.isnan(found.errors["train_loss"]).all()


def test_a_subset_of_weighted_samples_has_the_ratios_error():
    """Over many subsets, the errors that are given are those that are made."""
    problem = Problem(mlp(), (X, IGNORED))
    on = plane(problem)
    truth = scan.grid(problem, on, size=3, tolerance=0).measures["train_loss"]
    off, given = [], []
    for seed in range(40):
        found = scan.grid(problem, replace(on, seed=seed), size=3, samples=25, tolerance=0)
        off.append(found.measures["train_loss"] - truth)
        given.append(found.errors["train_loss"])
    made, said = np.sqrt(np.mean(np.square(off), 0)), np.sqrt(np.mean(np.square(given), 0))
    np.testing.assert_allclose(said, made, rtol=0.5)


def test_further_values_of_a_problem_are_columns():
    wrong = lambda o, t: (o.argmax(1) != t).double()  # noqa: E731
    problem = Problem(mlp(), (X, Y), (X[:9], Y[:9]), measures={"wrong": wrong})
    found = scan.grid(problem, plane(problem), size=3)
    with torch.no_grad():
        share = (problem.model(X[:9]).argmax(1) != Y[:9]).double().mean()
    assert found.measures["validation_wrong"][1, 1] == pytest.approx(float(share))
    assert np.isnan(found.measures["train_accuracy"]).all()

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.problem import Problem, constant_loss, cross_entropy, half_square


def classification(classes: list[int], outputs: int = 3) -> Problem:
    return Problem(nn.Linear(2, outputs), (torch.randn(len(classes), 2), torch.tensor(classes)))


def regression(targets, loss) -> Problem:
    targets = torch.as_tensor(targets)
    inputs = torch.zeros(len(targets), 2, dtype=torch.float32)
    model = nn.Sequential(nn.Linear(2, targets[0].numel()), nn.Unflatten(1, targets.shape[1:]))
    return Problem(model, (inputs, targets), loss=loss)


def entropy(*shares: float) -> float:
    return -math.fsum(share * math.log(share) for share in shares if share)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([0, 1, 2] * 4, math.log(3)),
        ([0] * 5 + [1] * 3 + [2] * 2, entropy(0.5, 0.3, 0.2)),
        ([0, 0, 2, 2], math.log(2)),  # A class that no sample has.
        ([1, 1], 0.0),
    ],
)
def test_cross_entropy_reaches_the_entropy_of_the_classes(classes, expected):
    assert constant_loss(classification(classes)) == pytest.approx(expected, abs=1e-12)


def test_log_likelihoods_reach_the_entropy_of_the_classes():
    model = nn.Sequential(nn.Linear(2, 3), nn.LogSoftmax(1))
    data = torch.randn(8, 2), torch.tensor([0] * 4 + [1] * 3 + [-100])
    expected = entropy(4 / 7, 3 / 7)
    assert constant_loss(Problem(model, data, loss=nn.NLLLoss())) == pytest.approx(expected)
    # Of weights 1 and 2: as if class 1 had twice as many.
    weighted = nn.NLLLoss(weight=torch.tensor([1.0, 2.0, 1.0]))
    found = constant_loss(Problem(model, data, loss=weighted))
    assert found == pytest.approx(entropy(4 / 10, 6 / 10), rel=1e-6)


def test_dataset(images, net, as_dataset):
    expected = entropy(*np.bincount(images[1]) / 23)
    assert constant_loss(Problem(net, as_dataset(images))) == pytest.approx(expected, abs=1e-12)


def test_sequences_have_a_constant_for_each_place():
    tokens = torch.tensor([[0, 1], [0, 0], [1, 0], [1, 0]])
    model = nn.Sequential(
        nn.Embedding(2, 3), nn.Flatten(), nn.Linear(6, 4), nn.Unflatten(1, (2, 2))
    )
    expected = (entropy(0.5, 0.5) + entropy(0.25, 0.75)) / 2
    assert constant_loss(Problem(model, (tokens, tokens))) == pytest.approx(expected, rel=1e-9)


def test_places_count_as_often_as_they_have_labels():
    labels = torch.tensor([[2, 0, -100], [2, 1, 1], [0, -100, -100], [0, 1, -100]])
    model = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (4, 3)))
    expected = (4 * entropy(0.5, 0.5) + 3 * entropy(1 / 3, 2 / 3)) / 8
    found = constant_loss(Problem(model, (torch.randn(4, 2), labels)))
    assert found == pytest.approx(expected, rel=1e-12)


def test_soft_labels_reach_the_entropy_of_their_mean():
    labels = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.1, 0.9]])
    problem = Problem(nn.Linear(2, 2), (torch.randn(4, 2), labels))
    assert constant_loss(problem) == pytest.approx(entropy(0.4, 0.6), rel=1e-6)


def test_samples_without_a_class_do_not_count():
    """PyTorch's -100."""
    found = constant_loss(classification([0, 1, -100, -100]))
    assert found == pytest.approx(math.log(2), rel=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_half_square_reaches_half_the_variance(scale, offset):
    targets = np.random.default_rng(0).normal(size=(41, 3)) * scale + offset * scale
    expected = targets.var(axis=0).mean() / 2
    assert constant_loss(regression(targets, half_square)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [20, 21])
def test_absolute_error_reaches_the_median(count):
    targets = np.random.default_rng(0).standard_cauchy(size=(count, 2))
    expected = np.abs(targets - np.median(targets, axis=0)).mean()
    found = constant_loss(regression(targets, lambda o, t: (o - t).abs().mean(1)))
    assert found == pytest.approx(expected, rel=1e-7)


def test_quantile_loss_reaches_the_quantile():
    targets = np.random.default_rng(0).normal(size=(101, 1))
    loss = lambda o, t: torch.maximum(0.9 * (t - o), 0.1 * (o - t)).mean(1)  # noqa: E731
    # It is piecewise linear: the best constant is one of the targets.
    errors = targets.T - targets
    expected = np.maximum(0.9 * errors, -0.1 * errors).mean(1).min()
    assert constant_loss(regression(targets, loss)) == pytest.approx(expected, rel=1e-7)


def test_binary_cross_entropy_reaches_the_entropy():
    targets = torch.tensor([[1.0], [0.0], [0.0], [0.0], [0.0]])

    def loss(outputs, targets):
        return functional.binary_cross_entropy_with_logits(
            outputs, targets.double(), reduction="none"
        ).mean(1)

    found = constant_loss(regression(targets, loss))
    assert found == pytest.approx(entropy(0.2, 0.8), rel=1e-9)


def test_hinge_loss():
    """With 3 ones of 10, answering "no" costs 2 for each of them."""
    problem = classification([1] * 3 + [0] * 7, outputs=1)
    hinge = lambda o, t: (1 - o[:, 0] * (2 * t - 1)).clamp(min=0)  # noqa: E731
    found = constant_loss(Problem(problem.model, problem.train, loss=hinge))
    assert found == pytest.approx(2 * 0.3, rel=1e-7)


def test_poisson_loss_of_counts():
    """exp(z) - k z is lowest at exp(z) = mean k."""
    problem = classification([0, 1, 1, 6], outputs=1)
    loss = lambda o, t: o[:, 0].exp() - t * o[:, 0]  # noqa: E731
    found = constant_loss(Problem(problem.model, problem.train, loss=loss))
    assert found == pytest.approx(2 - 2 * math.log(2), rel=1e-9)


@pytest.mark.parametrize(
    "loss",
    [
        lambda o, t: o.mean(1),
        lambda o, t: -o.square().mean(1),
        lambda o, t: -o.square().log1p().mean(1),
        lambda o, t: o.mean(1) * math.nan,
        lambda o, t: o.mean(1) + math.inf,
    ],
    ids=["linear", "top of a hill", "logarithm", "NaN", "infinite"],
)
def test_no_minimum(loss):
    targets = np.array([[-1.0], [1.0]])  # With mean 0.
    assert math.isnan(constant_loss(regression(targets, loss)))


def test_model_stays_as_it_was(net, images, untouched):
    holds = untouched(net)
    constant_loss(Problem(net, images))
    constant_loss(Problem(net, images, loss=lambda o, t: cross_entropy(o, t)))
    assert holds()


def test_a_label_that_wraps_to_the_ignored_one_counts():
    """As uint8, -100 is 156."""
    labels = torch.tensor([156] * 6 + [3, 7], dtype=torch.uint8)
    problem = Problem(nn.Linear(1, 200), (torch.zeros(8, 1), labels))
    shares = np.array([6, 1, 1]) / 8
    assert constant_loss(problem) == pytest.approx(float(-(shares * np.log(shares)).sum()))

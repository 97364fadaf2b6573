from __future__ import annotations

import itertools

import numpy as np
import pytest
from torch import nn

from landscape.diagnose.symmetry import symmetry
from landscape.diagnose.symmetry.groups import apply, inverse
from landscape.diagnose.symmetry.matching import match
from landscape.problem import Problem, builtin, flat

from .. import models


def planted(problem: Problem, seed: int = 3):
    """A network and the same with its units in random order."""
    found = symmetry.find(problem)
    order = found.draw(np.random.default_rng(seed))
    weights = flat(problem.model).double().numpy()
    return found, order, weights, apply(found, order, weights)


def check(problem: Problem) -> None:
    found, order, weights, moved = planted(problem)
    result = match(found, weights, moved)
    np.testing.assert_array_equal(result.weights, weights)
    for name, units in inverse(order).items():
        np.testing.assert_array_equal(result.permutations[name], units)
    assert result.after == 0
    assert result.before == np.linalg.norm(weights - moved) > 0


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_planted_permutation_is_recovered(depth):
    check(builtin("mlp", "digits", depth=depth, width=32))


@pytest.mark.parametrize(
    "name", ["convolutional", "residual", "dense", "mobile", "attention", "loop", "tied", "gated"]
)
def test_a_planted_permutation_of_any_network_is_recovered(name):
    check(models.problem(models.made(name)))


@pytest.mark.parametrize("model", ["cnn", "resnet20"])
def test_a_planted_permutation_of_a_built_in_network_is_recovered(model):
    check(builtin(model, "digits", width=8))


def test_noise_does_not_hide_a_planted_permutation():
    found, order, weights, moved = planted(builtin("mlp", "digits", depth=3, width=32))
    noise = np.random.default_rng(1).standard_normal(len(weights))
    noise *= 0.3 * np.linalg.norm(weights) / np.linalg.norm(noise)
    result = match(found, weights, moved + noise)
    assert result.after == pytest.approx(np.linalg.norm(noise), rel=1e-12)
    for name, units in inverse(order).items():
        np.testing.assert_array_equal(result.permutations[name], units)


def least(found, a, b) -> float:
    """The distance to the nearest copy of b, by trying them all."""
    every = [itertools.permutations(range(group.size)) for group in found.groups]
    names = [group.name for group in found.groups]
    return min(
        np.linalg.norm(a - apply(found, dict(zip(names, map(np.array, one), strict=True)), b))
        for one in itertools.product(*every)
    )


@pytest.mark.parametrize("seed", range(5))
def test_with_one_hidden_layer_no_copy_is_nearer(seed):
    found = symmetry.find(models.problem(models.perceptron(1, width=5)))
    a, b = np.random.default_rng(seed).standard_normal((2, found.layout.size))
    assert match(found, a, b).after == pytest.approx(least(found, a, b), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_with_two_it_is_an_upper_bound(seed):
    found = symmetry.find(models.problem(models.perceptron(2, width=4)))
    a, b = np.random.default_rng(seed).standard_normal((2, found.layout.size))
    result, best = match(found, a, b), least(found, a, b)
    assert best * (1 - 1e-12) <= result.after <= 1.05 * best
    assert result.after == min(result.distances) < result.before


def test_units_that_connect_with_each_other():
    found = symmetry.find(models.problem(models.made("loop")))
    [group] = found.groups
    assert group.twice
    for seed in range(3):
        a, b = np.random.default_rng(seed).standard_normal((2, found.layout.size))
        result = match(found, a, b)
        assert least(found, a, b) * (1 - 1e-12) <= result.after < result.before


def test_more_starts_never_do_worse():
    found = symmetry.find(models.problem(models.perceptron(3, width=6, inputs=32)))
    a, b = np.random.default_rng(0).standard_normal((2, found.layout.size))
    few, many = (match(found, a, b, restarts=n) for n in (0, 20))
    assert many.after <= few.after
    assert len(few.distances) == 2
    assert match(found, a, b, seed=3).distances == match(found, a, b, seed=3).distances


def test_a_model_without_groups_is_left_as_it_is():
    found = symmetry.find(models.problem(nn.Sequential(nn.Flatten(), nn.Linear(32, 3))))
    a, b = np.random.default_rng(0).standard_normal((2, found.layout.size))
    result = match(found, a, b)
    np.testing.assert_array_equal(result.weights, b)
    assert result.before == result.after

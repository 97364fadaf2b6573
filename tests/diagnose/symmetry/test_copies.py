from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from landscape.diagnose.symmetry import copies, symmetry
from landscape.diagnose.symmetry.groups import Symmetry, apply
from landscape.problem import builtin, flat

from .. import models


def network(depth: int, width: int, seed: int = 0):
    problem = models.problem(models.perceptron(depth, width=width))
    found = symmetry.find(problem)
    return problem, found, np.random.default_rng(seed).standard_normal(found.layout.size)


def every_copy(found: Symmetry, weights: np.ndarray) -> list[float]:
    """The distance to every copy but the network itself."""
    orders = [itertools.permutations(range(group.size)) for group in found.groups]
    names = [group.name for group in found.groups]
    every = itertools.product(*orders)
    next(every)
    return [
        float(
            np.linalg.norm(
                weights - apply(found, dict(zip(names, map(np.array, one), strict=True)), weights)
            )
        )
        for one in every
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_copy_with_one_hidden_layer(seed):
    problem, found, weights = network(1, 5, seed)
    measured = copies.measure(problem, weights, symmetry=found)
    assert measured.nearest == pytest.approx(min(every_copy(found, weights)), rel=1e-12)
    assert measured.nearest_is_exact


def test_it_is_an_upper_bound_with_two():
    nearer = 0
    for seed in range(20):
        problem, found, weights = network(2, 3, seed)
        if seed % 2:
            # A network that two exchanges at once barely change, and either alone does.
            first, second = (found["1"], found["3"])
            order = {group.name: np.array([1, 0, 2]) for group in (first, second)}
            weights = weights + apply(found, order, weights)
            weights += 1e-3 * np.random.default_rng(seed).standard_normal(len(weights))
        measured = copies.measure(problem, weights, symmetry=found)
        least = min(every_copy(found, weights))
        assert least <= measured.nearest * (1 + 1e-12)
        assert not measured.nearest_is_exact
        nearer += least < 0.5 * measured.nearest
    assert nearer >= 10


def test_the_nearest_copy_names_its_units():
    problem, found, weights = network(1, 6)
    vectors = {place.tensor: place for place in found.groups[0].places}
    assert set(vectors) == {"1.weight", "1.bias", "3.weight"}
    model = models.perceptron(1, width=6)
    weights = flat(model).double().numpy()
    into, bias, out = weights[:192].reshape(6, 32), weights[192:198], weights[198:216].reshape(3, 6)
    into[4], bias[4], out[:, 4] = into[1] + 0.01, bias[1], out[:, 1]
    measured = copies.measure(problem, weights, symmetry=found)
    [(name, one)] = measured.by_layer.items()
    assert (name, one.units) == ("1", (1, 4))
    assert one.distance == pytest.approx(math.sqrt(2) * 0.01 * math.sqrt(32), rel=1e-9)


def test_units_that_connect_with_each_other():
    problem = models.problem(models.made("loop"))
    found = symmetry.find(problem)
    weights = np.random.default_rng(0).standard_normal(found.layout.size)
    measured = copies.measure(problem, weights, symmetry=found)
    exchanges = []
    for i, j in itertools.combinations(range(6), 2):
        units = np.arange(6)
        units[[i, j]] = j, i
        exchanges.append(np.linalg.norm(weights - apply(found, {"inner": units}, weights)))
    assert measured.nearest == pytest.approx(min(exchanges), rel=1e-12)
    assert not measured.nearest_is_exact
    assert measured.typical.root_mean_square is None


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_over_all_copies_of_one_hidden_layer(seed):
    problem, found, weights = network(1, 5, seed)
    mean = np.mean(np.square([0.0, *every_copy(found, weights)]))
    into, bias, out = weights[:160].reshape(5, 32), weights[160:165], weights[165:180].reshape(3, 5)
    units = np.concatenate([into, bias[:, None], out.T], axis=1)
    assert 2 * ((units - units.mean(0)) ** 2).sum() == pytest.approx(mean, rel=1e-12)
    measured = copies.measure(problem, weights, symmetry=found)
    assert measured.typical.root_mean_square**2 == pytest.approx(mean, rel=1e-12)
    assert measured.by_layer_typical["1"] == measured.typical.root_mean_square


@pytest.mark.slow
@pytest.mark.parametrize("name", ["perceptron", "dense", "attention", "gated"])
def test_the_mean_over_copies_of_several_layers(name):
    problem = models.problem(models.made(name))
    found = symmetry.find(problem)
    weights = flat(problem.model).double().numpy()
    expected = copies.expected(found, weights)
    generator = np.random.default_rng(0)
    squares = [
        np.sum((weights - apply(found, found.draw(generator), weights)) ** 2) for _ in range(4000)
    ]
    error = np.std(squares) / math.sqrt(len(squares))
    assert abs(np.mean(squares) - expected**2) < 4 * error
    assert error < 0.01 * expected**2


def test_two_layers_by_all_copies():
    _, found, weights = network(2, 3)
    mean = np.mean(np.square([0.0, *every_copy(found, weights)]))
    assert copies.expected(found, weights) ** 2 == pytest.approx(mean, rel=1e-12)


def test_a_wide_network_is_near_root_two_of_its_norm():
    problem = builtin("cnn", "digits")
    measured = copies.measure(problem, flat(problem.model).numpy())
    typical = measured.typical
    assert typical.mean == pytest.approx(typical.root_mean_square, rel=0.01)
    assert typical.deviation < 0.02 * typical.mean
    assert typical.mean == pytest.approx(measured.hidden_norm, rel=0.02)
    assert measured.nearest < 0.2 * typical.mean


def test_a_twin_before_and_after_matching():
    problem, found, weights = network(2, 6)
    other = apply(found, found.draw(np.random.default_rng(1)), weights)
    noise = 0.1 * np.random.default_rng(2).standard_normal(len(weights))
    measured = copies.measure(problem, weights, other + noise, symmetry=found)
    assert measured.twin == np.linalg.norm(weights - other - noise)
    assert measured.twin_matched == pytest.approx(np.linalg.norm(noise), rel=1e-9)
    alone = copies.measure(problem, weights, symmetry=found)
    assert alone.twin is None
    assert alone.twin_matched is None
    assert any("no twin" in caveat for caveat in alone.caveats)


def test_a_model_without_symmetry_says_so():
    problem = models.problem(models.Undecided())
    weights = flat(problem.model).numpy()
    measured = copies.measure(problem, weights, weights + 1)
    assert measured.nearest is measured.typical is measured.twin_matched is None
    assert measured.twin == pytest.approx(math.sqrt(len(weights)))
    assert measured.reason.startswith("the model's operations can't be traced")
    assert measured.caveats == (f"no distances to permuted copies: {measured.reason}",)


def test_fewer_random_copies_of_many_weights(monkeypatch):
    problem, found, weights = network(2, 6)
    many = copies.measure(problem, weights, symmetry=found).typical
    monkeypatch.setattr(copies, "MOVED", 20 * len(weights))
    few = copies.measure(problem, weights, symmetry=found).typical
    assert (many.samples, few.samples) == (64, 20)
    assert few.mean == pytest.approx(few.root_mean_square, rel=0.2)

"""A ReLU network's surface does not depend on the scale of its layers."""

from __future__ import annotations

import numpy as np
import pytest

from landscape import plane
from landscape.plane.normalization import gaussian, normalized
from landscape.scan import grid
from landscape.store.scans.records import Floats

PARAMETERS = [
    {"name": "0.weight", "shape": [5, 4], "offset": 0},
    {"name": "0.bias", "shape": [5], "offset": 20},
    {"name": "2.weight", "shape": [3, 5], "offset": 25},
    {"name": "2.bias", "shape": [3], "offset": 40},
]
BY_NEURON = np.array([0.2, 5.0, 1.0, 3.0, 0.5])


def rescaled(weights: Floats, factor: float | Floats) -> Floats:
    """Multiply the hidden layer, biases included, and divide the next one's columns."""
    factors = np.broadcast_to(factor, 5)
    first, bias, second, last = np.split(weights.astype(np.float64), [20, 25, 40])
    first = first.reshape(5, 4) * factors[:, None]
    second = second.reshape(3, 5) / factors
    return np.concatenate([first.ravel(), bias * factors, second.ravel(), last])


def cross_entropy(weights: Floats, inputs: Floats, targets: np.ndarray) -> float:
    """The network in NumPy, in float64."""
    first, bias, second, last = np.split(weights, [20, 25, 40])
    hidden = np.maximum(inputs @ first.reshape(5, 4).T + bias, 0)
    logits = hidden @ second.reshape(3, 5).T + last
    logits -= logits.max(1, keepdims=True)
    chosen = logits[np.arange(len(targets)), targets]
    return float((np.log(np.exp(logits).sum(1)) - chosen).mean())


@pytest.mark.parametrize("include_1d", [False, True])
def test_in_float64(problem, include_1d):
    made = problem()
    inputs, targets = made.train[0].double().numpy(), made.train[1].numpy()
    weights = np.random.default_rng(0).standard_normal(43)
    draws = gaussian(43, seed=1)

    def surface(origin: Floats) -> Floats:
        u, v = (normalized(d, origin, PARAMETERS, include_1d=include_1d) for d in draws)
        reach = np.linspace(-1, 1, 5)
        return np.array(
            [[cross_entropy(origin + x * u + y * v, inputs, targets) for y in reach] for x in reach]
        )

    original = surface(weights)
    for factor in (3.7, 0.01, 250.0):
        np.testing.assert_allclose(surface(rescaled(weights, factor)), original, rtol=1e-10)
    by_neuron = surface(rescaled(weights, BY_NEURON))
    assert by_neuron[2, 2] == pytest.approx(original[2, 2], rel=1e-12)
    assert np.abs(by_neuron / original - 1).max() > 0.01


@pytest.mark.parametrize(("factor", "tolerance"), [(4.0, 0), (3.7, 1e-5), (BY_NEURON, None)])
def test_of_a_scan(problem, planted, factor, tolerance):
    # A power of two rescales float32 without rounding: equal to the bit.
    made = problem()
    weights = np.random.default_rng(0).standard_normal((2, 43)).astype(np.float32)

    def surface(path: Floats) -> Floats:
        trajectory = planted(made, path).trajectory
        return grid(made, plane.random(trajectory, seed=1), size=5).measures["train_loss"]

    original = surface(weights)
    other = surface(np.stack([rescaled(row, factor) for row in weights]))
    if tolerance is None:
        assert np.abs(other / original - 1).max() > 0.01
    else:
        np.testing.assert_allclose(other, original, rtol=tolerance, atol=0)

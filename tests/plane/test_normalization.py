from __future__ import annotations

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.plane.normalization import draws, gaussian, normalized

A, A_BIAS, B, B_BIAS = slice(0, 20), slice(20, 25), slice(25, 49), slice(49, 52)


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(3).standard_normal(52).astype(np.float32)


@pytest.fixture
def draw() -> np.ndarray:
    return np.random.default_rng(4).standard_normal(52)


def filter_norms(vector: np.ndarray) -> list[float]:
    """Return the norms of the five rows of a and the three filters of b, one by one."""
    rows = [vector[4 * i : 4 * i + 4] for i in range(5)]
    filters = [vector[25 + 8 * i : 33 + 8 * i] for i in range(3)]
    return [float(np.linalg.norm(part.astype(np.float64))) for part in rows + filters]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_filters_get_the_norms_of_the_weights_filters(weights, draw, parameters):
    found = normalized(draw, weights, parameters)
    assert found.dtype == np.float64
    assert filter_norms(found) == pytest.approx(filter_norms(weights), rel=1e-12)
    # By filter, not by tensor; and each still points where it was drawn.
    for i in range(5):
        row = slice(4 * i, 4 * i + 4)
        assert cosine(found[row], draw[row]) == pytest.approx(1, rel=1e-12)
    assert (found[A_BIAS] == 0).all()
    assert (found[B_BIAS] == 0).all()


@pytest.mark.parametrize("normalize", ["filter", "layer"])
def test_biases_get_the_norms_of_the_biases_if_included(weights, draw, parameters, normalize):
    found = normalized(draw, weights, parameters, normalize=normalize, include_1d=True)
    for part in (A_BIAS, B_BIAS):
        assert np.linalg.norm(found[part]) == pytest.approx(np.linalg.norm(weights[part]))
        assert cosine(found[part], draw[part]) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("normalize", ["filter", "layer", "weight", "none"])
def test_biases_stay_still_otherwise(weights, draw, parameters, normalize):
    without = normalized(draw, weights, parameters, normalize=normalize)
    included = normalized(draw, weights, parameters, normalize=normalize, include_1d=True)
    np.testing.assert_array_equal(without[A], included[A])
    np.testing.assert_array_equal(without[B], included[B])
    for part in (A_BIAS, B_BIAS):
        assert (without[part] == 0).all()
        assert (included[part] != 0).all()


def test_layers_get_the_norms_of_the_weights_layers(weights, draw, parameters):
    found = normalized(draw, weights, parameters, normalize="layer")
    for part in (A, B):
        assert np.linalg.norm(found[part]) == pytest.approx(np.linalg.norm(weights[part]))
        assert cosine(found[part], draw[part]) == pytest.approx(1, rel=1e-12)


def test_weight_and_none(weights, draw, parameters):
    by_weight = normalized(draw, weights, parameters, normalize="weight", include_1d=True)
    np.testing.assert_allclose(by_weight, draw * weights, rtol=1e-12)
    as_drawn = normalized(draw, weights, parameters, normalize="none", include_1d=True)
    np.testing.assert_array_equal(as_drawn, draw)


@pytest.mark.parametrize("normalize", ["filter", "layer", "weight"])
def test_zeros_stay_zero(weights, draw, parameters, normalize):
    weights[4:8] = 0
    weights[B] = 0
    weights[A_BIAS] = 0
    found = normalized(draw, weights, parameters, normalize=normalize, include_1d=True)
    assert np.isfinite(found).all()
    assert (found[B] == 0).all()
    assert (found[A_BIAS] == 0).all()
    if normalize != "layer":
        assert (found[4:8] == 0).all()
    assert (found[:4] != 0).all()


def test_a_direction_without_length_stays_zero(weights, parameters):
    found = normalized(np.zeros(52), weights, parameters, include_1d=True)
    assert (found == 0).all()


def test_a_single_number_counts_as_1d():
    temperature = [{"name": "temperature", "shape": [], "offset": 0}]
    draw, weights = np.array([-0.5]), np.array([3.0], np.float32)
    assert normalized(draw, weights, temperature).tolist() == [0]
    assert normalized(draw, weights, temperature, include_1d=True).tolist() == [-3]


def test_gaussian_is_numpys_flat_draw():
    generator = np.random.Generator(np.random.PCG64(7))
    expected = generator.standard_normal(200).reshape(2, 100)
    np.testing.assert_array_equal(gaussian(100, seed=7), expected)
    [alone] = gaussian(100, seed=7, count=1)
    np.testing.assert_array_equal(alone, expected[0])


def test_a_direction_drawn_tensor_by_tensor_is_the_flat_draw(weights, parameters, monkeypatch):
    monkeypatch.setattr("landscape.plane.normalization.SKIPPED", 3)
    size = len(weights)
    some = [{**one, "moves": number != 1} for number, one in enumerate(parameters)]
    for which in (parameters, some):
        expected = [normalized(flat, weights, which) for flat in gaussian(size, seed=3)]
        found = [normalized(draw, weights, which) for draw in draws(size, seed=3, count=2)]
        np.testing.assert_array_equal(found, expected)


def test_another_normalization_is_refused(weights, draw, parameters):
    with pytest.raises(LandscapeError) as caught:
        normalized(draw, weights, parameters, normalize="model")
    assert str(caught.value) == "normalize must be one of filter, layer, weight, none, got model"

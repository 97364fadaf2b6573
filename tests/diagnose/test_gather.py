from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from landscape.diagnose import gather
from landscape.diagnose.quadrature import Density, count_below


@pytest.mark.parametrize("error", [[[0.0, 3.0], [3.0, 0.0]], [[math.nan, 3.0], [3.0, math.nan]]])
def test_the_worst_barrier_is_each_numbers_own(error):
    pairs = SimpleNamespace(
        error=np.array(error), ratio=np.array([[0, 0.5], [0.5, 0]]), loss=np.eye(2) * 9
    )
    found = gather._barrier(pairs)
    assert (found.error, found.ratio, found.loss) == (3.0, 0.5, 0.0)


def test_without_classes_a_barrier_has_no_error_points():
    unknown = np.array([[0.0, math.nan], [math.nan, 0.0]])
    pairs = SimpleNamespace(error=unknown, ratio=np.ones((2, 2)), loss=np.ones((2, 2)))
    found = gather._barrier(pairs)
    assert math.isnan(found.error)
    assert found.ratio == 1.0


def test_the_spectrum_keeps_the_limits_of_its_counts():
    nodes = np.array([[0.01, 0.5, 4.0], [0.02, 0.7, 5.0]])
    weights = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
    density = Density(nodes, weights, 1000, samples=64, total=256)
    found = gather._spectrum(density)
    assert (found.samples, found.total) == (64, 256)
    counted = found.count(float(found.curvature[-4]))
    expected = count_below(density, float(found.curvature[-4]))
    assert counted == expected
    assert counted.lower < counted.value < counted.upper
    assert found.count(6.0) is None

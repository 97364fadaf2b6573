from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from landscape.problem.objective import Ratio
from landscape.problem.sums import added, means, standard_errors


def ratio(a, b=None) -> Ratio:
    made = torch.tensor(a, dtype=torch.float64)
    return Ratio(made, None if b is None else torch.tensor(b, dtype=torch.float64))


def test_sums_of_two_values_at_two_points():
    values = [ratio([1, 2, 3, 4], [1, 0, 2, 2]), ratio([1, 1, 0, 1])]
    found = added(values, 2, moments=True)
    assert found.shape == (5, 2, 2)
    assert found[:, 0, 0].tolist() == [3, 1, 5, 1, 1]  # a, b, aa, ab, bb of samples 1 and 2
    assert found[:, 0, 1].tolist() == [7, 4, 25, 14, 8]
    assert found[:, 1, 1].tolist() == [1, 2, 1, 1, 2]
    np.testing.assert_allclose(means(found), [[3, 7 / 4], [1, 1 / 2]])


def test_nothing_counts():
    assert np.isnan(means(added([ratio([0.0, 0.0], [0.0, 0.0])]))).all()


def subsets(a, b, count):
    """The ratio over every subset, and the error that is estimated from each."""
    found = []
    for chosen in map(list, combinations(range(len(a)), count)):
        sums = added([ratio(a[chosen], None if b is None else b[chosen])], moments=True)
        error = standard_errors(sums, count=count, population=len(a))
        found.append((means(sums)[0, 0], error[0, 0]))
    return np.array(found).T


def test_a_means_error_is_that_of_all_its_subsets():
    """Without replacement the estimate of the variance is unbiased, to the last digit."""
    a = np.random.default_rng(0).exponential(size=9)
    values, errors = subsets(a, None, 4)
    assert np.mean(errors**2) == pytest.approx(np.var(values), rel=1e-12)


def test_a_ratios_error_is_about_that_of_all_its_subsets():
    """The delta method is right to first order: within a few per cent for 12 of 16 samples."""
    generator = np.random.default_rng(1)
    b = generator.integers(1, 6, 16).astype(float)
    a = b * generator.exponential(size=16)
    values, errors = subsets(a, b, 12)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.std(values), rel=0.05)
    _, wrong = subsets(a / b, None, 12)  # as if each sample counted alike
    assert np.sqrt(np.mean(wrong**2)) != pytest.approx(np.std(values), rel=0.1)


def test_all_samples_have_no_error():
    a, b = np.arange(1.0, 7), np.ones(6)
    assert subsets(a, b, 6)[1].tolist() == [0.0]

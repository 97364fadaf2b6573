from __future__ import annotations

import pytest
from scipy.stats import binom, binomtest

from landscape.diagnose.binomial import interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (1, 10), (5, 10), (10, 10), (3, 4)])
def test_is_scipys_exact_interval(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_covers_the_truth_at_least_as_often_as_it_says():
    truth, trials = 0.3, 10
    covered = 0.0
    for successes in range(trials + 1):
        low, high = interval(successes, trials)
        if low <= truth <= high:
            covered += binom.pmf(successes, trials, truth)
    assert covered >= 0.95


def test_nothing_is_known_without_trials():
    assert interval(0, 0) == (0.0, 1.0)

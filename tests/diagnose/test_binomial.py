from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from landscape.diagnose.binomial import SequentialTest, interval


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


@pytest.mark.parametrize("left", ["7/7", "9/10", "11/13", "13/16"])
def test_walds_test_is_decided_at_the_known_places(left):
    away, count = (int(each) for each in left.split("/"))
    test = SequentialTest()
    stayed = [False] * (count - away)
    assert test.decide([*stayed, *[True] * away]) is True
    assert test.decide([*stayed, *[True] * (away - 1)]) is None
    assert test.fewest([*stayed, *[True] * (away - 1)]) == 1
    assert test.fewest([*stayed, *[True] * away]) == 0


def test_walds_test_keeps_its_promise():
    test, random = SequentialTest(), np.random.default_rng(0)
    for chance, wrong in ((0.5, True), (0.8, False)):
        decisions = [test.decide(list(random.random(200) < chance)) for _ in range(2000)]
        assert None not in decisions
        # Overshoot makes it safer than the 5 % asked for.
        assert decisions.count(wrong) / 2000 < 0.05


def test_the_first_decision_holds():
    assert SequentialTest().decide([True] * 7 + [False] * 20) is True
    assert SequentialTest().decide([False] * 4 + [True] * 20) is False
    assert SequentialTest().fewest([]) == 4


@pytest.mark.parametrize(("chance", "likely", "wrong"), [(0.5, 0.8, 0.05), (0.3, 0.9, 0.01)])
def test_that_many_in_a_row_decide_and_one_less_doesnt(chance, likely, wrong):
    test = SequentialTest(chance, likely, wrong)
    assert test.decide([True] * test.in_a_row) is True
    assert test.decide([True] * (test.in_a_row - 1)) is None

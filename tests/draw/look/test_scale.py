from __future__ import annotations

import numpy as np
import pytest

from landscape.draw.look import scale
from landscape.draw.look.style import Style
from landscape.store.scans.certificates import Certificate

from .. import planted


def through(*losses: float, constant: float = float("nan")) -> scale.Scale:
    return scale.through([np.array(losses)], constant=constant)


def test_a_log_position_is_linear_in_the_logarithm():
    s = through(0.01, 1.0)
    position = s.position(np.array([0.01, 0.1, 1.0, 10.0, np.inf, np.nan]))
    np.testing.assert_allclose(position, [0, 0.5, 1, 1.5, np.inf, np.nan])
    np.testing.assert_allclose(s.loss(np.array([0, 0.5, 1.5])), [0.01, 0.1, 10])


@pytest.mark.parametrize("least", [0.0, -1.0, -np.inf])
def test_losses_without_a_logarithm_make_the_scale_linear(least):
    s = through(least, 0.0, 1.0, 3.0)
    assert not s.log
    np.testing.assert_allclose(s.loss(s.position(np.array([0.0, 2.0, 3.0]))), [0, 2, 3], atol=1e-12)


def test_the_cap_is_twice_the_constant_loss():
    s = through(0.1, 2.3, 50.0, constant=2.3)
    assert (s.low, s.high, s.capped) == (0.1, 4.6, True)
    assert s.rule == "twice that of ignoring the input"


def test_a_plane_below_the_cap_ends_at_the_data():
    s = through(0.1, 2.3, 4.5, constant=2.3)
    assert (s.low, s.high, s.capped, s.rule) == (0.1, 4.5, False, "")


def test_a_plane_above_the_cap_ends_at_a_percentile():
    losses = np.append(np.linspace(10, 20, 99), 1e6)
    s = scale.through([losses], constant=2.3)
    assert (s.low, s.capped, s.rule) == (10.0, True, "the 95th percentile")
    assert s.high == pytest.approx(np.percentile(losses, 95))


def test_without_a_constant_a_maximum_near_the_percentile_is_kept():
    s = scale.through([np.linspace(1, 20, 100)], constant=float("nan"))
    assert (s.high, s.capped) == (20.0, False)


def certified(cap: float, tested: int = 3):
    """A bowl, up to losses of some 40, that is right up to a cap."""
    held_out = {"train_loss": np.ones(tested)}
    made = Certificate(
        0.01, 1, np.zeros((tested, 2)), held_out, held_out, {"train_loss": cap}, {}, None
    )
    return planted.bowl(21, 21, tolerance=0.01, certificate=made)


def test_it_ends_where_a_scan_to_a_tolerance_is_right():
    scan = certified(3.0)
    asked = scale.of(scan, style=Style(cap=8.0))
    assert (asked.high, asked.capped) == (3.0, True)
    assert asked.rule == "as far as the scan to a tolerance is right; the cap asked for is higher"
    assert scale.of(scan).high == 3.0  # twice the constant output's is 20
    lower = scale.of(scan, style=Style(cap=2.0))
    assert (lower.high, lower.rule) == (2.0, "the cap asked for")
    # Where every point is measured all are right.
    assert scale.of(certified(3.0, tested=0), style=Style(cap=8.0)).high == 8.0


def test_what_lies_above_all_that_is_tested_is_shown_all_the_same():
    asked = scale.of(certified(0.01), style=Style(cap=8.0))
    assert (asked.high, asked.rule) == (8.0, "the cap asked for")
    assert scale.of(certified(0.01)).high == scale.of(certified(0.01, tested=0)).high


def test_a_valley_s_ends_where_it_is_right():
    valley = planted.valley(certificate=certified(3.0).certificate)
    assert scale.of_valleys([planted.valley()], style=Style(cap=8.0)).high == 8.0
    assert scale.of_valleys([valley], style=Style(cap=8.0)).high == 3.0


def test_further_losses_extend_the_scale_but_not_the_cap_s_choice():
    s = scale.through([np.array([5.0, 6.0])], constant=2.3, further=[np.array([0.1, 1.0])])
    assert (s.low, s.high, s.capped) == (0.1, 6.0, False)


def test_a_constant_plane_gets_some_room():
    s = through(2.3, 2.3)
    assert s.low < 2.3 < s.high
    assert s.position(np.array(2.3)) == pytest.approx(0.5)
    assert through(0.0, 0.0).position(np.array(0.0)) == pytest.approx(0.5)


def test_no_finite_loss_gives_a_scale_all_the_same():
    s = through(np.nan, np.inf)
    assert (s.low, s.high, s.log) == (0.1, 1.0, True)


def test_ticks_are_round():
    assert through(0.02, 20.0).ticks(10).tolist() == [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    assert through(0.5, 4.6).ticks().tolist() == [0.5, 0.7, 1, 1.5, 2, 3, 4]
    assert through(1e-30, 1.0).ticks(4).tolist() == [1e-30, 1e-22, 1e-14, 1e-6]
    assert through(0.0, 3.0).ticks(4).tolist() == [0, 1, 2, 3]


def test_a_range_whose_quotient_overflows_has_levels_and_ticks():
    s = through(1e-200, 1e200)
    assert s.ticks(5).tolist() == [1e-200, 1e-119, 1e-38, 1e43, 1e124]
    steps = np.diff(np.log10(s.levels(14)))
    np.testing.assert_allclose(steps, steps[0])
    np.testing.assert_allclose(s.loss(np.array([0, 0.5, 1])), [1e-200, 1, 1e200])


@pytest.mark.parametrize("high", [2.5, 10.0, 1e3, 1e9, 1e40])
def test_levels_are_evenly_spaced_in_the_logarithm(high):
    levels = through(1.0, high).levels(14)
    assert 7 <= len(levels) <= 24
    assert levels.min() >= 1
    assert levels.max() <= high
    if high >= 10:
        steps = np.diff(np.log10(levels))
        np.testing.assert_allclose(steps, steps.mean(), atol=0.035)


def test_ends_that_are_too_far_apart_are_all_the_ticks():
    s = scale.Scale(-1e308, 1e308, log=False, capped=False, rule="", constant=float("nan"))
    assert s.ticks().tolist() == [-1e308, 1e308]

"""What a certificate says of its held-out points, counted by hand, and its way into a file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.stats import binom

from landscape.store.scans import certificates
from landscape.store.scans.certificates import Certificate, Promise, upper_bound

NAN, INF = float("nan"), float("inf")
FOUND = [1.005, 1.03, 4.5, 3.98, 8.0, 8.0, INF, INF, 8.0, 0.0011, NAN]
EXACT = [1.000, 1.00, 3.0, 4.02, 6.0, 5.0, INF, 3.0, NAN, 0.0010, 1.0]
"""Near; not near; hidden; across the cap, but near it; within the factor; not; infinite; taken for
infinite; NaN; near by the floor; taken for NaN."""
KEPT = [True, False, False, True, True, False, True, False, False, True, False]


def certificate(found=FOUND, exact=EXACT, *, cap: float | None = 4.0, **changes) -> Certificate:
    count = len(found)
    values = {
        "tolerance": 0.01,
        "attempts": 2,
        "xy": np.arange(2.0 * count).reshape(count, 2),
        "predicted": {"train_loss": np.array(found), "train_accuracy": np.full(count, 0.5)},
        "measured": {"train_loss": np.array(exact), "train_accuracy": np.full(count, 0.52)},
        "caps": {} if cap is None else {"train_loss": cap},
        "floors": {} if cap is None else {"train_loss": 0.02},
        "expected_below": np.arange(count) < 4,
    }
    return Certificate(**(values | changes))


def test_each_point_is_held_to_the_promise_of_its_region():
    made = certificate()
    np.testing.assert_array_equal(~made.missed("train_loss"), KEPT)
    assert made.missed("train_accuracy").all()
    assert not made.passed
    found = made.summary("train_loss")
    assert next(iter(found)) == "hidden"
    # 3.0 taken for 4.5 and for infinite, 1.0 for NaN.
    assert (found["hidden"], found["below"], found["above"], found["missed"]) == (3, 6, 5, 6)
    assert found["factor"] == INF  # NaN has none
    assert made.errors("train_loss")[9] == pytest.approx(0.0001 / 0.02)


def test_without_a_cap_there_is_one_promise():
    near = [1.005, 8.05, INF]
    assert certificate(near, [1.0, 8.0, INF], cap=None).passed
    assert not certificate(near, [1.0, 7.0, INF], cap=None).passed
    assert not certificate(near, [1.0, 8.0, 5.0], cap=None).passed
    old = certificate(near, [1.0, 8.0, INF], cap=None, expected_below=None)
    assert [(name, part.sum()) for name, part in old.strata()] == [("all", 3)]
    assert "hidden" not in old.summary("train_loss")


def test_one_of_twenty_below_may_be_twice_as_far_off_and_none_above_on_the_wrong_side():
    exact = np.array([*[1.0] * 40, 6.0])
    off = np.zeros(41)
    off[0] = 0.019
    assert certificate(exact + off, exact).passed
    off[:3] = 0.019
    assert not certificate(exact + off, exact).passed
    off[:3] = 0.021, 0, 0
    assert not certificate(exact + off, exact).passed
    off[0], off[-1] = 0, -2.1
    assert not certificate(exact + off, exact).passed
    off[-1] = 7.0  # above the cap one of twenty by the factor's square, 2.25
    assert certificate(exact + off, exact).passed
    off[-1] = 8.0
    assert not certificate(exact + off, exact).passed


@pytest.mark.parametrize("failures", [0, 1, 5, 19])
@pytest.mark.parametrize("trials", [20, 48])
def test_the_bound_is_where_so_few_failures_have_a_chance_of_one_in_twenty(failures, trials):
    share = upper_bound(failures, trials)
    assert binom.cdf(failures, trials, share) == pytest.approx(0.05, rel=1e-6)


def test_the_bound_without_a_trial_or_a_failure():
    assert upper_bound(0, 0) == upper_bound(3, 3) == 1
    assert upper_bound(0, 48) < 3 / 48


def test_the_bound_is_that_of_each_region():
    made = certificate()
    below, above = (made.at_most(part) for _, part in made.strata())
    assert (below, above) == (upper_bound(2, 4), upper_bound(4, 7))


def test_what_is_allowed_is_kept():
    """At the most that is allowed a guess keeps the promise, on both sides of the cap."""
    promise = Promise.of(0.01, 4.0, 0.1)
    assert promise.floor == pytest.approx(3.9e-3)
    exact = np.geomspace(1e-4, 4e3, 400)
    exact = exact[np.abs(exact / 4 - 1) > 0.02]
    for sign in (-1, 1):
        guess = exact + sign * 0.99 * promise.allowed(exact)
        assert promise.kept(guess, exact).all()
    assert (promise.allowed(exact[exact > 40]) > 0.3 * exact[exact > 40]).all()


@pytest.mark.parametrize("changes", [{}, {"cap": None, "expected_below": None}])
def test_round_trip(tmp_path, changes):
    made = certificate([1.0, 5.0], [1.0, 6.0], **changes)
    with h5py.File(tmp_path / "one.h5", "w") as file:
        certificates.fill(file.create_group("certificate"), made)
    with h5py.File(tmp_path / "one.h5") as file:
        found = certificates.read(file["certificate"])
        assert file["certificate"].attrs["passed"] == made.passed
    assert (found.tolerance, found.attempts) == (0.01, 2)
    assert (found.caps, found.floors) == (made.caps, made.floors)
    np.testing.assert_array_equal(found.xy, made.xy)
    for name in made.predicted:
        np.testing.assert_array_equal(found.predicted[name], made.predicted[name])
        np.testing.assert_array_equal(found.measured[name], made.measured[name])
    if made.expected_below is None:
        assert found.expected_below is None
    else:
        np.testing.assert_array_equal(found.expected_below, made.expected_below)
        assert found.expected_below.dtype == bool


@pytest.mark.parametrize("lost", ["train_loss_measured", "train_loss_predicted"])
def test_predicted_losses_without_measured_ones_are_refused(tmp_path, lost):
    with h5py.File(tmp_path / "one.h5", "w") as file:
        group = file.create_group("certificate")
        certificates.fill(group, certificate())
        del group[lost]
        said = "^certificate has train_loss without what it is compared with$"
        with pytest.raises(ValueError, match=said):
            certificates.read(group)

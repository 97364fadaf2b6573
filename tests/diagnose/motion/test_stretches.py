from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.diagnose.motion import stretches
from landscape.errors import LandscapeError


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


@pytest.mark.slow
def test_of_snapshots_by_hand(every_step, monkeypatch):
    trajectory = every_step.trajectory
    monkeypatch.setattr(type(trajectory), "sketch_seed", lambda self: None)
    first, length = 128, 64
    found = stretches.measure(
        trajectory, every_step.cadence, first=first, last=first + 4 * length, steps=length
    )
    w = np.stack([trajectory.row_weights(row) for row in range(641)]).astype(float)
    cosines, ratios = [], []
    for start in range(first, first + 4 * length, length):
        one = w[start : start + length + 1]
        cosines.append(cosine(one[32] - one[0], one[64] - one[32]))
        half, eighth = (((one[lag:] - one[:-lag]) ** 2).sum(1).mean() for lag in (32, 8))
        ratios.append(half / eighth)
    assert (found.count, found.steps, found.distance_error) == (4, length, 0.0)
    assert found.half_cosine == pytest.approx(np.mean(cosines), abs=1e-6)
    assert found.half_cosine_error == pytest.approx(np.std(cosines, ddof=1) / 2, abs=1e-6)
    assert found.ratio == pytest.approx(np.mean(ratios), rel=1e-6)
    assert found.dimension >= 1
    assert found.hops >= 1


@pytest.mark.slow
def test_of_sketches_as_of_snapshots(every_step, monkeypatch):
    trajectory = every_step.trajectory
    span = {"first": 100, "last": 612, "steps": 128}
    sketched = stretches.measure(trajectory, every_step.cadence, **span)
    assert sketched.distance_error > 0
    monkeypatch.setattr(type(trajectory), "sketch_seed", lambda self: None)
    exact = stretches.measure(trajectory, every_step.cadence, **span)
    assert sketched.count == exact.count == 4
    # A cosine of a sketch is off by √2 its distances' error.
    error = math.sqrt(2) * sketched.distance_error
    assert sketched.half_cosine == pytest.approx(exact.half_cosine, abs=2 * error)
    assert sketched.ratio == pytest.approx(exact.ratio, rel=2 * error)
    assert sketched.dimension == pytest.approx(exact.dimension, rel=0.5)


def test_neighbours_cosines_in_confinement():
    """Independent positions, the last of one stretch the first of the next: 1/18."""
    x = np.random.default_rng(0).standard_normal((40_000, 5, 60))

    def half(a: int) -> np.ndarray:
        first, second = x[:, a + 1] - x[:, a], x[:, a + 2] - x[:, a + 1]
        lengths = (first**2).sum(1) * (second**2).sum(1)
        return (first * second).sum(1) / np.sqrt(lengths)

    assert np.corrcoef(half(0), half(2))[0, 1] == pytest.approx(1 / 18, abs=0.012)


def test_stretches_fill_the_window_and_end_with_it():
    assert stretches.starts(100, 900, 200) == [100, 300, 500, 700]
    assert stretches.starts(100, 1050, 200) == [100, 350, 600, 850]
    assert stretches.starts(100, 390, 200) == [190]
    many = stretches.starts(0, 100_000, 100)
    assert len(many) == stretches.MOST
    assert (many[0], many[-1]) == (0, 99_900)
    assert (np.diff(many) >= 100).all()


def test_dimensions_average_by_their_inverse():
    # tr V² adds up at equal tr V: half of it 1/10 and half of it 1/40.
    assert stretches.of_several([10.0, 40.0]) == pytest.approx(16)


def test_too_few_snapshots(every_step, monkeypatch):
    trajectory = every_step.trajectory
    monkeypatch.setattr(type(trajectory), "sketch_seed", lambda self: None)
    with pytest.raises(LandscapeError) as caught:
        stretches.measure(trajectory, every_step.cadence, first=0, last=640, steps=20)
    assert str(caught.value) == (
        "diffusion needs at least 33 recorded steps spread evenly over its window, got 21; "
        "record more often"
    )

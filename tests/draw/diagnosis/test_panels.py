from __future__ import annotations

import itertools

import numpy as np
import pytest

from landscape.draw.diagnosis import panels
from landscape.draw.sheet import page


@pytest.mark.parametrize("seed", range(5))
def test_names_are_as_near_to_their_places_as_they_can_be(seed):
    """Against all places on a fine grid."""
    rng = np.random.default_rng(seed)
    homes, sizes = np.sort(rng.uniform(0.3, 0.9, 3)), np.array([0.2, 0.3, 0.2])
    places = panels._apart(homes, sizes, 2.0)
    apart = (sizes[1:] + sizes[:-1]) / 2
    assert (np.diff(places) >= apart - 1e-9).all()
    grid = np.linspace(0.1, 1.4, 66)
    best = min(
        float(np.sum((np.array(some) - homes) ** 2))
        for some in itertools.combinations(grid, 3)
        if (np.diff(some) >= apart - 1e-9).all()
    )
    assert float(np.sum((places - homes) ** 2)) <= best + 1e-9


def test_names_stay_beside_the_axes():
    places = panels._apart(np.array([0.0, 0.01, 1.0]), np.array([0.1, 0.1, 0.1]), 1.0)
    np.testing.assert_allclose(places, [0.05, 0.15, 0.95])
    assert len(panels._apart(np.empty(0), np.empty(0), 1.0)) == 0


def test_a_name_points_at_its_value():
    axes = page.blank(3, 2).axes(0.5, 0.1, 1.5, 1.5)
    axes.set_ylim(0, 10)
    panels.beside(axes, [(2.0, "low", "red"), (8.0, "high", "blue")], 0.8)
    assert [(t.get_text(), t.xy) for t in axes.texts] == [
        ("low", (1.0, pytest.approx(0.2))),
        ("high", (1.0, pytest.approx(0.8))),
    ]


def test_no_line_spans_steps_without_a_measurement():
    step = np.array([0, 10, 20, 900, 910, 1000])
    at, values = panels.joined(step, np.arange(6.0))
    drawn = [set(part[~np.isnan(part)]) for part in np.split(at, np.flatnonzero(np.isnan(at)))]
    assert drawn == [{0, 10, 20}, {900, 910}, {1000}]
    np.testing.assert_array_equal(values[~np.isnan(at)], np.arange(6.0))
    np.testing.assert_array_equal(np.isnan(values), np.isnan(at))
    one, same = panels.joined(np.array([7]), np.array([2.0]))
    assert (one.tolist(), same.tolist()) == ([7], [2])

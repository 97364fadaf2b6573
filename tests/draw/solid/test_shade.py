from __future__ import annotations

import numpy as np
import pytest

from landscape.draw.solid import shade

X = np.linspace(-0.5, 0.5, 101)
AWAY = np.hypot(X[:, None], X)


def test_open_ground_keeps_its_colour():
    np.testing.assert_allclose(shade.openness(X, X, np.full((101, 101), 0.3), 0.5), 1)
    # On a hill too, and beside what was not measured.
    hill = 0.3 - AWAY**2
    hill[10:20, 10:20] = np.nan
    np.testing.assert_allclose(shade.openness(X, X, hill, 0.5)[50, 50], 1)


@pytest.mark.parametrize("radius", [0.08, 0.13])
def test_the_floor_of_a_round_pit_sees_what_its_wall_leaves(radius):
    """The wall stands as high everywhere, at the angle whose tangent is height over radius."""
    pit = np.where(radius > AWAY, 0.0, 0.2)
    wanted = 1 - shade.DARKEST * 0.2 / np.hypot(0.2, radius)
    found = shade.openness(X, X, pit, 0.5)[50, 50]
    # The horizon is looked for at few distances: the wall is met a little behind its foot.
    assert found == pytest.approx(wanted, abs=0.02)


def test_what_is_cut_off_hides_no_more_than_the_rim_does():
    wall = np.where(AWAY < 0.13, 0.0, 0.2)
    far = np.where(AWAY < 0.13, 0.0, 9.0)
    np.testing.assert_allclose(
        shade.openness(X, X, far, 0.2)[50, 50], shade.openness(X, X, wall, 0.2)[50, 50]
    )

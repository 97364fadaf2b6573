from __future__ import annotations

import numpy as np

from landscape.draw.sheet import leaders

SIZE = np.array([600.0, 500.0])
NOTHING = np.empty((0, 2))


def test_marks_with_room_stay_in_place():
    at = np.array([[100.0, 100.0], [140.0, 100.0]])
    assert (leaders.spread(at, np.full(2, 20.0), NOTHING, SIZE) == at).all()


def test_the_first_mark_stays_and_the_others_find_room_in_the_picture():
    at = np.tile([12.0, 490.0], (4, 1))
    radii = np.array([18.0, 22.0, 15.0, 15.0])
    moved = leaders.spread(at, radii, NOTHING, SIZE)
    assert (moved[0] == at[0]).all()
    gaps = np.linalg.norm(moved[:, None] - moved[None], axis=2)
    assert (gaps + 1e9 * np.eye(4) >= radii[:, None] + radii[None]).all()
    assert ((moved[1:] >= radii[1:, None]) & (moved[1:] <= SIZE - radii[1:, None])).all()


def test_moved_marks_keep_clear_of_lines():
    at = np.array([[300.0, 250.0], [305.0, 250.0]])
    line = np.column_stack([np.linspace(0, 600, 301), np.full(301, 250.0)])
    moved = leaders.spread(at, np.full(2, 20.0), line, SIZE)
    assert abs(moved[1, 1] - 250) >= 20


def test_where_height_is_a_loss_marks_move_sideways():
    at = np.array([[300.0, 250.0], [300.0, 252.0]])
    moved = leaders.spread(at, np.full(2, 20.0), NOTHING, SIZE, sideways=True)
    across, up = np.abs(moved[1] - at[1])
    assert across > up
    across, up = np.abs(leaders.spread(at, np.full(2, 20.0), NOTHING, SIZE)[1] - at[1])
    assert up > across

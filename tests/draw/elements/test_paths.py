from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from landscape.draw.elements import paths
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look.scale import Scale
from landscape.draw.solid import relief, trail
from landscape.draw.solid.meshes import Frame

NAN = np.nan
FRAME = Frame(PlaneWindow(np.array([0.0, 0.0]), np.array([1.0, 1.0])), (1.0, 1.0), 1.0)
LINEAR = Scale(0.0, 1.0, log=False, capped=True, rule="", constant=NAN)


def path(planted, true, plane):
    true, plane = np.array(true), np.array(plane)
    xy = np.stack([np.linspace(0.1, 0.9, len(true)), np.full(len(true), 0.5)], axis=1)
    return planted.path(xy, true, plane, np.zeros(len(true)))


def test_ten_percent_of_the_true_loss_is_the_limit(planted):
    one = path(planted, [1.0, 1.0, 1.0, 0.0, 0.0], [1.09, 1.11, 0.89, 0.0, 0.01])
    assert paths.faded(one).tolist() == [False, True, True, False, True]


def test_points_without_losses_follow_the_nearest_that_has_them(planted):
    one = path(planted, [1.0, NAN, NAN, NAN, 1.0], [1.0, NAN, NAN, NAN, 2.0])
    assert paths.faded(one).tolist() == [False, False, False, True, True]


def test_infinite_losses_agree_with_infinite_ones_only(planted):
    one = path(planted, [np.inf, 1.0, np.inf], [2.0, np.inf, np.inf])
    assert paths.faded(one).tolist() == [True, True, True]
    nothing = path(planted, [NAN, NAN], [NAN, NAN])
    assert paths.faded(nothing).tolist() == [False, False]


def test_beads_are_at_even_arc_length():
    corner = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    np.testing.assert_allclose(paths.even(corner, 3), [[1, 0], [2, 0], [3, 0]])
    assert paths.even(corner[:1]).shape == (0, 2)
    assert paths.even(np.zeros((4, 2))).shape == (0, 2)


def test_only_a_small_path_within_the_plane_gets_an_inset(planted):
    assert planted.random().path_is_a_dot
    assert not planted.bowl().path_is_a_dot
    assert not replace(planted.random(), paths=()).path_is_a_dot
    scan = planted.random()
    away = replace(scan.paths[0], xy=scan.paths[0].xy + 5)
    assert not replace(scan, paths=(away,)).path_is_a_dot


def test_a_polyline_is_cut_at_the_cube_with_its_further_columns():
    rows = np.array(
        [[-1, 0.5, 0.5, 0], [1, 0.5, 0.5, 10], [1, 0.5, 1.5, 20], [0.5, 0.5, 0.5, 30.0]]
    )
    first, second = trail.inside(rows)
    np.testing.assert_allclose(first, [[0, 0.5, 0.5, 5], [1, 0.5, 0.5, 10], [1, 0.5, 1, 15]])
    np.testing.assert_allclose(second, [[0.75, 0.5, 1, 25], [0.5, 0.5, 0.5, 30]])
    assert trail.inside(rows[:1]) == []
    assert trail.inside(np.tile(rows[:1], (3, 1))) == []


def test_the_path_is_at_its_true_loss_and_ends_at_the_cap(planted):
    one = path(planted, [2.0, 0.5, NAN, 0.25], [0.5, 0.5, NAN, 0.25])
    [part] = trail.ribbons(one, LINEAR, FRAME, None)
    np.testing.assert_allclose(part.points[1:, 2], [0.5, 0.25])
    assert part.points[0, 2] == pytest.approx(1.0)
    np.testing.assert_allclose(part.points[1:, 0] + 0.5, [0.1 + 0.8 / 3, 0.9])


def slope(planted, x, y):
    return planted.scan(
        planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0)),
        np.linspace(0, 1, 5),
        np.linspace(0, 1, 3),
        lambda a, b: 0.2 + x * a + y * b,
    )


def grid(scan):
    return scan.x, scan.y, scan.measures["train_loss"]


def test_a_foot_is_on_the_surface(planted):
    surface = relief.of(*grid(slope(planted, 0.3, 0.2)), LINEAR, FRAME)
    balls = np.array([[0.1, -0.2, 0.9], [0.7, 0.0, 0.9]])
    found = trail.feet(balls, surface)
    np.testing.assert_allclose(found[0], [0.1, -0.2, 0.2 + 0.3 * 0.6 + 0.2 * 0.3])
    assert np.isnan(found[1, 2])


def test_a_track_follows_the_surface_at_every_recorded_step(planted):
    one = path(planted, [NAN, NAN, 0.9], [NAN, NAN, 0.1])
    surface = relief.of(*grid(slope(planted, 0.3, 0.2)), LINEAR, FRAME)
    [track] = trail.track(one, surface, FRAME, None)
    x, y, z = np.add(track.points, [0.5, 0.5, 0]).T
    np.testing.assert_allclose(z, 0.2 + 0.3 * x + 0.2 * y)
    assert (x[0], x[-1]) == (pytest.approx(0.1), pytest.approx(0.9))
    assert np.diff(x).max() <= trail.FINE * 1.001
    # The kinks of the path are kept.
    assert np.isclose(x, 0.5).any()


def test_a_track_is_broken_where_the_surface_is_cut(planted):
    one = path(planted, [0.5, 0.5], [0.5, 0.5])
    scan = slope(planted, 0.0, 0.0)
    loss = scan.measures["train_loss"].copy()
    loss[2] = 9.0
    surface = relief.of(*grid(planted.with_losses(scan, loss)), LINEAR, FRAME)
    first, second = trail.track(one, surface, FRAME, None)
    # From 0.2 at a quarter to 9 at a half: cut at 1 after a share of 0.8 / 8.8 of the cell.
    edge = 0.25 + 0.25 * 0.8 / 8.8
    assert first.points[-1, 0] + 0.5 == pytest.approx(edge, abs=trail.FINE)
    assert second.points[0, 0] + 0.5 == pytest.approx(1 - edge, abs=trail.FINE)


def test_balls_are_on_the_longest_stretch(planted):
    # Ten steps of 0.1 along x: 1.0. One of 0.6 along y: shorter, though its differences' norm,
    # 0.6, is larger than that of the other's, sqrt(10 * 0.1^2) = 0.316.
    fine = np.column_stack([np.linspace(-0.5, 0.5, 11), np.zeros(11), np.full(11, 0.7)])
    coarse = np.array([[0.0, -0.3, 0.9], [0.0, 0.3, 0.9]])
    surface = relief.of(*grid(slope(planted, 0.0, 0.0)), LINEAR, FRAME)
    tubes = [trail.Ribbon(points, np.ones((len(points), 4))) for points in (coarse, fine)]
    balls = np.array([drop.ball for drop in trail.drops(tubes, surface, 3)])
    np.testing.assert_allclose(balls, [[-0.25, 0, 0.7], [0, 0, 0.7], [0.25, 0, 0.7]], atol=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "at", "step"),
    [
        ([2.0, 0.0], [0.0, 0.0], (1.0, 0.0), 1),
        ([-3.0, 1.0], [0.0, 2.0], None, 1),  # past a corner
        ([0.0, 3.0, 0.5], [0.0, 3.0, 0.5], None, 1),  # begins inside
        ([4.0, 3.0, 0.0, 0.2], [2.0, 2.0, 0.5, 0.1], (1.0, 1.0), 2),
        ([np.nan, 0.0, 0.0], [0.0, -5.0, 0.0], (0.0, -1.0), 2),
    ],
)
def test_where_a_path_comes_in(planted, x, y, at, step):
    frame = PlaneWindow(np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    nothing = np.zeros(len(x))
    one = planted.path(np.column_stack([x, y]), nothing, nothing, nothing)
    found = paths.entrance(one, frame)
    if at is None:
        assert found is None
        return
    place, towards, when = found
    np.testing.assert_allclose(place, at, atol=1e-12)
    np.testing.assert_array_equal(towards, one.xy[step])
    assert when == one.step[step]


@pytest.mark.parametrize(
    ("xy", "crosses"),
    [
        ([(-3, 0), (3, 0), (3, 3), (0, 0)], True),
        ([(-3, 3), (3, 3), (0, 0)], False),
        ([(-3, 0), (0, 0), (3, 0), (-3, 0)], False),  # out again after it was inside
        ([(-3, -0.5), (1, 3.5), (0, 0)], False),
        ([(-3, -1.5), (2, 3), (0, 0)], True),  # over a corner
    ],
)
def test_lines_between_places_outside_that_cross_a_window(planted, xy, crosses):
    window = PlaneWindow(np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    path = replace(planted.bowl(5, 5).paths[0], xy=np.array(xy, float), step=np.arange(len(xy)))
    assert paths.passes(path, window) == crosses
    fine = np.linspace(0, 1, 2001)[:, None]
    first = next(k for k, place in enumerate(xy) if np.abs(place).max() <= 1)
    by_hand = any(
        (np.abs(np.array(a) + fine * (np.array(b) - a)).max(axis=1) < 1).any()
        for a, b in pairwise(xy[:first])
    )
    assert by_hand == crosses

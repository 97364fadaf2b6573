from __future__ import annotations

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.plane.extent import around, axes, parse

POINT = np.zeros((1, 2))
ON_A_LINE = np.zeros((1, 1))


@pytest.mark.parametrize(
    ("text", "xy", "ranges"),
    [
        ("1.0", POINT, ((-1, 1), (-1, 1))),
        ("0.25", ON_A_LINE, ((-0.25, 0.25),)),
        ("-1:2:-3:0.5", POINT, ((-1, 2), (-3, 0.5))),
        ("-1e-3:2", ON_A_LINE, ((-1e-3, 2),)),
        ("2:3:4:5", POINT, ((2, 3), (4, 5))),
    ],
)
def test_ranges(text, xy, ranges):
    assert parse(text, xy) == ranges


@pytest.mark.parametrize(
    ("text", "xy", "message"),
    [
        ("wide", POINT, "extent must be a number, xmin:xmax:ymin:ymax or auto, got wide"),
        ("-1:1", POINT, "extent must be a number, xmin:xmax:ymin:ymax or auto, got -1:1"),
        ("-1:1:0", POINT, "extent must be a number, xmin:xmax:ymin:ymax or auto, got -1:1:0"),
        ("", POINT, "extent must be a number, xmin:xmax:ymin:ymax or auto, got "),
        ("nan", POINT, "extent must be a number, xmin:xmax:ymin:ymax or auto, got nan"),
        ("inf", ON_A_LINE, "extent must be a number, xmin:xmax or auto, got inf"),
        ("-1:1:-1:1", ON_A_LINE, "extent must be a number, xmin:xmax or auto, got -1:1:-1:1"),
        ("0", POINT, "extent must have its minimum below its maximum, got 0"),
        ("-2", POINT, "extent must have its minimum below its maximum, got -2"),
        ("1:-1:0:1", POINT, "extent must have its minimum below its maximum, got 1:-1:0:1"),
        ("0:1:2:2", POINT, "extent must have its minimum below its maximum, got 0:1:2:2"),
        (
            "auto",
            POINT,
            "extent auto needs a path that moved, this one is a point; give a number",
        ),
    ],
)
def test_other_extents_are_refused(text, xy, message):
    with pytest.raises(LandscapeError) as caught:
        parse(text, xy)
    assert str(caught.value) == message


def test_auto_holds_the_path_and_the_origin_with_a_margin():
    path = np.array([[2.0, 0.1], [5.0, 0.3], [7.0, -0.1], [np.nan, np.nan]])
    (left, right), (bottom, top) = parse("auto", path)
    # From the origin to 7: 15 % of it beside each end, and as much on the narrow axis.
    assert (left, right) == pytest.approx((-0.15 * 7, 1.15 * 7))
    assert top - bottom == pytest.approx(right - left)
    assert (top + bottom) / 2 == pytest.approx(0.1)
    assert parse("auto", path[:, :1]) == ((left, right),)


def test_each_axis_by_itself():
    path = np.array([[0.0, 0.0], [10.0, 0.02], [4.0, -0.01]])
    (left, right), (bottom, top) = around(path, each=True)
    assert (left, right) == pytest.approx((-1.5, 11.5))
    assert (bottom, top) == pytest.approx((-0.01 - 0.15 * 0.03, 0.02 + 0.15 * 0.03))
    # A path that is straight leaves its other axis a thousandth as long.
    path[:, 1] = 0
    _, (bottom, top) = around(path, each=True)
    assert (bottom, top) == pytest.approx((-0.0065, 0.0065))


@pytest.mark.parametrize("nx", [3, 5, 31, 51, 501])
@pytest.mark.parametrize("ny", [3, 21, 101])
def test_zero_is_on_an_odd_symmetric_grid(nx, ny):
    for reach in (1.0, 0.1, 1 / 3, 7e-5, 1e6):
        x, y = axes(f"{nx}x{ny}", ((-reach, reach), (-3 * reach, 3 * reach)))
        assert x[nx // 2] == 0
        assert y[ny // 2] == 0
        np.testing.assert_array_equal(x, -x[::-1])


@pytest.mark.parametrize("count", [2, 3, 10, 51, 500])
def test_both_ends_are_reached_in_even_steps(count):
    for low, high in ((-1.0, 1.0), (0.1, 0.7), (-1e-3, 5.0)):
        [x] = axes(str(count), ((low, high),))
        assert len(x) == count
        assert (x[0], x[-1]) == (low, high)
        np.testing.assert_allclose(x, np.linspace(low, high, count), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("size", "shape"), [("5", (5, 5)), ("5x3", (5, 3)), ("5X3", (5, 3)), (" 4 x 2 ", (4, 2))]
)
def test_size_of_a_plane(size, shape):
    assert tuple(map(len, axes(size, ((-1, 1), (-2, 2))))) == shape


@pytest.mark.parametrize(
    ("size", "dimensions", "message"),
    [
        ("big", 2, "size must be digits or NXxNY, as in 51 or 51x31, got big"),
        ("5x3x2", 2, "size must be digits or NXxNY, as in 51 or 51x31, got 5x3x2"),
        ("5x", 2, "size must be digits or NXxNY, as in 51 or 51x31, got 5x"),
        ("1e1", 2, "size must be digits or NXxNY, as in 51 or 51x31, got 1e1"),
        ("2.5", 2, "size must be digits or NXxNY, as in 51 or 51x31, got 2.5"),
        ("-5", 2, "size must be digits or NXxNY, as in 51 or 51x31, got -5"),
        ("5x3", 1, "size must be digits, as in 51, got 5x3"),
        ("1", 2, "size must be at least 2 and at most 501, got 1"),
        ("51x502", 2, "size must be at least 2 and at most 501, got 502"),
        ("0", 1, "size must be at least 2 and at most 501, got 0"),
    ],
)
def test_other_sizes_are_refused(size, dimensions, message):
    with pytest.raises(LandscapeError) as caught:
        axes(size, ((-1.0, 1.0),) * dimensions)
    assert str(caught.value) == message

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from landscape import draw
from landscape.draw.look import theme
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError

atlas = draw.KINDS["map"]


def level(planted, loss, name):
    """A plane with one loss but for its first point, which makes the scale the same."""
    scan = replace(planted.bowl(5, 5), paths=(), points=(), run_name=name, run_id=name)
    losses = np.full((5, 5), loss)
    losses[0, 0], losses[0, 4] = 0.1, 4.0
    return planted.with_losses(scan, losses)


def panels(figure):
    return [axes for axes in figure.axes if axes.images]


def names(figure):
    return [axes.get_title(loc="left") for axes in panels(figure)]


def middle(axes):
    picture = axes.images[0].get_array()
    return picture[picture.shape[0] // 2, picture.shape[1] // 2, :3].astype(int)


def test_the_same_loss_has_the_same_colour_in_every_panel(planted):
    alone = planted.with_losses(level(planted, 1.0, "c"), np.full((5, 5), 1.0))
    figure = atlas([level(planted, 1.0, "a"), level(planted, 2.0, "b"), alone])
    first, second, third = map(middle, panels(figure))
    np.testing.assert_array_equal(first, third)
    assert np.abs(first - second).max() > 20


def test_panels_bear_what_differs(planted):
    runs = [replace(planted.bowl(5, 5), run_name=name, run_id=name) for name in ("a", "b")]
    assert names(atlas(runs)) == ["a", "b"]
    one = [planted.bowl(5, 5), planted.escape(5, 5)]
    assert names(atlas(one)) == ["random, final", "along, final"]


def test_how_much_of_the_paths_the_planes_hold_is_said_in_one_line(planted):
    figure = atlas([planted.bowl(5, 5), planted.escape(5, 5)])
    assert [text.get_text() for text in figure.texts] == [
        "62 % to 93 % of the paths' variance is in these planes"
    ]
    assert atlas([planted.bowl(5, 5)] * 2, style=Style(bare=True)).texts == []


def test_most_of_it_is_data_and_no_label_covers_a_mark_or_another(planted):
    scans = [planted.escape(9, 9), planted.bowl(9, 9), planted.bowl(9, 9)]
    figure = atlas(scans)
    figure.canvas.draw()
    alike = atlas(scans[1:])
    area = sum(a.get_position().width * a.get_position().height for a in panels(alike))
    assert area > 0.7
    for axes, scan in zip(panels(figure), scans, strict=True):
        boxes = [text.get_window_extent() for text in axes.texts]
        marks = axes.transData.transform([point.xy for point in scan.points])
        assert len(boxes) >= 3
        for k, box in enumerate(boxes):
            held = (marks > [box.x0, box.y0]) & (marks < [box.x1, box.y1])
            assert not held.all(axis=1).any(), axes.texts[k]
            for other in boxes[:k]:
                wide = min(box.x1, other.x1) - max(box.x0, other.x0)
                tall = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert min(wide, tall) <= 1


def test_numbers_stand_at_the_left_alone_where_all_axes_are_the_same(planted):
    same = atlas([planted.bowl(5, 5), planted.bowl(5, 5)])
    assert [bool(axes.get_ylabel()) for axes in panels(same)] == [True, False]
    other = atlas([planted.bowl(5, 5), planted.escape(5, 5)])
    assert [bool(axes.get_ylabel()) for axes in panels(other)] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize(("count", "columns"), [(2, 2), (4, 4), (5, 3), (6, 3), (9, 3)])
def test_panels_stand_in_rows(planted, count, columns):
    scan = replace(planted.bowl(5, 5), paths=(), points=())
    figure = atlas([scan] * count, style=Style(width=10))
    left = {round(axes.get_position().x0, 3) for axes in panels(figure)}
    assert len(left) == columns


def test_in_a_column_they_stand_beneath_each_other(planted):
    figure = atlas([planted.bowl(5, 5)] * 2, style=Style(width=3.25))
    a, b = (axes.get_position() for axes in panels(figure))
    assert a.x0 == pytest.approx(b.x0)
    assert a.y0 > b.y1


def test_too_few_and_lines_are_refused(planted):
    for scans, message in (
        ([planted.bowl(5, 5)], "a map figure needs 2 to 24 scans of planes, got 1"),
        (
            [planted.bowl(5, 5), planted.line(5)],
            "a map figure needs a scan of a plane, got one along a line: draw its curve",
        ),
    ):
        with pytest.raises(LandscapeError) as refused:
            atlas(scans)
        assert str(refused.value) == message


@pytest.mark.slow
def test_letters_stay_within_the_page(planted):
    figure = atlas([planted.escape(9, 9), planted.bowl(9, 9), planted.random(9, 9)])
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1
            assert box.x1 <= width + 1
            assert box.y0 >= -1
            assert box.y1 <= height + 1


def test_a_floor_is_where_the_colours_begin(planted):
    scans = [level(planted, loss, name) for loss, name in ((1.0, "a"), (0.2, "b"))]
    plain, floored = atlas(scans), atlas(scans, style=Style(floor=0.5))
    lowest = np.round(255 * np.array(theme.LOSS(0.0)[:3])).astype(int)
    (_, plain), (first, second) = panels(plain), panels(floored)
    assert np.abs(middle(plain) - lowest).max() > 20
    np.testing.assert_allclose(middle(second), lowest, atol=1)
    assert np.abs(middle(first) - lowest).max() > 20
    floored.canvas.draw()
    said = [text.get_text() for axes in floored.axes for text in axes.get_xticklabels()]
    assert "≤ 0.5" in said


@pytest.mark.parametrize(
    ("floor", "rule"), [(0.0, "above 0 and below the scale's end at 4"), (9.0, "above 0 and below")]
)
def test_a_floor_that_leaves_nothing(planted, floor, rule):
    with pytest.raises(LandscapeError) as refused:
        atlas([level(planted, 1.0, "a")] * 2, style=Style(floor=floor))
    assert str(refused.value).startswith(f"floor must be {rule}")
    assert str(refused.value).endswith(f"got {floor:g}")

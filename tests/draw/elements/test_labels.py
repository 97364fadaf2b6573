from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from landscape.draw.elements.labels import Labels, ruler

SIZE = (3.0, 1.0)


@pytest.fixture
def axes():
    figure = Figure(figsize=(4, 2), dpi=100)
    found = figure.add_axes((0.125, 0.25, SIZE[0] / 4, SIZE[1] / 2))
    found.set(xlim=(0, 30), ylim=(0, 10))
    return found


def boxes(axes):
    axes.figure.canvas.draw()
    return [text.get_window_extent() for text in axes.texts]


def test_labels_stand_beside_their_points_and_off_each_other_and_the_line(axes):
    labels = Labels(axes, SIZE)
    x = np.linspace(0, 30, 61)
    line = np.column_stack([x, 5 + 2 * np.sin(x / 3)])
    axes.plot(*line.T)
    labels.keep_clear(line)
    for k in (0, 20, 30, 60):
        assert labels.beside(tuple(line[k]), "best 0.503, step 91", "best 0.503\nstep 91")
    found = boxes(axes)
    at = axes.transData.transform(line)
    for i, box in enumerate(found):
        assert not any(box.overlaps(other) for other in found[:i])
        assert not any(box.contains(*point) for point in at)
        assert axes.bbox.x0 <= box.x0
        assert box.x1 <= axes.bbox.x1
        assert axes.bbox.y0 <= box.y0
        assert box.y1 <= axes.bbox.y1
    # None is farther than the last of the steps, 0.42 inches, from what it names.
    for k, box in zip((0, 20, 30, 60), found, strict=True):
        dx = max(box.x0 - at[k, 0], at[k, 0] - box.x1, 0)
        dy = max(box.y0 - at[k, 1], at[k, 1] - box.y1, 0)
        assert np.hypot(dx, dy) < 0.6 * 100


def test_a_label_without_room_is_left_out(axes):
    labels = Labels(axes, SIZE)
    labels.taken.append((0.0, 0.0, 3.0, 1.0))
    assert not labels.beside((15.0, 5.0), "best")
    assert not axes.texts


def test_a_ruler_has_its_ends_and_what_fits_between():
    places = np.linspace(0.05, 2.95, 40).tolist()
    texts = [f"{100 * k:,}" for k in range(40)]
    there = ruler(places, texts, 3.0)
    assert there[0] == 0
    assert there[-1] == 39
    assert 5 < len(there) < 15


def test_the_last_of_a_ruler_stands_in_the_middle_of_its_place_if_it_can():
    # Numbers as wide as 0.8 of what lies between two places: all of them have room.
    places, texts = [0.3, 0.8, 1.3], ["1,164", "1,177", "1,800"]
    assert ruler(places, texts, 1.6) == [0, 1, 2]
    # At the end of the row the last one would reach beyond it.
    assert ruler(places, texts, 1.35) == [0, 2]


@pytest.mark.parametrize("far", [1e4, 1e30])
def test_a_line_that_leaves_the_page_far_behind_takes_no_time(axes, far):
    labels = Labels(axes, SIZE)
    labels.keep_clear(np.array([[15.0, 5.0], [15.0 + far, 5.0], [-far, 5.0], [15.0, far]]))
    assert len(labels.taken) < 1000
    # It went to the right from the middle: there nothing may stand on it, above there is room.
    assert not labels.write(2.5, 0.5, "here")
    assert labels.write(2.5, 0.2, "here")


def test_a_panels_name_stands_in_the_first_free_corner(axes):
    labels = Labels(axes, SIZE)
    labels.taken += [(0.0, 0.8, 0.4, 1.0), (2.8, 0.8, 3.0, 1.0)]  # both upper corners
    labels.corner("training")
    [box] = boxes(axes)
    assert box.x1 < axes.bbox.x0 + 100
    assert box.y1 < axes.bbox.y0 + 30


def test_a_curve_is_named_from_its_end_above_or_beneath(axes):
    curve = np.column_stack([np.linspace(0, 30, 31), np.full(31, 5.0)])
    labels = Labels(axes, SIZE)
    labels.keep_clear(curve, 0.01)
    assert labels.along(curve, "first")
    assert labels.along(curve, "second")
    assert labels.along(curve, "third")
    one, other, left = boxes(axes)
    line = axes.bbox.y0 + 50
    assert one.y0 > line > other.y1
    assert left.y0 > line
    assert left.x1 <= one.x0
    assert axes.bbox.x1 - 8 < one.x1 <= axes.bbox.x1
    labels.taken.append((0.0, 0.0, 3.0, 1.0))
    assert not labels.along(curve, "fourth")
    assert len(axes.texts) == 3


def ground(colour):
    """A page of white with a disc of another colour in its middle."""
    x, y = np.meshgrid(np.linspace(0, 3, 600), np.linspace(0, 1, 200))
    picture = np.full((200, 600, 4), 255, np.uint8)
    picture[np.hypot(x - 1.5, y - 0.5) < 0.3, :3] = colour
    return picture


def test_a_label_goes_where_it_is_light_and_a_line_joins_it(axes):
    labels = Labels(axes, SIZE)
    labels.on(ground((68, 1, 84)))
    labels.mark((15.0, 5.0), 0.04)
    labels.near((15.0, 5.0), "lowest here")
    [box] = boxes(axes)
    middle = axes.transData.transform((15.0, 5.0))
    near = np.clip(middle, box.p0, box.p1)
    assert np.hypot(*(near - middle)) > 0.25 * 100
    assert axes.lines
    assert axes.texts[0].get_color() != "white"


def test_letters_on_a_dark_ground_are_white(axes):
    labels = Labels(axes, SIZE)
    labels.on(np.full((200, 600, 3), 30, np.uint8))
    labels.near((15.0, 5.0), "lowest here")
    assert axes.texts[0].get_color() == "white"


def test_a_line_to_a_label_runs_through_no_other_mark_and_crosses_no_other_line(axes):
    """On a ground so dark that all labels go far, from places that lie close together."""
    labels = Labels(axes, SIZE)
    labels.on(ground((68, 1, 84)))
    places = [(14.4, 5.0), (15.6, 5.0), (15.0, 6.6)]
    for place in places:
        labels.mark(place, 0.04)
    for k, place in enumerate(places):
        labels.near(place, f"place {k}")
    ends = [line.get_xydata() * SIZE for line in axes.lines[1::2]]
    assert len(ends) == 3
    marks = np.array(places) / [30, 10] * SIZE
    for k, (start, end) in enumerate(ends):
        line = start + np.linspace(0, 1, 200)[:, None] * (end - start)
        for j, mark in enumerate(marks):
            assert j == k or np.abs(line - mark).max(axis=1).min() > 0.04
    assert all(_apart(one, other) for k, one in enumerate(ends) for other in ends[:k])


def test_no_line_to_a_label_runs_through_a_small_mark_on_its_way(axes):
    """The only calm and light ground lies behind the other mark."""
    labels = Labels(axes, SIZE)
    dark = np.zeros((100, 300, 4), np.uint8)
    dark[:, 170:260] = 255
    labels.on(dark)
    labels.mark((10.0, 5.0), 0.05)
    labels.mark((12.0, 5.0), 0.03)
    labels.near((10.0, 5.0), "best")
    home, end = labels.joined[0]
    other = np.array(labels.home(12.0, 5.0))
    line = home + np.linspace(0, 1, 200)[:, None] * (end - home)
    assert np.abs(line - other).max(axis=1).min() > 0.03


@pytest.mark.parametrize("seed", [1, 2, 4, 8, 10, 14])
def test_lines_to_labels_cross_no_others_and_run_through_no_words(seed):
    """Marks close together on a ground that is dark but for two patches, which all labels want."""
    figure = Figure(figsize=(4, 2.6), dpi=100)
    axes = figure.add_axes((0.125, 0.1, 0.75, 0.8))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    size = np.array([3.0, 2.08])
    rng = np.random.default_rng(seed)
    labels = Labels(axes, tuple(size))
    y, x = np.mgrid[:208, :300] / 100
    picture = np.zeros((208, 300, 4), np.uint8)
    for middle in rng.uniform([0.5, 0.3], size - [0.5, 0.3], (2, 2)):
        picture[(np.abs(x - middle[0]) < 0.54) & (np.abs(y - middle[1]) < 0.3)] = 255
    labels.on(picture)
    places = [tuple(place) for place in rng.uniform(0.45, 0.55, (4, 2))]
    for place in places:
        labels.mark(place, 0.05)
    said = ("best, step 316", "lowest here\nloss 0.157", "end", "step 9\nloss 0.2")
    for place, text in zip(places, said, strict=True):
        labels.near(place, text)
    found = boxes(axes)
    lines = [line.get_xydata() * size for line in axes.lines[1::2]]
    assert lines
    corner = axes.get_window_extent().p0
    for k, (start, end) in enumerate(lines):
        line = corner + 100 * (start + np.linspace(0, 0.95, 200)[:, None] * (end - start))
        for box in found:
            assert not ((line > box.p0 + 1) & (line < box.p1 - 1)).all(axis=1).any()
        assert all(_apart(lines[k], other) for other in lines[:k])


def _apart(one, other):
    sides = np.column_stack([one[1] - one[0], other[0] - other[1]])
    if abs(np.linalg.det(sides)) <= 1e-9:  # they run side by side
        return True
    solved = np.linalg.solve(sides, other[0] - one[0])
    return not ((solved >= 0) & (solved <= 1)).all()


def test_two_texts_in_a_line_keep_apart(axes):
    labels = Labels(axes, SIZE)
    axes.text(15, 5, "2.30 ignoring the input", ha="center", va="center", size=7)
    labels.written()
    labels.along(np.array([[0.0, 4.0], [30.0, 4.0]]), "batches")
    first, second = boxes(axes)
    apart = max(first.x0 - second.x1, second.x0 - first.x1)
    above = max(first.y0 - second.y1, second.y0 - first.y1)
    assert apart >= 8  # pixels, of a hundred an inch
    assert above < apart


def test_a_line_begins_at_its_rings_rim_so_that_a_mark_within_doesnt_hold_its_label():
    axes = Figure((4, 4)).add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 4), ylim=(0, 4))
    placed = Labels(axes, (4.0, 4.0))
    y, x = np.mgrid[0:400, 0:400] / 100
    dark = np.hypot(x - 1, y - 1) < 0.75
    placed.on(np.repeat(np.where(dark, 40, 255).astype(np.uint8)[..., None], 3, axis=2))
    placed.mark((1.0, 1.0), 0.12)
    placed.mark((1.02, 1.0), 0.06)
    placed.near((1.0, 1.0), "start")
    [left, bottom, right, top] = placed.words[0]
    nearest = np.clip([1.0, 1.0], [left, bottom], [right, top])
    assert np.hypot(*(nearest - 1)) > 0.7
    for line in axes.lines:
        at = 4 * line.get_xydata()
        assert np.hypot(*(at[0] - 1)) == pytest.approx(0.12)
        np.testing.assert_allclose(at[1], nearest)

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape import draw
from landscape.draw.elements import paths
from landscape.draw.figures.contour import _colour, facts
from landscape.draw.look import scale, theme
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.store.trajectories.trajectory import Event


def panels(figure: Figure):
    return [axes for axes in figure.axes if axes.images]


def labels(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def overlap(one, other) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0) * max(height, 0)


@pytest.mark.parametrize("make", ["bowl", "escape", "random"])
def test_a_column_of_which_the_data_takes_at_least_seventy_percent(planted, make):
    figure = draw.contour(getattr(planted, make)(21, 21))
    assert figure.get_figwidth() == 3.25
    data = [axes for axes in figure.axes if axes.images or axes.lines]
    area = sum(axes.get_position().width * axes.get_position().height for axes in data)
    assert area >= (0.7 if make != "escape" else 0.62)  # a flat plane's letters weigh more


@pytest.mark.parametrize("make", ["bowl", "escape"])
def test_labels_cover_neither_marks_nor_path_nor_each_other(planted, make):
    scan = getattr(planted, make)(21, 21)
    figure = draw.contour(scan)
    figure.canvas.draw()
    [panel] = panels(figure)
    boxes = [text.get_window_extent() for text in panel.texts]
    assert len(boxes) >= 3
    for k, box in enumerate(boxes):
        for other in boxes[k + 1 :]:
            assert overlap(box, other) == 0
        inside = panel.get_window_extent()
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
    named = [text for text in panel.texts if ", step " in text.get_text()]
    pixels = panel.transData.transform(scan.paths[0].xy)
    marks = panel.transData.transform([point.xy for point in scan.points])
    for text in named:
        box = text.get_window_extent()
        for covered in (pixels, marks):
            held = (covered > [box.x0, box.y0 + 2]) & (covered < [box.x1, box.y1 - 2])
            assert not held.all(axis=1).any(), text.get_text()


@pytest.mark.parametrize("factor", [0.995, 0.5])
def test_a_best_that_losses_of_other_snapshots_go_below_is_the_best_recorded(planted, factor):
    scan = planted.escape(21, 21)
    [path], best = scan.paths, next(point.step for point in scan.points if point.name == "best")
    losses = path.true_loss.copy()
    own = losses[path.step == best]
    losses[np.flatnonzero(path.step == best) + 1] = factor * own
    others = np.delete(losses, np.flatnonzero(path.step == best) + 1)
    assert np.nanmin(others) == own
    changed = replace(scan, paths=(replace(path, true_loss=losses),))
    said = dict(facts(changed))[best]
    assert said.startswith(
        f"best recorded, step {best:,}" if factor < 0.99 else f"best, step {best:,}"
    )


def test_start_best_and_end_say_the_losses_of_the_weights_themselves(planted):
    scan = planted.bowl(21, 21)
    [panel] = panels(draw.contour(scan))
    said = labels(panel)
    path = scan.paths[0]
    for name, step in (("start", 0), ("best recorded", 3960), ("end", 4500)):
        loss = path.true_loss[path.step == step][0]
        [text] = [one for one in said if one.startswith(f"{name}, step {step:,}\n")]
        assert float(text.split("\n")[1].removeprefix("loss ")) == pytest.approx(loss, rel=5e-3)


def test_a_mark_is_hollow_and_says_how_far_off_it_is_where_the_plane_has_another_loss(planted):
    scan = planted.bowl(21, 21)
    assert paths.faded(scan.paths[0])[0]
    assert not paths.faded(scan.paths[0])[-1]
    [panel] = panels(draw.contour(scan))
    [start] = [text for text in labels(panel) if text.startswith("start")]
    assert start.endswith("\n9 off the plane")
    [end] = [text for text in labels(panel) if text.startswith("end")]
    assert "off the plane" not in end
    faces = {
        line.get_marker(): line.get_markerfacecolor() for line in panel.lines if line.get_marker()
    }
    assert faces[theme.mark("start").marker] == "none"
    assert faces[theme.mark("end").marker] == theme.mark("end").colour


def test_the_path_is_dashed_just_where_the_plane_has_another_loss(planted):
    scan = planted.bowl(21, 21)
    [panel] = panels(draw.contour(scan))
    drawn = {
        collection.get_linestyle()[0][1] is None: np.concatenate(collection.get_segments())
        for collection in panel.collections
        if isinstance(collection, LineCollection)
        and tuple(collection.get_colors()[0]) == to_rgba(theme.PATH)
    }
    far = paths.faded(scan.paths[0])
    for solid, rows in ((True, ~far), (False, far)):
        for place in scan.paths[0].xy[rows]:
            assert (np.abs(drawn[solid] - place).max(axis=1) < 1e-12).any()


def test_what_is_above_the_cap_is_one_quiet_grey_with_its_limit(planted):
    scan = planted.bowl(41, 41)
    figure = draw.contour(scan)
    [panel] = panels(figure)
    picture = np.asarray(panel.images[0].get_array())
    colours = scale.of(scan, paths=True)
    grey = np.round(255 * np.array(to_rgba(theme.LOOKS["paper"].beyond)))
    i, j = np.unravel_index(scan.measures["train_loss"].argmax(), (41, 41))
    corner = picture[0 if j == 0 else -1, 0 if i == 0 else -1]
    np.testing.assert_array_equal(corner, grey)
    assert f"loss > {colours.high:g}" in labels(panel)
    assert f"> {colours.high:g}" in [text.get_text() for text in figure.findobj(Text)]
    assert not [one for one in panel.collections if one.get_hatch()]
    assert not figure.legends


def test_the_scale_reaches_down_to_the_run_s_own_lowest_loss(planted):
    """So that a plateau is no deep minimum in colour."""
    scan = planted.random(21, 21)
    low = min(np.nanmin(scan.paths[0].true_loss), scan.measures["train_loss"].min())
    figure = draw.contour(scan)
    [panel] = panels(figure)
    at = scale.of(scan, paths=True).position(scan.measures["train_loss"])
    assert scale.of(scan, paths=True).low == pytest.approx(low)
    picture = np.asarray(panel.images[0].get_array())
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2] / 255
    np.testing.assert_allclose(middle, theme.LOSS(float(at[10, 10])), atol=0.03)


def test_of_a_path_that_is_a_dot_only_the_origin_is_marked(planted):
    figure = draw.contour(planted.random(21, 21))
    [panel] = panels(figure)
    assert len([text for text in labels(panel) if ", step" in text]) == 1
    said = [text.get_text() for text in figure.texts]
    assert said == ["the path: a dot in this plane, 0.004 % of the variance"]


def test_validation_stands_beside_training_only_where_it_looks_different(planted):
    bowl = planted.bowl(15, 15)
    alike = replace(bowl, measures=bowl.measures | {"validation_loss": bowl.measures["train_loss"]})
    other = bowl.measures | {"validation_loss": 4 * bowl.measures["train_loss"]}
    assert len(panels(draw.contour(alike))) == 1
    both = draw.contour(replace(bowl, measures=other))
    assert len(panels(both)) == 2
    assert both.get_figwidth() == 6.75
    asked = draw.contour(alike, style=Style(panels=("train", "validation")))
    for panel, name, losses in zip(panels(asked), ("training", "validation"), (3, 0), strict=True):
        assert name in labels(panel)
        # What is known of the weights themselves is their training loss.
        assert sum("\nloss " in text for text in labels(panel)) == losses
    one = draw.contour(alike, style=Style(panels=("validation",)))
    assert "validation loss" in [text.get_text() for text in one.findobj(Text)]


def test_panels_of_what_was_not_measured_are_refused(planted):
    bowl = planted.bowl(5, 5)
    alone = replace(bowl, measures={"train_loss": bowl.measures["train_loss"]})
    with pytest.raises(LandscapeError) as refused:
        draw.contour(alone, style=Style(panels=("validation",)))
    assert str(refused.value) == (
        "panels must be of losses that were measured, got validation of a scan without; "
        "leave --panels out"
    )


def test_what_happened_is_named_once_in_the_strip(planted):
    scan = planted.escape(15, 9)
    last = int(scan.paths[0].step[-1])
    events = (
        Event("plateau", 0, 90, ""),
        Event("plateau", last // 2, last, ""),
        Event("escape", last // 5, last // 2, ""),
    )
    told = replace(scan, paths=(replace(scan.paths[0], events=events),))
    figure = draw.contour(told)
    [strip] = [axes for axes in figure.axes if axes.get_ylabel() == "loss"]
    assert sorted(labels(strip)) == ["escape", "plateau"]
    # Its name is on the page, at the left edge.
    figure.canvas.draw()
    assert 0 <= strip.yaxis.label.get_window_extent().x0 < 0.1 * figure.dpi
    [curve] = [line for line in strip.lines if line.get_marker() == "o"]
    seen = np.isfinite(scan.paths[0].true_loss)
    np.testing.assert_array_equal(curve.get_xdata(), scan.paths[0].step[seen])
    np.testing.assert_array_equal(curve.get_ydata(), scan.paths[0].true_loss[seen])


def test_ticks_are_round_and_lie_within_the_plane(planted):
    scan = planted.escape(15, 9)
    [panel] = panels(draw.contour(scan))
    for ticks, axis in ((panel.get_xticks(), scan.x), (panel.get_yticks(), scan.y)):
        assert 3 <= len(ticks) <= 6
        assert axis[0] <= ticks[0] < ticks[-1] <= axis[-1]
        assert ticks[-1] - ticks[0] > 0.5 * (axis[-1] - axis[0])


def test_bare_leaves_labels_strip_and_note_off(planted):
    figure = draw.contour(planted.bowl(15, 15), style=Style(bare=True))
    [panel] = panels(figure)
    assert labels(panel) == []
    assert not figure.texts
    assert len(figure.axes) == 3  # the plane, the colour bar and its grey end


def test_explain_brings_the_legend_back(planted):
    figure = draw.contour(planted.bowl(9, 9), style=Style(explain=True))
    assert "start (step 0)" in [text.get_text() for text in figure.legends[0].get_texts()]
    with pytest.raises(LandscapeError) as refused:
        Style(explain=True, bare=True)
    assert str(refused.value) == "explain and bare exclude each other, got both"


def test_two_paths_that_are_alike_have_two_colours(planted):
    """As of a run that is drawn beside itself."""
    scan = planted.escape(11, 11)
    [path] = scan.paths
    both = replace(scan, paths=(path, replace(path)))
    assert [_colour(both, one) for one in both.paths] == list(theme.RUNS[:2])

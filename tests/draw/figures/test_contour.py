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
from landscape.draw.figures.contour import MARK, _colour, facts
from landscape.draw.look import scale, theme
from landscape.draw.look.style import Style
from landscape.draw.making import caption_of
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import STILL, Point
from landscape.store.trajectories.trajectory import Event


def panels(figure: Figure):
    return [axes for axes in figure.axes if axes.images]


def labels(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def overlap(one, other) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0) * max(height, 0)


def stretched(scan, share: float):
    """The same plane so many times as high as it is wide."""
    factor = share * (scan.x[-1] - scan.x[0]) / (scan.y[-1] - scan.y[0])
    taller = np.array([1.0, factor])
    paths = tuple(replace(path, xy=path.xy * taller) for path in scan.paths)
    points = tuple(replace(point, xy=(point.xy[0], factor * point.xy[1])) for point in scan.points)
    return replace(scan, y=factor * scan.y, paths=paths, points=points)


@pytest.mark.parametrize("validation", [1.0, 9.0])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.56, 0.69, 1.0, 1.59, 3.0])
@pytest.mark.parametrize("make", ["escape", "random"])
def test_of_a_default_figure_the_data_takes_at_least_seventy_percent(
    planted, make, share, validation
):
    """Of random, event, drift and sharpest planes, flat or high, validation beside or not."""
    scan = stretched(getattr(planted, make)(11, 11), share)
    both = {"validation_loss": validation * scan.measures["train_loss"]}
    figure = draw.contour(replace(scan, measures=scan.measures | both))
    assert figure.get_figwidth() == (3.25 if validation == 1 else 6.75)
    data = [axes for axes in figure.axes if axes.images or axes.get_ylabel().endswith("loss")]
    assert len(data) == (2 if validation == 1 else 3)
    area = sum(axes.get_position().width * axes.get_position().height for axes in data)
    assert area >= 0.7


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


@pytest.mark.parametrize("factor", [0.5, 0.995, 2.0])
def test_the_lowest_point_is_marked_where_it_is_below_all_of_the_run_s(planted, factor):
    scan = planted.escape(21, 21)
    own = float(np.nanmin(scan.paths[0].true_loss))
    losses = np.maximum(scan.measures["train_loss"], 3 * own)
    losses[7, 4] = factor * own
    losses[2, 2] = 0.1 * own  # interpolated
    measured = np.ones(losses.shape, bool)
    measured[2, 2] = False
    scan = replace(planted.with_losses(scan, losses), measured=measured)
    [panel] = panels(draw.contour(scan))
    crosses = [line for line in panel.lines if line.get_marker() == theme.LOWEST.marker]
    said = [text for text in labels(panel) if text.startswith("lowest here")]
    [cross] = crosses
    assert [cross.get_xdata()[0], cross.get_ydata()[0]] == [scan.x[7], scan.y[4]]
    if factor > 0.99:  # quietly, apart from the marks as it is
        assert cross.get_markersize() < 0.7 * MARK * theme.LOWEST.size
        assert said == [f"lowest here {number(factor * own)}"]
        assert "lowest" not in sentences.ready(scan)
        return
    assert cross.get_markersize() == MARK * theme.LOWEST.size
    assert said == [f"lowest here\nloss {number(factor * own)}"]
    assert sentences.ready(scan).endswith(
        f"The lowest loss measured on the plane, {number(factor * own)}, is below all of the "
        "run's own."
    )


@pytest.mark.parametrize(("lower", "shown"), [(0.004, False), (0.02, True)])
def test_of_weights_without_a_run_a_loss_that_is_clearly_lower_is_marked(planted, lower, shown):
    losses = np.full((21, 21), 0.8)
    losses[10, 10] = 0.7
    losses[13, 7] = (1 - lower) * 0.7
    at = Point(STILL, (0.0, 0.0), 0)
    scan = planted.with_losses(planted.random(21, 21), losses, paths=(), points=(at,))
    assert scan.x[10] == scan.y[10] == 0
    [panel] = panels(draw.contour(scan))
    crosses = [line for line in panel.lines if line.get_marker() == theme.LOWEST.marker]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses]
    assert places == [(scan.x[13], scan.y[7])] * shown


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
    colours = scale.of(scan, shown=("train_loss",))
    grey = np.round(255 * np.array(to_rgba(theme.LOOKS["paper"].beyond)))
    i, j = np.unravel_index(scan.measures["train_loss"].argmax(), (41, 41))
    corner = picture[0 if j == 0 else -1, 0 if i == 0 else -1]
    np.testing.assert_array_equal(corner, grey)
    assert f"loss > {colours.high:g}" in labels(panel)
    assert f"> {colours.high:g}" in [text.get_text() for text in figure.findobj(Text)]
    assert not [one for one in panel.collections if one.get_hatch()]
    assert not figure.legends


def test_a_plateau_far_above_the_run_s_best_is_no_deep_minimum_in_colour(planted):
    """The scale reaches towards the run's lowest loss, and the plane keeps two thirds of it."""
    scan = planted.random(21, 21)
    losses = scan.measures["train_loss"] + 1.5
    scan = planted.with_losses(scan, losses)
    own = np.nanmin(scan.paths[0].true_loss)
    high = min(losses.max(), 2 * scan.constant_loss)
    reach = np.log(high / losses.min())
    low = max(own, losses.min() * np.exp(-reach / 2))
    assert low < losses.min()
    [panel] = panels(draw.contour(scan))
    picture = np.asarray(panel.images[0].get_array())
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2] / 255
    at = np.log(losses[10, 10] / low) / np.log(high / low)
    np.testing.assert_allclose(middle, theme.LOSS(float(at)), atol=0.03)


def bar_of(figure, title: str):
    """The axes of a colour bar by its title."""
    [found] = [
        axes for axes in figure.axes if title in labels(axes) and axes.get_position().height < 0.1
    ]
    return found


def test_of_a_path_only_its_lowest_loss_bears_on_the_colours(planted):
    """Not a start that lies off the plane: what the plane has would be in one colour."""
    scan = planted.bowl(21, 21)
    low, high = 0.05, 0.06
    shown = low + (high - low) * (scan.measures["train_loss"] / scan.measures["train_loss"].max())
    path = replace(scan.paths[0], true_loss=np.geomspace(2.3, 1e-4, len(scan.paths[0].step)))
    figure = draw.contour(planted.with_losses(replace(scan, paths=(path,)), shown))
    ends = bar_of(figure, "training loss").get_xlim()
    assert ends[1] == pytest.approx(high)
    assert ends[0] == pytest.approx(shown.min() * (shown.min() / high) ** 0.5)


def test_a_loss_that_would_have_few_colours_gets_a_scale_of_its_own_with_its_bar(planted):
    bowl = planted.bowl(15, 15)
    train = 0.0005 * bowl.measures["train_loss"] / bowl.measures["train_loss"].min()
    flat = 100 * train.max() * (1 + 0.1 * train / train.max())
    other = planted.with_losses(bowl, train, paths=(), points=())
    figure = draw.contour(replace(other, measures=other.measures | {"validation_loss": flat}))
    for title, losses in (("training loss", train), ("validation loss", flat)):
        ends = bar_of(figure, title).get_xlim()
        np.testing.assert_allclose(ends, [losses.min(), losses.max()], rtol=0.1)
    near = replace(other, measures=other.measures | {"validation_loss": 3 * train})
    assert bar_of(draw.contour(near), "loss").get_xlim()[1] == pytest.approx(3 * train.max())


def test_of_a_path_that_is_a_dot_only_the_origin_is_marked(planted):
    figure = draw.contour(planted.random(21, 21))
    [panel] = panels(figure)
    assert len([text for text in labels(panel) if ", step" in text]) == 1
    said = [text.get_text() for text in figure.texts]
    assert said == ["a dot here: 0.004 % of the path's variance"]


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
    [strip] = [axes for axes in figure.axes if axes.get_ylabel().endswith("loss")]
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


def test_a_piece_of_the_path_is_dashed_where_either_end_is_off(planted):
    """From a faded point to the only trusted one, as at the end of a run that blew up."""
    scan = planted.bowl(21, 21)
    path = scan.paths[0]
    true = np.full(len(path.step), 1e-9)
    true[-1] = path.plane_loss[-1]
    scan = replace(scan, paths=(replace(path, true_loss=true),))
    [panel] = panels(draw.contour(scan))
    drawn = [
        (collection.get_linestyle()[0][1] is None, collection.get_segments())
        for collection in panel.collections
        if isinstance(collection, LineCollection)
        and len(collection.get_colors())
        and tuple(collection.get_colors()[0]) == to_rgba(theme.PATH)
    ]
    assert [solid for solid, segments in drawn if segments] == [False]


@pytest.mark.parametrize(("apart", "ringed"), [(0.0, True), (0.03, True), (0.6, False)])
def test_a_mark_that_another_one_lies_on_is_seen_around_it(planted, apart, ringed):
    """Marks are (sizes in points) 6 and 8.8 wide: together they are seen only as a ring."""
    scan = planted.bowl(21, 21)
    places = {"start": (apart, 0.1), "best": (0.0, 0.1), "end": (0.8, -0.8)}
    points = tuple(replace(point, xy=places[point.name]) for point in scan.points)
    [panel] = panels(draw.contour(replace(scan, points=points)))
    sizes = {line.get_marker(): line.get_markersize() for line in panel.lines if line.get_marker()}
    own = {name: MARK * theme.mark(name).size for name in places}
    assert sizes[theme.mark("best").marker] == pytest.approx(own["best"])
    assert sizes[theme.mark("end").marker] == pytest.approx(own["end"])
    start = sizes[theme.mark("start").marker]
    assert start > own["best"] + 3 if ringed else start == pytest.approx(own["start"])


@pytest.mark.parametrize(
    ("share", "said"),
    [(1 / 40, "x spans 40 times as much as y"), (40.0, "y spans 40 times as much as x"), (0.3, "")],
)
def test_axes_that_span_far_from_the_same_distance_are_said_to(planted, share, said):
    scan = stretched(planted.escape(11, 11), share)
    figure = draw.contour(scan, style=Style(width=3.25))
    written = " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")
    caption = caption_of("contour", scan, figure.drawn)
    assert ("spans" in written) == ("spans" in caption) == bool(said)
    assert said in written
    assert said in caption
    assert said in " ".join(sentences.describe(scan))
    other = replace(scan, plane=replace(scan.plane, unit="one of its own for each axis"))
    assert "spans" not in sentences.ready(other)


@pytest.mark.parametrize(
    ("factor", "begins", "bars"),
    [
        (1.0, "Training loss on the plane ", "the bar's scale"),
        (3.0, "Training and validation loss, a panel each, on the plane ", "the bar's scale"),
        (1e4, "Training and validation loss, a panel each, on the plane ", "its own bar's scale"),
    ],
)
def test_a_caption_says_whose_losses_and_scales_the_panels_show(planted, factor, begins, bars):
    scan = planted.bowl(15, 15)
    both = {"validation_loss": factor * scan.measures["train_loss"]}
    scan = replace(scan, measures=scan.measures | both)
    said = caption_of("contour", scan, draw.contour(scan).drawn)
    assert said.startswith(begins)
    assert f"on {bars}" in said
    alone = draw.contour(scan, style=Style(panels=("validation",)))
    assert caption_of("contour", scan, alone.drawn).startswith("Validation loss on the plane ")

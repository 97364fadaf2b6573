"""The valley's figure: flat columns, breaks, how much of it is data, labels that touch nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from landscape.draw.elements import columns as column
from landscape.draw.elements.columns import Columns
from landscape.draw.figures.valley import valley
from landscape.draw.look import scale, theme
from landscape.draw.look.style import Style
from landscape.draw.making import caption_of
from landscape.errors import LandscapeError
from landscape.store.scans import rises, valley_sentences
from landscape.store.scans.valleys import WalkedPath
from landscape.store.trajectories.trajectory import Event

COLUMN, PAGE = 3.25, 6.5


def texts(figure) -> list[Text]:
    """What is written in a figure and can be seen."""
    figure.canvas.draw()
    found = figure.findobj(lambda one: isinstance(one, Text) and one.get_text().strip())
    return [one for one in found if one.get_visible() and one.axes in (None, *figure.axes)]


def drawn(figure) -> list[Text]:
    """Those of them that aren't ticks outside of their axis' range."""
    return [one for one in texts(figure) if one.get_window_extent().width > 0]


@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_most_of_it_is_data(planted, width):
    figure = valley(planted.valley(), style=Style(width=width))
    # The bar of colours is none: the widest axes begin where it ends.
    panels = [axes for axes in figure.axes if axes.get_position().width > 0.5]
    assert len(panels) == 6
    area = sum(axes.get_position().width * axes.get_position().height for axes in panels)
    assert area > 0.70
    assert figure.get_size_inches()[0] == pytest.approx(width)


@pytest.mark.parametrize("unit", ["own", "distance"])
@pytest.mark.parametrize("factor", [0.5, 0.995])
def test_the_lowest_point_of_a_slice_is_marked_where_it_is_below_all_of_the_run_s(
    planted, factor, unit
):
    one = planted.valley(jump=None)
    loss = factor * one.path.loss.min()
    losses = one.measures["train_loss"].copy()
    losses[5, 3] = loss
    one = replace(one, measures={"train_loss": losses})
    crosses = [
        (line.get_xdata()[0], line.get_ydata()[0])
        for axes in valley(one, style=Style(unit=unit)).axes
        for line in axes.lines
        if line.get_marker() == theme.LOWEST.marker
    ]
    said = valley_sentences.ready(one)
    if factor > 0.99:
        assert not crosses
        assert "lowest" not in said
        return
    height = one.y[3] * (one.slices.length[5] if unit == "distance" else 1)
    np.testing.assert_allclose(crosses, [(5.5, height)])
    assert said.endswith(
        f"The lowest loss measured in a column, {loss:.3g}, is below all of the run's own."
    )


@pytest.mark.parametrize("width", [COLUMN, PAGE])
@pytest.mark.parametrize("jump", [None, 15])
def test_no_label_covers_another_or_leaves_the_page(planted, width, jump):
    figure = valley(planted.valley(jump=jump), style=Style(width=width))
    found = [(one.get_text(), one.get_window_extent()) for one in drawn(figure)]
    page = figure.bbox
    for k, (text, box) in enumerate(found):
        assert page.x0 - 0.5 <= box.x0, text
        assert box.x1 <= page.x1 + 0.5, text
        assert page.y0 - 0.5 <= box.y0, text
        assert box.y1 <= page.y1 + 0.5, text
        for other, beside in found[:k]:
            across = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            along = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            # A pixel of two letters' empty corners is no overlap.
            assert min(across, along) <= 1.5, (text, other)


def test_what_stands_on_the_loss_curve(planted):
    figure = valley(planted.valley())
    said = [one.get_text() for one in figure.axes[0].texts]
    assert said.count("spike") == said.count("escape") == said.count("plateau") == 1
    assert "start 2.3" in said
    assert any(text.startswith("best ") and "step 600" in text for text in said)
    assert any(text.startswith("end 2.3") and "step 920" in text for text in said)


def test_columns_are_flat_and_of_one_width(planted):
    one = planted.valley()
    where = Columns.of(one)
    colours = scale.through([one.measures["train_loss"]], constant=one.constant_loss)
    image = column.picture(one, "train_loss", where, colours, distance=False)
    edges = np.round(where.left * column.PIXELS).astype(int)
    for k, left in enumerate(edges):
        inner = image[:, left + column.EDGE : left + column.PIXELS - column.EDGE]
        assert (inner == inner[:, :1]).all()
        # Each pixel is coloured by the canyon's own formula: nothing comes from beside it.
        loss = one.measures["train_loss"][k]
        middle = image[column.FINE // 2, left + column.PIXELS // 2]
        position = float(colours.position(loss[[10]])[0])
        np.testing.assert_allclose(middle, _colour(colours, position), atol=0.01)
    widths = np.diff(where.left)
    assert widths[15] == pytest.approx(1 + column.APART)
    np.testing.assert_allclose(np.delete(widths, 15), 1.0)
    # Nothing is drawn between columns, nor where the weights jump.
    gap = image[:, edges[15] + column.PIXELS : edges[16]]
    assert (gap[..., 3] == 0).all()


def _colour(colours, position):
    from landscape.draw.look import theme

    return theme.now().loss(np.clip(position, 0, 1))


def test_what_is_above_the_cap_is_one_quiet_grey(planted):
    from matplotlib.colors import to_rgba

    one = planted.valley(jump=None)
    colours = scale.through([one.measures["train_loss"]], constant=one.constant_loss)
    assert colours.capped
    where = Columns.of(one)
    image = column.picture(one, "train_loss", where, colours, distance=False)
    left = round(float(where.left[-1]) * column.PIXELS)
    last = image[:, left + column.PIXELS // 2]
    places = np.linspace(-1, 1, column.FINE)
    beyond = 0.3 + 2 * np.exp(-8.0 * 23 / 30) + 20 * places**2 > 2 * one.constant_loss
    grey = (last == np.array(to_rgba(theme.LOOKS["paper"].beyond))).all(1)
    # The edge is between two of the 21 points.
    assert (grey == beyond).mean() > 0.98


def test_the_runs_losses_are_lines_as_wide_as_a_column_and_dots_that_nothing_joins(planted):
    one = planted.valley()
    between = WalkedPath(one.path.step + 20, one.path.travelled + 4.0, one.path.loss + 0.1)
    own = WalkedPath(
        *(
            np.concatenate([getattr(one.path, name), getattr(between, name)])
            for name in ("step", "travelled", "loss")
        )
    )
    axes = valley(replace(one, path=own)).axes[0]
    where = Columns.of(one)
    [dots] = [line for line in axes.lines if len(line.get_xdata()) > 24]
    assert (dots.get_linestyle(), len(dots.get_xdata())) == ("None", 48)
    [dashes] = axes.collections
    ends = np.array(dashes.get_segments())
    np.testing.assert_allclose(ends[:, 0, 1], one.loss)
    np.testing.assert_allclose(ends[:, 1, 1], one.loss)
    assert (ends[:, 0, 0] >= where.left).all()
    assert (ends[:, 1, 0] <= where.left + 1).all()


def test_unit_of_distance_needs_no_new_losses(planted):
    one = planted.valley()
    own, far = valley(one), valley(one, style=Style(unit="distance"))
    slices = [figure.axes[2] for figure in (own, far)]
    assert slices[0].get_ylim() == (-1.0, 1.0)
    assert slices[1].get_ylim() == (-45.0, 45.0)
    assert slices[1].get_ylabel() == "across (distance)"
    asked = replace(one, settings={**one.settings, "unit": "distance"})
    assert valley(asked).axes[2].get_ylim() == (-45.0, 45.0)


def test_several_on_one_scale(planted):
    first, second = planted.valley(), planted.valley(jump=None, run_name="fine")
    figure = valley([first, second], style=Style(width=PAGE))
    wide = [axes for axes in figure.axes if axes.get_position().width > 0.25]
    assert len(wide) == 12
    limits = {axes.get_ylim() for axes in (figure.axes[0], figure.axes[7])}
    assert len(limits) == 1
    tall = valley([first, second], style=Style(width=COLUMN))
    assert tall.get_size_inches()[1] == pytest.approx(2 * valley(first).get_size_inches()[1])


def test_an_unfinished_one_has_gaps(planted):
    one = planted.valley()
    losses, walls = one.measures["train_loss"].copy(), one.walls.copy()
    losses[4:], walls[4:] = np.nan, np.nan
    measured = np.isfinite(losses)
    part = replace(one, measures={"train_loss": losses}, measured=measured, walls=walls)
    assert part.finished_rows == 4
    figure = valley(part)
    figure.canvas.draw()
    image = column.picture(
        part,
        "train_loss",
        Columns.of(part),
        scale.through([losses], constant=one.constant_loss),
        distance=False,
    )
    assert (image[:, 5 * column.PIXELS :, 3] == 0).all()
    assert "Unfinished: 4 of 24 columns are measured." in valley_sentences.remarks(part)
    nothing = replace(part, measured=np.zeros_like(measured), walls=np.full_like(walls, np.nan))
    nothing = replace(nothing, measures={"train_loss": np.full_like(losses, np.nan)})
    with pytest.raises(LandscapeError) as caught:
        valley(nothing)
    assert str(caught.value) == (
        "a valley's figure needs a row that is measured, got none; go on with --resume"
    )


def test_what_a_diagnosis_knows_is_named(planted):
    steps = np.array([40.0, 400.0, 800.0])
    known = {"λ": (steps, np.array([3.0, 60.0, 5.0])), "batch": (steps, np.array([2.0, 8.0, 4.0]))}
    figure = valley(planted.valley(known=known))
    said = [one.get_text() for one in figure.axes[5].texts]
    assert {"critical sharpness", "λ", "batch sharpness"} <= set(said)
    # By their whole name where there is room.
    bounds = [text for text in said if text.endswith(("2(1−β)/η", "(2+2β)/η"))]
    assert len(bounds) == 2
    assert any(text.startswith("stability bound ") for text in bounds)
    # What names a mark shows it in a gap between columns too.
    gaps = [patch.get_zorder() for patch in figure.axes[5].patches]
    key = [
        line
        for line in figure.axes[5].lines
        if line.get_transform() == figure.axes[5].transAxes and line.get_marker() != "None"
    ]
    assert [line.get_marker() for line in key] == ["o", "D", "^"]
    assert min(line.get_zorder() for line in key) > max(gaps)


@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_curvature_along_the_slices_has_a_scale_of_its_own(planted, width):
    one = planted.valley()
    sharpness = np.geomspace(0.1, 40.0, one.measured.size).reshape(one.measured.shape)
    more = {**one.measures, "sharpness": sharpness, "gradient_norm": np.full_like(sharpness, 2.0)}
    plain, figure = (
        valley(replace(one, measures=measures), style=Style(width=width))
        for measures in (one.measures, more)
    )
    assert len(figure.axes) == len(plain.axes) + 4
    named = {axes.get_ylabel(): axes for axes in figure.axes}
    assert named["sharpness λ_max"].get_ylim() == pytest.approx((0.1, 40.0))
    assert named["gradient norm"].get_ylim()[0] < 2.0 < named["gradient norm"].get_ylim()[1]
    # The rows' steps stand beneath the lowest strip alone.
    assert [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()] == [
        axes.get_xlabel() for axes in plain.axes if axes.get_xlabel()
    ]
    caption = valley_sentences.caption(replace(one, measures=more))
    assert (
        "Columns of the gradient's norm, the Hessian's largest eigenvalue (of the mean "
        "training loss) lie beneath them." in caption
    )


def test_walls_below_the_finest_radius_are_marked_there(planted):
    one = planted.valley(jump=None)
    walls = one.walls.copy()
    walls[3] = 0.0
    figure = valley(replace(one, walls=walls))
    [strip] = [axes for axes in figure.axes if axes.get_ylabel() == "r₀.₁\n(+0.1)"]
    [marks] = [line for line in strip.lines if line.get_marker() == "v"]
    assert len(marks.get_xdata()) == 1
    low, _ = strip.get_ylim()
    assert low < marks.get_ydata()[0] < low * 1.3


def test_what_happened_is_named_on_its_own_colour(planted):
    texts = {one.get_text(): one for one in valley(planted.valley()).axes[0].texts}
    for name in ("spike", "escape", "plateau"):
        assert to_hex(texts[name].get_bbox_patch().get_facecolor()) == theme.episode(name).lower()


@pytest.mark.parametrize("width", [2.5, COLUMN, PAGE])
@pytest.mark.parametrize(
    "events",
    [
        # Narrow, between others at the end, whose names would stand where its own does.
        (("plateau", 0, 10), ("spike", 120, 600), ("escape", 830, 850), ("plateau", 851, 920)),
        # All at one place, which is a fraction of a name wide.
        (("spike", 880, 882), ("recovery", 883, 884), ("escape", 885, 887), ("plateau", 888, 920)),
    ],
)
def test_every_kind_that_is_drawn_is_named_once_whatever_the_room(planted, events, width):
    one = planted.valley(jump=None)
    one = replace(one, events=tuple(Event(*each, trigger="") for each in events))
    upper = valley(one, style=Style(width=width)).axes[0]
    said = [text.get_text() for text in upper.texts]
    for name in {event[0] for event in events}:
        assert said.count(name) == 1, name
    # The main one stands at its own stretch, not led to.
    [escape] = [text for text in upper.texts if text.get_text() == "escape"]
    assert to_hex(escape.get_bbox_patch().get_facecolor()) == to_hex(theme.episode("escape"))


@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_of_a_run_that_blew_up_the_numbers_of_the_loss_axis_keep_apart(planted, width):
    """The colours end at twice the constant output's loss, the run's losses 18 decades above."""
    one = planted.valley(9, jump=None)
    path = replace(one.path, loss=one.path.loss * np.geomspace(1, 1e18, len(one.path.loss)))
    figure = valley(replace(one, path=path), style=Style(width=width, dpi=100))
    figure.canvas.draw()
    bar = figure.axes[1]
    low, high = sorted(bar.get_ylim())
    boxes = [
        text.get_window_extent()
        for text, at in zip(bar.get_yticklabels(), bar.get_yticks(), strict=True)
        if low <= at <= high
    ]
    assert len(boxes) >= 2
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])


def test_distances_to_earlier_columns_are_lines_at_their_height(planted):
    one = planted.valley()
    figure = valley(one)
    [strip] = [axes for axes in figure.axes if axes.get_ylabel().startswith("distance to")]
    lines = [np.array(held.get_segments()) for held in strip.collections]
    left = Columns.of(one).left
    found = {
        (int(np.searchsorted(left, segment[0, 0], side="right")) - 1, round(segment[0, 1], 9))
        for segment in np.concatenate(lines)
    }
    distances = one.slices.distances
    assert found == {(k, round(distances[k, j], 9)) for k in range(24) for j in range(k)}
    # The first one's are apart.
    np.testing.assert_allclose(lines[1][:, 0, 1], distances[1:, 0])


def test_what_sharpness_it_is_without_a_unit_that_could_be_this_runs_rate(planted):
    named = [axes.get_ylabel().replace("\n", " ") for axes in valley(planted.valley()).axes]
    assert "critical sharpness" in named
    known = {"λ": (np.array([40.0, 400.0]), np.array([3.0, 60.0]))}
    several = valley(planted.valley(known=known))
    assert "sharpness" in [axes.get_ylabel().replace("\n", " ") for axes in several.axes]
    assert "critical sharpness" in [text.get_text() for text in several.axes[5].texts]


@pytest.mark.parametrize("unit", ["own", "distance"])
def test_a_wall_over_other_directions_is_left_out_in_the_grey(planted, unit):
    """It would stand alone where the column's own loss is far above already."""
    one = planted.valley(jump=None)
    losses = one.measures["train_loss"].copy()
    losses[5, one.y > 0.3] = 100.0
    walls = one.walls.copy()
    walls[5] = 0.6
    one = replace(one, measures={"train_loss": losses}, walls=walls)

    def drawn_in(column, figure):
        axes = next(each for each in figure.axes if each.get_ylabel().startswith("across"))
        ends = np.concatenate([np.array(held.get_segments()) for held in axes.collections])
        there = ends[np.abs(ends[:, :, 0].mean(axis=1) - column - 0.5) < 0.1]
        return set(np.sign(there[:, 0, 1].round(6)))

    figure = valley(one, style=Style(unit=unit))
    assert drawn_in(5, figure) == {0, -1}  # the run itself, and the wall beneath
    assert drawn_in(4, figure) == {0, -1, 1}
    said = caption_of("valley", one, figure.drawn)
    assert "the loss has risen by 0.1, none in the grey" in said
    whole = valley(planted.valley(jump=None))
    assert "none in the grey" not in caption_of("valley", one, whole.drawn)


def test_walls_where_colours_hardly_change_are_told_in_the_caption(planted):
    one = planted.valley(jump=None)
    hidden = ", too little for the colours where it is high already"
    for rise, told in ((1e-4, True), (1.0, False)):
        same = replace(one, settings={**one.settings, rises.KEY: {"by": rise, "rule": ""}})
        assert same.rise.by == rise
        assert (hidden in caption_of("valley", same, valley(same).drawn)) is told


def test_where_the_walls_stand_nearest_is_said(planted):
    one = planted.valley(jump=None)
    walls = one.walls.copy()
    walls[7] = 0.01
    one = replace(one, walls=walls)
    [strip] = [axes for axes in valley(one).axes if axes.get_ylabel() == "r₀.₁\n(+0.1)"]
    assert [text.get_text() for text in strip.texts] == ["narrowest 0.01, step 280"]
    assert "narrowest 0.01 at step 280, " in valley_sentences.caption(one)
    # The line to it stays within its own column, the eighth.
    leads = [line for line in strip.lines if line.get_transform() == strip.transAxes]
    low, high = strip.get_xlim()
    for line in leads:
        x = np.array(line.get_xdata()) * (high - low) + low
        assert ((x > 7) & (x < 8)).all()
    assert leads
    # And the lowest one clear of the frame.
    assert strip.transAxes.inverted().transform(strip.transData.transform([7.5, 0.01]))[1] > 0.05


def test_a_bound_beside_which_there_is_no_room_is_named_above(planted):
    """Critical sharpness lies on the lower bound at every column."""
    one = planted.valley(48)
    one = replace(one, critical_step=np.full(48, 1.0) * np.where(np.arange(48) % 2, 0.8, 1.25))
    [strip] = [axes for axes in valley(one).axes if axes.get_ylabel() == "critical\nsharpness"]
    said = [text.get_text() for text in strip.texts]
    assert sorted(text.removeprefix("stability bound ") for text in said) == [
        "(2+2β)/η",
        "2(1−β)/η",
    ]
    [sample] = [line for line in strip.lines if line.get_transform() == strip.transAxes]
    assert len(sample.get_xdata()) == 2
    assert sample.get_linestyle() == "--"


@pytest.mark.parametrize("known", [True, False])
def test_where_no_bound_is_known_it_is_said_why_there_is_none(planted, known):
    one = planted.valley()
    one = one if known else replace(one, bounds=np.full_like(one.bounds, np.nan))
    elements = valley(one).drawn
    assert ("bounds" in elements) == known
    assert ("unbounded" in elements) != known


def test_best_and_end_at_one_step_are_the_end_s_mark_as_on_planes(planted):
    one = planted.valley(jump=None)
    path = WalkedPath(one.path.step, one.path.travelled, np.linspace(2.3, 0.2, 24))
    losses = {"train_loss": one.measures["train_loss"] + 5}
    losses["train_loss"][:, len(one.y) // 2] = path.loss
    upper = valley(replace(one, path=path, measures=losses)).axes[0]
    assert [line.get_marker() for line in upper.lines if line.get_marker() in "os*"][-2:] == [
        "o",
        "s",
    ]
    assert "*" not in [line.get_marker() for line in upper.lines]
    assert [t.get_text() for t in upper.texts if "best" in t.get_text()] == [
        "best and end 0.2, step 920"
    ]


def test_the_loss_axis_has_ticks_over_all_of_a_narrow_scale(planted):
    """From 0.7 to 4.6, of which 1 and 2 alone would leave out the upper half."""
    one = planted.valley(9, jump=None)
    loss = np.linspace(0.75, 4.4, one.measured.size).reshape(one.measured.shape)
    path = replace(one.path, loss=loss[:, len(one.y) // 2])
    bar = valley(replace(one, measures={"train_loss": loss}, path=path)).axes[1]
    low, high = bar.get_ylim()
    shown = [tick for tick in bar.get_yticks() if low <= tick <= high]
    assert len(shown) >= 3
    assert max(shown) >= 3


def test_the_strip_of_widths_has_a_number_at_one(planted):
    """Columns reach to 1, and no wall stands nearer than at 0.45."""
    one = planted.valley(9, jump=None)
    figure = valley(replace(one, walls=np.clip(one.walls, 0.45, 0.9)))
    [strip] = [axes for axes in figure.axes if axes.get_ylabel().startswith("r₀")]
    assert 1.0 in strip.get_yticks()


def test_a_strip_with_one_round_number_has_two_others(planted):
    one = planted.valley(9, jump=None)
    figure = valley(replace(one, walls=np.clip(one.walls, 0.9, 0.95)))
    [strip] = [axes for axes in figure.axes if axes.get_ylabel().startswith("r₀")]
    low, high = strip.get_ylim()
    assert sum(low < tick < high for tick in strip.get_yticks()) >= 2


@pytest.mark.parametrize(("top", "wanted"), [(1.35, [0.1, 1, 1.35]), (30.0, [0.1, 1, 10])])
def test_the_bar_of_losses_has_its_decades(planted, top, wanted):
    one = planted.valley(9, jump=None)
    loss = np.geomspace(0.03, 30.0, one.measured.size).reshape(one.measured.shape)
    path = replace(one.path, loss=np.geomspace(0.1, 1.0, len(one.path.loss)))
    figure = valley(replace(one, measures={"train_loss": loss}, path=path), style=Style(cap=top))
    bar = figure.axes[1]
    low, high = bar.get_ylim()
    shown = [tick for tick in bar.get_yticks() if low <= tick <= high]
    assert set(np.round(wanted, 6)) <= set(np.round(shown, 6))
    figure.draw_without_rendering()
    boxes = sorted(
        (
            label.get_window_extent()
            for tick, label in zip(bar.get_yticks(), bar.get_yticklabels(), strict=True)
            if low <= tick <= high
        ),
        key=lambda box: box.y0,
    )
    assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(boxes))


def test_no_label_of_a_mark_reads_as_a_second_line_of_what_happened(planted):
    one = planted.valley(jump=None)
    upper = valley(replace(one, events=(Event("plateau", 0, 160, ""),))).axes[0]
    upper.get_figure().canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in upper.texts}
    name = boxes.pop("plateau")
    under = [
        box for box in boxes.values() if box.x0 < name.x1 and name.x0 < box.x1 and box.y1 < name.y1
    ]
    assert len(boxes) >= 2
    assert under
    assert all(name.y0 - box.y1 > 1.5 * name.height for box in under)

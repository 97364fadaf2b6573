"""A valley: slices across the run's path side by side, with what is known of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from landscape.draw.elements import columns as column
from landscape.draw.elements import labels, strips
from landscape.draw.elements.columns import Columns
from landscape.draw.elements.labels import Labels
from landscape.draw.figures import contour
from landscape.draw.figures.measures import TITLES
from landscape.draw.look import scale, theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import page
from landscape.draw.sheet.page import Page
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import valley_sentences as sentences
from landscape.store.scans.records import Floats
from landscape.store.scans.valleys import Valley
from landscape.store.scans.widths import ends

WIDTH = 6.5
LEFT = strips.LEFT
RIGHT, TOP, BENEATH = 0.07, 0.05, 0.31
"""What is left beside the data, in inches."""
GAP = 0.035
LOSS, SLICES = 1.05, 1.75
"""Heights of the loss curve and of the slices."""
BAR = 0.05
"""Width of the bar of colours, which is the loss curve's axis."""
APART = 0.11
"""Between its numbers, in inches."""
HEAD, FOOT = 0.22, 0.21
"""Room above the loss curve for the names of what happened, and beneath for the best's label."""
FAINT = 0.03
"""A rise by less of the colours' scale is hardly seen."""


@styled
def valley(
    subject: Valley | Sequence[Valley], *, like: Sequence[Valley] = (), style: Style = PLAIN
) -> Figure:
    """Draw the slices across a run's path as columns, the run's own loss above them.

    A column is flat from side to side: between two nothing was measured. Beneath: curvature along
    the same slices on a scale of its own, where it was measured; how long the direction is, how far
    it is until the loss has risen, critical sharpness against its bounds, and where the run came
    back to. Several valleys stand side by side, on less than 5 inches beneath each other, on one
    scale, which the valleys ``like`` them share.

    Raises:
        LandscapeError: no row is measured yet, or the losses don't fit the scale asked for.
    """
    shown = [subject] if isinstance(subject, Valley) else list(subject)
    for one in shown:
        if not one.finished_rows:
            raise LandscapeError(
                "a valley's figure needs a row that is measured, got none; go on with --resume"
            )
    every = [*shown, *(one for one in like if all(one is not other for other in shown))]
    colours = scale.of_valleys(every, style=style)
    width = style.inches(WIDTH)
    beside = style.columns(len(shown), width)
    across = width / beside
    heights = [height(one, style) for one in shown]
    rows = -(-len(shown) // beside)
    tall = max(heights)
    sheet = page.blank(width, rows * tall, title=style.title, left=LEFT)
    for k, one in enumerate(shown):
        left, top = k % beside * across, k // beside * tall
        name = one.run_name if len(shown) > 1 else ""
        _block(sheet, one, colours, (left, top, across), style, name)
    return sheet.figure


def height(one: Valley, style: Style) -> float:
    """Inches that a valley takes."""
    there = strips.there(one) if style.path else []
    beneath = sum(strip.height + GAP for strip in there)
    return TOP + LOSS + (1 + len(_further(one))) * (GAP + SLICES) + GAP + beneath + BENEATH


def _further(one: Valley) -> tuple[str, ...]:
    """What was measured along the columns beside losses and accuracies."""
    return tuple(name for name in TITLES if np.isfinite(one.measures.get(name, np.empty(0))).any())


def _block(
    sheet: Page,
    one: Valley,
    colours: Scale,
    place: tuple[float, float, float],
    style: Style,
    name: str,
) -> None:
    left, top, width = place
    where, across = Columns.of(one), width - LEFT - RIGHT
    at = top + TOP
    upper = sheet.axes(left + LEFT, at, across, LOSS)
    _losses(upper, one, where, colours, (across, LOSS), name)
    bar = sheet.axes(left + LEFT - BAR - 0.01, at, BAR, LOSS)
    _bar(bar, upper.get_ylim(), colours, "training loss")
    at += LOSS + GAP
    middle = sheet.axes(left + LEFT, at, across, SLICES)
    distance = one.settings.get("unit", "own") == "distance" or style.unit == "distance"
    _slices(middle, one, where, colours, distance=distance)
    _walls(middle, one, where, colours, distance=distance)
    _lowest(middle, one, where, (across, SLICES), distance=distance)
    at += SLICES + GAP
    lowest = middle
    for measure in _further(one):
        own = scale.through([one.measures[measure]], constant=float("nan"))
        lowest = sheet.axes(left + LEFT, at, across, SLICES)
        _slices(lowest, one, where, own, measure, distance=distance)
        # As far as the losses above: the axis is that of the colours.
        lowest.set(yticks=[], ylabel="")
        bar = sheet.axes(left + LEFT - BAR - 0.01, at, BAR, SLICES)
        _bar(bar, (own.low, own.high), own, TITLES[measure])
        at += SLICES + GAP
    for strip in strips.there(one) if style.path else []:
        lowest = sheet.axes(left + LEFT, at, across, strip.height)
        strip.draw(lowest, one, where, (across, strip.height))
        at += strip.height + GAP
    _ruler(lowest, one, where, across)


def _losses(
    axes: Axes,
    one: Valley,
    where: Columns,
    colours: Scale,
    size: tuple[float, float],
    name: str,
) -> None:
    """Draw the run's loss at each column and between them, and start, best and end.

    A column's as a line as wide as it is, others recorded as dots: none joins two of them.
    """
    where.frame(axes, curve=True)
    walked = one.walked()
    _upright(axes, colours, walked.loss, size[1])
    x, known, ink = where.at(walked.travelled), np.isfinite(walked.loss), theme.now().ink
    where.dashes(axes, one.loss, color=ink, lw=1.1, zorder=4)
    axes.plot(x[known], walked.loss[known], "o", color=ink, ms=1.3, mew=0, zorder=4)
    placed = Labels(axes, size)
    placed.keep_clear(np.column_stack([x, walked.loss])[known])
    if known.sum() > np.isfinite(one.loss).sum():
        page.drew(axes, "between")
    if where.leaps.any() or where.jumps.any():
        page.drew(axes, "gaps")
    strips.events(axes, one, where, placed)
    if np.isfinite(one.constant_loss) and axes.get_ylim()[0] < one.constant_loss:
        level = np.array([[0, one.constant_loss], [where.width, one.constant_loss]])
        axes.plot(*level.T, color=theme.PALE, lw=0.6, ls=(0, (1.2, 1.6)), zorder=2)
        page.drew(axes, "constant")
        placed.keep_clear(level, 0.01)
    if name:
        placed.write(size[0] - page.inches(name, theme.LETTERS) / 2 - 0.05, 0.1, name)
    _marks(axes, one, where, placed)


def _marks(axes: Axes, one: Valley, where: Columns, placed: Labels) -> None:
    """Mark start, best and end on the loss curve and name them there."""
    walked = one.walked()
    step, loss, places = walked.step, walked.loss, where.at(walked.travelled)
    marks = walked.landmarks()
    # The last of several at one step is drawn, as on planes: the end rather than the best.
    for row, mark in {row: mark for mark, row in marks.items()}.items():
        look, home = theme.mark(mark), (float(places[row]), float(loss[row]))
        axes.plot(
            *home,
            look.marker,
            color=look.colour,
            ms=0.55 * look.size,
            mec=theme.INK,
            mew=0.5,
            zorder=7,
            clip_on=False,
        )
        placed.keep_clear(np.array([home]), 0.045)
    for row in dict.fromkeys(reversed(marks.values())):
        named = " and ".join(mark for mark, its in marks.items() if its == row)
        text = f"{named} {number(float(loss[row]))}"
        when = f"step {step[row]:,}"
        texts = (f"{text}, {when}", f"{text}\n{when}") if step[row] else (text,)
        placed.beside((float(places[row]), float(loss[row])), *texts)


def _upright(axes: Axes, colours: Scale, loss: Floats, tall: float) -> None:
    """Set the loss axis: that of the colours, and as much higher as the run went."""
    finite = loss[np.isfinite(loss)]
    high = max(colours.high, float(finite.max(initial=colours.high)))
    top = float(colours.position(np.array([high]))[0])
    # An inch takes so much of the scale once there is room for names.
    inch = top / (tall - HEAD - FOOT)
    ends = colours.loss(np.array([-FOOT * inch, top + HEAD * inch]))
    low, high = float(ends[0]), float(ends[1])
    axes.set_yscale("log" if colours.log else "linear")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator([]))
    axes.yaxis.set_minor_locator(NullLocator())


def _bar(bar: Axes, span: tuple[float, float], colours: Scale, name: str) -> None:
    """Draw the colours beside what they are the axis of."""
    low, high = span
    ends = colours.position(np.array([low, high]))
    fine = np.linspace(float(ends[0]), float(ends[1]), 512)
    image = theme.now().loss(np.clip(fine, 0, 1))
    image[fine > 1 + 1e-9] = to_rgba(theme.now().beyond)
    bar.imshow(
        image[:, None],
        origin="lower",
        extent=(0, 1, 0, 1),
        aspect="auto",
        transform=bar.transAxes,
        rasterized=True,
    )
    bar.set_xticks([])
    bar.set_xlim(0, 1)
    bar.set_yscale("log" if colours.log else "linear")
    bar.set_ylim(low, high)
    # Those of the colours, or where the run went so much higher that they touch, of its losses.
    whole = replace(colours, low=low, high=high)
    for count, axis in ((4, colours), (4, whole), (3, whole), (2, whole)):
        ticks = axis.ticks(count)
        places = whole.position(ticks) * page.extent(bar)[1]
        if (np.diff(places) > APART).all():
            break
    more = _thinned(colours.ticks(6), whole, page.extent(bar)[1])
    # Within a decade: over several what is left would be at odd distances.
    if colours.high < 10 * colours.low and len(more) > len(ticks):
        ticks = more
    ticks = np.asarray(ticks)
    end = float(whole.position(np.array([colours.high]))[0])
    apart = np.abs(whole.position(ticks) - end) * page.extent(bar)[1]
    decade = np.isclose(np.log10(ticks) % 1, 0) if colours.log else np.zeros(len(ticks), np.bool_)
    # Both of them, one above its tick, the other beneath.
    leaning = ticks[decade & (apart <= APART) & (apart > APART / 5) & (ticks < colours.high)]
    if colours.capped:
        # Where the colours end and grey begins is told rather than what is too near to it.
        ticks = np.concatenate([ticks[apart > APART], leaning, [colours.high]])
    bar.yaxis.set_major_locator(FixedLocator(ticks.tolist()))
    bar.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
    bar.yaxis.set_minor_locator(NullLocator())
    bar.tick_params(length=2, pad=1.5)
    if colours.capped and len(leaning):
        beneath, above = bar.get_yticklabels()[-2:]
        beneath.set_verticalalignment("top")
        above.set_verticalalignment("bottom")
    bar.set_ylabel(name, size=theme.TICKS)
    page.name_y(bar, LEFT - BAR - 0.01)
    for spine in bar.spines.values():
        spine.set_visible(False)


def _thinned(ticks: Floats, axis: Scale, tall: float) -> Floats:
    """Return those of the ticks, from above, whose numbers leave each other room."""
    kept: list[float] = []
    for tick in ticks[::-1]:
        ends = axis.position(np.array([tick, *kept[-1:]])) * tall
        if len(ends) < 2 or ends[1] - ends[0] > APART:
            kept.append(float(tick))
    return np.array(kept[::-1])


def _slices(
    axes: Axes,
    one: Valley,
    where: Columns,
    colours: Scale,
    measure: str = "train_loss",
    *,
    distance: bool,
) -> None:
    """Draw the columns of a measure, the run itself through their middles."""
    where.frame(axes)
    far = column.reach(one, distance=distance)
    image = column.picture(one, measure, where, colours, distance=distance)
    axes.imshow(
        image,
        origin="lower",
        extent=(0, where.width, -far, far),
        aspect="auto",
        interpolation="nearest",
        rasterized=True,
        zorder=0,
    )
    axes.set_ylim(-far, far)
    beyond = to_rgba(theme.now().beyond)
    if (image == beyond).all(axis=2).any():
        page.drew(axes, "beyond")
    axes.hlines(
        np.zeros(len(where.left)), where.left, where.left + 1, color="white", lw=0.7, zorder=4
    )
    axes.yaxis.set_major_locator(FixedLocator([-far, -far / 2, 0, far / 2, far]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.tick_params(axis="y", length=2, pad=1.5)
    text = sentences.across(one, distance=distance)
    axes.set_ylabel(text, size=theme.TICKS, labelpad=1)
    # Ends that stand on the frame reach beyond it.
    ends = axes.get_yticklabels()
    ends[0].set_verticalalignment("bottom")
    ends[-1].set_verticalalignment("top")


def _walls(axes: Axes, one: Valley, where: Columns, colours: Scale, *, distance: bool) -> None:
    """Draw where the loss has risen, and where the direction isn't that of the row before.

    Over several directions: where the column's own loss is far higher already, beyond the colours,
    a line would seem to be a mistake.
    """
    length = one.slices.length if distance else np.ones(len(where.left))
    for side, sign in enumerate((1, -1)):
        for share in ends(one.walls.shape[1]):
            wall = sign * one.wall(side, share)
            grey = [
                (column.positions(one, "train_loss", k, wall[[k]], colours) > 1 + 1e-9).any()
                for k in range(len(wall))
            ]
            if any(grey):
                page.drew(axes, "greyed")
            wall = np.where(grey, np.nan, wall) * length
            if np.isfinite(wall).any():
                page.drew(axes, "walls")
            seen = colours.position(one.loss + one.rise.by) - colours.position(one.loss)
            if (seen[np.isfinite(wall)] < FAINT).any():
                page.drew(axes, "faint")
            where.dashes(axes, wall, color="white", lw=1.5, alpha=0.8, zorder=4.5)
            where.dashes(axes, wall, color=theme.INK, lw=0.7, zorder=5)
    lost = one.slices.lost
    if lost.any():
        page.drew(axes, "lost")
        top = np.full(lost.sum(), axes.get_ylim()[1])
        axes.plot(where.middle[lost], top, "v", color=theme.INK, ms=3, zorder=8)


def _lowest(
    axes: Axes, one: Valley, where: Columns, size: tuple[float, float], *, distance: bool
) -> None:
    """Mark the best of all evaluated points where it is none of the run's."""
    found = one.below_the_run()
    if found is None:
        return
    loss, row, y = found
    at = np.array([where.middle[row], y * (one.slices.length[row] if distance else 1.0)])
    placed = Labels(axes, size)
    for line in axes.collections:  # the walls and the run itself
        if isinstance(line, LineCollection):
            for dash in line.get_segments():
                placed.keep_clear(np.asarray(dash), 0.015)
    contour.mark_lowest(axes, placed, at, contour.lowest_text(loss, brief=True))


def _ruler(axes: Axes, one: Valley, where: Columns, across: float) -> None:
    """Write the steps of some of the columns beneath the lowest strip."""
    texts = [f"{step:,}" for step in one.slices.step.tolist()]
    places = where.middle / where.width * across
    axes.set_xticks(where.middle, minor=True)
    axes.tick_params(axis="x", which="minor", length=1.6, width=0.4, color=theme.now().ink)
    there = labels.ruler(places.tolist(), texts, across)
    axes.set_xticks(where.middle[there], [texts[k] for k in there])
    if labels.reaches_beyond(places[-1], texts[-1], across):
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.tick_params(axis="x", which="major", length=2.8, pad=1.5, bottom=True)
    axes.set_xlabel(sentences.ruler(one), size=theme.TICKS, labelpad=1)

"""The path alone: where it runs on a plane, in the colours of its steps, and how far from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from landscape.draw.elements import episodes, marks, paths, plane_axes, plots
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Legend
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Path, Scan

WIDTH = 7.0
LEFT, RIGHT, TOP, BENEATH, BETWEEN, AXIS = 0.76, 0.14, 0.27, 0.6, 0.32, 0.45
SIDE = 0.62
"""Room for the letters of the panels on the right."""
ALONE = 3.0
"""Height of these panels beneath the path, on a column."""
THIN = 3.0
"""A path so many times longer than wide is not drawn to one scale."""
ASPECTS = (0.72, 1.1)
MARGIN = 0.08
"""Around the path, as a share of its extent."""
DASHES = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4)))
"""Of several paths, in turn."""


@styled
def path(scan: Scan, *, like: Sequence[Scan] = (), style: Style = PLAIN) -> Figure:
    """Draw the path on its plane, and over the steps its losses and its distance from the plane.

    The loss of the recorded weights stands beside that of their projection: where the two part,
    the plane doesn't show where the path is. The loss axis is that of the scans ``like`` it too.

    Raises:
        LandscapeError: the scan is no plane or has no path that moves on it.
    """
    plane_axes.check(scan, "path")
    box = scan.reach_of_paths()
    steps = paths.step_range(scan)
    if box is None or steps is None:
        raise LandscapeError("a path figure needs a path with two points or more, got none")
    width = style.inches(WIDTH)
    columns = style.columns(2, width)
    across = (width - LEFT - RIGHT - (SIDE if columns > 1 else 0)) / columns
    where, aspect, equal = _window(*box)
    tall = across * aspect
    printed = [
        *sentences.small_print(scan),
        *(() if equal else ("the path's axes are not to one scale",)),
    ]
    lines = [line for text in printed for line in page.wrapped(text, width - LEFT, theme.SMALL)]
    legend = Legend(_entries(scan), width - 4 * RIGHT)
    first = TOP + tall + BENEATH + footer.BARS
    right = first if columns > 1 else ALONE
    panels = first + (0.0 if columns > 1 else right)
    height = panels + legend.height + footer.LINE * len(lines) + 0.1
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    axes = sheet.axes(LEFT, TOP, across, tall)
    _track(axes, scan, where)
    plane_axes.dress(axes, scan, "path", first=True, size=(across, tall))
    axes.set_title("path, projected", size=theme.TITLE, loc="left", pad=4)
    footer.step_bar(sheet, steps, LEFT, TOP + tall + BENEATH - 0.1, across)
    left, top = (LEFT + across + SIDE, TOP) if columns > 1 else (LEFT, first + TOP)
    half = (right - TOP - AXIS - BETWEEN) / 2
    upper = sheet.axes(left, top, across, half)
    lower = sheet.axes(left, top + half + BETWEEN, across, half)
    _losses(upper, [scan, *like], scan.paths, style)
    _distances(lower, scan.paths)
    upper.tick_params(labelbottom=False)
    upper.set_title("training loss", size=theme.TITLE, loc="left", pad=3)
    lower.set_title("distance from the plane", size=theme.TITLE, loc="left", pad=3)
    lower.set_xlabel("training step", size=theme.LETTERS, labelpad=2)
    legend.draw(sheet, 2 * RIGHT, panels)
    note = theme.now().note
    sheet.text(2 * RIGHT, panels + legend.height, "\n".join(lines), theme.SMALL, colour=note)
    return sheet.figure


def _window(low: Floats, high: Floats) -> tuple[PlaneWindow, float, bool]:
    """Return the part of the plane around the path, the panel's height over its width.

    And whether its axes are to one scale: a long thin path is drawn wider than it is.
    """
    middle, size = (low + high) / 2, np.maximum(high - low, 1e-12)
    ratio = float(size[1] / size[0])
    equal = 1 / THIN <= ratio <= THIN
    aspect = float(np.clip(ratio, *ASPECTS))
    if equal:
        size = size * np.maximum([ratio / aspect, aspect / ratio], 1)
    size = size * (1 + 2 * MARGIN)
    return PlaneWindow(middle - size / 2, middle + size / 2), aspect, equal


def _track(axes: Axes, scan: Scan, where: PlaneWindow) -> None:
    axes.set(xlim=(where.low[0], where.high[0]), ylim=(where.low[1], where.high[1]))
    axes.grid(True, color=theme.now().grid, lw=0.5)
    axes.set_axisbelow(True)
    norm = paths.step_range(scan)
    for one in scan.paths:
        paths.draw(axes, one, norm, balls=0, pale=False)
    paths.write_run_names(axes, scan)
    lines = [one.xy[np.isfinite(one.xy).all(axis=1)] for one in scan.paths]
    held = tuple(p for p in scan.points if where.holds(np.array(p.xy)))
    stand = marks.draw(axes, held, where, np.concatenate(lines))
    paths.write_episode_names(axes, scan, stand)


def _losses(axes: Axes, scans: Sequence[Scan], drawn: Sequence[Path], style: Style) -> None:
    known = [
        values for scan in scans for one in scan.paths for values in (one.true_loss, one.plane_loss)
    ]
    values = np.concatenate(known)
    values = values[~np.isnan(values)]
    finite = values[np.isfinite(values)]
    if style.cap is not None:
        finite = np.minimum(finite, style.cap)
    look = theme.now()
    _frame(axes, drawn)
    plots.upright(axes, finite, scans[0].constant_loss, log=plots.is_log(values, style))
    axes.set_ylabel("")
    lines = []
    for one, dashes in zip(drawn, DASHES * len(drawn), strict=False):
        there = np.isfinite(one.true_loss)
        step = one.step[there].astype(np.float64)
        axes.plot(step, one.plane_loss[there], color=look.validation, ls=dashes, lw=1.1, zorder=2)
        axes.plot(step, one.true_loss[there], color=look.train, ls=dashes, lw=1.5, zorder=3)
        lines += [(step, one.true_loss[there]), (step, one.plane_loss[there])]
    plots.constant(axes, scans[0].constant_loss, [line for line in lines if len(line[0])])


def _distances(axes: Axes, drawn: Sequence[Path]) -> None:
    _frame(axes, drawn)
    for one, dashes in zip(drawn, DASHES * len(drawn), strict=False):
        axes.plot(one.step, one.distance_from_plane, color=theme.now().ink, ls=dashes, lw=1.2)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _frame(axes: Axes, drawn: Sequence[Path]) -> None:
    last = float(max(one.step[-1] for one in drawn))
    plots.frame(axes, -0.015 * last, 1.015 * last)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    # Several runs' episodes over each other would say nothing.
    if len(drawn) == 1:
        episodes.shade(axes, drawn[0].events, 0.004 * last)


def _entries(scan: Scan) -> list[Artist]:
    look = theme.now()
    return [
        *(marks.entry(scan, point) for point in scan.points),
        *episodes.entries(scan),
        Line2D([], [], color=look.train, lw=1.5, label="loss of the recorded weights"),
        Line2D([], [], color=look.validation, lw=1.1, label="loss of their projection"),
    ]

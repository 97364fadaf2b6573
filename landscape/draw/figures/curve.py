"""A scan along a line: losses, and accuracies beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landscape.draw.elements import bands, marks, plots, uncertain
from landscape.draw.figures import contour
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.errors import LandscapeError
from landscape.store.scans import sentences
from landscape.store.scans.records import STILL, Point, Scan

WIDTH, LEFT, RIGHT, LEGEND = 5.0, 0.68, 0.2, 0.3
BENEATH = 0.55
ROW = 0.127
"""Height of a row of names above the losses."""


@styled
def curve(scan: Scan, *, like: Sequence[Scan] = (), style: Style = PLAIN) -> Figure:
    """Draw losses and accuracies along a line.

    The loss axis is logarithmic where all losses are positive. Points that are NaN leave a gap;
    infinite ones stand as triangles at the upper edge. Losses of some of the samples have a band of
    two standard errors. Along several random directions: medians,
    with the quartiles as a band. The loss axis is that of the scans ``like`` it too.

    Raises:
        LandscapeError: the scan is a plane or has fewer than 2 points.

    >>> from landscape.store.scans.records import Plane
    >>> direction = np.eye(1, 3, dtype=np.float32)
    >>> plane = Plane("line", np.zeros(3, np.float32), direction, ("u",), "some unit")
    >>> x = np.linspace(-1, 1, 11)
    >>> scan = Scan(plane, x, np.zeros(0), {"train_loss": 0.1 + x**2}, np.ones(11, bool))

    >>> figure = curve(scan, style=Style(width=3.25))
    >>> float(figure.get_size_inches()[0]), len(figure.axes)
    (3.25, 1)
    """
    _check(scan)
    scan = bands.median(style.shown(scan))
    accuracies = marks.known(scan, ("train_accuracy", "validation_accuracy"))
    beneath = plots.ACCURACIES + plots.BETWEEN if accuracies else 0.0
    width = style.inches(WIDTH)
    across = width - LEFT - RIGHT
    lines = [
        line
        for text in (*sentences.small_print(scan), *sentences.bands(scan))
        for line in page.wrapped(text, across, theme.SMALL)
    ]
    names = _names(scan, across)
    top = LEGEND + ROW * (1 + max((name.row for name in names), default=0))
    height = top + plots.LOSSES + beneath + BENEATH + footer.LINE * len(lines) + 0.08
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    upper = sheet.axes(LEFT, top, across, plots.LOSSES)
    _losses(upper, scan, names, [bands.median(one) for one in like if one is not scan], style)
    plots.legend(upper, top)
    lowest = upper
    if accuracies:
        lowest = sheet.axes(LEFT, top + plots.LOSSES + plots.BETWEEN, across, plots.ACCURACIES)
        upper.tick_params(labelbottom=False)
        _accuracies(lowest, scan, accuracies)
    label, unit = sentences.axis(scan.plane, 0)
    lowest.set_xlabel(f"{label}\n{unit}", size=theme.LETTERS, labelpad=2, linespacing=1.2)
    bottom = top + plots.LOSSES + beneath + BENEATH
    sheet.text(LEFT, bottom, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def draw_curve(axes: Axes, scan: Scan, *, style: Style = PLAIN) -> None:
    """Draw the losses along a line into somebody's axes, with marked points above them.

    Raises:
        LandscapeError: as `curve`.
    """
    _check(scan)
    dpi = float(page.figure_of(axes).dpi)
    with theme.wearing(replace(style.look(), dpi=dpi)):
        scan = bands.median(style.shown(scan))
        _losses(axes, scan, _names(scan, axes.get_window_extent().width / dpi), (), style)
        axes.set_xlabel(sentences.axis(scan.plane, 0)[0], size=theme.LETTERS)
        axes.tick_params(labelsize=theme.TICKS)


def _check(scan: Scan) -> None:
    if not scan.is_line:
        raise LandscapeError(
            "a curve figure needs a scan along a line, got one of a plane: draw its contour"
        )
    if len(scan.x) < 2:
        raise LandscapeError(f"a curve figure needs at least 2 points, got {len(scan.x)}")


def _losses(axes: Axes, scan: Scan, marked: list[Name], like: Sequence[Scan], style: Style) -> None:
    names = marks.losses(scan)
    further = [values for name in names for values in bands.spread(scan, name)]
    further += [values for name in names for values in uncertain.band(scan, name)]
    further += [one.measures[name] for one in like for name in marks.losses(one)]
    values = np.concatenate([*(scan.measures[name] for name in names), *further])
    finite = values[np.isfinite(values)]
    if style.cap is not None:
        finite = np.minimum(finite, style.cap)
    plots.frame(axes, *_span(scan))
    plots.upright(axes, finite, scan.constant_loss, log=plots.is_log(values, style))
    for name in names:
        plots.line(axes, scan.x, scan.measures[name], name)
        bands.draw_spread(axes, scan, name, plots.colour(name))
        uncertain.draw_band(axes, scan, name, plots.colour(name))
        plots.infinite(axes, scan.x, scan.measures[name], name)
    lines = [(scan.x, scan.measures[name]) for name in names]
    plots.constant(axes, scan.constant_loss, lines, [name.x for name in marked])
    _marked(axes, scan, marked)


def _accuracies(axes: Axes, scan: Scan, names: tuple[str, ...]) -> None:
    plots.frame(axes, *_span(scan))
    plots.accuracies(axes)
    for name in names:
        plots.line(axes, scan.x, scan.measures[name], name)
    for point in scan.points:
        if len(point.xy) == 1 and scan.x[0] <= point.xy[0] <= scan.x[-1]:
            axes.axvline(point.xy[0], color=theme.PALE, lw=0.6, zorder=1)


def _marked(axes: Axes, scan: Scan, names: list[Name]) -> None:
    loss = np.where(np.isfinite(scan.measures["train_loss"]), scan.measures["train_loss"], np.nan)
    homes = np.array([[name.x, np.interp(name.x, scan.x, loss)] for name in names]).reshape(-1, 2)
    for name in names:
        axes.axvline(name.x, color=theme.PALE, lw=0.6, zorder=1)
        axes.text(
            name.middle,
            1 + (0.035 + ROW * name.row) / plots.LOSSES,
            name.text,
            transform=axes.transAxes,
            size=theme.SMALL,
            ha="center",
            va="bottom",
        )
    # On a curve those are near each other that are along it.
    along = np.array([[name.inches, 0.0] for name in names]).reshape(-1, 2)
    sizes = marks.seen([contour.MARK * name.look.size for name in names], along)
    for name, home, size in zip(names, homes, sizes, strict=True):
        if np.isfinite(home).all():
            contour.stamp(axes, home, name.look, hollow=name.hollow, scale=size / name.look.size)


@dataclass(frozen=True)
class Name:
    """What is written above a marked point, and where."""

    x: float
    inches: float
    """The same from the left end of the axes."""
    look: theme.Mark
    hollow: bool
    """Its own loss isn't the line's there."""
    text: str
    middle: float
    """As a share of the axes' width."""
    row: int
    """Rows above the axes, so that neighbours don't cover each other."""


def _names(scan: Scan, across: float) -> list[Name]:
    """Return what is marked on the line, from left to right; the origin where nothing else is."""
    places = [
        (
            point.xy[0],
            theme.mark(point.name),
            contour.hollow(scan, point.step),
            _text(scan, point),
        )
        for point in scan.points
    ]
    places = places or [(0.0, theme.OTHER, False, "origin")]
    ends: list[float] = []
    found = []
    low, high = _span(scan)
    for x, look, off, text in sorted(places, key=lambda place: place[0]):
        if not scan.x[0] <= x <= scan.x[-1]:
            continue
        half = page.inches(text, theme.SMALL) / across / 2
        share = (x - low) / (high - low)
        middle = float(np.clip(share, half, 1 - half)) if half < 0.5 else 0.5
        free = (row for row, end in enumerate(ends) if middle - half > end + 0.02)
        row = next(free, len(ends))
        ends[row : row + 1] = [middle + half]
        found.append(Name(x, share * across, look, off, text, middle, row))
    return found


def _text(scan: Scan, point: Point) -> str:
    if point.name == STILL:
        return ", ".join(sentences.still(scan, point))
    return sentences.marked(point)


def _span(scan: Scan) -> tuple[float, float]:
    margin = 0.015 * float(scan.x[-1] - scan.x[0])
    return float(scan.x[0]) - margin, float(scan.x[-1]) + margin

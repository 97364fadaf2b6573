"""A scan along a line: losses, and accuracies beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw import bands, footer, leaders, marks, page, theme, words
from landscape.draw.scale import Scale
from landscape.errors import LandscapeError
from landscape.store.records import Floats, Scan

WIDTH, LEFT, RIGHT, LEGEND = 5.0, 0.68, 0.2, 0.3
LOSSES, ACCURACIES, BETWEEN, BENEATH = 2.3, 1.05, 0.12, 0.55
ROW = 0.127
"""Height of a row of names above the losses."""
STYLES = {
    "train": (theme.TRAIN, "-", "training"),
    "validation": (theme.VALIDATION, (0, (4, 1.6)), "validation"),
}
"""Colour, dashes and name of each data set: dashes tell them apart in grey."""


def curve(scan: Scan, *, like: Sequence[Scan] = ()) -> Figure:
    """Draw losses and accuracies along a line.

    The loss axis is logarithmic where all losses are positive. Points that are NaN leave a gap;
    infinite ones stand as triangles at the upper edge. Along several random directions: medians,
    with the quartiles as a band. The loss axis is that of the scans ``like`` it too.

    Raises:
        LandscapeError: the scan is a plane or has fewer than 2 points.
    """
    if not scan.is_line:
        raise LandscapeError(
            "a curve figure needs a scan along a line, got one of a plane: draw its contour"
        )
    if len(scan.x) < 2:
        raise LandscapeError(f"a curve figure needs at least 2 points, got {len(scan.x)}")
    scan = bands.median(scan)
    accuracies = marks.known(scan, ("train_accuracy", "validation_accuracy"))
    beneath = ACCURACIES + BETWEEN if accuracies else 0.0
    lines = [
        line
        for text in words.small_print(scan)
        for line in page.wrapped(text, WIDTH - LEFT - RIGHT, theme.SMALL)
    ]
    names = _names(scan)
    top = LEGEND + ROW * (1 + max((name.row for name in names), default=0))
    height = top + LOSSES + beneath + BENEATH + footer.LINE * len(lines) + 0.08
    sheet = page.blank(WIDTH, height)
    across = WIDTH - LEFT - RIGHT
    upper = sheet.axes(LEFT, top, across, LOSSES)
    _losses(upper, scan, names, [bands.median(one) for one in like if one is not scan])
    _legend(upper, top)
    lowest = upper
    if accuracies:
        lowest = sheet.axes(LEFT, top + LOSSES + BETWEEN, across, ACCURACIES)
        upper.tick_params(labelbottom=False)
        _accuracies(lowest, scan, accuracies)
    label, unit = words.axis(scan.plane, 0)
    lowest.set_xlabel(f"{label}\n{unit}", size=theme.LETTERS, labelpad=2, linespacing=1.2)
    bottom = top + LOSSES + beneath + BENEATH
    sheet.text(LEFT, bottom, "\n".join(lines), theme.SMALL, colour="#444444")
    return sheet.figure


def _losses(axes: Axes, scan: Scan, marked: list[Name], like: Sequence[Scan]) -> None:
    names = marks.losses(scan)
    further = [values for name in names for values in bands.quartiles(scan, name)]
    further += [one.measures[name] for one in like for name in marks.losses(one)]
    values = np.concatenate([*(scan.measures[name] for name in names), *further])
    finite = values[np.isfinite(values)]
    log = bool(len(finite)) and not bool((values <= 0).any())
    _frame(axes, scan)
    low, high = _limits(finite, scan.constant_loss, log=log)
    axes.set_yscale("log" if log else "linear")
    axes.set_ylim(low, high)
    _ticks(axes, low, high, log=log)
    for name in names:
        _line(axes, scan.x, scan.measures[name], name)
        bands.draw(axes, scan, name, STYLES[name.split("_", maxsplit=1)[0]][0])
        _infinite(axes, scan.x, scan.measures[name], name)
    _constant(axes, scan)
    _marked(axes, scan, marked)
    what = "loss (log scale)" if log else "loss"
    axes.set_ylabel(what, size=theme.LETTERS, labelpad=3)
    if not len(finite):
        axes.text(
            0.5,
            0.5,
            "no finite loss was measured",
            transform=axes.transAxes,
            ha="center",
            size=theme.LETTERS,
            color=theme.PALE,
        )


def _legend(axes: Axes, top: float) -> None:
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.01, 1 + (top - 0.06) / LOSSES),
        ncols=4,
        fontsize=theme.TICKS,
        frameon=False,
        borderaxespad=0.1,
        columnspacing=1.4,
        handlelength=1.9,
        handletextpad=0.5,
    )


def _accuracies(axes: Axes, scan: Scan, names: tuple[str, ...]) -> None:
    _frame(axes, scan)
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_locator(MaxNLocator(2, steps=[5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
    for name in names:
        _line(axes, scan.x, scan.measures[name], name)
    for point in scan.points:
        if len(point.xy) == 1 and scan.x[0] <= point.xy[0] <= scan.x[-1]:
            axes.axvline(point.xy[0], color=theme.PALE, lw=0.6, zorder=1)
    axes.set_ylabel("accuracy", size=theme.LETTERS, labelpad=3)


def _frame(axes: Axes, scan: Scan) -> None:
    axes.set_xlim(*_span(scan))
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
    axes.grid(True, color="#e6e6e6", lw=0.5)
    axes.set_axisbelow(True)


def _limits(finite: Floats, constant: float, *, log: bool) -> tuple[float, float]:
    every = np.append(finite, constant) if np.isfinite(constant) else finite
    if log:
        every = every[every > 0]
    if not len(every):
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(every.min()), float(every.max())
    if log:
        room = max((high / low) ** 0.07, 1.05)
        return max(low / room, 1e-307), min(high * room, 1e307)
    room = 0.07 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _ticks(axes: Axes, low: float, high: float, *, log: bool) -> None:
    scale = Scale(low, high, log, capped=False, rule="", constant=float("nan"))
    axes.yaxis.set_major_locator(FixedLocator(list(scale.ticks(7))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def _line(axes: Axes, x: Floats, values: Floats, name: str) -> None:
    colour, dashes, label = STYLES[name.split("_", maxsplit=1)[0]]
    shown = np.where(np.isfinite(values), values, np.nan)
    axes.plot(x, shown, color=colour, ls=dashes, lw=1.5, label=label, zorder=3)
    # A finite point between gaps has no line to it.
    gap = np.isnan(np.concatenate([[np.nan], shown, [np.nan]]))
    alone = ~gap[1:-1] & gap[:-2] & gap[2:]
    axes.plot(x[alone], shown[alone], ".", color=colour, ms=3.5, zorder=3)


def _infinite(axes: Axes, x: Floats, values: Floats, name: str) -> None:
    colour = STYLES[name.split("_", maxsplit=1)[0]][0]
    for sign, place, marker in ((1, 0.97, "^"), (-1, 0.03, "v")):
        where = x[np.isinf(values) & (np.sign(values) == sign)]
        if len(where):
            axes.plot(
                where,
                np.full(len(where), place),
                marker,
                transform=axes.get_xaxis_transform(),
                color=colour,
                ms=3.5,
                label="infinite",
                zorder=3,
            )


def _constant(axes: Axes, scan: Scan) -> None:
    loss = scan.constant_loss
    if not np.isfinite(loss) or (axes.get_yscale() == "log" and loss <= 0):
        return
    axes.axhline(loss, color=theme.INK, lw=0.9, ls=(0, (1.2, 1.6)), zorder=2)
    text = f"{words.exact(loss)} best constant output"
    width = page.inches(text, theme.SMALL) / (WIDTH - LEFT - RIGHT)
    place, above = _free(axes, scan, loss, width)
    axes.annotate(
        text,
        (place, loss),
        (0, 2.2 if above else -2.2),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        size=theme.SMALL,
        ha="center",
        va="bottom" if above else "top",
        path_effects=theme.halo(2.2),
        zorder=6,
    )


def _free(axes: Axes, scan: Scan, loss: float, width: float) -> tuple[float, bool]:
    """Return the label's middle as a share of the axes, and whether it stands above the line."""
    to_share = axes.transData + axes.transAxes.inverted()
    curves = [
        to_share.transform(np.column_stack([scan.x, np.where(np.isfinite(v), v, np.nan)]))
        for v in (scan.measures[name] for name in marks.losses(scan))
    ]
    level = float(to_share.transform((scan.x[0], loss))[1])
    fine = np.linspace(0, 1, 201)
    heights = np.array([np.interp(fine, curve[:, 0], curve[:, 1]) for curve in curves]) - level
    best = (-1.0, 0.5, True)
    for middle in np.linspace(width / 2 + 0.015, 1 - width / 2 - 0.015, 25):
        beneath = heights[:, np.abs(fine - middle) <= width / 2 + 0.01]
        for above in (True, False):
            band = 0.035 if above else -0.035
            gap = float(np.nan_to_num(np.abs(beneath - band), nan=1.0).min())
            # The habit unless another place is clearly freer: far gaps are all the same.
            if min(gap, 0.12) > best[0] + 1e-6:
                best = (min(gap, 0.12), float(middle), above)
    return best[1], best[2]


def _marked(axes: Axes, scan: Scan, names: list[Name]) -> None:
    loss = np.where(np.isfinite(scan.measures["train_loss"]), scan.measures["train_loss"], np.nan)
    homes = np.array([[name.x, np.interp(name.x, scan.x, loss)] for name in names]).reshape(-1, 2)
    for name in names:
        axes.axvline(name.x, color=theme.PALE, lw=0.6, zorder=1)
        axes.text(
            name.middle,
            1 + (0.035 + ROW * name.row) / LOSSES,
            name.text,
            transform=axes.transAxes,
            size=theme.SMALL,
            ha="center",
            va="bottom",
        )
    known = np.isfinite(homes).all(axis=1)
    looks = [name.look for name, there in zip(names, known, strict=True) if there]
    box = axes.get_window_extent()
    at = axes.transData.transform(homes[known]) - box.p0
    line = axes.transData.transform(np.column_stack([scan.x, loss])) - box.p0
    radii = np.array([look.size / 72 * theme.DPI / 2 for look in looks])
    near = line[np.isfinite(line).all(axis=1)]
    moved = leaders.spread(at, radii, near, np.array(box.size), sideways=True)
    stand = axes.transData.inverted().transform(moved + box.p0)
    leaders.draw(axes, homes[known], stand)
    for look, xy in zip(looks, stand, strict=True):
        marks.stamp(axes, xy, look)


@dataclass(frozen=True)
class Name:
    """What is written above a marked point, and where."""

    x: float
    look: theme.Mark
    text: str
    middle: float
    """As a share of the axes' width."""
    row: int
    """Rows above the axes, so that neighbours don't cover each other."""


def _names(scan: Scan) -> list[Name]:
    """Return what is marked on the line, from left to right; the origin where nothing else is."""
    places = [(point.xy[0], theme.mark(point.name), words.marked(point)) for point in scan.points]
    places = places or [(0.0, theme.OTHER, "origin")]
    ends: list[float] = []
    found = []
    low, high = _span(scan)
    for x, look, text in sorted(places, key=lambda place: place[0]):
        if not scan.x[0] <= x <= scan.x[-1]:
            continue
        half = page.inches(text, theme.SMALL) / (WIDTH - LEFT - RIGHT) / 2
        share = (x - low) / (high - low)
        middle = float(np.clip(share, half, 1 - half)) if half < 0.5 else 0.5
        free = (row for row, end in enumerate(ends) if middle - half > end + 0.02)
        row = next(free, len(ends))
        ends[row : row + 1] = [middle + half]
        found.append(Name(x, look, text, middle, row))
    return found


def _span(scan: Scan) -> tuple[float, float]:
    margin = 0.015 * float(scan.x[-1] - scan.x[0])
    return float(scan.x[0]) - margin, float(scan.x[-1]) + margin

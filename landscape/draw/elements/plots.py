"""Losses and accuracies over something, as lines: what curves along a line and in time share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from landscape.draw.elements.labels import Labels
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import Style
from landscape.draw.sheet import page
from landscape.errors import LandscapeError
from landscape.quantities import exact, number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats

DASHES = {"train": ("-", "training"), "validation": ((0, (4, 1.6)), "validation")}
"""Dashes and name of each data set: dashes tell them apart in grey."""
LOSSES, ACCURACIES, BETWEEN = 2.3, 1.05, 0.12
"""Heights of the two panels and of the gap, in inches."""
SPECK, MANY, SPECKS = 1.2, 150, (1.2, 2.8)
"""Points that a dot measures where there are so many, and at least and at most."""
APART, LOGGED = 0.005, 2.6
"""Dots of so many points stand in a line where the next is over this share of its axis away."""
JOINED = 3
"""Losses of steps one after the other that a line joins, at least: of two it would be a stray."""
BESIDE = 0.26
"""Inches beside axes for ticks and an upright name, numbers not counted."""
CLEAR = 0.02
"""Inches that a name keeps from curves, and between places that are tried for it."""


def colour(measure: str) -> str:
    """Return the colour of a measure's data set."""
    look = theme.now()
    return look.train if measure.startswith("train") else look.validation


def frame(axes: Axes, low: float, high: float) -> None:
    """Set the horizontal axis, its round ticks and a grid."""
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.grid(True, color=theme.now().grid, lw=0.5)
    axes.set_axisbelow(True)


def upright(axes: Axes, finite: Floats, constant: float, *, log: bool) -> None:
    """Set the loss axis so that it holds ``finite`` losses and the constant output's."""
    low, high = limits(finite, constant, log=log)
    axes.set_yscale("log" if log else "linear")
    axes.set_ylim(low, high)
    scale = Scale(low, high, log, capped=False, rule="", constant=float("nan"))
    axes.yaxis.set_major_locator(FixedLocator(list(scale.ticks(7))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("loss (log scale)" if log else "loss", size=theme.LETTERS, labelpad=3)
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


def room(finite: Floats, constant: float, *, log: bool) -> float:
    """Return how many inches `upright` needs beside axes for the numbers and the name of losses."""
    low, high = limits(finite, constant, log=log)
    scale = Scale(low, high, log, capped=False, rule="", constant=float("nan"))
    numbers = [page.inches(number(float(tick)), theme.TICKS) for tick in scale.ticks(7)]
    return BESIDE + max(numbers, default=0.0)


def limits(finite: Floats, constant: float, *, log: bool) -> tuple[float, float]:
    """Return the ends of a loss axis, with some room beyond the data."""
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


def line(axes: Axes, x: Floats, values: Floats, measure: str, *, joined: bool = True) -> None:
    """Draw a measure, with gaps where it isn't finite; as dots alone unless they are ``joined``."""
    dashes, label = DASHES[measure.split("_", maxsplit=1)[0]]
    shade = colour(measure)
    page.drew(axes, "training" if measure.startswith("train") else "validation")
    shown = np.where(np.isfinite(values), values, np.nan)
    axes.plot(x, shown, color=shade, ls=dashes, lw=1.2 * joined, label=label, zorder=3)
    # A finite point between gaps has no line to it.
    gap = np.isnan(np.concatenate([[np.nan], shown, [np.nan]]))
    alone = ~gap[1:-1] & ((gap[:-2] & gap[2:]) | (not joined))
    axes.plot(x[alone], shown[alone], ".", color=shade, ms=3.5, zorder=3)


def logged(axes: Axes, x: Floats, values: Floats, measure: str) -> None:
    """Mark a line's finite values by dots where they are sparse: all between is the line alone."""
    low, high = axes.get_xlim()
    wide = np.concatenate([[False], np.diff(x) > APART * (high - low), [False]])
    shown = np.isfinite(values) & (wide[1:] | wide[:-1])
    if shown.any():
        page.drew(axes, "logged")
        axes.plot(x[shown], values[shown], "o", color=colour(measure), ms=LOGGED, mew=0, zorder=3.1)


def measured(axes: Axes, step: NDArray[np.int64], loss: Floats, colour: str) -> None:
    """Draw losses of some steps as dots, joined only where no step lies between several of them.

    The fewer there are the larger: some specks by themselves would look like dust.
    """
    size = float(np.clip(SPECK * np.sqrt(MANY / max(len(step), 1)), *SPECKS))
    axes.plot(step, loss, "o", color=colour, ms=size, mew=0, zorder=3)
    for rows in np.split(np.arange(len(step)), np.flatnonzero(np.diff(step) != 1) + 1):
        if len(rows) >= JOINED:
            axes.plot(step[rows], loss[rows], color=colour, lw=0.6, zorder=3)
            page.drew(axes, "joined")


def infinite(axes: Axes, x: Floats, values: Floats, measure: str) -> None:
    """Mark infinite values by triangles at the axes' edge."""
    for sign, place, marker in ((1, 0.97, "^"), (-1, 0.03, "v")):
        where = x[np.isinf(values) & (np.sign(values) == sign)]
        if len(where):
            axes.plot(
                where,
                np.full(len(where), place),
                marker,
                transform=axes.get_xaxis_transform(),
                color=colour(measure),
                ms=3.5,
                label="infinite",
                zorder=3,
            )


def accuracies(axes: Axes) -> None:
    """Set the upright axis for accuracies."""
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_locator(MaxNLocator(2, steps=[5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_ylabel("accuracy", size=theme.LETTERS, labelpad=3)


def legend(axes: Axes, top: float) -> None:
    """Name the lines in a row that begins ``top`` inches above axes of the losses' height."""
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


def constant(
    axes: Axes,
    loss: float,
    lines: Sequence[tuple[Floats, Floats]],
    marked: Sequence[float] = (),
    ranges: Sequence[tuple[Floats, Floats]] = (),
) -> None:
    """Mark the best constant output's loss, and name it where nothing runs.

    That is none of the ``lines`` (x, values), of the edges of ``ranges`` where there is room beside
    these too, and of the upright lines at what is ``marked``. Where no place is free the line
    alone is drawn: the caption says what it is.
    """
    if not np.isfinite(loss) or (axes.get_yscale() == "log" and loss <= 0):
        return
    look = theme.now()
    axes.axhline(loss, color=look.ink, lw=0.9, ls=(0, (1.2, 1.6)), zorder=2)
    page.drew(axes, "constant")
    placed = Labels(axes, page.extent(axes))
    placed.written()
    for x in marked:
        placed.keep_clear(np.array([[x, y] for y in axes.get_ylim()]), CLEAR)
    text = f"{exact(loss)} {sentences.IGNORING}"
    half = np.array([page.inches(text, theme.SMALL) / 2 + CLEAR, theme.SMALL / 72 / 2 + CLEAR])
    _, level = placed.home(float(axes.get_xlim()[0]), loss)
    for curves in ([*lines, *ranges], lines):
        drawn = [placed.homes(np.column_stack(curve)) for curve in curves]
        for x in np.arange(placed.size[0] - half[0], half[0], -CLEAR):
            for y in (level + half[1] + CLEAR, level - half[1] - CLEAR):
                box = (np.array([x, y]) - half, np.array([x, y]) + half)
                if not any(_through(one, *box) for one in drawn) and placed.write(x, y, text):
                    axes.texts[-1].set(path_effects=theme.halo(2.2, look.page), zorder=6)
                    return


def _through(curve: Floats, low: Floats, high: Floats) -> bool:
    """Whether a curve (n, 2), from left to right, runs through the box between two corners."""
    x, y = curve[np.isfinite(curve).all(axis=1)].T
    if not len(x):
        return False
    ends = np.clip([low[0], high[0]], x[0], x[-1])
    if ends[0] == ends[1]:  # beside it
        return False
    first, last = np.searchsorted(x, ends)
    over = np.append(np.interp(ends, x, y), y[first:last])
    return bool(over.min() < high[1] and over.max() > low[1])


def is_log(values: Floats, style: Style) -> bool:
    """Say whether a loss axis is logarithmic: where all losses are positive, unless asked for.

    Raises:
        LandscapeError: a logarithmic axis was asked for and a loss isn't above 0.
    """
    finite = values[np.isfinite(values)]
    possible = bool(len(finite)) and not bool((values <= 0).any())
    if style.log and not possible and len(finite):
        raise LandscapeError(
            f"a logarithmic scale needs losses above 0, the lowest is {np.nanmin(values):.4g}; "
            "take a linear one"
        )
    return possible if style.log is None else style.log

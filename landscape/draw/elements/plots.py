"""Losses and accuracies over something, as lines: what curves along a line and in time share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

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
BESIDE = 0.26
"""Inches beside axes for ticks and an upright name, numbers not counted."""


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
    shown = np.where(np.isfinite(values), values, np.nan)
    axes.plot(x, shown, color=shade, ls=dashes, lw=1.2 * joined, label=label, zorder=3)
    # A finite point between gaps has no line to it.
    gap = np.isnan(np.concatenate([[np.nan], shown, [np.nan]]))
    alone = ~gap[1:-1] & ((gap[:-2] & gap[2:]) | (not joined))
    axes.plot(x[alone], shown[alone], ".", color=shade, ms=3.5, zorder=3)


def measured(axes: Axes, step: NDArray[np.int64], loss: Floats, colour: str) -> None:
    """Draw losses of some steps as dots, joined only where no step lies between two of them."""
    axes.plot(step, loss, "o", color=colour, ms=1.2, mew=0, zorder=3)
    apart = np.flatnonzero(np.diff(step) != 1) + 1
    axes.plot(
        np.insert(step.astype(np.float64), apart, np.nan),
        np.insert(loss, apart, np.nan),
        color=colour,
        lw=0.6,
        zorder=3,
    )


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
    axes: Axes, loss: float, lines: list[tuple[Floats, Floats]], marked: Sequence[float] = ()
) -> None:
    """Mark the best constant output's loss, named where ``lines`` (x, values) leave room.

    And clear of the horizontal places that are ``marked``.
    """
    if not np.isfinite(loss) or (axes.get_yscale() == "log" and loss <= 0):
        return
    ink = theme.now().ink
    axes.axhline(loss, color=ink, lw=0.9, ls=(0, (1.2, 1.6)), zorder=2)
    text = f"{exact(loss)} {sentences.IGNORING}"
    width = page.inches(text, theme.SMALL) / axes.get_window_extent().width * theme.now().dpi
    place, above = _free(axes, lines, loss, width, marked)
    axes.annotate(
        text,
        (place, loss),
        (0, 2.2 if above else -2.2),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        size=theme.SMALL,
        ha="center",
        va="bottom" if above else "top",
        color=ink,
        path_effects=theme.halo(2.2, theme.now().page),
        zorder=6,
    )


def _free(
    axes: Axes,
    lines: list[tuple[Floats, Floats]],
    loss: float,
    width: float,
    marked: Sequence[float],
) -> tuple[float, bool]:
    """Return the label's middle as a share of the axes, and whether it stands above the line."""
    to_share = axes.transData + axes.transAxes.inverted()
    curves = [
        to_share.transform(np.column_stack([x, np.where(np.isfinite(v), v, np.nan)]))
        for x, v in lines
    ]
    level = float(to_share.transform((axes.get_xlim()[0], loss))[1])
    fine = np.linspace(0, 1, 201)
    heights = np.array([np.interp(fine, curve[:, 0], curve[:, 1]) for curve in curves]) - level
    left, right = axes.get_xlim()
    shares = (np.array(marked) - left) / (right - left)
    best = (-1.0, 0.5, True)
    for middle in np.linspace(width / 2 + 0.015, 1 - width / 2 - 0.015, 25):
        beneath = heights[:, np.abs(fine - middle) <= width / 2 + 0.01]
        for above in (True, False):
            band = 0.035 if above else -0.035
            gap = float(np.nan_to_num(np.abs(beneath - band), nan=1.0).min())
            gap *= 0.3 if (np.abs(shares - middle) < width / 2 + 0.02).any() else 1.0
            # The habit unless another place is clearly freer: far gaps are all the same.
            if min(gap, 0.12) > best[0] + 1e-6:
                best = (min(gap, 0.12), float(middle), above)
    return best[1], best[2]


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

"""The path's losses by training step in a strip beneath a plane, with what happened when."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw.elements import episodes, plots, steps
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale, through
from landscape.draw.look.style import Style
from landscape.draw.sheet import page
from landscape.quantities import number
from landscape.store.scans.records import Scan

HEIGHT = 0.66
"""Inches, at least."""
BENEATH = 0.135
"""Inches from the axis to its name."""
LEAST = 3
"""Losses of the path that make a curve."""
MOST = 6
"""Numbers beside the axis."""
APART = 0.04
"""Inches between a number beside the axis and the next."""


def wanted(scan: Scan) -> bool:
    """Whether the path's own losses are known at steps enough to draw."""
    return any(np.isfinite(path.true_loss).sum() >= LEAST for path in scan.paths)


def has_room(note: str, scan: Scan, width: float) -> bool:
    """Whether a note fits beside the name of a strip's steps."""
    return page.inches(note, theme.SMALL) + page.inches(name(scan), theme.TICKS) + 0.1 < width


def name(scan: Scan) -> str:
    """Return what the axis of steps is."""
    return steps.name(_bend(scan))


def _bend(scan: Scan) -> int | None:
    """Where the axis of one path's steps is bent; of several none is."""
    shown = [path for path in scan.paths if np.isfinite(path.true_loss).sum() >= LEAST]
    return steps.bend(shown[0].events, float(shown[0].step[-1])) if len(shown) == 1 else None


def draw(axes: Axes, scan: Scan, room: float, note: str = "") -> None:
    """Draw the losses of the recorded weights, and bands where something happened, named once.

    ``room`` inches to the left are for ticks and name. Beneath, at the left, is a ``note``.
    """
    page.drew(axes, "losses")
    shown = [path for path in scan.paths if np.isfinite(path.true_loss).sum() >= LEAST]
    known = [path.true_loss[np.isfinite(path.true_loss)] for path in shown]
    every = through(known, constant=float("nan"), style=Style(cap=np.inf))
    log = bool(np.concatenate(known).min() > 0)
    axes.set_yscale("log" if log else "linear")
    if log:
        page.drew(axes, "logarithmic")
    last = max(int(path.step[-1]) for path in shown)
    axes.set_xlim(0, max(last, 1))
    top, low = float(np.concatenate(known).max()), float(np.concatenate(known).min())
    # More room beneath, for the names of what happened.
    reach = (top / low) if log else (top - low)
    span = (low / reach**0.22, top * reach**0.1) if log else (low - 0.22 * reach, top + 0.1 * reach)
    axes.set_ylim(*(span if span[0] < span[1] else (low - 0.5, low + 0.5)))
    _steps(axes, scan, last)
    axes.tick_params(labelsize=theme.SMALL, length=2.0, pad=1.2)
    _beneath(axes, name(scan), note)
    axes.set_ylabel(_named(page.extent(axes)[1]), size=theme.TICKS)
    page.name_y(axes, room)
    if np.isfinite(scan.constant_loss):
        axes.axhline(scan.constant_loss, color=theme.now().note, lw=0.5, ls=(0, (1, 1.5)), zorder=1)
        if axes.get_ylim()[0] < scan.constant_loss < axes.get_ylim()[1]:
            page.drew(axes, "constant")
    if len(shown) == 1:
        episodes.shade(axes, shown[0].events, last / 400, named=True, lowest=low)
    for k, path in enumerate(shown):
        seen = np.isfinite(path.true_loss)
        colour = theme.PATH if len(shown) == 1 else theme.RUNS[k % len(theme.RUNS)]
        plots.measured(axes, path.step[seen], path.true_loss[seen], colour)
    # Last: what happened takes room beneath for its names.
    axes.yaxis.set_major_locator(FixedLocator(_ticks(axes, every)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    # Like those of the plane above, whose axis they share: long ones would meet the axis' name.
    axes.tick_params(axis="y", labelrotation=90)
    for text in axes.get_yticklabels():
        text.set_verticalalignment("center")


def _named(tall: float) -> str:
    """Return what the losses are called, in one line where a strip is ``tall`` enough for it."""
    whole = "training loss"
    return whole if page.inches(whole, theme.TICKS) < tall else "loss"


def _steps(axes: Axes, scan: Scan, last: int) -> None:
    """Set the axis of steps and its numbers."""
    if (since := _bend(scan)) is not None:
        steps.bent(axes, since, 0, last)
        return
    ticks = [
        tick for tick in MaxNLocator(5, integer=True).tick_values(0, last) if 0 <= tick <= last
    ]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    if ticks and ticks[-1] > 0.96 * last:
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _beneath(axes: Axes, text: str, note: str) -> None:
    """Write what the axis of steps is, at its right end where a note stands at its left one."""
    place = -BENEATH / page.extent(axes)[1]
    axes.set_xlabel(text, size=theme.TICKS, ha="right" if note else "center")
    axes.xaxis.set_label_coords(1.0 if note else 0.5, place)
    if note:
        page.figure_of(axes).text(
            0.0,
            place,
            note,
            size=theme.SMALL,
            color=theme.now().note,
            transform=axes.transAxes,
            va="top",
            parse_math=False,
        )


def _ticks(axes: Axes, scale: Scale) -> list[float]:
    """Return the most round losses whose numbers, written upwards, leave each other room.

    Of the outermost, where all sets of them are too many.
    """
    every: list[float] = sorted(scale.ticks(MOST).tolist())
    for count in range(MOST, 1, -1):
        ticks = sorted(scale.ticks(count).tolist())
        if len(ticks) > 1 and _apart(axes, ticks) == ticks:
            return ticks
    few = _apart(axes, dict.fromkeys([every[0], every[-1]])) if every else []
    if len(few) > 1:
        return few
    # Round ones are too few, or at one place.
    return _apart(axes, Scale(*axes.get_ylim(), scale.log, False, "", float("nan")).two().tolist())


def _apart(axes: Axes, ticks: Iterable[float]) -> list[float]:
    """Return those of the ticks, from below, whose numbers leave each other room."""
    kept: list[float] = []
    reach = -np.inf
    for tick in ticks:
        place = float(axes.transData.transform((1.0, tick))[1]) / theme.now().dpi
        half = page.inches(number(tick), theme.SMALL) / 2
        if place - half >= reach + APART:
            kept.append(tick)
            reach = place + half
    return kept

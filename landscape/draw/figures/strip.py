"""The path's losses by training step in a strip beneath a plane, with what happened when."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw.elements import episodes, plots
from landscape.draw.look import theme
from landscape.draw.look.scale import through
from landscape.draw.sheet import page
from landscape.quantities import number
from landscape.store.scans.records import Scan

HEIGHT = 0.66
"""Inches."""
LEAST = 3
"""Losses of the path that make a curve."""
LINE = 0.11
"""Inches from a number beside the axis to the next."""


def wanted(scan: Scan) -> bool:
    """Whether the path's own losses are known at steps enough to draw."""
    return any(np.isfinite(path.true_loss).sum() >= LEAST for path in scan.paths)


def draw(axes: Axes, scan: Scan, room: float) -> None:
    """Draw the losses of the recorded weights, and bands where something happened, named once.

    ``room`` inches to the left are for ticks and name.
    """
    shown = [path for path in scan.paths if np.isfinite(path.true_loss).sum() >= LEAST]
    known = [path.true_loss[np.isfinite(path.true_loss)] for path in shown]
    every = through(known, constant=float("nan"))
    log = bool(np.concatenate(known).min() > 0)
    axes.set_yscale("log" if log else "linear")
    last = max(int(path.step[-1]) for path in shown)
    axes.set_xlim(0, max(last, 1))
    top, low = float(np.concatenate(known).max()), float(np.concatenate(known).min())
    # More room beneath, for the names of what happened.
    reach = (top / low) if log else (top - low)
    span = (low / reach**0.22, top * reach**0.1) if log else (low - 0.22 * reach, top + 0.1 * reach)
    axes.set_ylim(*(span if span[0] < span[1] else (low - 0.5, low + 0.5)))
    axes.yaxis.set_major_locator(FixedLocator(_apart(axes, every.ticks(3))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    steps = [
        tick for tick in MaxNLocator(5, integer=True).tick_values(0, last) if 0 <= tick <= last
    ]
    axes.xaxis.set_major_locator(FixedLocator(steps))
    if steps and steps[-1] > 0.96 * last:
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(labelsize=theme.SMALL, length=2.0, pad=1.2)
    axes.set_xlabel("training step", size=theme.TICKS, labelpad=0.5)
    axes.set_ylabel("loss", size=theme.TICKS)
    page.name_y(axes, room)
    if np.isfinite(scan.constant_loss):
        axes.axhline(scan.constant_loss, color=theme.now().note, lw=0.5, ls=(0, (1, 1.5)), zorder=1)
    if len(shown) == 1:
        episodes.shade(axes, shown[0].events, last / 400, named=True)
    for k, path in enumerate(shown):
        seen = np.isfinite(path.true_loss)
        colour = theme.PATH if len(shown) == 1 else theme.RUNS[k % len(theme.RUNS)]
        plots.measured(axes, path.step[seen], path.true_loss[seen], colour)


def _apart(axes: Axes, ticks: Iterable[float]) -> list[float]:
    """Return the ticks whose numbers leave each other room, from below."""
    kept: list[float] = []
    for tick in sorted(ticks):
        places = axes.transData.transform([(1.0, one) for one in (*kept[-1:], tick)])[:, 1]
        if len(places) == 1 or np.ptp(places) >= LINE * theme.now().dpi:
            kept.append(tick)
    return kept

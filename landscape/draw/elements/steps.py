"""An axis of training steps: linear or, of a run that ends in a long plateau, bent where it begins.

Else all that happened would stand in a tenth of the axis beside a plateau in the rest.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.sheet import page
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Event

NAME = "training step"
SHORT = 0.25
"""Of a run, what comes before a plateau up to its end: from less on the axis is bent."""
BEFORE = 0.5
"""Of the axis, what is linear then."""
END = 0.99
"""Of a run, up to where a plateau reaches that ends it."""
APART = 0.07
"""Inches between numbers."""


def bend(events: Iterable[Event], last: float) -> int | None:
    """Return the step from which on the axis is logarithmic; None where all of it is linear.

    >>> bend([Event("escape", 100, 1800, ""), Event("plateau", 200, 1800, "")], 1800)
    200
    >>> bend([Event("plateau", 900, 1800, "")], 1800) is None
    True
    """
    ends = [one.first for one in events if one.name == "plateau" and one.last >= END * last]
    first = max(ends, default=0)
    return first if 0 < first <= SHORT * last else None


def bent(axes: Axes, since: int, low: float, high: float) -> None:
    """Set the horizontal axis: linear up to a step, logarithmic from there, with its numbers."""
    decades = np.log(high / since)

    def forward(step: Floats) -> Floats:
        safe = np.maximum(step, since)
        beyond = BEFORE + (1 - BEFORE) * np.log(safe / since) / decades
        return np.where(step <= since, BEFORE * step / since, beyond)

    def back(share: Floats) -> Floats:
        beyond = since * np.exp((np.maximum(share, BEFORE) - BEFORE) / (1 - BEFORE) * decades)
        return np.where(share <= BEFORE, since * share / BEFORE, beyond)

    axes.set_xscale("function", functions=(forward, back))
    axes.set_xlim(low, high)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_major_locator(FixedLocator(_ticks(axes, since, high)))
    axes.axvline(since, color=theme.now().note, lw=0.5, zorder=1.2)
    page.drew(axes, "bent")


def name(since: int | None, what: str = NAME) -> str:
    """Return what the axis is."""
    return what if since is None else f"{what} (log scale from {since:,})"


def _ticks(axes: Axes, since: int, high: float) -> list[float]:
    """Return round steps whose numbers leave each other room: beyond the bend as many as can be."""
    rounds = MaxNLocator(4, integer=True, steps=[1, 2, 5, 10])
    before = [float(one) for one in rounds.tick_values(0, since) if 0 <= one < since]
    scale = Scale(float(since), high, True, False, "", float("nan"))
    for count in range(9, 1, -1):
        beyond = [float(one) for one in scale.ticks(count) if since < one <= high]
        kept = _apart(axes, before + beyond)
        if set(beyond) <= set(kept):
            break
    return kept


def _apart(axes: Axes, ticks: list[float]) -> list[float]:
    """Return those of the steps, from the left, whose numbers leave each other room."""
    to = axes.xaxis.get_transform().transform
    left, right = (float(to(end)) for end in axes.get_xlim())
    kept: list[float] = []
    reach = -np.inf
    for tick in ticks:
        place = (float(to(tick)) - left) / (right - left) * page.extent(axes)[0]
        half = page.inches(f"{tick:,.0f}", theme.TICKS) / 2
        if place - half >= reach + APART:
            kept.append(tick)
            reach = place + half
    return kept

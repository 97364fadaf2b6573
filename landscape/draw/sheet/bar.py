"""A thin colour bar above a panel: ticks where the contour lines are, the grey beyond the cap."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.sheet.page import Page, inches
from landscape.quantities import number
from landscape.store.scans.records import Floats

HEIGHT = 0.27
"""Inches that it takes above a panel."""
THICK = 0.075
BEYOND = 0.2
"""Length of the grey end for losses above the cap, at least: it is as long as its number."""
ROOM = 0.4
"""Inches a tick has for itself."""


def lines(scale: Scale) -> tuple[float, ...]:
    """Return the losses at which contour lines are drawn: the bar's ticks."""
    if scale.lines is None:
        return tuple(float(loss) for loss in scale.ticks(7))
    return tuple(float(loss) for loss in scale.levels())


def between(scale: Scale) -> Floats:
    """Return the losses at which fainter lines are drawn: halfway between the bar's ticks."""
    places = scale.position(np.array(lines(scale)))
    return scale.loss((places[:-1] + places[1:]) / 2) if scale.lines is None else np.empty(0)


def above(page: Page, scale: Scale, title: str, left: float, width: float) -> None:
    """Draw it from ``left`` over ``width`` inches, its title before it."""
    named = inches(title, theme.TICKS) + 0.06
    start, end = left + named, left + width
    end -= _beyond(scale) + 0.02 if scale.capped else 0.0
    axes = page.axes(start, 0.04, end - start, THICK)
    drawn = page.figure.colorbar(
        ScalarMappable(scale.norm(), theme.now().loss), cax=axes, orientation="horizontal"
    )
    drawn.outline.set_linewidth(0.4)
    ticks = list(lines(scale) or map(float, scale.ticks(5)))
    if scale.floored:
        ticks = [scale.low, *(tick for tick in ticks if tick > scale.low)]
    drawn.set_ticks(FixedLocator(ticks), minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    kept = _legible(scale, ticks, end - start)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda loss, _: _written(scale, loss) if loss in kept else "")
    )
    axes.tick_params(labelsize=theme.SMALL, length=1.8, width=0.5, pad=1.0)
    for tick, label in zip(ticks, axes.get_xticklabels(), strict=True):
        if _inwards(scale, tick, end - start):
            label.set_horizontalalignment("right")
    axes.text(
        -0.05 / (end - start),
        0.5,
        title,
        transform=axes.transAxes,
        size=theme.TICKS,
        ha="right",
        va="center",
    )
    if scale.capped:
        _grey(page, scale, end + 0.02)


def _written(scale: Scale, loss: float) -> str:
    """A tick's number; where losses below the lowest have its colour, that it is at most."""
    return f"≤ {number(loss)}" if scale.floored and loss <= scale.low else number(loss)


def _inwards(scale: Scale, tick: float, width: float) -> bool:
    """Whether a number, in the middle of its tick, would reach beyond the bar and so off the page.

    Before the grey there is room.
    """
    place = float(scale.position(np.array(tick))) * width
    return not scale.capped and place + inches(_written(scale, tick), theme.SMALL) / 2 > width


def _legible(scale: Scale, ticks: list[float], width: float) -> set[float]:
    """Return the ticks whose numbers don't touch; the ends have less room."""
    kept: list[float] = []
    reach = -np.inf
    for tick in ticks:
        place = float(scale.position(np.array(tick))) * width
        long = inches(_written(scale, tick), theme.SMALL)
        right = place if _inwards(scale, tick, width) else place + long / 2
        if right - long < reach + 0.05 or (scale.capped and right > width - 0.03):
            continue
        kept.append(tick)
        reach = right
    return set(kept)


def _beyond(scale: Scale) -> float:
    """How long the grey end is, in inches."""
    return max(BEYOND, inches(f"> {number(scale.high)}", theme.SMALL))


def _grey(page: Page, scale: Scale, left: float) -> None:
    axes = page.axes(left, 0.04, _beyond(scale), THICK)
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.add_patch(Rectangle((0, 0), 1, 1, color=theme.now().beyond, lw=0))
    for spine in axes.spines.values():
        spine.set_linewidth(0.4)
    axes.annotate(
        f"> {number(scale.high)}",
        (1, 0),
        (0, -2.6),
        xycoords="axes fraction",
        textcoords="offset points",
        size=theme.SMALL,
        ha="right",
        va="top",
        annotation_clip=False,
    )

"""What stands beneath a figure's panels: colour bars, legend, small print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.sheet.legend import Legend
from landscape.draw.sheet.page import Page, inches, wrapped
from landscape.quantities import exact, number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan

LINE = 0.135
BAR = 0.10
BARS = 0.72
"""Height of the row of colour bars: a note above, ticks and a name beneath."""
ABREAST = 4.2
"""Inches from which on the losses' and the steps' bars stand side by side."""


@dataclass(frozen=True)
class Footer:
    """What stands beneath the panels: colour bars, legend, small print."""

    scale: Scale
    steps: Normalize | None
    legend: Legend
    lines: Sequence[str]
    abreast: bool = True
    """Whether the two colour bars stand side by side."""

    @property
    def height(self) -> float:
        """Inches it takes."""
        return self.bars + self.legend.height + LINE * len(self.lines) + 0.1

    @property
    def bars(self) -> float:
        """Inches that the colour bars take."""
        return BARS * (2 if self.steps and not self.abreast else 1)

    def draw(self, page: Page, left: float, top: float, width: float) -> None:
        """Place it at ``top`` inches, from ``left`` over ``width``."""
        split = self.steps is not None and self.abreast
        share = 0.64 if split else 1.0
        loss_bar(page, self.scale, left, top, share * width - (0.3 if split else 0.45))
        if self.steps and split:
            step_bar(page, self.steps, left + share * width + 0.3, top, (1 - share) * width - 0.35)
        elif self.steps:
            step_bar(page, self.steps, left, top + BARS - 0.12, width - 0.45)
        top += self.bars
        self.legend.draw(page, left, top)
        top += self.legend.height
        page.text(left, top, "\n".join(self.lines), theme.SMALL, colour=theme.now().note)


def under(
    scan: Scan,
    scale: Scale,
    steps: Normalize | None,
    handles: Sequence[Artist],
    width: float,
    further: Sequence[str] = (),
) -> Footer:
    """Arrange what stands beneath the panels within ``width`` inches."""
    *first, last = sentences.small_print(scan)
    lines = [
        line
        for text in [*first, "; ".join([last, *further])]
        for line in wrapped(text, width, theme.SMALL)
    ]
    legend = Legend(handles, width)
    return Footer(scale, steps, legend, lines, abreast=width >= ABREAST)


def loss_bar(page: Page, scale: Scale, left: float, top: float, width: float) -> None:
    """Draw the losses' colour bar with the best constant output marked above it."""
    axes = page.axes(left, top + 0.19, width, BAR)
    bar = page.figure.colorbar(
        ScalarMappable(scale.norm(), theme.now().loss), cax=axes, orientation="horizontal"
    )
    bar.outline.set_linewidth(0.6)
    ticks = scale.ticks(max(3, int(width / 0.42)))
    bar.set_ticks(FixedLocator(list(ticks)), minor=False)
    bar.ax.xaxis.set_minor_locator(NullLocator())
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda loss, _: number(loss)))
    bar.ax.tick_params(labelsize=theme.TICKS, length=2.5, width=0.6, pad=1.5)
    reason = "" if scale.low > 0 else ": losses ≤ 0 have no logarithm"
    kind = "log scale" if scale.log else f"linear scale{reason}"
    beneath = f", losses below {number(scale.low)} in its colour" if scale.floored else ""
    bar.set_label(f"loss ({kind}{beneath})", size=theme.LETTERS, labelpad=1.5)
    if scale.capped:
        beyond = Rectangle(
            (1.012, 0),
            0.2 / width,
            1,
            transform=axes.transAxes,
            clip_on=False,
            facecolor=theme.now().beyond,
            edgecolor=theme.INK,
            linewidth=0.6,
        )
        axes.add_patch(beyond)
        axes.annotate(
            f"> {number(scale.high)}",
            (1.012 + 0.1 / width, 0),
            (0, -4.2),
            xycoords="axes fraction",
            textcoords="offset points",
            size=theme.TICKS,
            ha="center",
            va="top",
            annotation_clip=False,
        )
        _drop_last(axes, ticks, scale, width)
    mark_constant(axes, scale, width)


def _drop_last(axes: Axes, ticks: Floats, scale: Scale, width: float) -> None:
    # The label of what is beyond the cap needs the room of a tick within 0.3 inches of the end.
    kept = ticks[(1 - scale.position(ticks)) * width > 0.3]
    axes.xaxis.set_major_locator(FixedLocator(list(kept)))


def mark_constant(axes: Axes, scale: Scale, width: float) -> None:
    """Mark the best constant output's loss on a colour bar, or beside it where it is outside."""
    if not np.isfinite(scale.constant):
        return
    text = f"{exact(scale.constant)} {sentences.IGNORING}"
    place = float(scale.position(np.array(scale.constant)))
    if not 0 <= place <= 1:
        beyond = "above" if place > 1 else "below"
        text = f"{sentences.IGNORING} {number(scale.constant)}: {beyond} this scale"
        axes.set_title(text, size=theme.SMALL, loc="right", pad=3, color=theme.INK)
        return
    for colour, thick in (("white", 2.4), (theme.INK, 1.1)):
        axes.plot(
            [scale.constant] * 2,
            [0, 1],
            color=colour,
            lw=thick,
            transform=axes.get_xaxis_transform(),
        )
    half = inches(text, theme.TICKS) / 2
    shift = float(np.clip(place * width, half, max(half, width + 0.2 - half)) - place * width)
    axes.annotate(
        "▾",
        (scale.constant, 1),
        (0, -0.6),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        size=6,
        ha="center",
        va="bottom",
    )
    axes.annotate(
        text,
        (scale.constant, 1),
        (72 * shift, 4.5),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        size=theme.TICKS,
        ha="center",
        va="bottom",
    )


def step_bar(page: Page, steps: Normalize, left: float, top: float, width: float) -> None:
    """Draw the training steps' colour bar."""
    axes = page.axes(left, top + 0.19, width, BAR)
    bar = page.figure.colorbar(
        ScalarMappable(steps, theme.STEP), cax=axes, orientation="horizontal"
    )
    bar.outline.set_linewidth(0.6)
    bar.set_ticks(FixedLocator(step_ticks(steps, int(width / 0.45))), minor=False)
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    bar.ax.tick_params(labelsize=theme.TICKS, length=2.5, width=0.6, pad=1.5)
    bar.set_label("training step", size=theme.LETTERS, labelpad=1.5)


def step_ticks(steps: Normalize, count: int) -> list[float]:
    """Return about ``count`` round steps."""
    low, high = float(steps.vmin or 0), float(steps.vmax or 1)
    ticks = MaxNLocator(max(1, min(count - 1, 4)), integer=True).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]

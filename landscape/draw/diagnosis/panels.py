"""What figures of a diagnosis share: panels beneath each other, the loss in time, colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from landscape.draw.elements import plots
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import Style
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Legend
from landscape.errors import LandscapeError
from landscape.quantities import exact, number
from landscape.store.history import History
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats

WIDTH, LEFT, RIGHT, TOP, GAP, BENEATH = 5.0, 0.68, 0.2, 0.14, 0.12, 0.42
UNKNOWN = 0.05
"""Share of a run without a measurement that no line spans."""
LOSS = 0.8
"""Height of the panel with the training's loss, in inches."""
T = TypeVar("T")
GREEN, PURPLE, ORANGE, SKY = "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
"""Of Okabe and Ito's colours those that no data set has; with dashes or marks of their own."""


def needed(record: T | None, part: str, run: str) -> T:
    """Return the part that a figure is of.

    Raises:
        LandscapeError: it was not measured.
    """
    if record is None:
        raise LandscapeError(
            f"the figure needs {part} measured, run {run} has none; "
            f"measure it with `landscape diagnose RUN --only {part}`"
        )
    return record


def colour(role: str) -> str:
    """Return a colour by what it stands for, in the theme of now."""
    look = theme.now()
    named = {"ink": look.ink, "train": look.train, "validation": look.validation}
    return (named | {"green": GREEN, "purple": PURPLE})[role]


def small_print(texts: Sequence[str], width: float, style: Style) -> list[str]:
    """Return the lines beneath a figure, a paragraph each text; none beneath a bare one."""
    if style.bare:
        return []
    return [line for text in texts for line in page.wrapped(text, width - LEFT - 0.3, theme.SMALL)]


def stack(
    heights: Sequence[float],
    *,
    handles: Sequence[Artist],
    texts: Sequence[str],
    style: Style,
    width: float = WIDTH,
    right: float = RIGHT,
    top: float = TOP,
    beneath: float = BENEATH,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels of these heights beneath each other, in inches, and its axes.

    A legend of ``handles`` and small print of ``texts``, a paragraph each, stand below.
    """
    width = style.inches(width)
    across = width - LEFT - right
    lines = small_print(texts, width, style)
    foot = Legend(handles, width - 0.35)
    panels = top + sum(heights) + GAP * (len(heights) - 1) + beneath
    height = panels + foot.height + footer.LINE * len(lines) + 0.12
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    found = []
    for k, tall in enumerate(heights):
        found.append(sheet.axes(LEFT, top + sum(heights[:k]) + GAP * k, across, tall))
        if k < len(heights) - 1:
            found[-1].tick_params(labelbottom=False)
    foot.draw(sheet, 0.2, panels)
    sheet.text(LEFT, panels + foot.height, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure, found


def loss(axes: Axes, history: History) -> None:
    """Draw the run's training loss with what happened, to find one's way in time by."""
    step, values = history.evaluated("train_loss")
    finite = values[np.isfinite(values)]
    loss_curves.frame(axes, history)
    plots.upright(axes, finite, history.constant_loss, log=bool((values > 0).all()))
    axes.yaxis.set_major_locator(FixedLocator(list(ticks(axes, 3))))
    axes.set_ylabel("training\nloss", size=theme.LETTERS, labelpad=3)
    plots.line(axes, step, values, "train_loss")
    plots.logged(axes, step, values, "train_loss")
    plots.infinite(axes, step, values, "train_loss")
    if np.isfinite(history.constant_loss):
        axes.axhline(history.constant_loss, color=theme.now().ink, lw=0.7, ls=(0, (1.2, 1.6)))
        page.drew(axes, "constant")
    loss_curves.shade_episodes(axes, history)


def in_time(axes: Axes, history: History) -> None:
    """Set the horizontal axis to the run's steps, with its episodes shaded."""
    loss_curves.frame(axes, history)
    loss_curves.shade_episodes(axes, history)


def bottom(axes: Axes, text: str) -> None:
    """Name the lowest panel's horizontal axis."""
    axes.set_xlabel(text, size=theme.LETTERS, labelpad=2)


def entries(history: History, *, constant: bool = True) -> list[Artist]:
    """Return the legend's entries of the panel with the loss and of what happened."""
    found: list[Artist] = []
    if constant and np.isfinite(history.constant_loss):
        text = f"{sentences.IGNORING}, {exact(history.constant_loss)}"
        found.append(Line2D([], [], color=theme.now().ink, lw=0.7, ls=(0, (1.2, 1.6)), label=text))
    for name in sentences.event_names(history.events):
        text = sentences.episodes(name, history.events)
        found.append(Patch(facecolor=theme.episode(name), lw=0, label=text))
    return found


def upright(axes: Axes, values: Floats, label: str, *, log: bool, count: int = 5) -> None:
    """Set an upright axis that holds ``values``, with round ticks in words' numbers."""
    finite = values[np.isfinite(values)]
    finite = finite[finite > 0] if log else finite
    low, high = plots.limits(finite, float("nan"), log=log)
    axes.set_yscale("log" if log else "linear")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(list(ticks(axes, count))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(label, size=theme.LETTERS, labelpad=3)


def ticks(axes: Axes, count: int) -> Floats:
    """Return about ``count`` round values on an upright axis."""
    low, high = axes.get_ylim()
    log = axes.get_yscale() == "log"
    scale = Scale(low, high, log, capped=False, rule="", constant=float("nan"))
    return scale.ticks(count)


def log_steps(axes: Axes, low: float, high: float, label: str) -> None:
    """Set a horizontal axis to the logarithm of a number of steps."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(10, numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.xaxis.set_minor_locator(LogLocator(10, np.arange(2, 10).tolist(), numticks=6))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.tick_params(which="minor", length=1.6, width=0.5, color=theme.now().ink)
    axes.grid(True, color=theme.now().grid, lw=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(label, size=theme.LETTERS, labelpad=2)


def steps(axis: Axis, count: int) -> None:
    """Give an axis of steps at most ``count`` round ticks."""
    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 5, 10], integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 7)))


def beside(axes: Axes, names: Sequence[tuple[float, str, str]], width: float) -> None:
    """Name horizontal places at the axes' right edge: (value, text, colour) each.

    Names keep clear of each other, with a line to their places; ``width`` inches are theirs.
    """
    dpi = theme.now().dpi
    box = axes.get_window_extent()
    tall, wide = box.height / dpi, box.width / dpi
    kept = [
        (value, "\n".join(page.wrapped(text, width - 0.16, theme.SMALL)), colour)
        for value, text, colour in sorted(names)
    ]
    at = [axes.transData.transform((axes.get_xlim()[0], value))[1] for value, _, _ in kept]
    homes = np.array([(y - box.y0) / dpi for y in at])
    sizes = np.array([0.105 * (1 + text.count("\n")) + 0.03 for _, text, _ in kept])
    for (_, text, colour), home, place in zip(kept, homes, _apart(homes, sizes, tall), strict=True):
        axes.annotate(
            text,
            (1.0, home / tall),
            (1 + 0.14 / wide, place / tall),
            xycoords="axes fraction",
            textcoords="axes fraction",
            size=theme.SMALL,
            va="center",
            ha="left",
            color=theme.now().ink,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "lw": 0.6,
                "color": colour,
                "shrinkA": 0.5,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def _apart(homes: Floats, sizes: Floats, tall: float) -> Floats:
    """Return places (N,) nearest to ascending homes that are their sizes apart, within ``tall``."""
    if not len(homes):
        return homes
    # Blocks that touch move together to the mean of where each would be by itself.
    offsets = np.cumsum(np.append(0.0, (sizes[1:] + sizes[:-1]) / 2))
    blocks: list[list[int]] = []
    for k in range(len(homes)):
        blocks.append([k])
        while len(blocks) > 1 and _base(homes, offsets, blocks[-2]) >= _base(
            homes, offsets, blocks[-1]
        ):
            last = blocks.pop()
            blocks[-1] += last
    bases = np.array([_base(homes, offsets, block) for block in blocks for _ in block])
    # Never beyond the lower end, even where the upper one leaves too little room.
    low, high = sizes[0] / 2, tall - sizes[-1] / 2 - offsets[-1]
    return np.asarray(np.maximum(np.minimum(bases, high), low) + offsets)


def _base(homes: Floats, offsets: Floats, block: Sequence[int]) -> float:
    return float(np.mean([homes[k] - offsets[k] for k in block]))


def joined(step: NDArray[np.int64], values: Floats) -> tuple[Floats, Floats]:
    """Return steps and values for a line with a gap where long nothing was measured in between.

    Over a twentieth of the steps from the first to the last: what the values did there nobody
    knows.
    """
    at, found = step.astype(np.float64), np.asarray(values, dtype=np.float64)
    if len(at) < 2:
        return at, found
    wide = np.flatnonzero(np.diff(at) > UNKNOWN * (at[-1] - at[0])) + 1
    return np.insert(at, wide, np.nan), np.insert(found, wide, np.nan)

"""A training in time: losses, what happened, and accuracies beneath."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.draw.elements import episodes, plots
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Legend
from landscape.errors import LandscapeError
from landscape.store.history import History
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats

WIDTH, LEFT, RIGHT, TOP, BENEATH = 5.0, 0.68, 0.2, 0.14, 0.42
BINS = 500
"""Batch losses are drawn as the range within each of so many stretches of steps."""
STRIP, LANE = 0.16, 0.03
"""Height of the strip of episodes above the losses, and the gap beneath it, in inches."""


@styled
def loss(history: History, *, style: Style = PLAIN) -> Figure:
    """Draw a run's losses and accuracies over its steps, with its episodes as bands.

    Full-data losses are lines; the losses of the batches the range that they span, in grey.

    Raises:
        LandscapeError: fewer than two steps have a full-data loss.
    """
    names = _names(history)
    accuracies = history.known(("train_accuracy", "validation_accuracy"))
    width = style.inches(WIDTH)
    across = width - LEFT - RIGHT
    handles = _entries(history, names)
    lines = page.wrapped(trained(history), across, theme.SMALL)
    foot = Legend(handles, width - 0.35)
    top = TOP + (STRIP + LANE if history.events else 0.0)
    beneath = plots.ACCURACIES + plots.BETWEEN if accuracies else 0.0
    panels = top + plots.LOSSES + beneath + BENEATH
    height = panels + foot.height + footer.LINE * len(lines) + 0.12
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    upper = sheet.axes(LEFT, top, across, plots.LOSSES)
    _losses(upper, history, names, style)
    lowest = upper
    if accuracies:
        lowest = sheet.axes(LEFT, top + plots.LOSSES + plots.BETWEEN, across, plots.ACCURACIES)
        upper.tick_params(labelbottom=False)
        plots.frame(lowest, *step_limits(history))
        plots.accuracies(lowest)
        for name in accuracies:
            step, values = history.evaluated(name)
            plots.line(lowest, step, values, name)
        shade_episodes(lowest, history)
    if history.events:
        _strip(sheet.axes(LEFT, TOP, across, STRIP), history, across)
    lowest.set_xlabel("training step", size=theme.LETTERS, labelpad=2)
    foot.draw(sheet, 0.2, panels)
    sheet.text(LEFT, panels + foot.height, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def draw_loss(axes: Axes, history: History, *, style: Style = PLAIN) -> None:
    """Draw the same losses and episodes into somebody's axes.

    Raises:
        LandscapeError: as `loss`.
    """
    names = _names(history)
    with theme.wearing(replace(style.look(), dpi=float(page.figure_of(axes).dpi))):
        _losses(axes, history, names, style)
        axes.set_xlabel("training step", size=theme.LETTERS)
        axes.tick_params(labelsize=theme.TICKS)


def _names(history: History) -> tuple[str, ...]:
    """The losses to draw."""
    names = history.known(("train_loss", "validation_loss"))
    if not names or np.isfinite(history.measures[names[0]]).sum() < 2:
        raise LandscapeError(
            f"a loss figure needs full-data losses at two steps, run {history.name} has fewer"
        )
    return names


def trained(history: History) -> str:
    """Say which run it is and how it was trained."""
    parts = (f"run {history.name}", sentences.training(history.settings))
    return ", ".join(part for part in parts if part)


def step_limits(history: History) -> tuple[float, float]:
    """Return the ends of an axis of training steps."""
    last = float(history.step[-1])
    return -0.015 * last, 1.015 * last


def _losses(axes: Axes, history: History, names: tuple[str, ...], style: Style) -> None:
    values = np.concatenate([history.measures[name] for name in names])
    values = values[~np.isnan(values)]
    log = plots.is_log(values, style)
    finite = values[np.isfinite(values)]
    low, mid, high = _ranges(history.batch_loss)
    shown = high[np.isfinite(high)]
    # Batches may reach higher, but what is on the axis is the full data's affair and a little more.
    finite = np.append(finite, np.minimum(shown, 3 * finite.max()).max() if len(shown) else [])
    if style.cap is not None:
        finite = np.minimum(finite, style.cap)
    plots.frame(axes, *step_limits(history))
    plots.upright(axes, finite, history.constant_loss, log=log)
    floor = axes.get_ylim()[0]
    axes.fill_between(
        mid, np.maximum(low, floor), high, color=theme.PALE, alpha=0.35, lw=0, zorder=1.5
    )
    lines = []
    for name in names:
        step, measured = history.evaluated(name)
        plots.line(axes, step, measured, name)
        plots.infinite(axes, step, measured, name)
        lines.append((step, measured))
    shade_episodes(axes, history)
    plots.constant(axes, history.constant_loss, lines)


def _ranges(batch: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the lowest batch loss, the middle step and the highest within each bin."""
    parts = np.array_split(np.arange(len(batch)), min(BINS, max(len(batch), 1)))
    rows = [(part[np.isfinite(batch[part])], part) for part in parts if len(part)]
    found = np.array(
        [
            (batch[known].min(), part.mean() + 1, batch[known].max())
            for known, part in rows
            if len(known)
        ]
    ).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2]


def shade_episodes(axes: Axes, history: History) -> None:
    """Shade what happened when."""
    for name, first, last in _stretches(history, 0.002):
        axes.axvspan(first, last, color=episodes.COLOURS[name], alpha=0.22, lw=0, zorder=1)


def _stretches(history: History, least: float) -> list[tuple[str, float, float]]:
    """Return what to draw of each episode, no narrower than a share of the run."""
    room = least * float(history.step[-1])
    return [
        (name, first, max(last, first + room))
        for name, first, last in episodes.stretches(history.events)
    ]


def _strip(axes: Axes, history: History, across: float) -> None:
    """Draw the episodes in full colour in a strip of their own, named where there is room."""
    axes.set(xlim=step_limits(history), ylim=(0, 1), xticks=[], yticks=[])
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    found = _stretches(history, 0.004)
    for name, first, last in found:
        axes.axvspan(first, last, color=episodes.COLOURS[name], lw=0)
    whole = float(np.ptp(step_limits(history)))
    for name in sentences.event_names(history.events):
        mine = [(first, last) for other, first, last in found if other == name]
        first, last = max(mine, key=lambda ends: ends[1] - ends[0], default=(0.0, 0.0))
        if (last - first) / whole * across < page.inches(name, theme.SMALL) + 0.06:
            continue
        dark = name in ("escape", "non-finite")
        axes.text(
            (first + last) / 2,
            0.47,
            name,
            size=theme.SMALL,
            ha="center",
            va="center",
            color="white" if dark else theme.INK,
        )


def _entries(history: History, names: tuple[str, ...]) -> list[Line2D | Patch]:
    found: list[Line2D | Patch] = []
    for name in names:
        kind = name.split("_", maxsplit=1)[0]
        dashes, label = plots.DASHES[kind]
        count = history.samples.get(kind)
        text = f"{label} ({count:,} samples)" if count else label
        found.append(Line2D([], [], color=plots.colour(name), ls=dashes, lw=1.5, label=text))
    if np.isfinite(history.batch_loss).any():
        found.append(Patch(facecolor=theme.PALE, alpha=0.35, lw=0, label="range of the batches"))
    for name in sentences.event_names(history.events):
        text = sentences.episodes(name, history.events)
        found.append(Patch(facecolor=episodes.COLOURS[name], lw=0, label=text))
    return found

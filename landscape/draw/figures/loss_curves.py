"""A training in time: losses, what happened, and accuracies beneath."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landscape.draw.elements import episodes, plots, steps
from landscape.draw.elements.labels import Labels
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import page
from landscape.errors import LandscapeError
from landscape.store.history import History
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats

WIDTH, LEFT, RIGHT, TOP, BENEATH = 5.0, 0.5, 0.06, 0.06, 0.36
BINS, TOGETHER = 500, 5
"""Batch losses are drawn as the range within each of so many stretches of steps at most, of so many
steps at least: of a single one there is none."""


@styled
def loss(history: History, *, style: Style = PLAIN) -> Figure:
    """Draw a run's losses and accuracies over its steps, with what happened as bands.

    Full-data losses are dots, joined where batches between were measured too, where they are dense
    the line alone; the losses of the batches the range that they span, in grey.

    Raises:
        LandscapeError: fewer than two steps have a full-data loss.
    """
    names = _names(history)
    accuracies = history.known(("train_accuracy", "validation_accuracy"))
    width = style.inches(WIDTH)
    shown = _shown(history, names, style)
    left = max(LEFT, plots.room(shown, history.constant_loss, log=_is_log(history, names, style)))
    across = width - left - RIGHT
    beneath = plots.ACCURACIES + plots.BETWEEN if accuracies else 0.0
    sheet = page.blank(width, TOP + plots.LOSSES + beneath + BENEATH, title=style.title, left=left)
    upper = sheet.axes(left, TOP, across, plots.LOSSES)
    _losses(upper, history, names, style)
    lowest = upper
    if accuracies:
        lowest = sheet.axes(left, TOP + plots.LOSSES + plots.BETWEEN, across, plots.ACCURACIES)
        upper.tick_params(labelbottom=False)
        frame(lowest, history)
        plots.accuracies(lowest)
        for name in accuracies:
            _line(lowest, history, name)
        shade_episodes(lowest, history)
    lowest.set_xlabel(step_name(history), size=theme.LETTERS, labelpad=2)
    return sheet.figure


def draw_loss(axes: Axes, history: History, *, style: Style = PLAIN) -> None:
    """Draw the same losses and episodes into somebody's axes.

    Raises:
        LandscapeError: as `loss`.
    """
    names = _names(history)
    with theme.wearing(replace(style.look(), dpi=float(page.figure_of(axes).dpi))):
        _losses(axes, history, names, style)
        axes.set_xlabel(step_name(history), size=theme.LETTERS)
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


def step_name(history: History, what: str = steps.NAME) -> str:
    """Return what a run's axis of steps is."""
    return steps.name(_bend(history), what)


def _bend(history: History) -> int | None:
    return steps.bend(history.events, float(history.step[-1]))


def frame(axes: Axes, history: History) -> None:
    """Set the axis of steps, the same in all of a run's figures."""
    plots.frame(axes, *step_limits(history))
    if (since := _bend(history)) is not None:
        steps.bent(axes, since, *step_limits(history))


def _losses(axes: Axes, history: History, names: tuple[str, ...], style: Style) -> None:
    finite = _shown(history, names, style)
    low, mid, high = _ranges(history.batch_loss)
    frame(axes, history)
    plots.upright(axes, finite, history.constant_loss, log=_is_log(history, names, style))
    floor = axes.get_ylim()[0]
    axes.fill_between(
        mid, np.maximum(low, floor), high, color=theme.PALE, alpha=0.35, lw=0, zorder=1.5
    )
    if np.isfinite(high).any():
        page.drew(axes, "batches")
    lines = []
    for name in names:
        step, measured = history.evaluated(name)
        _line(axes, history, name)
        plots.infinite(axes, step, measured, name)
        lines.append((step, measured))
    shade_episodes(axes, history, named=True, lowest=float(finite.min(initial=np.inf)))
    plots.constant(axes, history.constant_loss, lines, ranges=[(mid, low), (mid, high)])
    placed = Labels(axes, page.extent(axes))
    placed.written()
    curves = [np.column_stack(line) for line in lines]
    for curve in curves:
        placed.keep_clear(curve, 0.01)
    for name, curve in zip(names, curves, strict=True):
        label = plots.DASHES[name.split("_", maxsplit=1)[0]][1]
        placed.along(curve, label, theme.TICKS, plots.colour(name))
    if np.isfinite(high).any():
        placed.along(np.column_stack([mid, np.minimum(high, finite.max())]), "batches")


def _line(axes: Axes, history: History, name: str) -> None:
    """Draw a measure over the steps, with dots at those that have it where these are sparse."""
    joined = _between(history)
    plots.line(axes, *history.evaluated(name), name, joined=joined)
    if joined:
        plots.logged(axes, *history.evaluated(name), name)


def _is_log(history: History, names: tuple[str, ...], style: Style) -> bool:
    values = np.concatenate([history.measures[name] for name in names])
    return plots.is_log(values[~np.isnan(values)], style)


def _shown(history: History, names: tuple[str, ...], style: Style) -> Floats:
    """The finite losses that the axis holds."""
    values = np.concatenate([history.measures[name] for name in names])
    finite = values[np.isfinite(values)]
    high = _ranges(history.batch_loss)[2]
    high = high[np.isfinite(high)]
    # Batches may reach higher, but what is on the axis is the full data's affair and a little more.
    finite = np.append(finite, np.minimum(high, 3 * finite.max()).max() if len(high) else [])
    return finite if style.cap is None else np.minimum(finite, style.cap)


def _between(history: History) -> bool:
    """Whether something was measured between two full-data losses: those of the batches."""
    return bool(np.isfinite(history.batch_loss).any())


def _ranges(batch: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the lowest batch loss, the middle step and the highest within each bin."""
    parts = np.array_split(np.arange(len(batch)), min(BINS, max(len(batch) // TOGETHER, 1)))
    rows = [(part[np.isfinite(batch[part])], part) for part in parts if len(part)]
    found = np.array(
        [
            (batch[known].min(), part.mean() + 1, batch[known].max())
            for known, part in rows
            if len(known)
        ]
    ).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2]


def shade_episodes(
    axes: Axes, history: History, *, named: bool = False, lowest: float = float("nan")
) -> None:
    """Shade what happened when; names stand beneath the ``lowest`` value."""
    least = 0.002 * float(history.step[-1])
    episodes.shade(axes, history.events, least, named=named, lowest=lowest)

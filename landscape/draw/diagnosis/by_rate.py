"""What became of a sweep's runs by learning rate: shares of outcomes, and losses at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from landscape.draw.diagnosis import panels, shares
from landscape.draw.elements import plots
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Legend
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.sweep_outcomes import Outcomes, SweptGroup, SweptRun

WIDTH, LEFT, RIGHT, TOP, GAP, BENEATH = 5.0, 0.68, 0.2, 0.36, 0.12, 0.46
SHARES, LOSSES = 1.7, 1.35

COLOURS = {"train_loss": "#6a3d9a", "validation_loss": "#b07cc6"}
"""Of the two losses, in a hue that no outcome has: they share a legend."""


@styled
def outcomes(found: Outcomes, *, style: Style = PLAIN) -> Figure:
    """Draw the share of runs with each outcome against the learning rate, and their last losses.

    A whisker at the boundary of two parts is the exact 95 % binomial interval of the share of runs
    beneath it. Below: each run's last training and validation loss, lines through the medians.
    Settings other than learning rate and seed have panels of their own.

    Raises:
        LandscapeError: no run has a verdict, or one has no learning rate.
    """
    panes = _panes(found)
    width = style.inches(WIDTH if len(panes) == 1 else 7.0)
    columns = style.columns(min(len(panes), 3), width)
    across = (width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    rows = -(-len(panes) // columns)
    row = TOP + SHARES + GAP + LOSSES + BENEATH
    lines = [
        line
        for text in _small_print(found)
        for line in page.wrapped(text, width - LEFT - 0.3, theme.SMALL)
    ]
    foot = Legend(_entries(found), width - 0.35)
    height = rows * row + foot.height + footer.LINE * len(lines) + 0.12
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    values = np.array([v for run in found.runs for v in _losses(run)])
    log = plots.is_log(values[~np.isnan(values)], style)
    finite = values[np.isfinite(values)]
    for k, (title, groups) in enumerate(panes):
        left, top = LEFT + k % columns * (across + GAP), k // columns * row + TOP
        upper = sheet.axes(left, top, across, SHARES)
        lower = sheet.axes(left, top + SHARES + GAP, across, LOSSES)
        rates = [_rate(group) for group in groups]
        half = _half(rates)
        for axes in (upper, lower):
            _rates(axes, rates, half, across)
        shares.draw(upper, groups, half)
        _ends(lower, found, groups, finite, log=log)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("learning rate", size=theme.LETTERS, labelpad=2)
        upper.set_title(title, size=theme.LETTERS, loc="left", pad=14)
        if k % columns:
            for axes in (upper, lower):
                axes.set_ylabel("")
                axes.tick_params(labelleft=False)
    foot.draw(sheet, 0.2, rows * row)
    sheet.text(
        LEFT, rows * row + foot.height, "\n".join(lines), theme.SMALL, colour=theme.now().note
    )
    return sheet.figure


def caption(found: Outcomes) -> str:
    """Say what is shown; in a paragraph of its own what became of the runs at each rate."""
    sentences = [
        f"Outcomes of {len(found.runs)} runs of sweep {found.name} by learning rate, with exact "
        "95 % binomial intervals of their shares."
    ]
    for group in found.groups:
        shares = ", ".join(
            f"{one.count} {name} ({one.low:.0%} to {one.high:.0%})".replace("%", " %")
            for name, one in group.outcomes.items()
        )
        settings = ", ".join(f"{name} {_said(value)}" for name, value in group.values.items())
        train = group.train_loss
        loss = f", median training loss {number(train.median)}" if train else ""
        sentences.append(f"{settings or 'all'}: {shares}{loss}.")
    return f"{sentences[0]}\n\n{' '.join(sentences[1:])}"


def _panes(found: Outcomes) -> list[tuple[str, list[SweptGroup]]]:
    """Return the groups by their settings other than the learning rate, with words for these."""
    if not found.groups:
        raise LandscapeError(
            f"an outcomes figure needs diagnosed runs, sweep {found.name} has none; "
            "diagnose it with `landscape diagnose SWEEP`"
        )
    if any(group.learning_rate is None for group in found.groups):
        raise LandscapeError(
            f"an outcomes figure needs a learning rate of every run, sweep {found.name} has runs "
            "without one; train them with `landscape train`"
        )
    panes: dict[str, list[SweptGroup]] = {}
    for group in found.groups:
        others = {name: value for name, value in group.values.items() if name != "lr"}
        title = ", ".join(f"{name.replace('_', ' ')} {_said(v)}" for name, v in others.items())
        panes.setdefault(title, []).append(group)
    return [(title, sorted(groups, key=_rate)) for title, groups in panes.items()]


def _rate(group: SweptGroup) -> float:
    return float("nan") if group.learning_rate is None else group.learning_rate


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _half(rates: Sequence[float]) -> float:
    """Return half a bar's width in the logarithm of the rate."""
    gaps = np.diff(np.log10(np.unique(rates)))
    return 0.36 * float(gaps.min()) if len(gaps) else 0.18


def _rates(axes: Axes, rates: Sequence[float], half: float, across: float) -> None:
    low, high = np.log10(min(rates)) - 1.5 * half, np.log10(max(rates)) + 1.5 * half
    axes.set_xscale("log")
    axes.set_xlim(10**low, 10**high)
    shown: list[float] = []
    end = -np.inf
    for rate in sorted(set(rates)):
        middle = (np.log10(rate) - low) / (high - low) * across
        wide = page.inches(f"{rate:g}", theme.TICKS)
        if middle - wide / 2 > end + 0.06:
            shown.append(rate)
            end = middle + wide / 2
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _losses(run: SweptRun) -> tuple[float, float]:
    """Return a run's last training and validation loss, NaN where there is none."""
    known = (run.train_loss, run.validation_loss)
    first, second = (float("nan") if value is None else value for value in known)
    return first, second


def _ends(
    axes: Axes,
    found: Outcomes,
    groups: Sequence[SweptGroup],
    finite: Any,
    *,
    log: bool,
) -> None:
    axes.grid(True, axis="y", color=theme.now().grid, lw=0.5)
    axes.set_axisbelow(True)
    panels.upright(axes, finite, "last loss", log=log, count=5)
    for k, (measure, marker) in enumerate((("train_loss", "o"), ("validation_loss", "D"))):
        colour, dashes = COLOURS[measure], plots.DASHES[measure.split("_")[0]][0]
        shift = 10 ** (0.12 * _half([_rate(group) for group in groups]) * (2 * k - 1))
        rates, medians = [], []
        for group in groups:
            rate = _rate(group)
            mine = np.array([_losses(run)[k] for run in _members(found, group)])
            some = mine[np.isfinite(mine)]
            axes.plot(
                np.full(len(some), rate * shift**3),
                some,
                marker,
                color=colour,
                ms=2.6,
                alpha=0.6,
                mew=0,
                zorder=3,
            )
            if np.isinf(mine).any():
                axes.plot(
                    [rate * shift**3],
                    [0.95],
                    "^",
                    transform=axes.get_xaxis_transform(),
                    color=colour,
                    ms=4,
                    zorder=5,
                )
            span = group.train_loss if measure == "train_loss" else group.validation_loss
            if span is not None:
                rates.append(rate * shift)
                medians.append(span.median)
        shown = np.where(np.isfinite(medians), medians, np.nan)
        axes.plot(rates, shown, color=colour, ls=dashes, marker=marker, ms=4.2, lw=1.3, zorder=4)


def _members(found: Outcomes, group: SweptGroup) -> list[SweptRun]:
    wanted = json.dumps(group.values, sort_keys=True)
    return [run for run in found.runs if json.dumps(run.shared, sort_keys=True) == wanted]


def _entries(found: Outcomes) -> list[Artist]:
    entries: list[Artist] = [*shares.entries(found.groups)]
    for measure, marker in (("train_loss", "o"), ("validation_loss", "D")):
        dashes, label = plots.DASHES[measure.split("_")[0]]
        entries.append(
            Line2D(
                [],
                [],
                color=COLOURS[measure],
                ls=dashes,
                marker=marker,
                ms=4.2,
                lw=1.3,
                label=f"{label} loss, median",
            )
        )
    return entries


def _small_print(found: Outcomes) -> list[str]:
    text = (
        f"sweep {found.name}, {len(found.runs)} runs, their number above each bar; dots with "
        "whiskers: share of runs beneath, 95 % binomial interval; small marks: single runs"
    )
    bad = sum(not np.isfinite(_losses(run)[0]) for run in found.runs)
    return [text + (f"; {bad} without a finite loss" if bad else "")]

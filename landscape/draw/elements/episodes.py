"""Spikes, escapes, plateaus and recoveries along a path: which parts they are, and colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape.draw.look import theme
from landscape.draw.sheet import page
from landscape.draw.sheet.legend import Swatch
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Path, Scan
from landscape.store.trajectories.trajectory import Event

COLOURS = {
    "escape": "#c2187f",
    "recovery": "#a6dba0",
    "spike": "#f2a5cf",
    "plateau": "#4db8ff",
    "non-finite": "#000000",
}
"""By name; where several overlap the later one of NAMES is drawn.

No hue of theirs occurs among the steps, and they differ in lightness."""
NAMES = sentences.EVENTS
NONE = -1
FOOT, ROW = 0.036, 0.13
"""Inches between a band's name and the foot of its axes, and from one row of names to the next."""
MOST = 0.4
"""Of an axis' height, what names may take at most."""
BESIDE, TINY = 2.5, 1e-9
"""Halves of a name's width that it may stand beside its stretch; what rounding is."""
GROUND = 1.2
"""Points that a name's own colour reaches beyond it."""


def colour(kind: int) -> str:
    """Return the colour of one of NAMES by its number."""
    return COLOURS[NAMES[kind]]


def along(step: NDArray[np.int64], events: Iterable[Event]) -> NDArray[np.intp]:
    """Return which of NAMES each of the segments (T - 1,) between recorded steps is, or NONE."""
    found = np.full(max(len(step) - 1, 0), NONE, dtype=np.intp)
    for event in _in_order(events):
        overlap = np.minimum(step[1:], event.last) - np.maximum(step[:-1], event.first)
        # A single step is a part of the segments that it ends and begins.
        found[overlap >= 0 if event.first == event.last else overlap > 0] = _rank(event.name)
    return found


def stretches(events: Iterable[Event]) -> list[tuple[str, int, int]]:
    """Return name, first and last step of what is drawn of each episode, none over another.

    A part of an episode that a later one of NAMES covers belongs to that one. Of an episode that
    is covered whole its first step is left: an escape straight to a plateau is still an escape.
    """
    known = [event for event in _in_order(events) if event.name in COLOURS]
    edges = np.unique([step for event in known for step in (event.first, event.last)])
    kinds = along(edges.astype(np.int64), [event for event in known if event.last > event.first])
    found: list[tuple[str, int, int]] = []
    for kind, first, last in zip(kinds, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if kind == NONE:
            continue
        if found and found[-1][0] == NAMES[kind] and found[-1][2] == first:
            first = found.pop()[1]
        found.append((NAMES[kind], first, last))
    return found + [(e.name, e.first, e.last) for e in known if e.first == e.last]


def _in_order(events: Iterable[Event]) -> list[Event]:
    """Return the events as they are drawn over each other, covered ones last, as a step each."""
    every = tuple(events)
    whole = [event for event in every if not sentences.is_covered(event, every)]
    steps = [replace(event, last=event.first) for event in every if event not in whole]
    return sorted(whole, key=lambda event: _rank(event.name)) + steps


def name_places(path: Path, held: NDArray[np.bool_]) -> list[tuple[str, Floats]]:
    """Return where a path's episodes are named: the middle of the longest stretch of each.

    ``held`` says of each recorded row whether it is in the picture.
    """
    kinds = along(path.step, path.events)
    drawn = held[:-1] & held[1:] & np.isfinite(path.xy[:-1]).all(axis=1)
    drawn &= np.isfinite(path.xy[1:]).all(axis=1)
    lengths = np.where(drawn, np.linalg.norm(np.diff(path.xy, axis=0), axis=1), 0.0)
    found = []
    for name in sentences.event_names(path.events):
        mine = (kinds == _rank(name)) & drawn
        if not mine.any():
            continue
        runs = np.split(np.arange(len(mine)), np.flatnonzero(np.diff(mine)) + 1)
        longest = max((run for run in runs if mine[run[0]]), key=lambda run: lengths[run].sum())
        run_length = np.cumsum(lengths[longest])
        middle = int(longest[np.searchsorted(run_length, run_length[-1] / 2)])
        found.append((name, (path.xy[middle] + path.xy[middle + 1]) / 2))
    return found


def shade(
    axes: Axes,
    events: Iterable[Event],
    least: float,
    *,
    named: bool = False,
    lowest: float = float("nan"),
    zorder: float = 0.5,
) -> None:
    """Shade what happened behind a curve over training steps, no band under ``least`` steps wide.

    ``named``: each kind once, on its own colour, at the foot of its longest stretch or beside it,
    beneath the ``lowest`` value that is drawn, for which the axis reaches further down.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for name, begin, last in stretches(events):
        end = max(float(last), begin + least)
        axes.axvspan(begin, end, color=theme.episode(name), lw=0, zorder=zorder)
        page.drew(axes, "bands")
        found.setdefault(name, []).append((float(begin), end))
    if not named:
        return
    width = axes.get_window_extent().width / theme.now().dpi
    left, right = axes.get_xlim()
    longest = {name: max(ends, key=lambda one: one[1] - one[0]) for name, ends in found.items()}
    taken: list[tuple[int, float, float]] = []
    tall = axes.get_window_extent().height / theme.now().dpi
    # A recovery explains itself: where there is little room it is the one that gives way.
    order = sorted(longest.items(), key=lambda o: (o[0] == "recovery", o[1][0] - o[1][1]))
    for name, (first, end) in order:
        half = page.inches(name, theme.SMALL) / width / 2 + 0.005
        row, middle = _free(((first + end) / 2 - left) / (right - left), half, taken)
        taken.append((row, middle - half, middle + half))
        axes.text(
            middle,
            (FOOT + ROW * row) / tall,
            name,
            transform=axes.transAxes,
            size=theme.SMALL,
            ha="center",
            va="bottom",
            color=theme.now().ink,
            bbox={"facecolor": theme.episode(name), "lw": 0, "pad": GROUND},
            # What was measured runs over it.
            zorder=2.5,
        )
    _lift(axes, lowest, FOOT + ROW * (1 + max((row for row, _, _ in taken), default=-1)))


def _lift(axes: Axes, lowest: float, foot: float) -> None:
    """Let the axis reach so far down that a value stands ``foot`` inches above its end."""
    tall = axes.get_window_extent().height / theme.now().dpi
    foot = min(foot, MOST * tall)
    low, high = axes.get_ylim()
    to = axes.yaxis.get_transform()
    at, start, end = to.transform(np.array([lowest, low, high]))
    if not np.isfinite(at) or (at - start) / (end - start) * tall >= foot:
        return
    down = to.inverted().transform(np.array([(at * tall - foot * end) / (tall - foot)]))
    axes.set_ylim(float(down[0]), high)


def _free(
    middle: float, half: float, taken: Sequence[tuple[int, float, float]]
) -> tuple[int, float]:
    """Return a row and the place in it nearest to ``middle`` that is free for a name.

    Beside a name in the lowest row, else in one above; all are shares of the axes' width.
    """
    ends = [end for _, low, high in taken for end in (low - half, high + half)]
    inside = sorted(
        {min(max(place, half), 1 - half) for place in (middle, *ends)},
        key=lambda place: abs(place - middle),
    )
    for row in range(len(taken) + 1):
        busy = [(low, high) for k, low, high in taken if k == row]
        for place in inside:
            near = abs(place - middle) <= BESIDE * half
            if near and all(
                place + half <= low + TINY or place - half >= high - TINY for low, high in busy
            ):
                return row, place
    return len(taken), min(max(middle, half), 1 - half)


def entries(scan: Scan) -> list[Artist]:
    """Return the legend's entries: a sample in the steps' colours within each name's own."""
    every = [event for path in scan.paths for event in path.events]
    return [
        Swatch(
            sentences.episodes(name, every) if len(scan.paths) == 1 else name,
            strokes(COLOURS[name], 1.5),
            (0.0, 1.0),
        )
        for name in sentences.event_names(every)
    ]


def strokes(colour: str, width: float) -> list[tuple[float, str | None]]:
    """Return widths and colours of the strokes of a path during an episode."""
    return [
        (width + 5.0, theme.INK),
        (width + 4.2, colour),
        (width + 0.9, theme.INK),
        (width, None),
    ]


def _rank(name: str) -> int:
    return NAMES.index(name) if name in COLOURS else NONE

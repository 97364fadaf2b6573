"""Spikes, escapes, plateaus and recoveries along a path: which parts they are, and colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
TINY = 1e-9
"""What rounding is, in shares of the axes' width."""
THIN, POLE = 0.04, 0.7
"""Inches up to which a stretch has a line in a stronger colour up from its name, and its points."""
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

    ``named``: each kind once, on its own colour, at the foot of its longest stretch, beneath the
    ``lowest`` value that is drawn, for which the axis reaches further down. A name wider than its
    stretch hangs from it as a flag from its pole.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for name, first, last in stretches(events):
        widened = max(least - (last - first), 0.0) / 2
        begin, end = first - widened, last + widened
        # What is that narrow isn't hidden by what follows it.
        above = zorder + 0.1 * bool(widened)
        axes.axvspan(begin, end, color=theme.episode(name), lw=0, zorder=above)
        page.drew(axes, "bands")
        found.setdefault(name, []).append((begin, end))
    if not named:
        return
    wide, tall = page.extent(axes)
    longest = {name: max(ends, key=lambda one: one[1] - one[0]) for name, ends in found.items()}
    shares = {
        name: tuple(float(np.clip(_share(axes, end), 0, 1)) for end in ends)
        for name, ends in longest.items()
    }
    by_length = sorted(shares, key=lambda name: -float(np.ptp(shares[name])))
    placed = _arranged({name: _places(name, shares[name], wide) for name in by_length})
    for name, place in placed.items():
        foot = (FOOT + ROW * place.row) / tall
        axes.text(
            (place.low + place.high) / 2,
            foot,
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
        if np.ptp(shares[name]) * wide < THIN:
            axes.plot(
                [place.pole] * 2,
                [foot, 1.0],
                color=theme.strong_episode(name),
                lw=POLE,
                transform=axes.transAxes,
                zorder=zorder + 0.2,
                solid_capstyle="butt",
            )
    _lift(axes, lowest, FOOT + ROW * (1 + max((one.row for one in placed.values()), default=-1)))


def _share(axes: Axes, step: float) -> float:
    """Return a step's place in the axes' width, whatever the axis' scale."""
    to = axes.xaxis.get_transform().transform
    at, left, right = (float(to(end)) for end in (step, *axes.get_xlim()))
    return (at - left) / (right - left)


@dataclass(frozen=True)
class _NamePlace:
    """Where a name may stand, in shares of the axes' width, and the stretch that it hangs from."""

    row: int
    low: float
    high: float
    pole: float
    """Its stretch's middle; not a number where the name lies within its stretch."""

    def hides(self, other: _NamePlace) -> bool:
        """Whether it lies over another one's stretch, above that one's name."""
        return self.row > other.row and self.low + TINY < other.pole < self.high - TINY

    def meets(self, other: _NamePlace) -> bool:
        return self.row == other.row and min(self.high, other.high) - TINY > max(
            self.low, other.low
        )


def _places(name: str, ends: tuple[float, ...], wide: float) -> list[tuple[float, float, float]]:
    """Return both ends of a name where it may stand at a stretch, the best first, and its pole."""
    size = page.inches(name, theme.SMALL) / wide + 0.01
    first, last = ends
    if last - first >= size:
        lows, pole = [(first + last - size) / 2, first, last - size], float("nan")
    else:
        lows, pole = [first, last - size], (first + last) / 2
    inside = dict.fromkeys(min(max(low, 0.0), 1 - size) for low in lows)
    return [(low, low + size, pole) for low in inside]


def _arranged(places: Mapping[str, Sequence[tuple[float, float, float]]]) -> dict[str, _NamePlace]:
    """Return a place for every name, in as few rows as there can be."""
    every = list(places.values())
    # With a row for each none meets another, though one may hide another's stretch.
    tries = [(rows, True) for rows in range(1, len(every) + 1)] + [(len(every), False)]
    found = next(filter(None, (_fit(every, *one, ()) for one in tries)), ())
    return dict(zip(places, found, strict=True))


def _fit(
    places: Sequence[Sequence[tuple[float, float, float]]],
    rows: int,
    seen: bool,
    taken: tuple[_NamePlace, ...],
) -> tuple[_NamePlace, ...] | None:
    """Return places for all of them in so many rows; None where they don't fit.

    ``seen``: none over another's stretch.
    """
    if len(taken) == len(places):
        return taken
    for row in range(rows):
        for where in places[len(taken)]:
            place = _NamePlace(row, *where)
            hidden = seen and any(place.hides(one) or one.hides(place) for one in taken)
            if hidden or any(place.meets(one) for one in taken):
                continue
            if found := _fit(places, rows, seen, (*taken, place)):
                return found
    return None


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

"""What stands before or shines through a surface: marked points, and the hidden parts of a path."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from landscape.draw.elements import marks
from landscape.draw.look import theme
from landscape.draw.sheet import leaders
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.trail import Ribbon, Trail, feet
from landscape.store.scans.records import Floats

DASH, SPACE = 6.0, 4.5
"""Of hidden parts, in pixels of 1/100 inch."""
FINE_DASH, FINE_SPACE = 2.0, 2.0
"""The same in print, where what is hidden stands back as a fine line."""
FINE = 0.004
"""Between the points of a path at which it is asked whether it is hidden."""
LIFT = np.array([0.0, 0.0, 0.012])
"""What stands out of the surface by so much is seen."""


LAYERS: list[tuple[float, str | None]] = [(2.3, "#33402f"), (1.4, None)]
"""Widths of a dash and its casing."""
FINE_LAYERS: list[tuple[float, str | None]] = [(0.9, None)]


def draw(axes: Axes, trail: Trail, seen: Camera) -> None:
    """Draw, over a picture of the surface, hidden parts as dashes and marked points on top."""
    dash(axes, trail, seen)
    _drops(axes, trail, seen)
    _marks(axes, trail, seen)


def dash(axes: Axes, trail: Trail, seen: Camera, *, fine: bool = False) -> None:
    """Draw, over a picture of the surface, the parts of paths that it hides as dashes."""
    for tube in trail.tubes:
        _dashes(axes, tube, trail, seen, 1.0, fine=fine)
    for track in trail.tracks:
        _dashes(axes, track, trail, seen, 0.6, fine=fine)


def hidden(points: Floats, trail: Trail, seen: Camera) -> NDArray[np.bool_]:
    """Say of each point (N, 3) whether the surface of the training loss hides it."""
    return ~trail.relief.shows(seen, points + LIFT)


def any_hidden(trail: Trail, seen: Camera) -> bool:
    """Whether a part of a path or a marked point is drawn as hidden."""
    parts = [part.points for part in (*trail.tubes, *trail.tracks)]
    parts += [place[None] for _, place in trail.places]
    return any(bool(hidden(part, trail, seen).any()) for part in parts)


def dashes(
    line: Floats, unseen: NDArray[np.bool_], on: float, off: float
) -> list[NDArray[np.intp]]:
    """Return the rows of each dash along the unseen parts of a polyline (N, 2)."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    drawn = unseen & (along % (on + off) <= on)
    runs = np.split(np.arange(len(line)), np.flatnonzero(np.diff(drawn)) + 1)
    return [run for run in runs if drawn[run[0]] and len(run) > 1]


def _dashes(
    axes: Axes, part: Ribbon, trail: Trail, seen: Camera, width: float, *, fine: bool
) -> None:
    lengths = np.linalg.norm(np.diff(part.points, axis=0), axis=1)
    counts = np.maximum(np.ceil(lengths / FINE).astype(int), 1)
    at = np.concatenate([np.arange(n) / n + k for k, n in enumerate(counts)] + [[len(counts)]])
    rows = np.arange(len(part.points))
    points, colours = (
        np.stack([np.interp(at, rows, column) for column in values.T], axis=1)
        for values in (part.points, part.colours)
    )
    line = seen.project(points)
    unit = theme.now().dpi / 100
    on, off = (FINE_DASH, FINE_SPACE) if fine else (DASH, SPACE)
    found = dashes(line, hidden(points, trail, seen), on * unit, off * unit)
    strokes = [line[run] for run in found]
    shades = [tuple(colours[run[len(run) // 2]]) for run in found]
    for thick, colour in (FINE_LAYERS if fine else LAYERS) if strokes else ():
        axes.add_collection(
            LineCollection(strokes, colors=colour or shades, linewidths=width * thick, zorder=5),
            autolim=False,
        )


def _drops(axes: Axes, trail: Trail, seen: Camera) -> None:
    balls = np.array([drop.ball for drop in trail.drops]).reshape(-1, 3)
    beneath = np.array([drop.foot for drop in trail.drops]).reshape(-1, 3)
    unseen = hidden(balls, trail, seen)
    at, on = seen.project(balls), seen.project(beneath)
    for k in np.flatnonzero(unseen):
        _dots(axes, at[k], on[k])
    axes.plot(*at[unseen].T, "o", ms=2.4, mfc="white", mec=theme.INK, mew=0.5, zorder=6)


def _dots(axes: Axes, at: Floats, on: Floats) -> None:
    axes.plot(*np.stack([at, on]).T, color=theme.INK, lw=0.6, ls=(0, (1, 1.4)), zorder=4)


def _marks(axes: Axes, trail: Trail, seen: Camera) -> None:
    if not trail.places:
        return
    places = np.array([place for _, place in trail.places])
    looks = [theme.mark(point.name) for point, _ in trail.places]
    at = seen.project(places)
    unseen = hidden(places, trail, seen)
    on = seen.project(feet(places, trail.relief))
    for k in np.flatnonzero(unseen & np.isfinite(on).all(axis=1)):
        _dots(axes, at[k], on[k])
        axes.plot(*on[k], "o", ms=2.8, mfc="none", mec=theme.INK, mew=0.7, zorder=6)
    lines = [seen.project(part.points) for part in (*trail.tubes, *trail.tracks)]
    moved = leaders.spread(
        at,
        np.array([look.size / 72 * theme.now().dpi / 2 for look in looks]),
        np.concatenate([*lines, np.empty((0, 2))]),
        np.array([seen.width, seen.height]),
        sideways=True,
    )
    leaders.draw_leaders(axes, at, moved)
    for look, xy, ghost in zip(looks, moved, unseen, strict=True):
        marks.stamp(axes, xy, look, ghost=bool(ghost))
    named = trail.episodes()
    leaders.write_names(
        axes,
        [*(point.name for point, _ in trail.places), *(name for name, _ in named)],
        np.concatenate([moved, *(seen.project(place) for _, place in named)]),
        seen.width,
    )

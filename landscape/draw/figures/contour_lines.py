"""Contour lines: which ones the errors of a scan allow, and where they carry their losses.

Numbers stand clear of the path, the marks, the edge and each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet

from landscape.draw.elements import finer
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.quantities import number
from landscape.store.scans.records import Floats, Scan

ERRORS = 2.0
"""Lines lie at least so many standard errors apart: what is finer would be noise."""
ROOM = 0.085
"""Half a label's width as a share of the axes: what it keeps from everything else."""
SPREAD = 3
"""One of so many contour lines carries a label, the one with the shortest number."""


def draw(
    axes: Axes, scan: Scan, name: str, colours: Scale, where: PlaneWindow, obstacles: Floats
) -> None:
    """Draw the contour lines of a measure into axes that show ``where``, with their losses.

    ``obstacles`` (N, 2) are points that the numbers keep away from.
    """
    levels = resolvable(scan, name, colours.levels())
    position = colours.position(
        np.where(np.isfinite(scan.measures[name]), scan.measures[name], np.nan)
    )
    inside = [
        level
        for level in levels
        if np.nanmin(position, initial=np.inf)
        < colours.position(level)
        < np.nanmax(position, initial=-np.inf)
    ]
    if not inside:
        return
    places = colours.position(np.array(inside))
    grid = finer.of(scan, name, colours)
    lines = axes.contour(
        grid.x,
        grid.y,
        np.ma.masked_invalid(colours.position(grid.loss)).T,
        levels=places,
        colors=[theme.INK],
        linewidths=0.55,
        alpha=0.75,
        zorder=2,
        negative_linestyles="solid",
    )
    place(
        axes,
        lines,
        where,
        obstacles,
        lambda place: number(float(colours.loss(np.array(place)))),
    )


def resolvable(scan: Scan, name: str, levels: Floats) -> Floats:
    """Return those of the levels that lie two standard errors or more from the one below.

    The error at a level is the median one of the tenth of the points whose values are nearest to
    it. Values without errors are exact: all levels remain.
    """
    if name not in scan.errors or not len(levels):
        return levels
    # Of interpolated values 95 % are nearer than their error: that is about two standard ones.
    errors = scan.errors[name] * np.where(scan.measured, 1.0, 0.5)
    values = scan.measures[name]
    known = np.isfinite(values) & np.isfinite(errors)
    if not known.any():
        return levels
    values, errors = values[known], errors[known]
    count = max(1, len(values) // 10)
    kept = [float(levels[0])]
    for level in levels[1:]:
        nearest = np.argsort(np.abs(values - level), kind="stable")[:count]
        if level - kept[-1] >= ERRORS * float(np.median(errors[nearest])):
            kept.append(float(level))
    return np.array(kept)


def place(
    axes: Axes,
    lines: ContourSet,
    where: PlaneWindow,
    obstacles: Floats,
    words: Callable[[float], str],
) -> None:
    """Label about every third contour line at its freest spot.

    ``obstacles`` (N, 2) are points to keep away from; ``words`` writes a level. A line without a
    free spot goes unlabelled.
    """
    taken = where.share(obstacles) if len(obstacles) else np.empty((0, 2))
    width, height = axes.get_window_extent().size
    square = np.array([1.0, height / width])
    paths = lines.get_paths()
    drawn = [
        k for k, path in enumerate(paths) if path.vertices is not None and np.size(path.vertices)
    ]
    wanted = []
    for k in _spread(drawn, [words(float(level)) for level in lines.levels]):
        line = where.share(np.asarray(paths[k].vertices))
        spot = _freest(line, taken, square)
        if spot is not None:
            wanted.append(where.at(spot))
            taken = np.concatenate([taken, spot[None]])
    if not wanted:
        return
    labels = lines.clabel(
        manual=[(float(x), float(y)) for x, y in wanted],
        fmt=words,
        fontsize=theme.SMALL - 0.6,
        colors=[theme.INK],
        inline=False,
    )
    for text in labels:
        text.set_path_effects(theme.halo(1.8))
        text.set_clip_on(True)
        text.set_zorder(4)


def _spread(drawn: list[int], texts: list[str]) -> list[int]:
    every = SPREAD if len(drawn) > 4 else 2
    groups = [drawn[k : k + every] for k in range(0, len(drawn), every)]
    return [min(group, key=lambda k: len(texts[k])) for group in groups]


def _freest(line: Floats, taken: Floats, square: Floats) -> Floats | None:
    inner = line[((line > ROOM) & (line < 1 - ROOM)).all(axis=1)]
    inner = inner[:: max(1, len(inner) // 200)]
    if not len(inner):
        return None
    if not len(taken):
        return np.asarray(inner[len(inner) // 2])
    gaps = np.linalg.norm((inner[:, None] - taken[None]) * square, axis=2).min(axis=1)
    best = int(gaps.argmax())
    return np.asarray(inner[best]) if gaps[best] > ROOM else None

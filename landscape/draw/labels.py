"""Where contour lines carry their losses: clear of the path, the marks, the edge, each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet

from landscape.draw import theme
from landscape.draw.marks import Window
from landscape.store.records import Floats

ROOM = 0.085
"""Half a label's width as a share of the axes: what it keeps from everything else."""
SPREAD = 3
"""One of so many contour lines carries a label, the one with the shortest number."""


def place(
    axes: Axes,
    lines: ContourSet,
    where: Window,
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

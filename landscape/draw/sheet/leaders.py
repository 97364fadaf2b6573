"""Marks and names that would cover each other: moved aside, marks with a line to their place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes

from landscape.draw.look import theme
from landscape.draw.sheet import page
from landscape.store.scans.records import Floats

AWAY = (0.16, 0.22, 0.28, 0.36)
"""How far a mark may be moved, in inches, like all lengths here."""
TURNS = 24
ROOM = 0.045
"""What marks keep from each other, from lines and from the edge, if they can."""
BESIDE, LINE = 0.08, 0.12
"""From a mark's middle to its name, and a name's height."""
NOWHERE: Floats = np.empty((0, 2))


def spread(
    at: Floats, radii: Floats, lines: Floats, size: Floats, *, sideways: bool = False
) -> Floats:
    """Return where marks (N, 2) are drawn: in place, or aside where an earlier one is in the way.

    ``radii`` (N,) are theirs, ``lines`` (M, 2) points to keep clear of, ``size`` the picture's,
    all in pixels. ``sideways`` is for pictures in which above and below mean a loss.
    """
    placed: list[Floats] = []
    axis = 0 if sideways else 1
    for k, home in enumerate(at):
        free = all(
            np.linalg.norm(home - other) >= 0.9 * (radii[k] + radius)
            for other, radius in zip(placed, radii, strict=False)
        )
        placed.append(home if free else _aside(k, at, radii, placed, lines, size, axis))
    return np.array(placed).reshape(-1, 2)


def _aside(
    k: int,
    at: Floats,
    radii: Floats,
    placed: list[Floats],
    lines: Floats,
    size: Floats,
    axis: int,
) -> Floats:
    turns = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    spots = (at[k] + theme.now().dpi * np.array(AWAY)[:, None, None] * circle).reshape(-1, 2)
    away = np.repeat(AWAY, TURNS)
    clear = np.minimum(spots, size - spots).min(axis=1)
    for other, radius in [*zip(placed, radii, strict=False), *((home, 0.0) for home in at)]:
        clear = np.minimum(clear, np.linalg.norm(spots - other, axis=1) - radius)
    if len(lines):
        clear = np.minimum(clear, np.linalg.norm(spots[:, None] - lines[None], axis=2).min(axis=1))
    room = np.minimum((clear - radii[k]) / theme.now().dpi, ROOM)
    # Free above all; then near, and not as if a path went on to it.
    preferred = np.abs(np.tile(circle[:, axis], len(AWAY)))
    score = room + 20 * np.minimum(room, 0) - 0.1 * away + 0.03 * preferred
    return np.asarray(spots[int(score.argmax())])


def draw_leaders(axes: Axes, at: Floats, moved: Floats) -> None:
    """Draw lines from moved marks to where they belong, in the axes' own coordinates."""
    for home, spot in zip(at, moved, strict=True):
        if np.allclose(home, spot):
            continue
        for width, colour in ((1.9, "white"), (0.7, theme.INK)):
            axes.plot(*np.stack([home, spot]).T, color=colour, lw=width, zorder=7.5)
        axes.plot(*home, "o", ms=2.6, mfc=theme.INK, mec="white", mew=0.5, zorder=7.6)


def write_names(
    axes: Axes,
    texts: Sequence[str],
    at: Floats,
    width: float,
    *,
    marks: Floats = NOWHERE,
    back: Callable[[Floats], Floats] = np.asarray,
) -> None:
    """Write names beside places (N, 2) where neither a mark nor another name is.

    Places and ``marks`` (M, 2) are in pixels of axes that are ``width`` wide; ``back`` makes
    the axes' coordinates of them.
    """
    around = np.concatenate([at, marks])
    boxes = [
        np.array([*(spot - 0.06 * theme.now().dpi), *(spot + 0.06 * theme.now().dpi)])
        for spot in around
    ]
    for text, spot in zip(texts, at, strict=True):
        wide, tall = theme.now().dpi * page.inches(text, theme.TICKS), theme.now().dpi * LINE
        best, least, side = None, np.inf, 1
        for across, up in itertools.product((1, -1), (0.35, -0.55, 0.95, -1.15, 1.9, -2.1)):
            left = spot[0] + across * BESIDE * theme.now().dpi - (wide if across < 0 else 0)
            low = spot[1] + (up - 0.4) * tall
            box = np.array([left, low, left + wide, low + tall])
            cost = sum(_overlap(box, other) for other in boxes)
            cost += 1e6 * max(0.0, -left, left + wide - width)
            if cost < least:
                best, least, side = box, cost, across
        if best is None:
            raise AssertionError("no places")
        boxes.append(best)
        edge = np.array([best[0] if side > 0 else best[2], (best[1] + best[3]) / 2])
        x, y = back(edge)
        axes.text(
            float(x),
            float(y),
            text,
            size=theme.TICKS,
            ha="left" if side > 0 else "right",
            va="center_baseline",
            path_effects=theme.halo(2.0),
            zorder=9,
        )


def _overlap(one: Floats, other: Floats) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)))

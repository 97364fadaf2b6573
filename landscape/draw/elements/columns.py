"""Slices as columns of equal width, flat from side to side, and what is drawn above and beneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.store.scans.records import Floats
from landscape.store.scans.valleys import Valley

APART, MOST = 0.7, 0.25
"""Width of a break, in columns, and of all of them at most, as a share of the columns'."""
PIXELS = 24
"""Of a column, and"""
EDGE = 1
"""of the gap between two: a stack of slices is no surface."""
FINE = 601
"""Pixels across the path."""


@dataclass(frozen=True)
class Columns:
    """Where a valley's columns stand, left to right: 1 is a column's width."""

    left: Floats
    """(N,) their left edges."""
    jumps: NDArray[np.bool_]
    """(N - 1,) where two are drawn apart,"""
    leaps: NDArray[np.bool_]
    """(N - 1,) and where the run's own curve has a gap too."""
    travelled: Floats

    @classmethod
    def of(cls, valley: Valley) -> Columns:
        """The columns of a valley."""
        there = valley.slices
        apart = min(APART, MOST * len(there.step) / max(1, int(there.jumps.sum())))
        gaps = np.concatenate([[0.0], np.cumsum(apart * there.jumps)])
        return cls(np.arange(len(gaps)) + gaps, there.jumps, there.leaps, there.travelled)

    @property
    def middle(self) -> Floats:
        """(N,) of each column."""
        return self.left + 0.5

    @property
    def width(self) -> float:
        """Of all of them."""
        return float(self.left[-1]) + 1.0

    def at(self, travelled: Floats) -> Floats:
        """Places of points of the path, between the middles of the two columns around each."""
        return np.interp(travelled, self.travelled, self.middle)

    def broken(self, travelled: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Places and values of a line along the path, with a gap where the weights leap."""
        number = np.clip(np.searchsorted(self.travelled, travelled, side="right") - 1, 0, None)
        x, y = [], []
        for k, (place, value) in enumerate(zip(self.at(travelled), values, strict=True)):
            if k and self.leaps[int(number[k - 1]) : int(number[k])].any():
                x.append(place)
                y.append(np.nan)
            x.append(place)
            y.append(value)
        return np.array(x), np.array(y)

    def frame(self, axes: Axes, *, curve: bool = False) -> None:
        """Set the axes' horizontal range and mark the breaks, of the run's curve only leaps."""
        axes.set_xlim(0, self.width)
        axes.set_xticks([])
        page = theme.now().page
        for k in np.flatnonzero(self.leaps if curve else self.jumps):
            first = self.left[k] + 1
            axes.axvspan(first, self.left[k + 1], color=page, lw=0, zorder=6)
            # The frame is open there too.
            for end in (0.0, 1.0):
                axes.plot(
                    [first, self.left[k + 1]],
                    [end, end],
                    color=page,
                    lw=1.4,
                    transform=axes.get_xaxis_transform(),
                    clip_on=False,
                    zorder=7,
                )

    def dashes(self, axes: Axes, values: Floats, **look: Any) -> None:
        """A value for each column, as a line as wide as the column: none joins two of them."""
        known = np.isfinite(values)
        axes.hlines(values[known], self.left[known] + 0.06, self.left[known] + 0.94, **look)


def reach(valley: Valley, *, distance: bool) -> float:
    """How far the tallest column reaches, in y's unit or as a distance in weight space."""
    far = float(np.abs(valley.y[[0, -1]]).max())
    lengths = valley.slices.length[np.isfinite(valley.slices.length)]
    return far * float(lengths.max()) if distance and len(lengths) else far


def picture(
    valley: Valley, name: str, columns: Columns, colours: Scale, *, distance: bool
) -> NDArray[np.float64]:
    """The pixels (FINE, width, 4) of all columns, from the lowest y to the highest.

    Each is smoothed along itself alone, in the scale's own coordinate. What isn't measured yet
    has no colour, nor what isn't reached in weight space.
    """
    far = reach(valley, distance=distance)
    places = np.linspace(-far, far, FINE)
    edges = np.round(columns.left * PIXELS).astype(int)
    image = np.zeros((FINE, round(columns.width * PIXELS), 4))
    for k, left in enumerate(edges):
        scale = valley.slices.length[k] if distance else 1.0
        if not np.isfinite(scale) or scale == 0:
            continue
        column = _column(valley, name, k, places / scale, colours)
        image[:, left + EDGE : left + PIXELS - EDGE] = column[:, None]
    return image


def positions(valley: Valley, name: str, number: int, y: Floats, colours: Scale) -> Floats:
    """Places (n,) on the scale along one column, smoothed along it alone.

    NaN beside what isn't finite, or isn't there yet: nothing is read into the gap.
    """
    values = valley.measures[name][number]
    position = colours.position(np.where(np.isfinite(values), values, np.nan))
    finite = np.isfinite(position)
    nearest = np.abs(valley.y[:, None] - y[None]).argmin(0)
    smooth = np.full(len(y), np.nan)
    if finite.sum() > 1:
        smooth = PchipInterpolator(valley.y[finite], position[finite], extrapolate=False)(y)
    elif finite.any():
        smooth[finite[nearest]] = position[finite][0]
    smooth[~finite[nearest]] = np.nan
    return smooth


def _column(
    valley: Valley, name: str, number: int, y: Floats, colours: Scale
) -> NDArray[np.float64]:
    """The colours (n, 4) of one column at some coordinates across."""
    values, look = valley.measures[name][number], theme.now()
    there = valley.measured[number] | np.isfinite(values)
    colour = np.zeros((len(y), 4))
    grey = np.array(to_rgba(look.beyond))
    nearest = np.abs(valley.y[:, None] - y[None]).argmin(0)
    smooth = positions(valley, name, number, y, colours)
    known = np.isfinite(smooth)
    colour[known] = look.loss(np.clip(smooth[known], 0, 1))
    colour[known & (smooth > 1 + 1e-9)] = grey
    broken = (there & ~np.isfinite(values))[nearest]
    colour[broken] = to_rgba(theme.NOT_A_NUMBER)
    colour[np.isposinf(values)[nearest]] = grey
    colour[(y < valley.y[0] - 1e-9) | (y > valley.y[-1] + 1e-9)] = 0.0
    return colour

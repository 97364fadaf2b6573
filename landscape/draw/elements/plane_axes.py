"""The axes of a plane in a picture: the rectangle they show, their shape, their names and units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from landscape.draw.look import theme
from landscape.draw.sheet import page
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan

SINGLE = 4.4
"""Width in inches of a figure with one plane's picture."""


@dataclass(frozen=True)
class PlaneWindow:
    """What axes show: a rectangle of the plane."""

    low: Floats
    high: Floats

    def share(self, xy: Floats) -> Floats:
        """Return coordinates as shares of the window's width and height."""
        return np.asarray((np.asarray(xy, dtype=np.float64) - self.low) / (self.high - self.low))

    def at(self, share: Floats) -> Floats:
        """Return the coordinates at a share of width and height, the inverse of ``share``."""
        return np.asarray(self.low + np.asarray(share) * (self.high - self.low))

    def holds(self, xy: Floats) -> bool:
        """Whether a point is in the window, its edge included."""
        share = self.share(xy)
        return bool(((share >= -1e-9) & (share <= 1 + 1e-9)).all())


def window(scan: Scan) -> PlaneWindow:
    """Return the rectangle that a plane's grid spans."""
    return PlaneWindow(np.array([scan.x[0], scan.y[0]]), np.array([scan.x[-1], scan.y[-1]]))


def check(scan: Scan, figure: str) -> None:
    """Refuse a scan that is no plane.

    Raises:
        LandscapeError: the scan is a line or has fewer than 2 × 2 points.
    """
    if scan.is_line:
        raise LandscapeError(
            f"a {figure} figure needs a scan of a plane, got one along a line: draw its curve"
        )
    if min(len(scan.x), len(scan.y)) < 2:
        raise LandscapeError(
            f"a {figure} figure needs at least 2 × 2 points, got {len(scan.x)} × {len(scan.y)}"
        )


def shape(scan: Scan) -> tuple[float, bool]:
    """Return a panel's height over its width, and whether that makes the axes' scales equal."""
    share = float((scan.y[-1] - scan.y[0]) / (scan.x[-1] - scan.x[0]))
    return (share, True) if 0.55 <= share <= 1.6 else (float(np.clip(share, 0.7, 1.25)), False)


def dress(axes: Axes, scan: Scan, name: str, *, first: bool, size: tuple[float, float]) -> None:
    """Write a panel's title, axes' names and units."""
    ticks(axes)
    axes.set_title(sentences.measure(scan, name), size=theme.TITLE, loc="left", pad=4)
    axes.set_xlabel(_label(scan, 0, size[0]), size=theme.LETTERS, labelpad=2.5, linespacing=1.2)
    if first:
        axes.set_ylabel(_label(scan, 1, size[1]), size=theme.LETTERS, labelpad=2, linespacing=1.2)
    else:
        axes.tick_params(labelleft=False)


def ticks(axes: Axes) -> None:
    """Set round ticks on both axes of a plane."""
    for coordinate in (axes.xaxis, axes.yaxis):
        coordinate.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        coordinate.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _label(scan: Scan, axis: int, room: float) -> str:
    name, unit = sentences.axis(scan.plane, axis)
    return "\n".join([*page.wrapped(name, room + 0.3, theme.LETTERS)[:2], unit])

"""How sure the drawn losses are: dots where they are interpolated and may be off, error bands."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from landscape.draw.look import theme
from landscape.store.scans.records import Floats, Scan

TWICE = 2.0
"""Half a band's width in standard errors: 95 % of means are nearer."""


def draw_dots(axes: Axes, scan: Scan) -> None:
    """Put a dot on each such grid point of a plane; nothing where there are none."""
    i, j = np.nonzero(scan.uncertain)
    if len(i):
        axes.plot(scan.x[i], scan.y[j], ".", ms=1.6, mew=0, color=theme.INK, alpha=0.6, zorder=1)


def band(scan: Scan, name: str) -> tuple[Floats, Floats]:
    """Return the ends of a line's error band: where 95 % of the exact values would be."""
    values = scan.measures[name]
    if name not in scan.errors or scan.spread is not None:
        return values, values
    off = np.nan_to_num(scan.errors[name]) * np.where(scan.measured, TWICE, 1.0)
    # Down to a tenth: a logarithmic axis has no place for less than nothing.
    low = np.where(values > 0, np.maximum(values - off, 0.1 * values), values - off)
    return low, values + off


def draw_band(axes: Axes, scan: Scan, name: str, colour: str) -> None:
    """Fill a line's error band; nothing where all is exact."""
    low, high = band(scan, name)
    if (high > low).any():
        axes.fill_between(scan.x, low, high, color=colour, alpha=0.18, lw=0, zorder=2)

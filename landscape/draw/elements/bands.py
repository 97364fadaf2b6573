"""Losses along several random directions: their median as the curve, their spread as a band.

Its ends are the quartiles, of a few directions the lowest and the highest.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.widths import ends


def median(scan: Scan) -> Scan:
    """Return a line's scan with the median over its random directions for each measure.

    A scan along one direction is returned as it is.
    """
    if scan.spread is None or not scan.is_line:
        return scan
    medians = {name: _quantile(values, 0.5) for name, values in scan.spread.measures.items()}
    return replace(scan, measures={**scan.measures, **medians})


def draw_spread(axes: Axes, scan: Scan, name: str, colour: str) -> None:
    """Fill what lies between the ends of a measure's spread; nothing along one direction."""
    if scan.spread is None or name not in scan.spread.measures:
        return
    low, high = spread(scan, name)
    axes.fill_between(scan.x, low, high, color=colour, alpha=0.18, lw=0, zorder=2)


def spread(scan: Scan, name: str) -> tuple[Floats, Floats]:
    """Return the ends of a measure's spread over the random directions at each point."""
    if scan.spread is None or name not in scan.spread.measures:
        return scan.measures[name], scan.measures[name]
    values = scan.spread.measures[name]
    low, high = ends(len(values))
    return _quantile(values, low), _quantile(values, high)


def _quantile(values: Floats, share: float) -> Floats:
    # Infinite losses order like any other; NaN (not a number, or not measured) has no place.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanquantile(values, share, axis=0, method="inverted_cdf"))

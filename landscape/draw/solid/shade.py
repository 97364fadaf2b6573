"""How much of the sky a surface sees: hollows are a little darker, as in daylight."""

from __future__ import annotations

import numpy as np

from landscape.store.scans.records import Floats

TURNS = 12
REACHES = (1, 2, 3, 5, 8, 13, 21, 34)
"""In how many directions, and how many grid points far, the horizon is looked for."""
DARKEST = 0.22
"""How much darker a place is that sees no sky."""


def openness(x: Floats, y: Floats, heights: Floats, top: float) -> Floats:
    """Return (nx, ny) factors for colours: 1 where all of the sky is seen, less in a hollow.

    ``heights`` above ``top``, where the surface is cut, and NaN hide nothing.
    """
    ground = np.where(np.isfinite(heights), heights, -np.inf)
    steps = float(np.diff(x).mean()), float(np.diff(y).mean())
    seen = np.zeros(heights.shape)
    for turn in np.linspace(0, 2 * np.pi, TURNS, endpoint=False):
        horizon = np.zeros(heights.shape)
        for reach in REACHES:
            i = round(reach * np.cos(turn))
            j = round(reach * np.sin(turn))
            away = float(np.hypot(i * steps[0], j * steps[1]))
            there = np.minimum(_moved(ground, i, j), top)
            with np.errstate(invalid="ignore"):
                horizon = np.fmax(horizon, (there - ground) / away)
        # The sine of its angle, without losing the infinite one beside a gap.
        seen += 1 - np.sin(np.arctan(horizon))
    return np.asarray(1 - DARKEST * (1 - seen / TURNS))


def _moved(values: Floats, i: int, j: int) -> Floats:
    """Values of the points i and j further, the ends' beyond the ends."""
    rows = np.clip(np.arange(values.shape[0]) + i, 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) + j, 0, values.shape[1] - 1)
    return np.asarray(values[np.ix_(rows, columns)])

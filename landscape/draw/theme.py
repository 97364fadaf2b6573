"""Colours, letter sizes and marks that every figure shares."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke
from numpy.typing import NDArray

LOSS: Colormap = matplotlib.colormaps["viridis"]
"""Even in lightness, so that it reads in grey and by the colour-blind."""
STEP: Colormap = ListedColormap(
    matplotlib.colormaps["YlOrRd"]([0.1 + 0.85 * i / 255 for i in range(256)]), name="step"
)
"""Training steps, light to dark: no hue of it occurs among the losses but yellow, hence casings."""

INK = "#1a1a1a"
PALE = "#8a8a8a"
HATCH = "#4d4a14"
UNMEASURED = "#dedede"
NOT_A_NUMBER = "#b0b0b0"
INFINITE = "#6e6e6e"
TRAIN = "#0072b2"
VALIDATION = "#d55e00"

TITLE = 9.0
LETTERS = 8.0
TICKS = 7.5
SMALL = 6.8

DPI = 300
FADED = 0.55
"""How much of its colour a path keeps where the plane does not show its loss; the rest is white.

Not opacity: a path that winds about would darken where it crosses itself."""


@dataclass(frozen=True)
class Mark:
    """How a marked point looks: shapes differ as well as colours."""

    marker: str
    colour: str
    size: float
    """Points."""


MARKS = {
    "start": Mark("o", "#2ca02c", 7.5),
    "end": Mark("s", "#d62728", 6.5),
    "best": Mark("*", "#ffd21f", 11.0),
}
OTHER = Mark("D", "#56b4e9", 5.5)
LOWEST = Mark("X", "#ffffff", 6.5)


def mark(name: str) -> Mark:
    """Return the look of the marked point called ``name``."""
    return MARKS.get(name, OTHER)


def faded(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return RGBA colours (N, 4) blended with white."""
    pale = FADED * colours + (1 - FADED)
    pale[:, 3] = 1.0
    return np.asarray(pale)


def halo(width: float = 1.8, colour: str = "white") -> list[AbstractPathEffect]:
    """Letters that stay readable on any ground."""
    return [Stroke(linewidth=width, foreground=colour, alpha=0.85), Normal()]

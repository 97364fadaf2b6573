"""Colours, letter sizes and marks that every figure shares, and the looks there are.

A figure's own look (page, colour map, resolution) is ``now()``; what stands on a coloured ground,
such as contour lines and marks, is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, ListedColormap, to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke
from matplotlib.text import Text
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

PATH = "#c1121f"
"""A single path: no loss has its hue."""
RUNS = ("#c1121f", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Paths of several runs, which the colour-blind tell apart (Okabe and Ito, 2008)."""
EPISODES = {
    "escape": "#f6c9d0",
    "recovery": "#d9eed6",
    "spike": "#fbe3b8",
    "plateau": "#d6e4f2",
    "non-finite": "#c8c8c8",
}
"""What happened, as bands behind a curve."""
DIMMED = 0.3
"""How much of these a dark page shows, whose letters are light."""

BATCH = "#009e73"
"""Batch sharpness."""
CONSTANT = "#7a2f8f"
"""The best constant output's loss as a plane."""

TITLE = 9.0
LETTERS = 8.0
TICKS = 7.5
SMALL = 6.8

DPI = 300
FADED = 0.55
"""How much of its colour a path keeps where the plane does not show its loss; the rest is white.

Not opacity: a path that winds about would darken where it crosses itself."""


@dataclass(frozen=True)
class Look:
    """What a page looks like."""

    page: str = "white"
    ink: str = INK
    note: str = "#444444"
    """Small print."""
    grid: str = "#e6e6e6"
    beyond: str = "#dcdcdc"
    """Losses above the cap: a quiet grey."""
    wall: str = "#d2d2d2"
    """The grid around a surface."""
    constant: str = CONSTANT
    train: str = "#0072b2"
    validation: str = "#d55e00"
    loss: Colormap = field(default_factory=lambda: LOSS)
    dpi: float = DPI
    """Pixels per inch of the layout: letters keep their size in inches."""
    transparent: bool = False


LOOKS = {
    "paper": Look(),
    "talk": Look(),
    "dark": Look(
        page="#14161a",
        ink="#ececec",
        note="#b4b4b4",
        grid="#33363c",
        beyond="#4a4d54",
        wall="#4a4d54",
        constant="#d7a6ff",
        train="#56b4e9",
        validation="#e69f00",
    ),
}
_look: ContextVar[Look] = ContextVar("look", default=LOOKS["paper"])


def now() -> Look:
    """Return the look of the figure that is being drawn."""
    return _look.get()


@contextmanager
def wearing(look: Look) -> Iterator[None]:
    """Draw figures in this look; each thread has its own."""
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


def inked(figure: Figure) -> None:
    """Give letters that stand on the page, without a halo and a colour of their own, its ink."""
    look = now()
    if look.ink == INK:
        return
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_color() == "black" and not text.get_path_effects():
            text.set_color(look.ink)


def blended(colours: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return RGBA colours (N, 4) of which ``share`` is left, the rest being the page."""
    pale = share * colours + (1 - share) * np.array([*to_rgb(now().page), 1.0])
    pale[:, 3] = 1.0
    return np.asarray(pale)


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


def curvature(name: str) -> Mark:
    """Return the look of a kind of curvature, one in all figures: ``eigenvalue`` or ``batch``."""
    return Mark("D", now().constant, 3.4) if name == "eigenvalue" else Mark("^", BATCH, 4.2)


def episode(name: str) -> str:
    """Return the colour of a band behind a curve where something happened."""
    share = 1.0 if now().page == "white" else DIMMED
    return to_hex(blended(np.array([to_rgba(EPISODES[name])]), share)[0])


def strong_episode(name: str) -> str:
    """Return the same hue for a thin line, which in the band's own colour couldn't be seen."""
    power = 3 if now().page == "white" else 1
    red, green, blue = to_rgb(EPISODES[name])
    return to_hex((red**power, green**power, blue**power))


def faded(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return RGBA colours (N, 4) blended with white."""
    pale = FADED * colours + (1 - FADED)
    pale[:, 3] = 1.0
    return np.asarray(pale)


def halo(width: float = 1.8, colour: str = "white") -> list[AbstractPathEffect]:
    """Letters that stay readable on any ground."""
    return [Stroke(linewidth=width, foreground=colour, alpha=0.85), Normal()]

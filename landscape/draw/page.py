"""A page in inches from its upper left corner."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from landscape.draw import theme


@dataclass(frozen=True)
class Page:
    """A figure whose parts are placed in inches, so that letters never depend on panels."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes by their upper left corner and size."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        axes = self.figure.add_axes(box)
        axes.tick_params(labelsize=theme.TICKS, length=2.8, width=0.6, pad=2.5)
        for spine in axes.spines.values():
            spine.set_linewidth(0.6)
        return axes

    def text(
        self, left: float, top: float, text: str, size: float, colour: str = theme.INK
    ) -> None:
        """Write text by its upper left corner."""
        self.figure.text(
            left / self.width,
            1 - top / self.height,
            text,
            size=size,
            color=colour,
            va="top",
            linespacing=1.25,
            parse_math=False,
        )


def blank(width: float, height: float) -> Page:
    """Return an empty page that draws without pyplot or a screen."""
    figure = Figure(figsize=(width, height), dpi=theme.DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return Page(figure, width, height)


def inches(text: str, size: float) -> float:
    """Return the width of a line of text."""
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(size=size), ismath=False
    )
    return float(width) / 72


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break text into lines of at most ``width`` inches."""
    letters = max(8, int(width / max(inches(text, size), 1e-9) * len(text)))
    return textwrap.wrap(text, letters) or [""]

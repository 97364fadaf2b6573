"""A page in inches from its upper left corner."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, MaxNLocator

from landscape.draw.look import theme

END = 0.035
"""Share of an axis within which a tick's number is written inwards."""
HEAD = 11.0
"""A title's letters."""
AS_MEASURED: dict[Any, Any] = {"text.hinting": "no_hinting"}
"""Letters as wide as `inches` says; in whole pixels, hinted, a line is up to 5 % off."""
SHOWN = 144
"""A notebook's pixels for an inch: one and a half times as large as in print."""
InTime = Literal["training", "validation", "logged", "batches", "constant", "bands", "bent"]
OnPlanes = Literal[
    "levels",
    "halfway",
    "border",
    "beyond",
    "bars",
    "losses",
    "logarithmic",
    "joined",
    "path",
    "dashes",
    "marks",
    "hollow",
    "plumb",
    "lowest",
    "enters",
]
InValleys = Literal["between", "gaps", "walls", "greyed", "faint", "lost", "returned"]
Strips = Literal["length", "width", "farther", "nearer", "distances"]
Curvatures = Literal[
    "critical", "across", "eigenvalue", "batch", "bounds", "undecided", "unbounded"
]
OfUnits = Literal["unmeasured"]
Element = OfUnits | InTime | OnPlanes | InValleys | Strips | Curvatures | Literal["legend"]
"""What a caption explains where it was drawn."""


class PrintedFigure(Figure):
    """An ordinary figure that a notebook shows by itself, without pyplot and without magic."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.drawn: set[Element] = set()
        """What was drawn of all that a caption may speak of."""

    def shown(self) -> tuple[bytes, dict[str, int]]:
        """The picture as PNG, at the figure's own resolution, and the size to show it at."""
        target = io.BytesIO()
        with matplotlib.rc_context(AS_MEASURED):
            self.savefig(target, format="png", dpi=self.dpi)
        width, height = self.get_size_inches()
        return target.getvalue(), {"width": round(SHOWN * width), "height": round(SHOWN * height)}

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return self.shown()


@dataclass(frozen=True)
class Page:
    """A figure whose parts are placed in inches, so that letters never depend on panels."""

    figure: Figure
    width: float
    height: float
    head: float = 0.0
    """Room above everything else, for a title."""

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes by their upper left corner and size."""
        x, y = self.at(left, top + height)
        axes = self.figure.add_axes((x, y, width / self.width, height / self.height))
        look = theme.now()
        axes.set_facecolor(look.page)
        axes.tick_params(
            labelsize=theme.TICKS,
            length=2.8,
            width=0.6,
            pad=2.5,
            color=look.ink,
            labelcolor=look.ink,
        )
        for spine in axes.spines.values():
            spine.set(linewidth=0.6, edgecolor=look.ink)
        return axes

    def at(self, left: float, top: float) -> tuple[float, float]:
        """Return a place as shares of the figure, from its lower left corner."""
        return left / self.width, 1 - (self.head + top) / self.height

    def text(
        self, left: float, top: float, text: str, size: float, colour: str | None = None
    ) -> None:
        """Write text by its upper left corner."""
        self.figure.text(
            *self.at(left, top),
            text,
            size=size,
            color=colour or theme.now().ink,
            va="top",
            parse_math=False,
        )


def blank(width: float, height: float, *, title: str = "", left: float = 0.1) -> Page:
    """Return an empty page that draws without pyplot or a screen, a title in addition above."""
    lines = wrapped(title, width - 2 * left, HEAD) if title else []
    head = 0.07 + 0.185 * len(lines) if lines else 0.0
    look = theme.now()
    figure = PrintedFigure(figsize=(width, height + head), dpi=look.dpi, facecolor=look.page)
    FigureCanvasAgg(figure)
    page = Page(figure, width, height + head, head)
    if lines:
        page.text(left, 0.08 - head, "\n".join(lines), HEAD)
    return page


def figure_of(axes: Axes) -> Figure:
    """Return the figure that somebody's axes are in."""
    found = axes.get_figure(root=True)
    assert found is not None, "axes that were removed from their figure"
    return found


def drew(axes: Axes, *elements: Element) -> None:
    """Note what was drawn into axes, for the caption; somebody else's figure has none."""
    figure = figure_of(axes)
    if isinstance(figure, PrintedFigure):
        figure.drawn.update(elements)


def extent(axes: Axes) -> tuple[float, float]:
    """Return the width and height of axes, in inches."""
    box, dpi = axes.get_window_extent(), theme.now().dpi
    return float(box.width) / dpi, float(box.height) / dpi


def fixed_ticks(axes: Axes) -> None:
    """Set round ticks on both axes, numbers at an end within it, so that none is cut off."""
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    for coordinate, (low, high) in zip((axes.xaxis, axes.yaxis), limits, strict=True):
        found = np.array(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))
        margin = 1e-9 * (high - low)
        found = found[(found >= low - margin) & (found <= high + margin)]
        coordinate.set_major_locator(FixedLocator(list(found)))
        for text, share in zip(
            coordinate.get_ticklabels(), (found - low) / (high - low), strict=True
        ):
            first, last = share < END, share > 1 - END
            if coordinate is axes.xaxis:
                text.set_horizontalalignment("left" if first else "right" if last else "center")
            else:
                text.set_verticalalignment("bottom" if first else "top" if last else "center")


def name_y(axes: Axes, room: float) -> None:
    """Put the y axis' name at the left end of the ``room`` inches that ticks and name share."""
    width = axes.get_window_extent().width / theme.now().dpi
    axes.yaxis.set_label_coords(-(room - 0.015) / width, 0.5)
    axes.yaxis.label.set_verticalalignment("top")


def inches(text: str, size: float) -> float:
    """Return the width of a line of text."""
    return _inches(text, size, tuple(FontProperties().get_family()))


@cache  # a view is chosen among 36, each of whose names and numbers are measured a few times
def _inches(text: str, size: float, family: tuple[str, ...]) -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=list(family), size=size), ismath=False
    )
    return float(width) / 72


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break text into lines of at most ``width`` inches; a word that is wider is broken too."""
    lines = [""]
    for word in text.split():
        most = max(8, int(width / max(inches(word, size), 1e-9) * len(word)))
        for start in range(0, len(word), most):
            part = word[start : start + most]
            longer = f"{lines[-1]} {part}".lstrip()
            if lines[-1] and inches(longer, size) > width:
                lines.append(part)
            else:
                lines[-1] = longer
    return lines

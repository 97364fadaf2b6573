"""A legend beneath the panels: as many columns as fit, long entries on several lines.

Paths have samples of their own, in the colours of their steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.transforms import Transform

from landscape.draw.look import theme
from landscape.draw.sheet.page import Page, PrintedFigure, inches, wrapped
from landscape.store.scans.records import Floats

ROW, FURTHER = 0.16, 0.115
"""Height of an entry, and of each further line of one, in inches."""
HANDLE = 0.48
"""An entry's sample and the gap to the next."""
PIECES = 12
"""Of which a path's sample consists."""


@dataclass(frozen=True)
class Legend:
    """Entries within ``width`` inches."""

    handles: Sequence[Artist]
    width: float

    @property
    def columns(self) -> int:
        """As many as fit beside each other."""
        entries = [inches(text, theme.TICKS) + HANDLE for text in self._texts]
        for columns in range(len(entries), 1, -1):
            # As matplotlib does: column by column, the first one longer where it doesn't divide.
            parts = np.array_split(entries, columns)
            if sum(float(part.max()) for part in parts) <= self.width:
                return columns
        return 1

    @property
    def height(self) -> float:
        """Inches it takes, with the gap beneath."""
        if not self.handles:
            return 0.0
        lines = [len(text.split("\n")) for text in self._wrapped]
        parts = np.array_split(lines, self.columns)
        return (
            max(ROW * len(part) + FURTHER * float(part.sum() - len(part)) for part in parts) + 0.06
        )

    @property
    def _texts(self) -> list[str]:
        return [str(handle.get_label()) for handle in self.handles]

    @property
    def _wrapped(self) -> list[str]:
        room = self.width - HANDLE + 0.1
        return ["\n".join(wrapped(text, room, theme.TICKS)) for text in self._texts]

    def draw(self, page: Page, left: float, top: float) -> None:
        """Place it at ``top`` inches."""
        if not self.handles:
            return
        if isinstance(page.figure, PrintedFigure):
            page.figure.drawn.add("legend")
        legend = page.figure.legend(
            handles=list(self.handles),
            labels=self._wrapped,
            handler_map=HANDLERS,
            loc="upper left",
            bbox_to_anchor=page.at(left - 0.03, top),
            ncols=self.columns,
            fontsize=theme.TICKS,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            labelspacing=0.45,
            columnspacing=1.6,
            handletextpad=0.5,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
            text.set_color(theme.now().ink)
            text.set_linespacing(1.05)


class Swatch(Artist):
    """A sample of a path: a stretch of ``shades`` (from 0 to 1) of the steps' colours.

    ``layers`` are widths with a colour each, the steps' own where it is None; ``dashed`` leaves
    gaps, ``bead`` puts a ball in the middle.
    """

    def __init__(
        self,
        text: str,
        layers: Sequence[tuple[float, str | None]],
        shades: tuple[float, float],
        *,
        pale: bool = False,
        dashed: bool = False,
        bead: bool = False,
    ) -> None:
        super().__init__()
        self.set_label(text)
        self.layers, self.dashed, self.bead = tuple(layers), dashed, bead
        colours = np.asarray(theme.STEP(np.linspace(*shades, PIECES)))
        self.colours: Floats = theme.faded(colours) if pale else colours


class SwatchHandler(HandlerBase):
    """Draws a ``Swatch`` into a legend."""

    def create_artists(
        self,
        legend: Any,  # noqa: ARG002
        orig_handle: Any,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,  # noqa: ARG002
        trans: Transform,
    ) -> list[Artist]:
        """Return the sample's lines and its bead."""
        x = np.linspace(-xdescent, width - xdescent, PIECES + 1)
        y = (height - ydescent) / 2
        keep = np.arange(PIECES) % 4 < 2 if orig_handle.dashed else np.ones(PIECES, np.bool_)
        lines = [[(x[k], y), (x[k + 1], y)] for k in np.flatnonzero(keep)]
        artists: list[Artist] = []
        for thick, colour in orig_handle.layers:
            shade = orig_handle.colours[keep] if colour is None else colour
            artists.append(
                LineCollection(
                    lines, colors=shade, linewidths=thick, capstyle="butt", transform=trans
                )
            )
        if orig_handle.bead:
            middle = ([(x[0] + x[-1]) / 2], [y])
            artists.append(
                Line2D(
                    *middle,
                    marker="o",
                    mfc="white",
                    mec=theme.INK,
                    mew=0.5,
                    ms=3.2,
                    transform=trans,
                )
            )
        return artists


HANDLERS = {Swatch: SwatchHandler()}

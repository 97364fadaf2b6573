"""The legend's samples of a path: in the colours of its steps, as it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.transforms import Transform

from landscape.draw import theme
from landscape.store.records import Floats

PIECES = 12


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


class Handler(HandlerBase):
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


HANDLERS = {Swatch: Handler()}

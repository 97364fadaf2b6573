"""A legend beneath the panels: as many columns as fit, long entries on several lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist

from landscape.draw import swatches, theme
from landscape.draw.page import Page, inches, wrapped

ROW, FURTHER = 0.16, 0.115
"""Height of an entry, and of each further line of one, in inches."""
HANDLE = 0.48
"""An entry's sample and the gap to the next."""


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
        legend = page.figure.legend(
            handles=list(self.handles),
            labels=self._wrapped,
            handler_map=swatches.HANDLERS,
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

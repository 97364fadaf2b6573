"""Labels beside what they name: none covers a mark, a line or another label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from landscape.draw.look import theme
from landscape.draw.sheet import page
from landscape.store.scans.records import Floats

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in inches from the lower left corner of some axes."""
TALL = 1.25
"""Height of a line of letters, in their size."""
STEPS = (0.05, 0.12, 0.2, 0.3, 0.42)
"""How far from its point a label may stand, in inches: the nearest free place is taken."""
AROUND = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Ways to go there: right or left, up or down."""


@dataclass
class Labels:
    """The labels of some axes, each placed clear of those before and of what is drawn there."""

    axes: Axes
    size: tuple[float, float]
    """Of the axes, in inches."""
    taken: list[Box] = field(default_factory=list)

    def home(self, x: float, y: float) -> tuple[float, float]:
        """A place of the data in inches."""
        [at] = self._inches(np.array([[x, y]]))
        return float(at[0]), float(at[1])

    def keep_clear(self, points: Floats, room: float = 0.03) -> None:
        """Let no label stand on a line, given as points (n, 2) of the data, in their order."""
        at = self._inches(points)
        for a, b in pairwise(at):
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                continue
            for share in np.linspace(0, 1, max(2, int(np.linalg.norm(b - a) / 0.03))):
                self._dot(a + share * (b - a), room)
        for one in at[np.isfinite(at).all(1)]:
            self._dot(one, room)

    def beside(self, point: tuple[float, float], *texts: str, size: float = theme.SMALL) -> bool:
        """Write one of some texts beside a point of the data, the first that has room nearest.

        False, and nothing, where there is no room.
        """
        home = self.home(*point)
        for step in STEPS:
            for text in texts:
                width, height = _size(text, size)
                for right, up in AROUND:
                    x = home[0] + right * (width / 2 + step)
                    if not right:  # beside the axes' end, above or beneath goes inwards
                        x = float(np.clip(x, width / 2 + 0.02, self.size[0] - width / 2 - 0.02))
                    y = home[1] + up * (height / 2 + step)
                    if self.write(x, y, text, size):
                        return True
        return False

    def write(
        self, x: float, y: float, text: str, size: float = theme.SMALL, colour: str | None = None
    ) -> bool:
        """Write a label about a place in inches, if it is free; say whether it was."""
        width, height = _size(text, size)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if not self._free(box):
            return False
        self.taken.append(box)
        self._text(x, y, text, size, colour)
        return True

    def _text(self, x: float, y: float, text: str, size: float, colour: str | None) -> Text:
        found: Text = self.axes.text(
            x / self.size[0],
            y / self.size[1],
            text,
            transform=self.axes.transAxes,
            size=size,
            ha="center",
            va="center",
            linespacing=TALL - 0.1,
            color=colour or theme.now().ink,
            parse_math=False,
            zorder=8,
        )
        return found

    def _free(self, box: Box) -> bool:
        left, bottom, right, top = box
        if left < 0.01 or bottom < 0.01 or right > self.size[0] - 0.01:
            return False
        if top > self.size[1] - 0.01:
            return False
        return not any(_overlap(box, other) for other in self.taken)

    def _dot(self, at: Floats, room: float) -> None:
        x, y = at.tolist()
        self.taken.append((x - room, y - room, x + room, y + room))

    def _inches(self, points: Floats) -> Floats:
        shares = (self.axes.transData + self.axes.transAxes.inverted()).transform(points)
        return np.asarray(shares * np.array(self.size))


def _size(text: str, size: float) -> tuple[float, float]:
    """Width and height of a label's lines, in inches."""
    lines = text.split("\n")
    return max(page.inches(line, size) for line in lines) + 0.03, TALL * size * len(lines) / 72


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def ruler(places: Sequence[float], texts: Sequence[str], size: float = theme.TICKS) -> list[int]:
    """Which of some labels in a row, at these inches, have room: first and last, then between.

    The last one ends at its place.
    """
    places = [*places[:-1], places[-1] - page.inches(texts[-1], size) / 2]
    widths = [page.inches(text, size) + 0.09 for text in texts]
    taken: list[int] = []

    count = len(places)
    order = [0, count - 1]
    for parts in (2, 4, 8, 16, 32, 64):
        order.extend(round(k * (count - 1) / parts) for k in range(parts + 1))
    for k in dict.fromkeys(order):
        near = (abs(places[k] - places[j]) < (widths[k] + widths[j]) / 2 for j in taken)
        if not any(near):
            taken = [*taken, k]
    return sorted(taken)

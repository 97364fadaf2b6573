"""Labels beside what they name: clear of the path, the marks, the edge and each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from numpy.typing import NDArray

from landscape.draw.look import theme
from landscape.draw.sheet.page import inches
from landscape.store.scans.records import Floats

LINE = 1.22
"""Height of a line of letters, in their size."""
GAPS = (0.055, 0.09, 0.13, 0.18, 0.25, 0.34, 0.45, 0.6, 0.8)
"""How far from its place a label may stand, in inches, like all lengths here."""
TURNS = 32
LEADER = 0.14
"""From so far on a thin line joins a label to its place."""
CLEAR = 0.025
"""What labels keep from each other, from marks and from the edge."""


@dataclass(frozen=True)
class Label:
    """A text of one or two lines, and where what it names is, in the axes' coordinates."""

    text: str
    at: Floats
    size: float = theme.SMALL
    italic: bool = False


@dataclass
class Taken:
    """What labels must not cover, in pixels from the axes' lower left corner."""

    boxes: list[Floats] = field(default_factory=list)
    """Rectangles: left, bottom, right, top."""
    points: Floats = field(default_factory=lambda: np.empty((0, 2)))
    """(N, 2), so close along a line that no letter fits between two of them."""

    def cost(self, box: Floats) -> float:
        """Return how much of what is there a box would cover; 0: nothing."""
        covered = sum(_overlap(box, other) for other in self.boxes)
        inside = (self.points >= box[:2]) & (self.points <= box[2:])
        return covered + 40.0 * float(inside.all(axis=1).sum())


def extent(text: str, size: float) -> Floats:
    """Return the width and height of a text of one or more lines, in inches."""
    lines = text.split("\n")
    return np.array([max(inches(line, size) for line in lines), LINE * len(lines) * size / 72])


def write(axes: Axes, labels: Sequence[Label], taken: Taken) -> list[Text]:
    """Write labels in their order, each at the nearest free spot; ``taken`` grows by them.

    Where nothing is free the spot that covers least is taken.
    """
    dpi = theme.now().dpi
    room = np.array(axes.get_window_extent().size)
    written = []
    for label in labels:
        home = _pixels(axes, label.at)
        box = _place(home, dpi * extent(label.text, label.size), room, taken, dpi)
        taken.boxes.append(box + dpi * CLEAR * np.array([-1, -1, 1, 1]))
        written.append(_written(axes, label, box, home, dpi))
    return written


def _place(home: Floats, size: Floats, room: Floats, taken: Taken, dpi: float) -> Floats:
    turns = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
    best, least = np.zeros(4), np.inf
    for gap in GAPS:
        for turn in turns:
            towards = np.array([np.cos(turn), np.sin(turn)])
            # The corner or edge that faces the place is at the gap from it.
            centre = home + towards * dpi * gap + np.round(towards, 3) * size / 2
            box = np.concatenate([centre - size / 2, centre + size / 2])
            padded = box + dpi * CLEAR * np.array([-1, -1, 1, 1])
            out = float(np.maximum(-padded[:2], 0).sum() + np.maximum(padded[2:] - room, 0).sum())
            # Beside before above: letters run that way.
            cost = taken.cost(padded) + 1e4 * out + dpi * gap + 0.02 * dpi * abs(towards[1])
            if cost < least:
                best, least = box, cost
    return best


def _written(axes: Axes, label: Label, box: Floats, home: Floats, dpi: float) -> Text:
    nearest = np.clip(home, box[:2], box[2:])
    if np.linalg.norm(nearest - home) > dpi * LEADER:
        ends = np.stack([home, nearest])
        for thick, colour in ((1.5, "white"), (0.5, theme.INK)):
            axes.plot(*_coordinates(axes, ends).T, color=colour, lw=thick, zorder=8.6)
    left = bool(home[0] > (box[0] + box[2]) / 2)
    x, y = _coordinates(axes, np.array([[box[2] if left else box[0], (box[1] + box[3]) / 2]]))[0]
    return axes.text(
        float(x),
        float(y),
        label.text,
        size=label.size,
        ha="right" if left else "left",
        va="center",
        linespacing=1.1,
        style="italic" if label.italic else "normal",
        path_effects=theme.halo(1.6),
        color=theme.INK,
        zorder=9,
        parse_math=False,
    )


def covered(text: Text) -> Floats:
    """Return the box that a text of axes covers, in pixels from the axes' lower left corner."""
    if text.axes is None:
        raise AssertionError("a text of axes")
    box = text.get_window_extent()
    corner = text.axes.get_window_extent().p0
    return np.array([*(box.p0 - corner), *(box.p1 - corner)])


def on_ground(
    axes: Axes, text: str, ground: NDArray[np.bool_], taken: Taken, size: float = theme.SMALL
) -> Text | None:
    """Write a text where the ground it names is: ``ground`` (nx, ny) over the axes, evenly.

    None, and nothing written, where the ground has no room for it.
    """
    dpi = theme.now().dpi
    room = np.array(axes.get_window_extent().size)
    wanted = dpi * (extent(text, size) + 0.06)
    cells = np.ceil(wanted / room * ground.shape).astype(int)
    if (cells > np.array(ground.shape)).any():
        return None
    summed = np.zeros(np.array(ground.shape) + 1)
    summed[1:, 1:] = ground.cumsum(0).cumsum(1)
    i, j = cells
    inside = summed[i:, j:] - summed[:-i, j:] - summed[i:, :-j] + summed[:-i, :-j]
    free = np.argwhere(inside == i * j)
    scale = room / np.array(ground.shape)
    best, most = None, -np.inf
    # The middle of what is free, roughly: few places are as good as any.
    middle = free.mean(axis=0) if len(free) else np.zeros(2)
    for corner in free[:: max(1, len(free) // 400)]:
        low = corner * scale
        box = np.concatenate([low, low + cells * scale])
        if taken.cost(box) == 0 and (score := -float(np.hypot(*(corner - middle)))) > most:
            best, most = box, score
    if best is None:
        return None
    taken.boxes.append(best)
    x, y = _coordinates(axes, ((best[:2] + best[2:]) / 2)[None])[0]
    colour = theme.now().note
    return axes.text(
        float(x), float(y), text, size=size, ha="center", va="center", color=colour, zorder=3
    )


def _pixels(axes: Axes, at: Floats) -> Floats:
    return np.asarray(axes.transData.transform(at) - axes.get_window_extent().p0)


def _coordinates(axes: Axes, pixels: Floats) -> Floats:
    return np.asarray(
        axes.transData.inverted().transform(pixels + np.array(axes.get_window_extent().p0))
    )


def _overlap(one: Floats, other: Floats) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)))

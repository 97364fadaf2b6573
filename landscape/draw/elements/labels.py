"""Labels beside what they name: none covers a mark, a line or another label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from numpy.typing import NDArray

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
FAR = (0.055, 0.09, 0.13, 0.18, 0.25, 0.34, 0.45, 0.58, 0.72, 0.86, 1.0, 1.15, 1.3, 1.45)
"""The same for labels that must stand somewhere,"""
TURNS = 32
"""in so many directions."""
LEADER = 0.14
"""From so far on a thin line joins a label to its place."""
GRAIN, LIGHT = 4, np.array([0.299, 0.587, 0.114])
"""One of so many pixels tells how light a ground is, by these shares of red, green and blue."""
DARK, UNEVEN, DRAWN, LEGIBLE = 5.0, 6.0, 0.2, 0.42
PLAIN = 0.2
"""Inches that a label goes further to stand on white rather than black, on one shade rather than on
two, on the page (by so much) rather than on a drawing; on a darker ground its letters are white."""
EDGE, TOUCHED = 0.001, 0.15
"""Of a label that has so much on either of page and drawing it is said that it touches an edge; it
goes so many inches further not to."""
CROSSED = 3.0
"""The same for each inch that a line to it would run through others' marks."""
MARKED = 0.5
"""So many inches more for each of these."""
TANGLED = 1e3
"""The same for each line to another label that its own line crosses or that it stands on, and each
text that its line runs through: more than any ground costs, so that it is done only where there is
no other place."""
CLEAR = 0.025
"""What such labels keep from each other, from marks and from the edge."""
APART = 0.1
"""Inches between two texts in a line."""
BESIDE, ALONG = 0.025, 0.05
"""What a curve's name keeps from it, and between the places along it that are tried."""
ON_GROUND = 400
"""So many places are tried for a name on its ground."""
ENDLESS = 100.0
"""Inches: a line that is longer leaves any page."""


@dataclass
class Labels:
    """The labels of some axes, each placed clear of those before and of what is drawn there."""

    axes: Axes
    size: tuple[float, float]
    """Of the axes, in inches."""
    taken: list[Box] = field(default_factory=list)
    ground: Floats = field(default_factory=lambda: np.ones((1, 1, 3)))
    """Colours (height, width, 3) from 0 to 1 of what is drawn there, rows from below: labels go
    where it is light and calm."""

    marks: list[Box] = field(default_factory=list)
    words: list[Box] = field(default_factory=list)
    """What is written."""
    joined: list[tuple[Floats, Floats]] = field(default_factory=list)
    """Places and where the labels nearest to them begin: a line may run there."""
    _held: Floats = field(default_factory=lambda: np.empty((0, 4)), repr=False)
    """What is taken, as an array."""

    def on(self, picture: NDArray[np.uint8]) -> None:
        """Take the ground from a picture (height, width, 3 or 4), rows from below."""
        self.ground = picture[::GRAIN, ::GRAIN, :3] / 255

    def home(self, x: float, y: float) -> tuple[float, float]:
        """A place of the data in inches."""
        [at] = self.homes(np.array([[x, y]]))
        return float(at[0]), float(at[1])

    def keep_clear(self, points: Floats, room: float = 0.03) -> None:
        """Let no label stand on a line, given as points (n, 2) of the data, in their order."""
        at = self.homes(points)
        for a, b in pairwise(at):
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                continue
            length = np.linalg.norm(b - a)
            if length > ENDLESS:  # one that leaves the axes by so much can be without end
                a, b = self._within(a, b)
                length = np.linalg.norm(b - a)
            shares = np.linspace(0, 1, max(2, int(length / 0.03)))
            self._dots(a + shares[:, None] * (b - a), room)
        self._dots(at[np.isfinite(at).all(1)], room)

    def _within(self, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        """The ends of what a line has on the axes or, where it misses them, a point at its edge."""
        size, way = np.array(self.size), b - a
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.sort(np.stack([-a, size - a]) / way, axis=0)
        first, last = np.nanmax([0.0, *shares[0]]), np.nanmin([1.0, *shares[1]])
        return np.clip(a + first * way, 0, size), np.clip(a + last * way, 0, size)

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
        self,
        x: float,
        y: float,
        text: str,
        size: float = theme.SMALL,
        colour: str | None = None,
        ground: str | None = None,
    ) -> bool:
        """Write a label about a place in inches, if it is free; say whether it was.

        ``ground``: the colour of what it names, which may be narrower than the label.
        """
        width, height = _size(text, size)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if not self._free(box):
            return False
        self.taken.append(box)
        self.words.append(box)
        found = self._text(x, y, text, size, colour)
        if ground is not None:
            found.set_bbox({"facecolor": ground, "edgecolor": "none", "pad": 0.8})
        return True

    def near(self, point: tuple[float, float], text: str, size: float = theme.SMALL) -> None:
        """Write a label at the nearest free spot to a point of the data, a line to it if apart.

        Lines to labels cross none of each other and run through no words. Where nothing is free the
        spot that covers least is taken.
        """
        home, (width, height) = np.array(self.home(*point)), _size(text, size)
        half = np.array([width, height]) / 2
        turns = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
        towards = np.tile(np.stack([np.cos(turns), np.sin(turns)], axis=1), (len(FAR), 1))
        gaps = np.repeat(FAR, TURNS)
        middles = home + towards * gaps[:, None] + np.round(towards, 3) * half
        # Beside before above: letters run that way.
        costs = self._costs(middles, half + CLEAR) + 0.6 * gaps + 0.02 * np.abs(towards[:, 1])
        best, least = home, np.inf
        # The ground and lines only add to that: a spot that costs as much already isn't looked at.
        for k in np.argsort(costs, kind="stable"):
            if costs[k] >= least:
                break
            middle = middles[k]
            end = np.clip(home, middle - half, middle + half)
            cost = costs[k] + CROSSED * self._crossed(home, end)
            cost += TANGLED * self._tangles(home, end, middle, half) if cost < least else 0
            light, uneven, drawn = self._beneath(middle, half + CLEAR)
            cost += DARK * (1 - light) ** 4 + UNEVEN * uneven + DRAWN * drawn
            cost += TOUCHED * (EDGE < drawn < 1 - EDGE)
            if cost < least:
                best, least = middle, cost
        self._join(home, best, half, text, size)

    def _join(self, home: Floats, best: Floats, half: Floats, text: str, size: float) -> None:
        """Write a label about a place in inches, with a line to its home if that isn't near."""
        white = self._beneath(best, half)[0] < LEGIBLE
        padded = half + CLEAR
        self.taken.append((*(best - padded), *(best + padded)))
        self.words.append((*(best - half), *(best + half)))
        nearest = np.clip(home, best - half, best + half)
        self.joined.append((home, nearest))
        if np.linalg.norm(nearest - home) > LEADER:
            self._dots(np.linspace(home, nearest, 30), 0.01)
            ends = np.stack([self._rim(home, nearest), nearest]) / self.size
            for thick, colour in ((1.2, "white"), (0.5, theme.INK)):
                self.axes.plot(
                    *ends.T, color=colour, lw=thick, zorder=7.5, transform=self.axes.transAxes
                )
        left = home[0] > best[0]
        self.axes.text(
            (best[0] + (half[0] if left else -half[0])) / self.size[0],
            best[1] / self.size[1],
            text,
            transform=self.axes.transAxes,
            size=size,
            ha="right" if left else "left",
            va="center",
            path_effects=theme.halo(1.3, theme.INK if white else "white"),
            color="white" if white else theme.INK,
            zorder=9,
            parse_math=False,
        )

    def along(
        self, points: Floats, text: str, size: float = theme.SMALL, colour: str | None = None
    ) -> bool:
        """Name a curve (n, 2) of the data at the first free place above or beneath it, last first.

        False, and nothing, where there is no room.
        """
        width, height = _size(text, size)
        away = height / 2 + BESIDE
        at = self.homes(points[np.isfinite(points).all(1)])
        gone = np.append(0.0, np.linalg.norm(np.diff(at, axis=0), axis=1).cumsum())
        fine = np.arange(gone[-1], -ALONG, -ALONG)
        for x, y in zip(*(np.interp(fine, gone, part) for part in at.T), strict=True):
            x = float(np.clip(x, width / 2 + 0.02, self.size[0] - width / 2 - 0.02))
            if any(self.write(x, y + up, text, size, colour) for up in (away, -away)):
                return True
        return False

    def corner(self, text: str, size: float = theme.LETTERS) -> None:
        """Write a panel's name in a corner on a coloured ground: the first that is free.

        Where none is, that of which least is covered.
        """
        half = np.array(_size(text, size)) / 2
        inner = np.array(self.size) - half - CLEAR
        low = half + CLEAR
        places = np.array([[x, y] for y in (inner[1], low[1]) for x in (low[0], inner[0])])
        middle = places[self._costs(places, half + CLEAR).argmin()]
        self.taken.append((*(middle - half), *(middle + half)))
        self.words.append(self.taken[-1])
        x, y = middle.tolist()
        found = self._text(x, y, text, size, theme.INK)
        found.set(path_effects=theme.halo(1.6), zorder=9)

    def on_ground(self, text: str, ground: NDArray[np.bool_], size: float = theme.SMALL) -> bool:
        """Write a name where the ground is that it names; say whether there was room.

        ``ground`` (nx, ny) is spread evenly over the axes.
        """
        wide, tall = np.array(self.size) / ground.shape
        width, height = _size(text, size)
        i, j = int(np.ceil((width + 0.04) / wide)), int(np.ceil((height + 0.04) / tall))
        if i > ground.shape[0] or j > ground.shape[1]:
            return False
        summed = np.zeros(np.array(ground.shape) + 1)
        summed[1:, 1:] = ground.cumsum(0).cumsum(1)
        inside = summed[i:, j:] - summed[:-i, j:] - summed[i:, :-j] + summed[:-i, :-j]
        free = np.argwhere(inside == i * j)
        if not len(free):
            return False
        # As near to the middle of the ground as there is room.
        off = np.linalg.norm((free - free.mean(axis=0)) * [wide, tall], axis=1)
        for k in np.argsort(off)[:: max(1, len(off) // ON_GROUND)]:
            x, y = (free[k] + np.array([i, j]) / 2) * [wide, tall]
            if self.write(float(x), float(y), text, size, theme.now().note):
                return True
        return False

    def mark(self, point: tuple[float, float], room: float) -> None:
        """Let no label stand on a mark that reaches so many inches around a point of the data."""
        self._dots(np.array([self.home(*point)]), room)
        self.marks.append(self.taken[-1])

    def written(self) -> None:
        """Let no label stand on the texts that are there already."""
        corner = self.axes.get_window_extent().p0
        for text in self.axes.texts:
            box = text.get_window_extent()
            ends = np.concatenate([box.p0 - corner, box.p1 - corner]) / theme.now().dpi
            left, bottom, right, top = map(float, ends)
            # Side by side they would read as one.
            self.taken.append((left - APART, bottom, right + APART, top))
            self.words.append((left, bottom, right, top))

    def _boxes(self) -> Floats:
        if len(self._held) != len(self.taken):
            self._held = np.array(self.taken).reshape(-1, 4)
        return self._held

    def _costs(self, middles: Floats, half: Floats) -> Floats:
        """What labels about these places (n, 2) would cover, and how far they leave the axes."""
        low, high = middles - half, middles + half
        outside = (np.maximum(-low, 0) + np.maximum(high - self.size, 0)).sum(axis=1)
        boxes = self._boxes()
        sides = np.minimum(high[:, None], boxes[:, 2:]) - np.maximum(low[:, None], boxes[:, :2])
        covered = np.prod(np.maximum(sides, 0), axis=2).sum(axis=1)
        return np.asarray(1e4 * outside + 1e4 * covered)

    def _rim(self, home: Floats, end: Floats) -> Floats:
        """Where a line from a place leaves its own mark: another mark may lie within a ring."""
        boxes = np.array(self.marks).reshape(-1, 4)
        own = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - home).max(axis=1) <= 1e-6
        room = float((boxes[own, 2] - boxes[own, 0]).max(initial=0.0)) / 2
        length = float(np.linalg.norm(end - home))
        return np.asarray(home + (end - home) * min(room / max(length, 1e-9), 1.0))

    def _crossed(self, home: Floats, end: Floats) -> float:
        """How far a line from a label to its place would run through others' marks, in inches."""
        length = float(np.linalg.norm(end - home))
        if length <= LEADER:
            return 0.0
        boxes = np.array(self.marks).reshape(-1, 4)
        others = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - home).max(axis=1) > 1e-6
        through = _inside(self._rim(home, end), end, boxes[others])
        # A mark that it runs through would seem to be what it leads to.
        return float(length * through.mean(axis=0).sum() + MARKED * through.any(axis=0).sum())

    def _tangles(self, home: Floats, end: Floats, middle: Floats, half: Floats) -> int:
        """How many lines and texts a label, and the line from it to its place, would be mixed with.

        Lines too short to be drawn count: one that crosses them parts a label from its mark.
        """
        box = np.concatenate([middle - half, middle + half])[None]
        found = sum(bool(_inside(*line, box).any()) for line in self.joined)
        if np.linalg.norm(end - home) <= LEADER:
            return found
        texts = np.array(self.words).reshape(-1, 4)
        found += int(_inside(home, end, texts).any(axis=0).sum())
        return found + sum(_meet(home, end, *line) for line in self.joined)

    def _beneath(self, middle: Floats, half: Floats) -> tuple[float, float, float]:
        """How light and how uneven the ground of a label is, and the share that isn't page."""
        high, wide, _ = self.ground.shape
        shares = np.concatenate([middle - half, middle + half]) / np.tile(self.size, 2)
        left, bottom, right, top = np.clip(shares, 0, 1) * [wide, high, wide, high]
        i, j = min(int(left), wide - 1), min(int(bottom), high - 1)
        part = self.ground[j : max(int(top), j + 1), i : max(int(right), i + 1)]
        light = float((part.mean(axis=(0, 1)) * LIGHT).sum())
        drawn = np.abs(part - to_rgb(theme.now().page)).max(axis=2) > PLAIN
        return light, float(part.std(axis=(0, 1)).max()), float(drawn.mean())

    def _text(self, x: float, y: float, text: str, size: float, colour: str | None) -> Text:
        found: Text = self.axes.text(
            x / self.size[0],
            y / self.size[1],
            text,
            transform=self.axes.transAxes,
            size=size,
            ha="center",
            va="center",
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
        held = self._boxes()
        across = (held[:, 0] < right) & (left < held[:, 2])
        return not (across & (held[:, 1] < top) & (bottom < held[:, 3])).any()

    def _dots(self, at: Floats, room: float) -> None:
        """Let no label stand within so many inches of places (n, 2) in inches."""
        self.taken.extend((x - room, y - room, x + room, y + room) for x, y in at.tolist())

    def homes(self, points: Floats) -> Floats:
        """Places (n, 2) of the data in inches."""
        shares = (self.axes.transData + self.axes.transAxes.inverted()).transform(points)
        return np.asarray(shares * np.array(self.size))


def _size(text: str, size: float) -> tuple[float, float]:
    """Width and height of a label's lines, in inches."""
    lines = text.split("\n")
    return max(page.inches(line, size) for line in lines) + 0.03, TALL * size * len(lines) / 72


def _inside(a: Floats, b: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Which places (40) on a line from a to b are inside of which boxes (n, 4)."""
    line = a + np.linspace(0, 1, 40)[:, None] * (b - a)
    held = (line[:, None] > boxes[:, :2]) & (line[:, None] < boxes[:, 2:])
    return np.asarray(held.all(axis=2))


def _meet(a: Floats, b: Floats, c: Floats, d: Floats) -> bool:
    """Whether the segments from a to b and from c to d cross."""

    def side(p: Floats, q: Floats, r: Floats) -> float:
        return float(np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])))

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def reaches_beyond(place: float, text: str, wide: float, size: float = theme.TICKS) -> bool:
    """Whether a label in the middle of its place would leave a row so many inches wide."""
    return place + page.inches(text, size) / 2 > wide


def ruler(
    places: Sequence[float], texts: Sequence[str], wide: float, size: float = theme.TICKS
) -> list[int]:
    """Which of some labels in a row, at these inches, have room: first and last, then between.

    The last one ends at its place where it would reach beyond the row's end.
    """
    if reaches_beyond(places[-1], texts[-1], wide, size):
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

"""What stands on a valley's columns: what happened above, curves and distances beneath."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw.elements import episodes
from landscape.draw.elements.columns import Columns
from landscape.draw.elements.labels import Labels
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.sheet import page
from landscape.draw.sheet.page import Element
from landscape.quantities import number
from landscape.store.scans.records import Floats
from landscape.store.scans.valleys import Valley

Size = tuple[float, float]
"""Of a strip, in inches."""
LEAST = 0.35
"""An episode is drawn at least so wide, in columns."""
NAMED = 0.11
"""Height of a row of names, in inches."""
BELOW = 0.11
"""Inches beneath a name of what happened without a mark's label."""
PLACES = 9
"""Tried for a name from the middle of its stretch to each of its ends."""
GRAVEST = ("non-finite", "escape", "plateau", "spike", "recovery")
"""What happens, in the order in which it is given room for its name."""
NAME = 0.07
"""Half the width of a strip's short name."""
LEFT = 0.57
"""Inches beside the columns for ticks and names."""
LETTERS = 6.0
"""Size of a name that stands upright in several lines."""
EVEN = 6
"""Places up a column that a name keeps clear of."""
HEAD, FOOT = 0.14, 0.08
"""Inches above what is drawn, for a row of letters, and the share of the scale beneath it."""
KEY_MARK, KEY_LINE = 0.06, 0.22
"""Widths of samples, in inches."""
NUMBER = 0.05
"""Inches that a tick's number reaches above its tick and beneath."""


@dataclass(frozen=True)
class Strip:
    """One strip beneath the columns."""

    height: float
    draw: Callable[[Axes, Valley, Columns, Size], None]
    known: Callable[[Valley], bool]
    """Whether there is anything to be drawn."""


def there(valley: Valley) -> list[Strip]:
    """The strips of a valley, from above."""
    return [strip for strip in STRIPS if strip.known(valley)]


def events(axes: Axes, valley: Valley, where: Columns, placed: Labels) -> None:
    """Shade what happened, each kind named once: above its longest stretch that has room.

    The gravest is named first; one for which nothing is free is led to.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    already = len(placed.words)
    for name, left, right in stretches(valley, where):
        axes.axvspan(left, right, color=theme.episode(name), lw=0, zorder=1)
        page.drew(axes, "bands")
        found.setdefault(name, []).append((left, right))
    for name in sorted(found, key=GRAVEST.index):
        spans = sorted(found[name], key=lambda span: span[0] - span[1])
        if not any(_above(placed, name, where, span) for span in spans):
            data = axes.transAxes + axes.transData.inverted()
            _, high = data.transform((0, 1 - NAMED / placed.size[1]))
            placed.near((sum(spans[0]) / 2, float(high)), name)
    # A mark's label right beneath would read as the name's second line.
    placed.taken += [
        (left, low - BELOW, right, high) for left, low, right, high in placed.words[already:]
    ]


def stretches(valley: Valley, where: Columns) -> list[tuple[str, float, float]]:
    """Name and ends, in columns, of what happened; none narrower than can be seen."""
    found = []
    steps, far = _gone(valley)
    for name, first, last in episodes.stretches(valley.events):
        left, right = (float(at) for at in where.at(np.interp([first, last], steps, far)))
        if right - left < LEAST:
            left, right = (left + right - LEAST) / 2, (left + right + LEAST) / 2
        found.append((name, left, right))
    return found


def _above(placed: Labels, name: str, where: Columns, span: tuple[float, float]) -> bool:
    """Write what happened above a stretch, in one of three rows; false where there is no room.

    At the middle of the stretch, else as near to it as is free, its own middle on the stretch.
    """
    half = page.inches(name, theme.SMALL) / 2 + 0.03
    left, right = (end / where.width * placed.size[0] for end in span)
    aside = np.linspace(0, (right - left) / 2, PLACES)
    middles = (left + right) / 2 + np.concatenate([[0.0], np.stack([-aside, aside], 1)[1:].ravel()])
    rows = [placed.size[1] - 0.07 - NAMED * row for row in range(3)]
    ground = theme.episode(name)
    return any(
        placed.write(float(middle), row, name, ground=ground)
        for middle in np.clip(middles, half, placed.size[0] - half)
        for row in rows
    )


def _gone(valley: Valley) -> tuple[Floats, Floats]:
    """Steps and how far the run had gone there, at all that is known of it."""
    step = np.concatenate([valley.path.step, valley.slices.step])
    order = np.unique(step, return_index=True)[1]
    far = np.concatenate([valley.path.travelled, valley.slices.travelled])
    return step[order].astype(np.float64), far[order]


def _length(axes: Axes, valley: Valley, where: Columns, size: Size) -> None:
    """Draw how long the direction is: what 1 across stands for."""
    where.frame(axes)
    page.drew(axes, "length")
    length = valley.slices.length
    known = np.isfinite(length)
    axes.bar(where.left[known], length[known], 1.0, align="edge", color=theme.PALE, lw=0)
    high = float(length[known].max(initial=1.0))
    axes.set_ylim(0, high)
    _ticks(axes, [high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
    axes.set_ylabel("‖d‖", size=theme.SMALL, rotation=0, va="center", ha="center")
    reach = 0.07 + page.inches(number(high, 2), theme.TICKS)
    axes.yaxis.set_label_coords(-max(0.35, reach + NAME) / size[0], 0.5)
    axes.get_yticklabels()[0].set_verticalalignment("top")


def _width(axes: Axes, valley: Valley, where: Columns, size: Size) -> None:
    """Draw how far the loss stays within the rise: median, and the rays' spread as a band."""
    where.frame(axes)
    low, middle, high = valley.widths()
    far = float(np.abs(valley.y[[0, -1]]).max())
    seen = np.concatenate([low, middle, high])
    seen = seen[np.isfinite(seen) & (seen > 0)]
    least = float(seen.min()) if len(seen) else far / 10
    top = far * 1.1
    bottom = least / max(1.3, (top / least) ** FOOT)
    # As much more as a label above all of it takes.
    above = (top / bottom) ** (HEAD / (size[1] - HEAD))
    axes.set_yscale("log")
    axes.set_ylim(bottom, top * above)
    look = theme.now()
    for name, left, right in stretches(valley, where):
        axes.axvspan(left, right, color=theme.episode(name), lw=0, zorder=0)
    known = np.isfinite(low)
    axes.bar(
        where.left[known] + 0.06,
        np.minimum(high[known], top) - np.maximum(low[known], bottom),
        0.88,
        np.maximum(low[known], bottom),
        align="edge",
        # Not transparent: it is one colour on whatever happened.
        color=theme.blended(np.array([to_rgba(look.train)]), 0.3)[0],
        lw=0,
    )
    where.dashes(axes, np.where(middle > 0, middle, np.nan), color=look.train, lw=1.2)
    page.drew(axes, "width")
    beyond = np.isposinf(middle)
    axes.plot(where.middle[beyond], np.full(beyond.sum(), far), "^", color=look.train, ms=2, lw=0)
    if beyond.any():
        page.drew(axes, "farther")
    below = middle == 0
    lowest = np.full(below.sum(), bottom * 1.15)
    axes.plot(where.middle[below], lowest, "v", color=look.train, ms=2, lw=0)
    if below.any():
        page.drew(axes, "nearer")
    _round(axes, bottom, top * above, size[1])
    axes.set_ylabel(f"r₀.₁\n(+{valley.rise.short})", size=LETTERS, labelpad=1)
    _narrowest(axes, valley, where, middle, size)


def _narrowest(axes: Axes, valley: Valley, where: Columns, middle: Floats, size: Size) -> None:
    """Say where the walls stand nearest."""
    row = valley.narrowest
    if row is None or not np.isfinite(middle[row]):
        return
    placed = Labels(axes, size)
    radius = number(float(middle[row])) if middle[row] else f"< {number(valley.finest)}"
    text = f"narrowest {radius}, step {valley.slices.step[row]:,}"
    x, y = placed.home(float(where.middle[row]), max(float(middle[row]), axes.get_ylim()[0]))
    half = page.inches(text, LETTERS) / 2 + 0.03
    # Above all columns, a line to it within its own.
    placed.write(float(np.clip(x, half, size[0] - half)), size[1] - HEAD / 2, text, LETTERS)
    ends = np.array([[x, y], [x, size[1] - HEAD]]) / size
    for thick, colour in ((1.2, theme.now().page), (0.5, theme.now().ink)):
        axes.plot(*ends.T, color=colour, lw=thick, zorder=6, transform=axes.transAxes)


@dataclass(frozen=True)
class Curvatures:
    """One kind of curvature, as marks over the columns."""

    name: str
    """In the strip's legend."""
    element: Element
    colour: str
    marker: str
    x: Floats
    values: Floats

    @property
    def shown(self) -> Floats:
        """(n, 2) what can be drawn of them on a logarithmic axis."""
        known = np.isfinite(self.values) & (self.values > 0)
        return np.column_stack([self.x[known], self.values[known]])


def _curvatures(valley: Valley, where: Columns) -> list[Curvatures]:
    look = theme.now()
    along, across = valley.critical_sharpness, valley.slices.curvature
    found = [
        Curvatures("critical sharpness", "critical", look.train, "o", where.middle, along),
        Curvatures("λ across", "across", look.validation, "s", where.middle, across),
    ]
    steps, far = _gone(valley)
    for name, (at, values) in valley.known.items():
        x = where.at(np.interp(at, steps, far))
        element: Element = "eigenvalue" if name == "λ" else "batch"
        named = "batch sharpness" if element == "batch" else name
        mark = theme.curvature(element)
        found.append(Curvatures(named, element, mark.colour, mark.marker, x, np.asarray(values)))
    return [one for one in found if len(one.shown)]


def _sharpness(axes: Axes, valley: Valley, where: Columns, size: Size) -> None:
    """Draw critical sharpness and what else is known of curvature, against the bounds."""
    where.frame(axes)
    found = _curvatures(valley, where)
    every = np.concatenate([*(one.shown[:, 1] for one in found), valley.bounds.ravel()])
    every = every[np.isfinite(every) & (every > 0)]
    bottom, top = (every.min() / 1.6, every.max() * 1.4) if len(every) else (0.1, 10.0)
    # As much more as a label above the highest takes.
    top *= (top / bottom) ** (HEAD / (size[1] - HEAD))
    axes.set_yscale("log")
    axes.set_ylim(bottom, top)
    _round(axes, float(bottom), float(top), size[1])
    # No unit: all of them are on the scale of the Hessian's eigenvalues, whatever the rate.
    only = "critical\n" if [one.element for one in found] == ["critical"] else ""
    _upright_name(axes, f"{only}sharpness")
    placed = Labels(axes, size)
    for one in found:
        page.drew(axes, one.element)
        axes.plot(*one.shown.T, one.marker, color=one.colour, ms=2.4, lw=0)
        for point in one.shown:
            placed.keep_clear(point[None], 0.025)
    bounds = list(zip(valley.bounds.T, ((0, (3, 1.5)), "-"), strict=True))
    for values, dashes in bounds:
        where.dashes(axes, values, color=theme.now().ink, lw=0.7, linestyles=dashes)
        placed.keep_clear(np.column_stack([where.middle, values]), 0.01)
    names = ["2(1−β)/η", "(2+2β)/η"]
    if np.array_equal(*valley.bounds.T):  # without momentum
        names = ["2/η"]
    if not np.isfinite(valley.bounds).any():
        page.drew(axes, "unbounded")
    else:
        page.drew(axes, "bounds", *(("undecided",) if len(names) > 1 else ()))
    key = Key(axes, placed)
    for one in found if len(found) > 1 else ():
        key.write(one.name, one.colour, marker=one.marker, ms=2.4, lw=0)
    for (values, dashes), text in zip(bounds, names, strict=False):
        if not np.isfinite(values).any():
            continue
        bound = f"stability bound {text}"
        line = np.column_stack([where.middle, values])
        if not any(placed.along(line, said, theme.SMALL - 0.6) for said in (bound, text)):
            key.write(bound, theme.now().ink, lw=0.7, ls=dashes)


@dataclass
class Key:
    """What marks and lines are, in a row above all of them, from the left."""

    axes: Axes
    placed: Labels
    reached: float = 0.05
    """Inches from the left end."""

    def write(self, text: str, colour: str, **look: Any) -> None:
        """Write one with a sample before it, if there is room."""
        sample = KEY_MARK if look.get("marker") else KEY_LINE
        width, y = page.inches(text, LETTERS), self.placed.size[1] - HEAD / 2
        left = self.reached + sample + 0.03
        if not self.placed.write(left + width / 2 + 0.015, y, text, LETTERS, colour):
            return
        ends = (
            np.array([self.reached, self.reached + sample])
            if "ls" in look
            else self.reached + sample / 2
        )
        x = np.atleast_1d(ends) / self.placed.size[0]
        self.axes.plot(
            x,
            np.full(len(x), y / self.placed.size[1]),
            color=colour,
            zorder=7,  # gaps between columns are above the columns' own marks
            transform=self.axes.transAxes,
            **look,
        )
        self.reached = left + width + 0.1


def _distances(axes: Axes, valley: Valley, where: Columns, size: Size) -> None:
    """Draw each column's distances to the earlier ones, and where it came back near one."""
    where.frame(axes)
    distances, back = valley.slices.distances, valley.slices.returned
    look = theme.now()
    first, second = np.tril_indices(len(distances), -1)
    further = second > 0
    for rows, columns, width, alpha, colour in (
        (first[further], second[further], 0.5, 0.4, look.train),
        (first[~further], second[~further], 1.0, 1.0, look.ink),
    ):
        left = where.left[rows]
        axes.hlines(
            distances[rows, columns], left + 0.06, left + 0.94, color=colour, lw=width, alpha=alpha
        )
    there = np.flatnonzero(back >= 0)
    axes.plot(
        where.middle[there],
        distances[there, back[there]],
        "o",
        color=look.validation,
        ms=2.2,
        mec=look.page,
        mew=0.3,
        lw=0,
        zorder=5,
        clip_on=False,
    )
    far = float(distances.max()) or 1.0
    axes.set_ylim(-0.06 * far, 1.1 * far)
    _ticks(axes, [0.0, *MaxNLocator(2, steps=[1, 2, 5, 10]).tick_values(0, far)[1:2]])
    _upright_name(axes, "distance to\nearlier\ncolumns")
    page.drew(axes, "distances", *(("returned",) if len(there) else ()))
    placed = Labels(axes, size)
    for k in range(1, len(distances)):
        held = np.linspace(distances[k, :k].min(), distances[k, :k].max(), EVEN)
        for side in (0.1, 0.5, 0.9):
            placed.keep_clear(np.column_stack([np.full(EVEN, where.left[k] + side), held]), 0.01)
    placed.along(np.column_stack([where.middle, distances[:, 0]]), "to the first", LETTERS)


def _upright_name(axes: Axes, text: str) -> None:
    """Write a strip's name in several lines, upright at the left end of its room."""
    axes.set_ylabel(text, size=LETTERS)
    page.name_y(axes, LEFT)


def _round(axes: Axes, low: float, high: float, tall: float) -> None:
    """Few round ticks on a logarithmic axis of so many inches, none at an end of it.

    Its number would stand beside that of the strip above or beneath.
    """
    scale = Scale(low, high, True, False, "", float("nan"))
    inside: list[float] = []
    for count in (3, 4, 5, 6, 8):
        ticks = scale.ticks(count)
        places = scale.position(ticks) * tall
        found = ticks[(places > NUMBER) & (places < tall - NUMBER)].tolist()
        if len(found) > len(inside) and (np.diff(places) > 2 * NUMBER).all():
            inside = found
        if len(inside) > 1:
            break
    _ticks(axes, inside if len(inside) > 1 else scale.two().tolist())


def _ticks(axes: Axes, ticks: list[float]) -> None:
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", length=2, pad=1.5)


def _short(value: float) -> str:
    """A tick that leaves room for the strip's name beside it: 30k."""
    return f"{value / 1000:g}k" if 1000 <= value < 1e6 else number(value)


STRIPS = (
    Strip(0.16, _length, lambda valley: bool(np.isfinite(valley.slices.length).any())),
    Strip(0.5, _width, lambda valley: bool((~np.isnan(valley.width(0.5))).any())),
    Strip(
        0.5,
        _sharpness,
        lambda valley: bool(np.isfinite(valley.critical_sharpness).any() or valley.known),
    ),
    Strip(0.5, _distances, lambda valley: len(valley.slices.step) > 2),
)
"""In their order from above."""

"""What was measured beside losses and accuracies: a panel a measure, each on its own scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from landscape.draw.elements import finer, plane_axes, raster
from landscape.draw.elements.plane_axes import PlaneWindow, window
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.page import Page
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Scan

TITLES = {
    "gradient_norm": "gradient norm",
    "sharpness": "sharpness λ_max",
    "convexity": "|λ_min / λ_max|",
}
"""What curvature is measured of any problem, in the order of the panels."""
WIDTH, SINGLE = 7.0, 4.0
LEFT, GAP, RIGHT, TOP, BENEATH, BAR = 0.76, 0.25, 0.14, 0.27, 0.6, 0.62
ACROSS = 3
"""Panels beside each other at most: more have no room for their titles."""
LINE = 5.0
"""Width of a line's figure."""
HIGH = 1.5
"""Height of a line's panel."""


def further_measures(scan: Scan) -> tuple[str, ...]:
    """Return the measures that a scan has anywhere beside the four that every one has.

    Curvature, then a sum's terms and what the problem measures itself.
    """
    own = sorted(scan.attributes.keys() - TITLES.keys() - sentences.MEASURES.keys())
    return tuple(
        name
        for name in (*TITLES, *own)
        if name in scan.measures and bool(np.isfinite(scan.measures[name]).any())
    )


def _title(scan: Scan, name: str) -> str:
    about = scan.measure(name)
    if about.term:
        return f"{about.term}, validation" if about.role == "validation" else about.term
    return TITLES.get(name) or sentences.title(scan, name)


@styled
def measured(scan: Scan, *, like: Sequence[Scan] = (), style: Style = PLAIN) -> Figure:
    """Draw gradient norm, sharpness and convexity, a sum's terms and the problem's own measures.

    Each has its own scale, logarithmic where all values are positive; the scans ``like`` it share
    them. A plane's panels stand side by side, a line's beneath each other. A cap of the style is
    one of losses: here it cuts nothing.

    Raises:
        LandscapeError: none of them was measured, or a logarithmic scale was asked for and a value
            isn't above 0.

    >>> from landscape.store.scans.records import Plane
    >>> directions = np.eye(2, 3, dtype=np.float32)
    >>> plane = Plane("random", np.zeros(3, np.float32), directions, ("u", "v"), "some unit")
    >>> x = np.linspace(-1, 1, 11)
    >>> loss = 0.1 + x[:, None] ** 2 + 2 * x**2

    >>> measures = {"train_loss": loss, "sharpness": 2 + 0 * loss}
    >>> figure = measured(Scan(plane, x, x, measures, np.ones((11, 11), bool)))
    >>> figure.axes[0].get_xlabel()
    'u'
    """
    shown = further_measures(scan)
    if not shown:
        raise LandscapeError(
            "a measures figure needs gradient-norm, sharpness or convexity, or terms or measures "
            "of the problem's own, none was measured; scan with --measure"
        )
    if style.log:
        _check_positive(scan, shown)
    scan = style.shown(scan)
    return _curves(scan, shown, style) if scan.is_line else _maps(scan, shown, like, style)


def _check_positive(scan: Scan, shown: Sequence[str]) -> None:
    for name in shown:
        values = scan.measures[name]
        low = float(values[np.isfinite(values)].min())
        if low <= 0:
            raise LandscapeError(
                f"a logarithmic scale needs values above 0, the lowest {_title(scan, name)} is "
                f"{low:.4g}; take a linear one"
            )


def _maps(scan: Scan, shown: Sequence[str], like: Sequence[Scan], style: Style) -> Figure:
    plane_axes.check(scan, "measures")
    width = style.inches(WIDTH if len(shown) > 1 else SINGLE)
    columns = style.columns(min(len(shown), ACROSS), width)
    across = (width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    aspect, _ = plane_axes.shape(scan)
    tall = across * aspect
    lines = _small_print(scan, width - LEFT - RIGHT)
    row = TOP + tall + BENEATH + BAR
    panels = row * -(-len(shown) // columns)
    height = panels + footer.LINE * len(lines) + 0.12
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    for k, name in enumerate(shown):
        left, top = LEFT + k % columns * (across + GAP), k // columns * row + TOP
        first = k % columns == 0
        axes = sheet.axes(left, top, across, tall)
        values = [one.measures[name] for one in [scan, *like] if name in one.measures]
        scale = scales.through(values, constant=float("nan"), style=replace(style, cap=None))
        _panel(axes, scan, name, scale)
        plane_axes.dress(axes, scan, name, first=first, size=(across, tall))
        axes.set_title(_title(scan, name), size=theme.TITLE, loc="left", pad=4)
        # Three panels have no room for the unit: it is in the small print.
        axes.set_xlabel(_name(scan, 0, across), size=theme.LETTERS, labelpad=2.5)
        if first:
            axes.set_ylabel(_name(scan, 1, tall), size=theme.LETTERS, labelpad=2)
        _bar(sheet, scale, left, top + tall + BENEATH, across)
    sheet.text(LEFT, panels, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def _name(scan: Scan, axis: int, room: float) -> str:
    return "\n".join(page.wrapped(scan.plane.labels[axis], room, theme.LETTERS)[:2])


def _panel(axes: Axes, scan: Scan, name: str, scale: Scale) -> None:
    where: PlaneWindow = window(scan)
    picture = raster.of(scan.x, scan.y, scan.measures[name], scan.measured, scale, 600)
    extent = (where.low[0], where.high[0], where.low[1], where.high[1])
    axes.imshow(
        picture.picture(), origin="lower", extent=extent, aspect="auto", rasterized=True, zorder=0
    )
    axes.set(xlim=extent[:2], ylim=extent[2:])
    position = scale.position(scan.measures[name])
    finite = position[np.isfinite(position)]
    levels = [at for at in scale.position(scale.levels(8)) if finite.min() < at < finite.max()]
    if levels:
        grid = finer.of(scan, name, scale)
        axes.contour(
            grid.x,
            grid.y,
            np.ma.masked_invalid(scale.position(grid.loss)).T,
            levels=levels,
            colors=[theme.INK],
            linewidths=0.5,
            alpha=0.7,
        )
    if not scan.path_is_a_dot:
        for path in scan.paths:
            xy = path.xy[np.isfinite(path.xy).all(axis=1)]
            axes.plot(*xy.T, color="white", lw=1.6, zorder=3)
            axes.plot(*xy.T, color=theme.INK, lw=0.7, zorder=3)
    for point in scan.points:
        if where.holds(np.array(point.xy)):
            look = theme.mark(point.name)
            axes.plot(
                *point.xy,
                look.marker,
                ms=0.75 * look.size,
                mfc=look.colour,
                mec=theme.INK,
                zorder=4,
            )


def _bar(sheet: Page, scale: Scale, left: float, top: float, width: float) -> None:
    axes = sheet.axes(left, top, width, footer.BAR)
    bar = sheet.figure.colorbar(
        ScalarMappable(scale.norm(), theme.now().loss), cax=axes, orientation="horizontal"
    )
    bar.outline.set_linewidth(0.6)
    bar.set_ticks(FixedLocator(list(scale.ticks(max(3, int(width / 0.5))))), minor=False)
    bar.ax.xaxis.set_minor_locator(NullLocator())
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    bar.ax.tick_params(labelsize=theme.TICKS, length=2.5, width=0.6, pad=1.5)
    kind = "log scale" if scale.log else "linear scale"
    cut = f", cut at {number(scale.high)}" if scale.capped else ""
    bar.set_label(f"{kind}{cut}", size=theme.SMALL, labelpad=1.5)


def _curves(scan: Scan, shown: Sequence[str], style: Style) -> Figure:
    width = style.inches(LINE)
    across = width - LEFT - RIGHT
    lines = _small_print(scan, across)
    below = TOP + len(shown) * (HIGH + 0.3)
    height = below + 0.3 + footer.LINE * len(lines) + 0.12
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    for k, name in enumerate(shown):
        axes = sheet.axes(LEFT, TOP + k * (HIGH + 0.3), across, HIGH)
        values = scan.measures[name]
        finite = values[np.isfinite(values)]
        axes.plot(
            scan.x, np.where(np.isfinite(values), values, np.nan), color=theme.now().train, lw=1.4
        )
        spread = bool((finite > 0).all()) and finite.max() > 30 * finite.min()
        if spread if style.log is None else style.log:
            axes.set_yscale("log")
        else:
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.set_xlim(scan.x[0], scan.x[-1])
        axes.grid(True, color=theme.now().grid, lw=0.5)
        axes.set_title(_title(scan, name), size=theme.TITLE, loc="left", pad=3)
        for point in scan.points:
            axes.axvline(point.xy[0], color=theme.PALE, lw=0.6, zorder=1)
        if k < len(shown) - 1:
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel(
                "\n".join(sentences.axis(scan.plane, 0)), size=theme.LETTERS, labelpad=2
            )
    sheet.text(LEFT, below + 0.25, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def _small_print(scan: Scan, width: float) -> list[str]:
    count, shown = scan.samples.get("train"), further_measures(scan)
    texts = []
    if any(name in TITLES for name in shown):
        what = "gradient and Hessian of the mean training loss, without weight decay"
        if "convexity" in shown:
            what += "; |λ_min / λ_max| is 0 where the loss is convex"
        texts.append(f"{what}{f' ({count:,} samples)' if count else ''}")
    if any(scan.measure(name).term for name in shown):
        texts.append("terms of the training loss, before their weights")
    if not scan.is_line:
        units = dict.fromkeys(sentences.unit(scan.plane, axis) for axis in (0, 1))
        texts.append(f"axes: {' and '.join(units)}")
    texts += sentences.small_print(scan)
    return [line for text in texts for line in page.wrapped(text, width, theme.SMALL)]

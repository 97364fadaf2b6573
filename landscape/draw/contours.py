"""A plane from above: colours, contour lines, the path across it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from landscape.draw import (
    footer,
    inset,
    labels,
    marks,
    page,
    paths,
    raster,
    scale,
    theme,
    uncertain,
)
from landscape.draw.levels import resolvable
from landscape.draw.marks import Window
from landscape.draw.raster import Raster
from landscape.draw.scale import Scale
from landscape.draw.style import PLAIN, Style, styled
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store import sentences
from landscape.store.records import Floats, Scan

WIDTH = 7.0
SINGLE = 4.4
LEFT, GAP, RIGHT, TOP, BENEATH = 0.76, 0.2, 0.14, 0.27, 0.6
PIXELS = 900


@styled
def contour(scan: Scan, *, like: Sequence[Scan] = (), style: Style = PLAIN) -> Figure:
    """Draw the losses of a plane from above, training beside validation on one scale.

    7 inches wide with validation losses, else 4.4; on less than 5 inches the validation losses
    stand beneath. Axes are to one scale unless that would make a
    ribbon of the plane; then the small print says so. Colours and levels are those that the scans
    ``like`` it have too.

    Raises:
        LandscapeError: the scan is a line or has fewer than 2 × 2 points, or its losses don't
            fit the scale asked for.
    """
    check(scan, "contour")
    scan = style.shown(scan)
    names = marks.losses(scan)
    width = style.inches(WIDTH if len(names) > 1 else SINGLE)
    columns = style.columns(len(names), width)
    across = (width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    aspect, equal = shape(scan)
    tall = TOP + across * aspect + BENEATH
    colours = scale.of(scan, like=like, style=style)
    rasters = [raster.of_scan(scan, name, colours, PIXELS) for name in names]
    steps = paths.steps(scan)
    kinds = {int(kind) for picture in rasters for kind in np.unique(picture.kind)}
    # A column's legend needs all of its width.
    beneath = LEFT if columns == len(names) and width >= SINGLE else 2 * RIGHT
    foot = footer.under(
        scan,
        colours,
        steps,
        marks.entries(scan, colours, names, kinds),
        width - beneath - RIGHT,
        further=(*sentences.bands(scan), *(() if equal else ("the axes are not to one scale",))),
    )
    rows = -(-len(names) // columns)
    sheet = page.blank(width, rows * tall + foot.height, title=style.title, left=LEFT)
    for k, name in enumerate(names):
        left, top = LEFT + k % columns * (across + GAP), k // columns * tall + TOP
        axes = sheet.axes(left, top, across, across * aspect)
        panel(axes, scan, name, rasters[k], colours)
        dress(axes, scan, name, first=k % columns == 0, size=(across, across * aspect))
    foot.draw(sheet, beneath, rows * tall, width - beneath - RIGHT)
    return sheet.figure


def check(scan: Scan, figure: str) -> None:
    """Refuse a scan that is no plane.

    Raises:
        LandscapeError: the scan is a line or has fewer than 2 × 2 points.
    """
    if scan.is_line:
        raise LandscapeError(
            f"a {figure} figure needs a scan of a plane, got one along a line: draw its curve"
        )
    if min(len(scan.x), len(scan.y)) < 2:
        raise LandscapeError(
            f"a {figure} figure needs at least 2 × 2 points, got {len(scan.x)} × {len(scan.y)}"
        )


def shape(scan: Scan) -> tuple[float, bool]:
    """Return a panel's height over its width, and whether that makes the axes' scales equal."""
    share = float((scan.y[-1] - scan.y[0]) / (scan.x[-1] - scan.x[0]))
    return (share, True) if 0.4 <= share <= 1.6 else (float(np.clip(share, 0.55, 1.25)), False)


def panel(
    axes: Axes,
    scan: Scan,
    name: str,
    picture: Raster,
    colours: Scale,
    *,
    steps: Normalize | None = None,
    little: bool = False,
) -> None:
    """Draw one measure: ground, contour lines, path, marks, and the inset on training losses.

    ``steps`` are the path's own unless given; a ``little`` panel has no inset and fewer letters.
    """
    where = marks.window(scan)
    extent = (where.low[0], where.high[0], where.low[1], where.high[1])
    axes.imshow(
        picture.picture(), origin="lower", extent=extent, aspect="auto", rasterized=True, zorder=0
    )
    axes.set(xlim=extent[:2], ylim=extent[2:])
    _hatch(axes, picture)
    uncertain.draw(axes, scan)
    small = paths.tiny(scan)
    steps = steps or paths.steps(scan)
    width, scaled = (1.2, 0.75) if little else (1.7, 1.0)
    least = marks.lowest(scan, name)
    if not small:
        for path in scan.paths:
            paths.draw(axes, path, steps, width=width, balls=0 if little else paths.BALLS)
        paths.names(axes, scan)
    shown = () if small else scan.points
    lowest = least[1] if least else None
    stand = marks.draw(axes, shown, where, _lengthwise(scan), least=lowest, scale=scaled)
    if not (small or little):
        paths.episode_names(axes, scan, stand)
    _lines(axes, scan, name, colours, where, _obstacles(scan, name, where, small, stand))
    if small and name == "train_loss" and not little:
        inset.draw(axes, scan, colours, where)
    elif small:
        inset.ring(axes, scan)


def _lines(
    axes: Axes, scan: Scan, name: str, colours: Scale, where: Window, obstacles: Floats
) -> None:
    levels = resolvable(scan, name, colours.levels())
    position = colours.position(
        np.where(np.isfinite(scan.measures[name]), scan.measures[name], np.nan)
    )
    inside = [
        level
        for level in levels
        if np.nanmin(position, initial=np.inf)
        < colours.position(level)
        < np.nanmax(position, initial=-np.inf)
    ]
    if not inside:
        return
    places = colours.position(np.array(inside))
    lines = axes.contour(
        scan.x,
        scan.y,
        np.ma.masked_invalid(position).T,
        levels=places,
        colors=[theme.INK],
        linewidths=0.55,
        alpha=0.75,
        zorder=2,
        negative_linestyles="solid",
    )
    labels.place(
        axes,
        lines,
        where,
        obstacles,
        lambda place: number(float(colours.loss(np.array(place)))),
    )


def _lengthwise(scan: Scan) -> Floats:
    """Return points along the paths so close that nothing fits between two of them."""
    lines = [path.xy[np.isfinite(path.xy).all(axis=1)] for path in scan.paths]
    return np.concatenate([*(paths.even(line, 300) for line in lines), np.empty((0, 2))])


def _obstacles(scan: Scan, name: str, where: Window, small: bool, marked: Floats) -> Floats:
    points = [marked, np.empty((0, 2))]
    if not small:
        return np.concatenate([*points, *(path.xy for path in scan.paths)])
    points += [np.array(point.xy)[None] for point in scan.points if np.isfinite(point.xy).all()]
    if name == "train_loss":
        left, bottom, width, height = inset.rectangle(inset.corner(scan, where))
        u, v = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
        points.append(
            where.at(np.stack([left + width * u.ravel(), bottom + height * v.ravel()], axis=1))
        )
    return np.concatenate(points)


def _hatch(axes: Axes, picture: Raster) -> None:
    beyond = np.nan_to_num(picture.position, nan=-1.0, posinf=2.0) > 1
    patterns = [("////", beyond)]
    patterns += [(hatch, picture.kind == kind) for kind, hatch in raster.HATCHES.items() if hatch]
    for hatch, mask in patterns:
        if not mask.any():
            continue
        # A frame of False closes the outline at the plane's edge.
        filled = axes.contourf(
            picture.x,
            picture.y,
            mask.T.astype(np.float64),
            levels=[0.5, 1.5],
            colors="none",
            hatches=[hatch],
            zorder=1,
        )
        filled.set_edgecolor(theme.HATCH)
        filled.set_linewidth(0.0)
        filled.set_hatch_linewidth(0.6)


def dress(axes: Axes, scan: Scan, name: str, *, first: bool, size: tuple[float, float]) -> None:
    """Write a panel's title, axes' names and units."""
    ticks(axes)
    axes.set_title(sentences.measure(scan, name), size=theme.TITLE, loc="left", pad=4)
    axes.set_xlabel(_label(scan, 0, size[0]), size=theme.LETTERS, labelpad=2.5, linespacing=1.2)
    if first:
        axes.set_ylabel(_label(scan, 1, size[1]), size=theme.LETTERS, labelpad=2, linespacing=1.2)
    else:
        axes.tick_params(labelleft=False)


def ticks(axes: Axes) -> None:
    """Set round ticks on both axes of a plane."""
    for coordinate in (axes.xaxis, axes.yaxis):
        coordinate.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        coordinate.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _label(scan: Scan, axis: int, room: float) -> str:
    name, unit = sentences.axis(scan.plane, axis)
    return "\n".join([*page.wrapped(name, room + 0.3, theme.LETTERS)[:2], unit])

"""A plane from above with everything explained beneath it: legend, colour bars, small print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from landscape.draw.elements import marks, paths, plane_axes, raster, uncertain
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.elements.raster import Raster
from landscape.draw.figures import contour_lines, inset
from landscape.draw.look import scale, theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan

WIDTH = 7.0
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
    plane_axes.check(scan, "contour")
    scan = style.shown(scan)
    names = marks.losses(scan, style.panels)
    width = style.inches(WIDTH if len(names) > 1 else plane_axes.SINGLE)
    columns = style.columns(len(names), width)
    across = (width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    aspect, equal = plane_axes.shape(scan)
    tall = TOP + across * aspect + BENEATH
    colours = scale.of(scan, like=like, style=style)
    rasters = [raster.of_scan(scan, name, colours, PIXELS) for name in names]
    steps = paths.step_range(scan)
    kinds = {int(kind) for picture in rasters for kind in np.unique(picture.kind)}
    # A column's legend needs all of its width.
    beneath = LEFT if columns == len(names) and width >= plane_axes.SINGLE else 2 * RIGHT
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
        plane_axes.dress(axes, scan, name, first=k % columns == 0, size=(across, across * aspect))
    foot.draw(sheet, beneath, rows * tall, width - beneath - RIGHT)
    return sheet.figure


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
    where = plane_axes.window(scan)
    extent = (where.low[0], where.high[0], where.low[1], where.high[1])
    axes.imshow(
        picture.picture(), origin="lower", extent=extent, aspect="auto", rasterized=True, zorder=0
    )
    axes.set(xlim=extent[:2], ylim=extent[2:])
    _hatch(axes, picture)
    uncertain.draw_dots(axes, scan)
    small = scan.path_is_a_dot
    steps = steps or paths.step_range(scan)
    width, scaled = (1.2, 0.75) if little else (1.7, 1.0)
    least = marks.lowest(scan, name)
    if not small:
        for path in scan.paths:
            paths.draw(axes, path, steps, width=width, balls=0 if little else paths.BALLS)
        paths.write_run_names(axes, scan)
    shown = () if small else scan.points
    lowest = least[1] if least else None
    stand = marks.draw(axes, shown, where, _lengthwise(scan), least=lowest, scale=scaled)
    if not (small or little):
        paths.write_episode_names(axes, scan, stand)
    around = _obstacles(scan, name, where, small, stand)
    contour_lines.draw(axes, scan, name, colours, where, around)
    if small and name == "train_loss" and not little:
        inset.draw(axes, scan, colours, where)
    elif small:
        inset.ring(axes, scan)


def _lengthwise(scan: Scan) -> Floats:
    """Return points along the paths so close that nothing fits between two of them."""
    lines = [path.xy[np.isfinite(path.xy).all(axis=1)] for path in scan.paths]
    return np.concatenate([*(paths.even(line, 300) for line in lines), np.empty((0, 2))])


def _obstacles(scan: Scan, name: str, where: PlaneWindow, small: bool, marked: Floats) -> Floats:
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
    """Mark where there is no loss to be coloured."""
    for kind, hatch in raster.HATCHES.items():
        mask = picture.kind == kind
        if not (hatch and mask.any()):
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

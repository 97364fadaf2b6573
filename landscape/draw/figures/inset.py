"""A small window at the scale of a path that would be a dot on its plane."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch

from landscape.draw.elements import marks, paths, raster
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.quantities import number
from landscape.store.scans.records import Floats, Scan

SIZE = 0.4
GAP = 0.03
MIDDLE = np.array([0.5, 0.44])
"""Where in the inset the path's middle is: two lines of text stand above, a scale beneath."""
CORNERS = ((1, 1), (0, 1), (1, 0), (0, 0))


def corner(scan: Scan, where: PlaneWindow) -> tuple[int, int]:
    """Return the corner farthest from the path: (1, 1) is the upper right one."""
    centre = where.share(_centre(scan))
    return max(CORNERS, key=lambda c: float(np.hypot(*(np.array(c) - centre).round(2))))


def rectangle(at: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return an inset's left, bottom, width, height as shares of its panel."""
    left, bottom = (GAP if side == 0 else 1 - GAP - SIZE for side in at)
    return left, bottom, SIZE, SIZE


def view(scan: Scan, aspect: float) -> PlaneWindow:
    """Return the part of the plane around the path, ``aspect`` times as high as it is wide."""
    corners = scan.reach_of_paths()
    low, high = corners if corners else (np.zeros(2), np.zeros(2))
    middle, half = (low + high) / 2, (high - low) / 2
    least = 1e-9 * float(scan.x[-1] - scan.x[0])
    width = 2 * max(half[0] / 0.82, half[1] / 0.54 / aspect, least)
    size = np.array([width, width * aspect])
    low = middle - size * MIDDLE
    return PlaneWindow(low, low + size)


def draw(panel: Axes, scan: Scan, scale: Scale, where: PlaneWindow) -> Axes:
    """Draw the inset into the corner of ``panel`` that is farthest from the path."""
    at = corner(scan, where)
    axes = panel.inset_axes(rectangle(at), zorder=9)
    stretch = (scan.y[-1] - scan.y[0]) / (scan.x[-1] - scan.x[0])
    close = view(scan, float(stretch))
    ink = _ground(axes, scan, scale, close)
    axes.set(
        xlim=(close.low[0], close.high[0]), ylim=(close.low[1], close.high[1]), xticks=[], yticks=[]
    )
    for spine in axes.spines.values():
        spine.set(edgecolor=theme.INK, linewidth=0.9)
    norm = paths.step_range(scan)
    for path in scan.paths:
        paths.draw(axes, path, norm, width=1.3, balls=0)
    held = tuple(p for p in scan.points if close.holds(np.array(p.xy)))
    lines = [path.xy[np.isfinite(path.xy).all(axis=1)] for path in scan.paths]
    marks.draw(axes, held, close, np.concatenate(lines), scale=0.8)
    _bar(axes, close, ink)
    ring(panel, scan)
    _connect(panel, axes, _centre(scan), at)
    return axes


def _centre(scan: Scan) -> Floats:
    corners = scan.reach_of_paths()
    return (corners[0] + corners[1]) / 2 if corners else np.zeros(2)


def _ground(axes: Axes, scan: Scan, scale: Scale, close: PlaneWindow) -> str:
    columns, rows = (np.linspace(close.low[k], close.high[k], 120) for k in (0, 1))
    inside = (columns >= scan.x[0]) & (columns <= scan.x[-1])
    upright = (rows >= scan.y[0]) & (rows <= scan.y[-1])
    columns, rows = columns[inside], rows[upright]
    position = raster.between(scan.x, scan.y, scan.measures["train_loss"], scale, columns, rows)
    known = np.isfinite(position).all()
    kind = np.full(position.shape, raster.FINITE if known else raster.UNMEASURED, dtype=np.int8)
    picture = raster.Raster(columns, rows, position, kind).picture()
    axes.imshow(
        picture,
        origin="lower",
        aspect="auto",
        extent=(columns[0], columns[-1], rows[0], rows[-1]),
        rasterized=True,
        zorder=0,
    )
    axes.set_facecolor(theme.UNMEASURED)
    ink = theme.INK if picture[..., :3].mean() > 110 else "white"
    text = "path at its own scale, ground\n"
    if known:
        ends = scale.loss(np.array([position.min(), position.max()]))
        low, high = (number(float(loss), 2) for loss in ends)
        text += f"interpolated: {low}" + (f"–{high}" if low != high else "")
    else:
        text += "not measured"
    axes.text(
        0.04,
        0.965,
        text,
        transform=axes.transAxes,
        size=theme.SMALL - 1.3,
        va="top",
        zorder=10,
        color=ink,
        linespacing=1.2,
    )
    return ink


def _bar(axes: Axes, close: PlaneWindow, ink: str) -> None:
    width = float(close.high[0] - close.low[0])
    length = _round(0.35 * width)
    axes.plot(
        [0.06, 0.06 + length / width],
        [0.06, 0.06],
        transform=axes.transAxes,
        lw=1.2,
        color=ink,
        solid_capstyle="butt",
        zorder=10,
    )
    axes.text(
        0.06 + length / width / 2,
        0.075,
        number(length),
        transform=axes.transAxes,
        size=theme.SMALL - 0.6,
        ha="center",
        va="bottom",
        zorder=10,
        color=ink,
    )


def _round(length: float) -> float:
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step for step in (1, 2, 5) if step * power <= length * (1 + 1e-9)) * power)


def ring(panel: Axes, scan: Scan) -> None:
    """Mark where on the plane the path is."""
    for thick, colour in ((2.2, "white"), (1.0, theme.INK)):
        panel.plot(*_centre(scan), "o", ms=5.5, mfc="none", mec=colour, mew=thick, zorder=8.9)


def sample() -> Line2D:
    """Return the ring as an entry of a legend."""
    return Line2D(
        [],
        [],
        marker="o",
        ms=5.5,
        mfc="none",
        mec=theme.INK,
        mew=1.0,
        ls="",
        label="around the path: a dot or little more here",
    )


def _connect(panel: Axes, axes: Axes, centre: Floats, at: tuple[int, int]) -> None:
    # The two corners seen edge-on from the centre: the lines don't cross the inset.
    for corner in ((at[0], 1 - at[1]), (1 - at[0], at[1])):
        for thick, colour, alpha in ((1.8, "white", 0.7), (0.7, theme.INK, 1.0)):
            line = ConnectionPatch(
                tuple(centre),
                corner,
                panel.transData,
                axes.transAxes,
                lw=thick,
                color=colour,
                alpha=alpha,
                zorder=8.5,
                shrinkA=2.9,
            )
            panel.add_artist(line)

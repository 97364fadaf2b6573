"""A plane from above as it is printed: the data, three labels in place, one line beneath."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from landscape.draw.elements import columns, episodes, marks, paths, plane_axes, raster, uncertain
from landscape.draw.elements.labels import Labels
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.elements.raster import Raster
from landscape.draw.look import scale, theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import Style
from landscape.draw.sheet import page
from landscape.draw.sheet.page import Page
from landscape.errors import LandscapeError
from landscape.quantities import number, percent
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Path, Point, Scan

SINGLE, STACKED, BESIDE = 5.0, 5.0, 6.5
"""Widths in inches: one panel, two beneath each other, two side by side."""
GAP, TOP, BENEATH = 0.08, 0.06, 0.32
BAR, AWAY = 0.08, 0.04
"""Width of the bar of colours, and its distance from the last panel."""
NOTE = 0.13
PIXELS = 900
TICKS = 6
"""About so many values on the bar of colours, and contour lines at these."""
ALIKE = 0.05
"""Validation has a panel of its own where it is off training by more, in the median, as a share of
the scale."""
PANELS = {"train": "train_loss", "validation": "validation_loss"}
PATH = "#b3122b"
STEEPEST, FLATTEST, WIDE = 1.2, 0.95, 0.7
"""Bounds of a panel's height over its width where the axes aren't to one scale anyway; two that are
flatter than the last stand beneath each other."""
LIMIT = 0.12
"""Of the page's grey above the cap, in inches: the least room beside its limit's number."""


def printed(scan: Scan, *, like: Sequence[Scan] = (), style: Style) -> Figure:
    """Draw the losses of a plane for a paper's column or page.

    Training alone, or beside validation where that is visibly another; contour lines at the ticks
    of the bar of colours. Start, best and end are named where they are, with their own loss; the
    mark is hollow, and the path dashed, where that is over 10 % off the plane's.

    Raises:
        LandscapeError: the losses don't fit the scale asked for, or a panel that isn't there.
    """
    colours = scale.of(scan, like=like, style=style)
    names = _panels(scan, colours, style)
    aspect, equal = plane_axes.shape(scan)
    if not equal:
        aspect = float(np.clip(aspect, FLATTEST, STEEPEST))
    stacked = len(names) > 1 and aspect < WIDE
    width = style.inches(STACKED if stacked else BESIDE if len(names) > 1 else SINGLE)
    beside = 1 if stacked else style.columns(len(names), width)
    left, right = _beside_left(scan), AWAY + BAR + 0.16 + _widest(colours)
    across = (width - left - right - GAP * (beside - 1)) / beside
    size = (across, across * aspect)
    note = _note(scan, equal=equal, style=style)
    lines = page.wrapped(note, width - 0.1, theme.SMALL) if note else []
    rows = -(-len(names) // beside)
    tall = TOP + rows * size[1] + (rows - 1) * GAP + BENEATH
    sheet = page.blank(
        width, tall + NOTE * len(lines) + 0.02 * bool(lines), title=style.title, left=left
    )
    for k, name in enumerate(names):
        column, row = k % beside, k // beside
        place = (left + column * (across + GAP), TOP + row * (size[1] + GAP))
        axes = sheet.axes(*place, *size)
        _panel(axes, scan, name, colours, size, style, labelled=k == 0 and not style.bare)
        _letter(axes, scan, size, first=column == 0, last=row == rows - 1)
        if column == beside - 1 or k == len(names) - 1:
            _bar(sheet, (place[0] + across + AWAY, place[1], size[1]), colours)
    sheet.text(0.06, tall, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def _beside_left(scan: Scan) -> float:
    """Inches left of the panels: for the ticks' numbers, and the axis' name."""
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(scan.y[0], scan.y[-1])
    inside = [number(float(t)) for t in ticks if scan.y[0] <= t <= scan.y[-1]]
    return 0.2 + max(page.inches(text, theme.TICKS) for text in (*inside, "0"))


def _widest(colours: Scale) -> float:
    """Inches of the widest number beside the bar of colours."""
    return max(page.inches(number(float(t)), theme.TICKS) for t in (*colours.ticks(TICKS), 1.0))


def _letter(axes: Axes, scan: Scan, size: tuple[float, float], *, first: bool, last: bool) -> None:
    """Name the axes at the panels' outer edges."""
    axes.tick_params(labelleft=first, labelbottom=last)
    if last:
        axes.set_xlabel(_axis(scan, 0, size[0]), size=theme.TICKS, labelpad=1.5)
    if first:
        axes.set_ylabel(_axis(scan, 1, size[1]), size=theme.TICKS, labelpad=1.5)


def _panels(scan: Scan, colours: Scale, style: Style) -> tuple[str, ...]:
    """Which losses are shown."""
    there = marks.losses(scan)
    if style.panels is not None:
        asked = tuple(PANELS[one] for one in style.panels.split(","))
        for name in asked:
            if name not in there:
                raise LandscapeError(
                    f"panels must be losses that were measured, got {style.panels}: this scan has "
                    "no validation loss"
                )
        return asked
    if len(there) < 2:
        return there
    first, second = (np.clip(colours.position(scan.measures[name]), 0, 1) for name in there)
    off = np.abs(first - second)
    return there if np.nanmedian(off) > ALIKE else there[:1]


def _panel(
    axes: Axes,
    scan: Scan,
    name: str,
    colours: Scale,
    size: tuple[float, float],
    style: Style,
    *,
    labelled: bool,
) -> None:
    where = plane_axes.window(scan)
    extent = (where.low[0], where.high[0], where.low[1], where.high[1])
    picture = raster.of_scan(scan, name, colours, PIXELS)
    beyond = np.nan_to_num(picture.position, nan=-1.0, posinf=2.0) > 1
    beyond |= picture.kind == raster.INFINITE
    image = picture.picture()
    grey = columns.BEYOND if theme.now().page == "white" else columns.BEYOND_DARK
    image[beyond.T] = np.round(255 * np.array(to_rgba(grey)))
    axes.imshow(image, origin="lower", extent=extent, aspect="auto", rasterized=True, zorder=0)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    for coordinate in (axes.xaxis, axes.yaxis):
        coordinate.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        coordinate.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.tick_params(length=2.2, pad=1.5)
    _lines(axes, scan, name, colours)
    uncertain.draw_dots(axes, scan)
    placed = Labels(axes, size, halo=True)
    for path in scan.paths:
        _path(axes, path, placed)
    _marked(axes, scan, where, placed if labelled else None)
    if name != "train_loss" and not style.bare:
        _name(placed, sentences.MEASURES[name])
    if labelled:
        if colours.capped and beyond.any():
            _limit(picture, beyond, f"loss > {number(colours.high)}", placed)
        _events(scan, placed)


def _lines(axes: Axes, scan: Scan, name: str, colours: Scale) -> None:
    """Draw contour lines at the bar's ticks, and at the cap."""
    values = np.where(np.isfinite(scan.measures[name]), scan.measures[name], np.nan)
    position = colours.position(values)
    levels = [*colours.ticks(TICKS), *([colours.high] if colours.capped else [])]
    places = [float(colours.position(np.array(level))) for level in levels]
    inside = [p for p in sorted(set(places)) if np.nanmin(position) < p < np.nanmax(position)]
    if inside and colours.lines:
        axes.contour(
            scan.x,
            scan.y,
            np.ma.masked_invalid(position).T,
            levels=inside,
            colors=[theme.INK],
            linewidths=0.4,
            alpha=0.7,
            zorder=2,
            negative_linestyles="solid",
        )


def _path(axes: Axes, path: Path, placed: Labels) -> None:
    """Draw a path as one thin line, dashed where the plane's loss isn't its own."""
    far = paths.faded(path)
    light = far[:-1] | far[1:]
    edges = np.flatnonzero(np.diff(light)) + 1
    for part in np.split(np.arange(len(light)), edges):
        if not len(part):
            continue
        xy = path.xy[part[0] : part[-1] + 2]
        dashes: object = (0, (2.4, 1.4)) if light[part[0]] else "-"
        axes.plot(*xy.T, color="white", lw=1.9, alpha=0.8, zorder=4, solid_capstyle="round")
        axes.plot(*xy.T, color=PATH, lw=0.9, ls=dashes, zorder=5)
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    inside = ((path.xy >= low) & (path.xy <= high)).all(axis=1)
    placed.keep_clear(np.where(inside[:, None], path.xy, np.nan), 0.025)


def _marked(axes: Axes, scan: Scan, where: PlaneWindow, placed: Labels | None) -> None:
    """Mark start, best, end and the plane's own points; name them where they are."""
    small = paths.tiny(scan)
    shown = [point for point in scan.points if np.isfinite(point.xy).all()]
    if small:  # a dot: its end stands for it
        shown = [point for point in shown if point.name == "end"] or shown[-1:]
    texts: list[tuple[Floats, str]] = []
    for point in shown:
        share = where.share(np.array(point.xy))
        out = not where.holds(np.array(point.xy))
        at = where.at(marks.clamped(share)) if out else np.array(point.xy)
        loss, off = _losses(scan, point)
        look = theme.mark(point.name)
        axes.plot(
            *at,
            _towards(share) if out else look.marker,
            ms=0.6 * look.size,
            mfc="white" if off else look.colour,
            mec=look.colour if off else theme.INK,
            mew=1.0 if off else 0.6,
            zorder=8,
            clip_on=False,
        )
        said = f"{point.name} {number(loss)}" if np.isfinite(loss) else point.name
        if f"step {point.step:,}" not in said and point.step:
            said += f", step {point.step:,}"
        said += ", outside" if out else " (all of the path)" if small else ""
        texts.append((at, said))
    if placed is None:
        return
    for at, _ in texts:
        placed.keep_clear(at[None], 0.05)
    for at, text in texts:
        head, comma, rest = text.partition(", ")
        placed.beside((float(at[0]), float(at[1])), text, *([f"{head}\n{rest}"] if comma else []))


def _towards(share: Floats) -> str:
    """The triangle that points to where an outside point is."""
    axis = int(np.abs(share - 0.5).argmax())
    return (("<", ">"), ("v", "^"))[axis][int(share[axis] > 0.5)]


def _losses(scan: Scan, point: Point) -> tuple[float, bool]:
    """A marked point's own loss, and whether the plane's is over 10 % off it."""
    for path in scan.paths:
        rows = np.flatnonzero((path.step == point.step) & np.isfinite(path.true_loss))
        if len(rows):
            row = int(rows[0])
            return float(path.true_loss[row]), bool(paths.faded(path)[row])
    return float("nan"), False


def _name(placed: Labels, text: str) -> None:
    """Name a panel in a corner."""
    half = page.inches(text, theme.SMALL) / 2 + 0.05
    for x, y in ((0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)):
        at = (half + x * (placed.size[0] - 2 * half), 0.1 + y * (placed.size[1] - 0.2))
        if placed.write(*at, text):
            return


def _events(scan: Scan, placed: Labels) -> None:
    """Name what happened beside its longest stretch, where the path is no dot."""
    for path in scan.paths if not paths.tiny(scan) else ():
        low, high = np.array([placed.axes.get_xlim(), placed.axes.get_ylim()]).T
        held = ((path.xy >= low) & (path.xy <= high)).all(axis=1)
        for event, at in episodes.name_places(path, held):
            placed.beside((float(at[0]), float(at[1])), event)


def _limit(picture: Raster, beyond: NDArray[np.bool_], text: str, placed: Labels) -> None:
    """Write the cap where most of the grey is."""
    room = distance_transform_edt(np.pad(beyond, 1))[1:-1, 1:-1]
    per_inch = beyond.shape[0] / placed.size[0]
    for _ in range(8):
        i, j = np.unravel_index(int(room.argmax()), room.shape)
        if room[i, j] < LIMIT * per_inch:
            return
        x, y = placed.home(float(picture.x[i]), float(picture.y[j]))
        if placed.write(x, y, text):
            return
        room[max(0, i - 60) : i + 60, max(0, j - 60) : j + 60] = 0


def _axis(scan: Scan, axis: int, room: float) -> str:
    """An axis' name with its unit, as far as there is room."""
    label, unit = scan.plane.labels[axis], scan.plane.unit
    short = {sentences.DISTANCE: "distance"}.get(unit, unit.replace(" units", ""))
    for text in (f"{label} ({short})", label):
        if page.inches(text, theme.TICKS) <= room:
            return text
    return f"{page.wrapped(label, room - 0.15, theme.TICKS)[0].rstrip(' ,=λ')} …"


def _bar(sheet: Page, place: tuple[float, float, float], colours: Scale) -> None:
    """Draw the bar of colours beside a panel, with the grey above the cap."""
    left, top, tall = place
    axes = sheet.axes(left, top, BAR, tall)
    fine = np.linspace(0, 1.06 if colours.capped else 1.0, 512)
    image = theme.now().loss(np.clip(fine, 0, 1))
    grey = columns.BEYOND if theme.now().page == "white" else columns.BEYOND_DARK
    image[fine > 1] = to_rgba(grey)
    axes.imshow(
        image[:, None], origin="lower", extent=(0, 1, 0, fine[-1]), aspect="auto", rasterized=True
    )
    axes.set_xticks([])
    ticks = colours.ticks(TICKS)
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.yaxis.set_major_locator(FixedLocator(list(colours.position(ticks))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: number(float(colours.loss(np.array(value)))))
    )
    axes.tick_params(axis="y", length=1.8, pad=1)
    axes.set_ylabel("loss", size=theme.TICKS, labelpad=0)


def _note(scan: Scan, *, equal: bool, style: Style) -> str:
    """The one line beneath: the path's share where it is a projection, what dashes mean."""
    if style.bare or not scan.paths:
        return ""
    parts = []
    shares = [path.share_in_plane for path in scan.paths if np.isfinite(path.share_in_plane)]
    if shares and min(shares) < 0.995:
        held = ", ".join(percent(share) for share in shares)
        parts.append(f"{held} of the path lies in this plane")
    if any(paths.faded(path).any() for path in scan.paths) and not paths.tiny(scan):
        parts.append("dashed, hollow: its loss isn't the plane's")
    if not equal:
        parts.append("axes not to one scale")
    return "; ".join(parts)

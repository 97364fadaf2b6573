"""A plane from above as it is printed: colours, few lines, the path, three labels, a loss strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from landscape.draw.elements import finer, marks, paths, plane_axes, raster
from landscape.draw.elements.labels import Labels
from landscape.draw.elements.raster import Raster
from landscape.draw.figures import contour_lines, explained_contour, strip
from landscape.draw.look import scale, theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import bar, page
from landscape.draw.sheet.page import Element
from landscape.quantities import number, percent
from landscape.store.scans import sentences
from landscape.store.scans.records import STILL, Floats, Path, Point, Scan, clearly_below

COLUMN, PAGE = 3.25, 6.75
"""Width in inches of a journal's column and of its page."""
LEFT, RIGHT, GAP = 0.32, 0.04, 0.12
BENEATH, LAST = 0.28, 0.26
"""Room for the ticks and names of an axis, of the lowest one."""
NOTE = 0.12
DATA = 0.71
"""The share of a figure that is data: beneath a flat plane the strip grows for it, but no taller
than the plane."""
DIFFERS = 0.1
"""Of the colour scale: by so much on average validation differs visibly from training."""
FEW = 1 / 3
"""Of a scale's colours: panels side by side of which one has fewer have scales of their own."""
PIXELS = 900
STROKE, COVERED = (0.35, 0.95), 0.08
"""Points that a path's line is wide, and the share of the plane that it may cover."""
ENTERS = 6.0
"""Points that the arrow measures where a path comes in."""
VISIBLY, QUIET = 0.3, 0.55
"""Inches from which on the plane's lowest point is marked beside the run's own, and that mark's
size."""
LOSSES: dict[str, Element] = {"train_loss": "training", "validation_loss": "validation"}
"""What a caption calls a panel's loss."""
MARK = 0.8
"""Size of marks, of that in the explained figure."""


@styled
def contour(scan: Scan, *, like: Sequence[Scan] = (), style: Style = PLAIN) -> Figure:
    """Draw the losses of a plane from above, ready for print.

    One panel in a column's width, 3.25 inches; validation beside training over a page's, 6.75,
    where the two differ visibly or ``style.panels`` asks for it. Start, best and end are labelled
    on the spot with the loss of the weights themselves; a mark is hollow and the path dashed where
    the plane's loss is over 10 % off it. Losses above the cap are grey. Beneath is the path's loss
    by training step with what happened. Colours and levels are those that the scans ``like`` it
    have too. ``style.explain`` gives `explained_contour.contour`, with a legend for everything.

    Raises:
        LandscapeError: the scan is a line or has fewer than 2 × 2 points, or its losses don't
            fit the scale asked for.

    >>> from landscape.store.scans.records import Plane
    >>> directions = np.eye(2, 3, dtype=np.float32)
    >>> plane = Plane("random", np.zeros(3, np.float32), directions, ("u", "v"), "some unit")
    >>> x = np.linspace(-1, 1, 11)
    >>> loss = 0.1 + x[:, None] ** 2 + 2 * x**2
    >>> scan = Scan(plane, x, x, {"train_loss": loss}, np.ones((11, 11), bool))
    >>> figure = contour(scan, style=Style(width=3.25))
    >>> float(figure.get_size_inches()[0]), len(figure.axes)
    (3.25, 2)
    """
    if style.explain:
        return explained_contour.contour(scan, like=like, style=style)
    plane_axes.check(scan, "contour")
    scan = style.shown(scan)
    names = panels(scan, scale.of(scan, like=like, style=style), style)
    width = style.inches(COLUMN if len(names) == 1 else PAGE)
    columns = style.columns(len(names), width)
    across = (width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    tall = across * plane_axes.shape(scan)[0]
    rows = -(-len(names) // columns)
    colours = scales(scan, names, like, style, abreast=rows == 1)
    below = strip.wanted(scan) and not style.bare
    said = "" if style.bare else note([scan])
    beside = below and strip.has_room(said, scan, width - LEFT - RIGHT)
    lines = [] if beside or not said else page.wrapped(said, width - LEFT - RIGHT, theme.SMALL)
    height = bar.HEIGHT + rows * (tall + BENEATH)
    height += (LAST if below else 0.0) + NOTE * len(lines)
    curve = _curve(width, height, len(names) * across * tall, tall) if below else 0.0
    sheet = page.blank(width, height + curve, title=style.title, left=LEFT)
    shared = len(set(colours)) == 1
    for k, (name, own) in enumerate(zip(names, colours, strict=True)):
        left = LEFT + k % columns * (across + GAP)
        top = bar.HEIGHT + k // columns * (tall + BENEATH)
        if not (k and shared):
            title = "loss" if shared and len(names) > 1 else sentences.MEASURES[name]
            bar.above(sheet, own, title, left, across)
        axes = sheet.axes(left, top, across, tall)
        page.drew(axes, LOSSES[name], *(() if shared else ("bars",)))
        panel(axes, scan, name, own, titled=len(names) > 1, style=style)
        dress(axes, scan, (across, tall), first=k % columns == 0)
    top = bar.HEIGHT + rows * (tall + BENEATH)
    if below:
        axes = sheet.axes(LEFT, top, width - LEFT - RIGHT, curve)
        strip.draw(axes, scan, LEFT, said if beside else "")
        top += curve + LAST
    if lines:
        sheet.text(LEFT, top, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def scales(
    scan: Scan, names: tuple[str, ...], like: Sequence[Scan], style: Style, *, abreast: bool
) -> list[Scale]:
    """Return the scale of each panel: one for all, unless a loss would have few of its colours."""
    shared = scale.of(scan, shown=names, like=like, style=style)
    if len(names) == 1 or not abreast:
        return [shared] * len(names)
    spans = []
    for name in names:
        at = np.clip(shared.position(scan.measures[name]), 0, 1)
        spans.append(np.ptp(at[np.isfinite(at)]) if np.isfinite(at).any() else 1.0)
    if min(spans) >= FEW:
        return [shared] * len(names)
    return [scale.of(scan, shown=(name,), like=like, style=style) for name in names]


def _curve(width: float, height: float, area: float, tall: float) -> float:
    """Return the strip's height under planes of an ``area``, in a figure that is ``height`` without
    it."""
    across = width - LEFT - RIGHT
    # across * curve + area = DATA * width * (height + curve)
    curve = (DATA * width * height - area) / (across - DATA * width)
    return float(np.clip(curve, strip.HEIGHT, max(strip.HEIGHT, tall)))


def draw_contour(axes: Axes, scan: Scan, *, style: Style = PLAIN) -> None:
    """Draw the same panel into somebody's axes: colours, lines, path, marks and their labels.

    The first of ``style.panels``, else the training loss; no colour bar and no strip. Letters keep
    their size, so axes should be 2 inches wide or more. Of the style width, theme and resolution
    are the figure's that the axes are in.

    Raises:
        LandscapeError: as `contour`.
    """
    plane_axes.check(scan, "contour")
    look = replace(style.look(), dpi=float(page.figure_of(axes).dpi))
    with theme.wearing(look):
        scan = style.shown(scan)
        name = marks.losses(scan, style.panels)[0]
        colours = scales(scan, (name,), (), style, abreast=True)[0]
        panel(axes, scan, name, colours, style=style)
        dress(axes, scan, page.extent(axes), first=True)


def panels(scan: Scan, colours: Scale, style: Style) -> tuple[str, ...]:
    """Return the losses to draw: training alone unless validation looks different."""
    names = marks.losses(scan, style.panels)
    if style.panels or len(names) < 2:
        return names
    places = [np.clip(colours.position(scan.measures[name]), 0, 1) for name in names]
    off = np.abs(places[0] - places[1])
    seen = np.isfinite(off) & (np.minimum(*places) < 1)
    return names if seen.any() and off[seen].mean() > DIFFERS else names[:1]


def panel(
    axes: Axes,
    scan: Scan,
    name: str,
    colours: Scale,
    *,
    style: Style,
    titled: bool = False,
    brief: bool = False,
) -> None:
    """Draw one loss of a plane with the path into axes.

    With the loss' name in a corner if ``titled``; ``brief``: marks say their loss alone.
    """
    picture = raster.of_scan(scan, name, colours, PIXELS)
    where = plane_axes.window(scan)
    extent = (where.low[0], where.high[0], where.low[1], where.high[1])
    drawn = picture.picture()
    axes.imshow(drawn, origin="lower", extent=extent, aspect="auto", rasterized=True, zorder=0)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    _lines(axes, scan, name, colours)
    placed = Labels(axes, page.extent(axes))
    placed.on(drawn)
    for path in scan.paths if not scan.path_is_a_dot else ():
        _draw_path(axes, path, _colour(scan, path))
        held = path.xy[np.isfinite(path.xy).all(axis=1)]
        placed.keep_clear(held, 0.01)
    _mark(axes, scan, placed)
    _enter(axes, scan, placed, named=name == "train_loss" and not (style.bare or brief))
    lowest = scan.below_the_run() if name == "train_loss" else None
    if lowest is not None:
        mark_lowest(
            axes, placed, lowest[1], "" if style.bare else lowest_text(lowest[0], brief=brief)
        )
    if not style.bare:
        # Those that are known of the weights themselves are training losses.
        _label(scan, placed, brief=brief, losses=name == "train_loss")
    if name == "train_loss" and lowest is None and not brief:
        _lowest(axes, scan, placed, bare=style.bare)
    if titled:
        placed.corner(sentences.MEASURES[name].removesuffix(" loss"))
    beyond = np.nan_to_num(picture.position, nan=-1.0, posinf=2.0) > 1
    if beyond.any():
        page.drew(axes, "beyond")
    if not style.bare:
        _name_grounds(picture, beyond, colours, placed)


def _lines(axes: Axes, scan: Scan, name: str, colours: Scale) -> None:
    """Draw contour lines at the colour bar's ticks, and the border of what is above the cap."""
    grid = finer.of(scan, name, colours)
    position = np.ma.masked_invalid(colours.position(grid.loss))
    levels = contour_lines.resolvable(scan, name, np.array(bar.lines(colours)))
    between = contour_lines.resolvable(scan, name, bar.between(colours))
    for losses, width, alpha in ((levels, 0.45, 0.75), (between, 0.3, 0.35)):
        places = colours.position(losses)
        places = places[(places > position.min()) & (places < min(1 - 1e-6, position.max()))]
        if len(places):
            axes.contour(
                grid.x,
                grid.y,
                position.T,
                levels=places,
                colors=[theme.INK],
                linewidths=width,
                alpha=alpha,
                zorder=2,
                negative_linestyles="solid",
            )
            page.drew(axes, "levels", *(("halfway",) if losses is between else ()))
    if colours.capped and position.min() < 1 < position.max():
        axes.contour(
            grid.x,
            grid.y,
            position.T,
            levels=[1.0],
            colors=[theme.INK],
            linewidths=0.6,
            zorder=2,
        )
        page.drew(axes, "border")


def _draw_path(axes: Axes, path: Path, colour: str) -> None:
    """Draw a path in one colour and a light casing, dashed where the plane isn't its loss."""
    finite = np.isfinite(path.xy).all(axis=1)
    xy, far = path.xy[finite], paths.between(paths.faded(path)[finite])
    if len(xy) < 2:
        return
    width = _stroke(axes, xy)
    axes.plot(*xy.T, color="white", lw=1.8 * width, alpha=0.75, zorder=5, solid_capstyle="round")
    page.drew(axes, "path", *(("dashes",) if far.any() else ()))
    pieces = np.split(np.arange(len(far)), np.flatnonzero(np.diff(far)) + 1)
    lines = [xy[piece[0] : piece[-1] + 2] for piece in pieces]
    for trusted in (True, False):
        held = [line for line, piece in zip(lines, pieces, strict=True) if far[piece[0]] != trusted]
        axes.add_collection(
            LineCollection(
                held,
                colors=colour,
                linewidths=width,
                linestyles="solid" if trusted else (0, (2.2, 1.4)),
                zorder=5.5,
            ),
            autolim=False,
        )


def _stroke(axes: Axes, xy: Floats) -> float:
    """Return the width of a path's line in points: thinner where it would cover the plane."""
    wide, tall = page.extent(axes)
    shares = (axes.transData + axes.transAxes.inverted()).transform(xy)
    held = ((shares[:-1] >= 0) & (shares[:-1] <= 1)).all(axis=1)
    long = np.linalg.norm(np.diff(shares, axis=0) * [wide, tall], axis=1)[held].sum()
    return float(np.clip(72 * COVERED * wide * tall / max(float(long), 1e-9), *STROKE))


def _colour(scan: Scan, path: Path) -> str:
    if len(scan.paths) == 1:
        return theme.PATH
    number = next(k for k, one in enumerate(scan.paths) if one is path)
    return theme.RUNS[number % len(theme.RUNS)]


def _mark(axes: Axes, scan: Scan, placed: Labels) -> None:
    # The last of several at one step is drawn: the end rather than the best.
    shown = list({point.step: point for point in marked(scan)}.values())
    homes = [np.array(placed.home(*point.xy)) for point in shown]
    sizes = marks.seen([MARK * theme.mark(point.name).size for point in shown], np.array(homes))
    for point, size in zip(shown, sizes, strict=True):
        look = theme.mark(point.name)
        stamp(
            axes,
            np.array(point.xy),
            look,
            hollow=hollow(scan, point.step),
            scale=size / look.size,
        )
        placed.mark((float(point.xy[0]), float(point.xy[1])), size / 72 / 2)


def _enter(axes: Axes, scan: Scan, placed: Labels, *, named: bool) -> None:
    """Point to where a path that begins outside of the frame comes in, and say at which step."""
    for path in scan.paths if not scan.path_is_a_dot else ():
        found = paths.entrance(path, plane_axes.window(scan))
        if found is None:
            continue
        at, towards, step = found
        turned = float(
            np.degrees(
                np.arctan2(
                    *(axes.transData.transform(towards) - axes.transData.transform(at))[::-1]
                )
            )
        )
        axes.plot(
            *at,
            marker=(3, 0, turned - 90),
            ms=ENTERS,
            mfc=_colour(scan, path),
            mec="white",
            mew=0.7,
            zorder=7,
            clip_on=False,
        )
        page.drew(axes, "enters")
        place = (float(at[0]), float(at[1]))
        placed.mark(place, ENTERS / 72 / 2)
        if named:
            placed.near(place, f"first inside at step {step:,}")


def stamp(
    axes: Axes,
    at: Floats,
    look: theme.Mark,
    *,
    hollow: bool,
    scale: float = MARK,
    behind: bool = False,
) -> None:
    """Draw a mark on a white one that lifts it off its ground, in its rim alone if hollow.

    Faintly where its place is ``behind`` what is seen there.
    """
    if hollow:
        page.drew(axes, "hollow")
    rims = (("none", "white", 2.2), ("none", look.colour, 1.2))
    filled = (("white", "white", 1.8), (look.colour, theme.INK, 0.45))
    for k, (face, edge, thick) in enumerate(rims if hollow else filled):
        axes.plot(
            *at,
            look.marker,
            ms=look.size * scale,
            mfc=face,
            mec=edge,
            mew=thick,
            zorder=8 + 0.1 * k,
            clip_on=False,
            alpha=marks.BEHIND if behind else 1.0,
        )


def hollow(scan: Scan, step: int) -> bool:
    """Say whether the loss of the weights at a step isn't the plane's loss where they are drawn."""
    for path in scan.paths:
        rows = np.flatnonzero(path.step == step)
        if len(rows):
            return bool(paths.faded(path)[rows[0]])
    return False


def facts(scan: Scan, *, brief: bool = False) -> list[tuple[int, str]]:
    """Return what the marks of each step say: names and step, and the weights' own loss.

    Where the plane's loss differs, how far off the plane they are. ``brief``: names and loss.
    """
    grouped: dict[int, list[str]] = {}
    for point in marked(scan):
        grouped.setdefault(point.step, []).append(point.name)
    found = []
    for step, names in grouped.items():
        if names == [STILL]:
            [point] = scan.points
            found.append((step, (" " if brief else "\n").join(sentences.still(scan, point))))
            continue
        name = " and ".join(_named(scan, one, step) for one in names)
        lines = [name if name.startswith("step ") else f"{name}, step {step:,}"]
        if {len(path.step) for path in scan.paths} == {1}:  # no training is known of it
            lines = ["checkpoint"]
        for path in scan.paths:
            rows = np.flatnonzero(path.step == step)
            if not len(rows) or not np.isfinite(loss := path.true_loss[rows[0]]):
                continue
            if brief:
                lines = [f"{name} {number(float(loss))}"]
                break
            lines.append(f"loss {number(float(loss))}")
            if hollow(scan, step):
                lines.append(f"{number(float(path.distance_from_plane[rows[0]]), 2)} off the plane")
            break
        found.append((step, "\n".join(lines)))
    return found


def mark_lowest(
    axes: Axes,
    placed: Labels,
    at: Floats,
    text: str,
    *,
    scale: float = MARK,
    behind: bool = False,
) -> None:
    """Mark the best of all evaluated points where it is none of the run's, and say so beside it."""
    marks.stamp(axes, at, theme.LOWEST, scale=scale, behind=behind)
    page.drew(axes, "lowest")
    placed.mark((float(at[0]), float(at[1])), scale * theme.LOWEST.size / 72 / 2)
    if text:
        placed.near((float(at[0]), float(at[1])), text)


def _lowest(axes: Axes, scan: Scan, placed: Labels, *, bare: bool) -> None:
    """Mark the lowest loss measured quietly, which isn't below the run's own, if it tells anything.

    That is in the plane's midst, visibly away from every mark, and clearly below the plane's losses
    beneath these.
    """
    found, shown = marks.lowest(scan), marked(scan)
    if found is None or not shown:
        return
    loss, at = found
    if any(x in axis[[0, -1]] for x, axis in zip(at, (scan.x, scan.y), strict=True)):
        return  # a slope that goes on outside
    here = np.array(placed.home(float(at[0]), float(at[1])))
    for point in shown:
        i = int(np.abs(scan.x - point.xy[0]).argmin())
        j = int(np.abs(scan.y - point.xy[1]).argmin())
        near = np.linalg.norm(here - placed.home(*point.xy)) < VISIBLY
        if near or not clearly_below(loss, float(scan.measures["train_loss"][i, j])):
            return
    mark_lowest(axes, placed, at, "" if bare else lowest_text(loss, brief=True), scale=QUIET)


def lowest_text(loss: float, *, brief: bool = False) -> str:
    """Return what stands beside the mark of the lowest loss."""
    return f"lowest here {number(loss)}" if brief else f"lowest here\nloss {number(loss)}"


def _named(scan: Scan, name: str, step: int) -> str:
    """Return a point's name; of a best "recorded" with it where the path knows a lower loss.

    Scans of earlier versions marked the best of the losses that training evaluated.
    """
    for path in scan.paths if name == "best" else ():
        rows = np.flatnonzero(path.step == step)
        if not len(rows) or not np.isfinite(own := float(path.true_loss[rows[0]])):
            continue
        if clearly_below(float(np.nanmin(path.true_loss)), own):
            return "best recorded"
    return name


def _label(scan: Scan, placed: Labels, *, brief: bool, losses: bool) -> None:
    """Write what the marks are, and of several paths their names where they end.

    Without ``losses`` names and steps alone.
    """
    where = plane_axes.window(scan)
    places = {point.step: point.xy for point in marked(scan)}
    for step, text in facts(scan, brief=brief):
        said = text if losses else text.split("\n")[0]
        placed.near((float(places[step][0]), float(places[step][1])), said)
    for path in scan.paths if len(scan.paths) > 1 else ():
        held = [xy for xy in path.xy if np.isfinite(xy).all() and where.holds(xy)]
        if held:
            placed.near((float(held[-1][0]), float(held[-1][1])), path.name)


def marked(scan: Scan) -> list[Point]:
    """Return the points to mark: of a path that is a dot here, only the plane's origin.

    None that lies outside: a mark at the edge would stand where the run never was.
    """
    where = plane_axes.window(scan)
    known = [p for p in scan.points if len(p.xy) == 2 and where.holds(np.array(p.xy))]
    if scan.path_is_a_dot:
        return [point for point in known if np.allclose(point.xy, 0, atol=1e-12)]
    return known


def _name_grounds(
    picture: Raster, beyond: NDArray[np.bool_], colours: Scale, placed: Labels
) -> None:
    grounds = [(f"loss > {number(colours.high)}", beyond)]
    grounds += [(name, picture.kind == kind) for kind, name in raster.NAMES.items()]
    for text, ground in grounds:
        if ground.any():
            placed.on_ground(text, ground[::6, ::6])


def note(scans: Sequence[Scan]) -> str:
    """Return what stands beneath planes: how much of the paths they hold.

    Of one also that its axes span far from the same, of a drift that its run hadn't settled, and
    without a path how its random directions came about.
    """
    held = _held(scans)
    if len(scans) > 1:
        return held
    return "; ".join(
        filter(None, [sentences.spans(scans[0]), held or sentences.made(scans[0].plane)])
    )


def _held(scans: Sequence[Scan]) -> str:
    """How much of the paths the planes hold; empty without any."""
    every = [path for scan in scans for path in scan.paths]
    shares = [path.share_in_plane for path in every if np.isfinite(path.share_in_plane)]
    if not shares:
        return ""
    ends = (percent(min(shares)), percent(max(shares)))
    held = ends[0] if len(shares) == 1 else f"{ends[0]} to {ends[1]}"
    path = "the path" if len(every) == 1 else "the paths"
    plane = "this plane" if len(scans) == 1 else "these planes"
    if all(scan.path_is_a_dot for scan in scans):
        # Short enough to stand beside the name of the steps.
        if len(every) == 1:
            return f"a dot here: {held} of the path's variance"
        return f"dots here: {held} of the paths' variance"
    if len(scans) == 1 and sentences.unsettled(scans[0]):
        return f"the run hadn't settled; {held} of its path's variance is here"
    return f"{held} of {path}'{'' if len(every) > 1 else 's'} variance is in {plane}"


def dress(axes: Axes, scan: Scan, size: tuple[float, float], *, first: bool) -> None:
    """Set ticks and names of the axes, of the one upwards only for the ``first`` in a row."""
    for k, coordinate in enumerate((axes.xaxis, axes.yaxis)):
        coordinate.set_minor_locator(NullLocator())
        coordinate.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        name, unit = scan.plane.labels[k], scan.plane.unit
        # What follows a comma explains the name; the caption has it whole.
        texts = (f"{name} ({unit})", name, name.split(",")[0])
        fits = [text for text in texts if page.inches(text, theme.TICKS) < size[k]]
        coordinate.set_label_text((*fits, texts[-1])[0], size=theme.TICKS)
    axes.xaxis.labelpad = 0.5
    axes.tick_params(labelsize=theme.SMALL, length=2.0, pad=1.2)
    axes.tick_params(axis="y", labelrotation=90)
    page.fixed_ticks(axes)
    page.name_y(axes, LEFT)
    if not first:
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)

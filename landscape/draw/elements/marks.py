"""Marked points of a plane, also those outside of it, and the legend's entries."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.draw.elements import episodes, paths, raster
from landscape.draw.elements.plane_axes import PlaneWindow, window
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.sheet import leaders
from landscape.draw.sheet.legend import Swatch
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Point, Scan

MARGIN = 0.08
"""How far from the edge an outside point's mark stands, as a share of the axes."""
BEHIND = 0.4
"""Opacity of a mark that something hides."""
HIDDEN, RIM = 0.5, 4.5
"""How near the middle of a larger mark hides another one, as a share of its size, and the points
that the hidden one is then larger."""
ARROW = 14.0
"""Length of the arrow towards an outside point, in points."""


def lowest(scan: Scan, measure: str = "train_loss") -> tuple[float, Floats] | None:
    """Return the lowest finite loss measured and where; None without one, or if all are it."""
    finite = np.isfinite(scan.measures[measure]) & scan.measured
    loss = np.where(finite, scan.measures[measure], np.inf)
    if not finite.any() or loss[finite].min() == loss[finite].max():
        return None
    i, j = np.unravel_index(int(loss.argmin()), loss.shape)
    return float(loss[i, j]), np.array([scan.x[i], scan.y[j]])


def known(scan: Scan, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the measures that a scan has anywhere."""
    return tuple(
        name for name in names if name in scan.measures and not np.isnan(scan.measures[name]).all()
    )


def losses(scan: Scan, panels: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the losses a scan has a panel for: training, and validation where it was measured.

    Of these only the ``panels`` (train, validation) that were asked for.

    Raises:
        LandscapeError: none of those was measured.
    """
    every = ("train_loss", *known(scan, ("validation_loss",)))
    asked = tuple(name for name in every if not panels or name.removesuffix("_loss") in panels)
    if not asked:
        raise LandscapeError(
            f"panels must be of losses that were measured, got {', '.join(panels)} of a scan "
            "without; leave --panels out"
        )
    return asked


def draw(
    axes: Axes,
    points: tuple[Point, ...],
    where: PlaneWindow,
    lines: Floats,
    *,
    least: Floats | None = None,
    scale: float = 1.0,
) -> Floats:
    """Draw marked points, and the grid's lowest one if given; return where their marks stand.

    A point outside stands at the edge with an arrow towards it. Marks that would cover each other
    are moved aside, clear of ``lines`` (N, 2), and joined to their place by a line.
    """
    shown = [(np.array(point.xy), theme.mark(point.name)) for point in points]
    shown = [(xy, look) for xy, look in shown if len(xy) == 2 and np.isfinite(xy).all()]
    shown += [(least, theme.LOWEST)] if least is not None else []
    size = np.array(axes.get_window_extent().size)
    outside = [not where.holds(xy) for xy, _ in shown]
    shares = [where.share(xy) for xy, _ in shown]
    stand = [clamped(s) if out else s for s, out in zip(shares, outside, strict=True)]
    at = np.array(stand).reshape(-1, 2)
    radii = np.array([look.size * scale / 72 * theme.now().dpi / 2 for _, look in shown])
    moved = leaders.spread(at * size, radii, where.share(lines) * size, size) / size
    leaders.draw_leaders(axes, where.at(at), where.at(moved))
    for k, (_, look) in enumerate(shown):
        if outside[k]:
            arrow(axes, moved[k], shares[k], look.colour)
        stamp(axes, where.at(moved[k]), look, scale=scale)
    return where.at(moved)


def seen(sizes: Sequence[float], homes: Floats) -> list[float]:
    """Sizes (points) at which marks are seen, the last on top: what one hides is drawn around it.

    ``homes`` (n, 2) are their places in inches.

    >>> seen([5.0, 8.0], np.array([[1.0, 1.0], [1.0, 1.0]]))
    [12.5, 8.0]
    """
    found: list[float] = []
    for k in reversed(range(len(sizes))):
        above = zip(reversed(found), homes[k + 1 :], strict=True)
        over = [size for size, at in above if np.linalg.norm(at - homes[k]) * 72 < HIDDEN * size]
        found.append(max([sizes[k], *(size + RIM for size in over)]))
    return found[::-1]


def stamp(
    axes: Axes,
    at: Floats,
    look: theme.Mark,
    *,
    scale: float = 1.0,
    ghost: bool = False,
    behind: bool = False,
) -> None:
    """Draw one mark, a ghost without the white rim that lifts the others off their ground.

    Faintly where its place is ``behind`` what is seen there.
    """
    rim = theme.INK if ghost or look is theme.LOWEST else "white"
    axes.plot(
        *at,
        look.marker,
        ms=look.size * scale,
        mfc=look.colour,
        mec=rim,
        mew=0.5 if ghost else 0.8,
        # The lowest loss' small mark above a larger one that it lies beside.
        zorder=8.2 if look is theme.LOWEST else 8,
        clip_on=False,
        alpha=BEHIND if behind else 0.8 if ghost else 1.0,
        path_effects=None if rim == theme.INK else theme.halo(2.6 * scale, theme.INK),
    )


def clamped(share: Floats) -> Floats:
    """Return where the line from the window's centre to an outside point leaves the window."""
    off = share - 0.5
    return np.asarray(0.5 + off * (0.5 - MARGIN) / np.abs(off).max())


def arrow(axes: Axes, share: Floats, target: Floats, colour: str) -> None:
    """Point from a mark at the edge, at ``share`` of the axes, towards where it belongs."""
    size = axes.get_window_extent().size
    towards = (target - share) * size
    length = ARROW / 72 * theme.now().dpi
    tip = share + towards / np.linalg.norm(towards) * length / size
    for width, shade in ((4.0, "white"), (3.0, theme.INK), (1.6, colour)):
        axes.annotate(
            "",
            tuple(tip),
            tuple(share),
            xycoords="axes fraction",
            arrowprops={"arrowstyle": "-|>", "lw": width, "color": shade, "shrinkA": 0},
            annotation_clip=False,
            zorder=7,
        )


def entries(
    scan: Scan,
    scale: Scale,
    measures: tuple[str, ...],
    kinds: set[int],
    *,
    shown: Collection[str] | None = None,
) -> list[Artist]:
    """Return the legend: points, the path where it fades, what isn't drawn as a loss.

    ``shown`` is for a surface, where peaks are cut: the names of the points it could show.
    """
    solid = shown is not None
    handles: list[Artist] = [entry(scan, point, shown) for point in scan.points]
    if not solid:
        handles += _least(scan, measures)
    if not (solid and scan.path_is_a_dot):
        handles += episodes.entries(scan)
    if any(paths.faded(path).any() for path in scan.paths):
        handles.append(pale(scan))
    return handles + beyond(scale, kinds, solid=solid)


def beyond(scale: Scale, kinds: set[int], *, solid: bool = False) -> list[Artist]:
    """Return the legend's entries for what lies beyond the cap and what is no loss."""
    handles: list[Artist] = []
    if scale.capped:
        what = "cut at" if solid else "loss above"
        text = f"{what} {number(scale.high)}: {scale.rule}"
        handles.append(_patch(theme.now().beyond, text, ""))
    missing = sorted(kinds - {raster.FINITE})
    if solid and missing:
        text = " or ".join(raster.NAMES[kind] for kind in missing)
        handles.append(_patch("white", f"hole: {text}", ""))
    elif missing:
        handles += [
            _patch(raster.COLOURS[kind], raster.NAMES[kind], raster.HATCHES[kind])
            for kind in missing
        ]
    return handles


def entry(scan: Scan, point: Point, shown: Collection[str] | None = None) -> Line2D:
    """Return a marked point's entry, which says where it is if it isn't shown."""
    look = theme.mark(point.name)
    text = sentences.marked(point)
    if len(point.xy) == 2 and not window(scan).holds(np.array(point.xy)):
        text = f"{text[:-1]}; outside, at {', '.join(number(x) for x in point.xy)})"
    elif shown is not None and point.name not in shown:
        text = f"{text[:-1]}; above the cut or over a hole)"
    return sample(look, text)


def _least(scan: Scan, measures: tuple[str, ...]) -> list[Line2D]:
    least = [(name, found[0]) for name in measures if (found := lowest(scan, name))]
    values = ", ".join(
        number(loss) if name == "train_loss" else f"validation {number(loss)}"
        for name, loss in least
    )
    return [sample(theme.LOWEST, f"lowest on the grid: {values}")] if least else []


def pale(scan: Scan) -> Swatch:
    """Return the entry for the parts of a path of which the plane says little."""
    norm = paths.step_range(scan)
    steps = np.concatenate([path.step[paths.faded(path)] for path in scan.paths])
    ends = np.array([steps.min(), steps.max()], dtype=np.float64)
    first, last = norm(ends) if norm else (0.0, 0.0)
    return Swatch(
        "pale: over 10 % off the plane's loss",
        paths.strokes(pale=True),
        (float(first), float(last)),
        pale=True,
    )


def sample(look: theme.Mark, text: str) -> Line2D:
    """Return a mark as an entry of a legend."""
    rim = (theme.INK, None) if look is theme.LOWEST else ("white", theme.halo(1.6, theme.INK))
    return Line2D(
        [],
        [],
        marker=look.marker,
        ms=look.size * 0.85,
        mfc=look.colour,
        mec=rim[0],
        mew=0.8,
        ls="",
        label=text,
        path_effects=rim[1],
    )


def _patch(colour: object, text: str, hatch: str) -> Patch:
    patch = Patch(facecolor=colour, edgecolor=theme.HATCH, lw=0.5, hatch=hatch, label=text)  # type: ignore[arg-type]
    patch.set_hatch_linewidth(0.6)
    return patch

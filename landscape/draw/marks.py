"""Marked points of a plane, also those outside of it, and the legend's entries."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke

from landscape.draw import paths, raster, theme, words
from landscape.draw.scale import Scale
from landscape.store.records import Floats, Point, Scan

MARGIN = 0.045
"""How far from the edge an outside point's mark stands, as a share of the axes."""


@dataclass(frozen=True)
class Window:
    """What axes show: a rectangle of the plane."""

    low: Floats
    high: Floats

    def share(self, xy: Floats) -> Floats:
        """Return coordinates as shares of the window's width and height."""
        return np.asarray((np.asarray(xy, dtype=np.float64) - self.low) / (self.high - self.low))

    def at(self, share: Floats) -> Floats:
        """Return the coordinates at a share of width and height, the inverse of ``share``."""
        return np.asarray(self.low + np.asarray(share) * (self.high - self.low))

    def holds(self, xy: Floats) -> bool:
        """Whether a point is in the window, its edge included."""
        share = self.share(xy)
        return bool(((share >= -1e-9) & (share <= 1 + 1e-9)).all())


def window(scan: Scan) -> Window:
    """Return the rectangle that a plane's grid spans."""
    return Window(np.array([scan.x[0], scan.y[0]]), np.array([scan.x[-1], scan.y[-1]]))


def lowest(scan: Scan, measure: str = "train_loss") -> tuple[float, Floats] | None:
    """Return the lowest finite loss of the grid and where it is; None without one."""
    loss = np.where(np.isfinite(scan.measures[measure]), scan.measures[measure], np.inf)
    if not np.isfinite(loss).any():
        return None
    i, j = np.unravel_index(int(loss.argmin()), loss.shape)
    return float(loss[i, j]), np.array([scan.x[i], scan.y[j]])


def known(scan: Scan, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the measures that a scan has anywhere."""
    return tuple(
        name for name in names if name in scan.measures and not np.isnan(scan.measures[name]).all()
    )


def losses(scan: Scan) -> tuple[str, ...]:
    """Return the losses a scan has a panel for: training, and validation where it was measured."""
    return ("train_loss", *known(scan, ("validation_loss",)))


def draw(axes: Axes, points: tuple[Point, ...], where: Window, *, scale: float = 1.0) -> None:
    """Draw marked points; one outside stands at the edge with an arrow towards it."""
    # Large marks first: where two coincide, the smaller one stays visible on the larger.
    for point in sorted(points, key=lambda point: -theme.mark(point.name).size):
        if len(point.xy) != 2 or not np.isfinite(point.xy).all():
            continue
        xy = np.array(point.xy)
        look = theme.mark(point.name)
        inside = where.holds(xy)
        share = where.share(xy) if inside else clamped(where.share(xy))
        if not inside:
            _arrow(axes, share, where.share(xy), look.colour)
        axes.plot(
            *where.at(share), look.marker, ms=look.size * scale, mfc=look.colour, mec="white",
            mew=1.0, zorder=8, clip_on=False, path_effects=theme.halo(2.6 * scale, theme.INK),
        )  # fmt: skip


def clamped(share: Floats) -> Floats:
    """Return where the line from the window's centre to an outside point leaves the window."""
    off = share - 0.5
    return np.asarray(0.5 + off * (0.5 - MARGIN) / np.abs(off).max())


def _arrow(axes: Axes, share: Floats, target: Floats, colour: str) -> None:
    box = axes.get_window_extent()
    towards = (target - share) * [box.width, box.height]
    towards = towards / np.linalg.norm(towards) * 14
    for width, shade in ((2.6, "white"), (1.3, colour)):
        axes.annotate(
            "", towards, share, xycoords="offset points", textcoords="axes fraction",
            arrowprops={"arrowstyle": "-|>", "lw": width, "color": shade, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=False, zorder=7,
        )  # fmt: skip


def entries(
    scan: Scan, scale: Scale, measures: tuple[str, ...], kinds: set[int], *,
    solid: bool = False,
) -> list[Artist]:
    """Return the legend of a plane or, ``solid``, of a surface: its points, the path where it fades, what isn't a loss."""
    where = window(scan)
    handles: list[Artist] = []
    for point in scan.points:
        look = theme.mark(point.name)
        text = words.marked(point)
        if len(point.xy) == 2 and not where.holds(np.array(point.xy)):
            text = f"{text[:-1]}; outside, at {words.number(point.xy[0])}, {words.number(point.xy[1])})"
        handles.append(_marker(replace(look, marker="o", size=7.0) if solid else look, text))
    least = [(name, found[0]) for name in measures if (found := lowest(scan, name))]
    if least and not solid:
        values = ", ".join(
            words.number(loss) if name == "train_loss" else f"validation {words.number(loss)}"
            for name, loss in least
        )
        handles.append(_marker(theme.LOWEST, f"lowest on the grid: {values}"))
    if any(paths.faded(path).any() for path in scan.paths):
        text = "pale path: its loss is over 10 % off the plane's"
        handles.append(Line2D([], [], color=theme.faded(theme.STEP(np.array([0.6])))[0], lw=2.4, label=text,
                              path_effects=[Stroke(linewidth=3.6, foreground=theme.PALE), Normal()]))
    if scale.capped:
        what = "cut at" if solid else "loss above"
        text = f"{what} {words.number(scale.high)}: {scale.rule}"
        handles.append(_patch(theme.LOSS(1.0), text, "/////"))
    for kind in sorted(kinds - {raster.FINITE}):
        handles.append(_patch(raster.COLOURS[kind], raster.NAMES[kind], raster.HATCHES[kind]))
    return handles


def _marker(look: theme.Mark, text: str) -> Line2D:
    rim = (theme.INK, None) if look is theme.LOWEST else ("white", theme.halo(1.6, theme.INK))
    return Line2D(
        [], [], marker=look.marker, ms=look.size * 0.85, mfc=look.colour, mec=rim[0], mew=0.8,
        ls="", label=text, path_effects=rim[1],
    )  # fmt: skip


def _patch(colour: object, text: str, hatch: str) -> Patch:
    patch = Patch(facecolor=colour, edgecolor=theme.HATCH, lw=0.5, hatch=hatch, label=text)  # type: ignore[arg-type]
    patch.set_hatch_linewidth(0.6)
    return patch

"""A path on a plane: where it can be trusted, and how it is drawn in two dimensions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from landscape.draw.elements import episodes
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import theme
from landscape.draw.sheet import leaders
from landscape.store.scans.records import Floats, Path, Scan

AGREES = 0.1
"""Beyond this relative difference of plane and true loss, the plane says little about a point."""
BALLS = 12


def step_range(scan: Scan) -> Normalize | None:
    """Return the range of training steps over all paths; None where nothing moves along one."""
    every = np.concatenate([path.step for path in scan.paths] or [np.empty(0, np.int64)])
    if not len(every) or every.min() == every.max():
        return None
    return Normalize(float(every.min()), float(every.max()))


def faded(path: Path) -> NDArray[np.bool_]:
    """Say of each point whether its true loss is over 10 % off the plane's beneath it.

    Only some points have both losses: the others follow the nearest one that does.
    """
    with np.errstate(invalid="ignore"):
        off = np.abs(path.true_loss - path.plane_loss)
        known = np.flatnonzero(~np.isnan(off))
        far = off > AGREES * np.abs(path.true_loss)
        # An infinite loss beside a finite one: the product above is infinite as well.
        far |= np.isinf(path.true_loss) != np.isinf(path.plane_loss)
    if not len(known):
        return np.zeros(len(path.step), dtype=np.bool_)
    rows = np.arange(len(path.step))
    nearest = np.abs(rows[:, None] - known[None, :]).argmin(axis=1)
    return np.asarray(far[known[nearest]])


def between(far: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say of each segment (T - 1,) whether either end is ``far`` off: it is no safer than that.

    >>> between(np.array([True, False, False])).tolist()
    [True, False]
    """
    return np.asarray(far[:-1] | far[1:])


def entrance(path: Path, where: PlaneWindow) -> tuple[Floats, Floats, int] | None:
    """Where a path that begins outside of a window crosses its edge to its first weights inside.

    With these weights' place and step; None where it begins inside or none lies inside. A line
    between weights outside may cross the window before.
    """
    finite = np.isfinite(path.xy).all(axis=1)
    share, step = where.share(path.xy[finite]), path.step[finite]
    held = np.asarray(((share >= -1e-9) & (share <= 1 + 1e-9)).all(axis=1))
    if not held.any() or held[0]:
        return None
    k = int(held.argmax())
    outside, inside = share[k - 1], share[k]
    # How far out along each axis: the last edge crossed is where it comes in.
    beyond = np.maximum(np.maximum(-outside, outside - 1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = np.nan_to_num(beyond / np.abs(inside - outside))
    at = outside + float(crossed.max()) * (inside - outside)
    return where.at(np.clip(at, 0, 1)), where.at(inside), int(step[k])


def passes(path: Path, where: PlaneWindow) -> bool:
    """Say whether lines between weights outside cross a window before the first weights inside."""
    finite = np.isfinite(path.xy).all(axis=1)
    share = where.share(path.xy[finite])
    held = np.asarray(((share >= -1e-9) & (share <= 1 + 1e-9)).all(axis=1))
    before = share[: int(held.argmax())] if held.any() else share
    start, move = before[:-1], np.diff(before, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = np.stack([-start / move, (1 - start) / move])
    still, within = move == 0, (start >= 0) & (start <= 1)
    enter = np.where(still, np.where(within, -np.inf, np.inf), walls.min(axis=0)).max(axis=1)
    leave = np.where(still, np.inf, walls.max(axis=0)).min(axis=1)
    return bool((np.maximum(enter, 0) < np.minimum(leave, 1)).any())


def even(xy: Floats, count: int = BALLS) -> Floats:
    """Return ``count`` points at even arc length along a polyline, its ends left out."""
    lengths = np.linalg.norm(np.diff(xy, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    if len(xy) < 2 or along[-1] == 0:
        return np.empty((0, xy.shape[1]))
    wanted = np.linspace(0, along[-1], count + 2)[1:-1]
    return np.stack([np.interp(wanted, along, column) for column in xy.T], axis=1)


def draw(
    axes: Axes,
    path: Path,
    norm: Normalize | None,
    *,
    width: float = 1.7,
    balls: int = BALLS,
    pale: bool = True,
) -> None:
    """Draw a path coloured by step in a dark and a light casing, ``pale`` where it is ``faded``.

    During an episode it lies in a band of that one's colour.
    """
    finite = np.isfinite(path.xy).all(axis=1)
    xy, step, far = path.xy[finite], path.step[finite], faded(path)[finite] & pale
    if len(xy) < 2 or norm is None:
        return
    segments = np.stack([xy[:-1], xy[1:]], axis=1)
    kinds = episodes.along(step, path.events)
    for kind in np.unique(kinds[kinds >= 0]):
        # The path itself comes over them.
        bands = episodes.strokes(episodes.colour(kind), width)[:2]
        _strokes(axes, segments[kinds == kind], np.empty((0, 4)), bands, 4.5)
    light = between(far)
    colours = theme.STEP(norm((step[:-1] + step[1:]) / 2))
    _strokes(axes, segments[light], theme.faded(colours[light]), strokes(width, pale=True), 5.0)
    _strokes(axes, segments[~light], colours[~light], strokes(width), 5.5)
    beads = even(xy, balls)
    edge = theme.PALE if light.all() else theme.INK
    axes.plot(*beads.T, "o", ms=2.6, mfc="white", mec=edge, mew=0.5, ls="", zorder=6)


def write_run_names(axes: Axes, scan: Scan) -> None:
    """Write each run's name where its path ends, if there are several."""
    for path in scan.paths if len(scan.paths) > 1 else ():
        inside = path.xy[np.isfinite(path.xy).all(axis=1)]
        limits = np.array([axes.get_xlim(), axes.get_ylim()]).T
        inside = inside[((inside >= limits[0]) & (inside <= limits[1])).all(axis=1)]
        if not len(inside):
            continue
        share = (inside[-1] - limits[0]) / (limits[1] - limits[0])
        axes.annotate(
            path.name,
            tuple(inside[-1]),
            (-7 if share[0] > 0.7 else 7, 5),
            textcoords="offset points",
            size=theme.SMALL,
            ha="right" if share[0] > 0.7 else "left",
            va="bottom",
            path_effects=theme.halo(2.2),
            zorder=9,
            parse_math=False,
        )


def write_episode_names(axes: Axes, scan: Scan, marks: Floats) -> None:
    """Write the name of each episode beside its longest stretch, clear of ``marks`` (M, 2)."""
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    found = []
    for path in scan.paths:
        held = ((path.xy >= low) & (path.xy <= high)).all(axis=1)
        found += episodes.name_places(path, held)
    if not found:
        return
    box = axes.get_window_extent()
    at = axes.transData.transform(np.array([xy for _, xy in found])) - box.p0
    leaders.write_names(
        axes,
        [name for name, _ in found],
        at,
        float(box.width),
        marks=axes.transData.transform(marks) - box.p0 if len(marks) else leaders.NOWHERE,
        back=lambda pixel: np.asarray(axes.transData.inverted().transform(pixel + box.p0)),
    )


def strokes(width: float = 1.7, *, pale: bool = False) -> list[tuple[float, str | None]]:
    """Return the widths and colours a path is drawn in, the last being that of its steps."""
    casing = theme.PALE if pale else theme.INK
    return [(width + 2.0, "white"), (width + 1.1, casing), (width, None)]


def _strokes(
    axes: Axes,
    segments: Floats,
    colours: Floats,
    layers: list[tuple[float, str | None]],
    order: float,
) -> None:
    for layer, (thick, colour) in enumerate(layers if len(segments) else ()):
        axes.add_collection(
            LineCollection(
                list(segments),
                colors=colours if colour is None else colour,
                linewidths=thick,
                capstyle="round",
                zorder=order + 0.1 * layer,
            ),
            autolim=False,
        )

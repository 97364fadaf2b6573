"""A path in the box of a surface: at its true loss, cut where it leaves the box."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from landscape.draw import episodes, paths, theme
from landscape.draw.meshes import Frame
from landscape.draw.relief import Relief
from landscape.draw.scale import Scale
from landscape.store.records import Floats, Path

FINE = 1 / 300
"""Between points of a track over the surface, as a share of the plane."""


@dataclass(frozen=True)
class Ribbon:
    """One unbroken stretch of a path, in the box."""

    points: Floats
    """(T, 3), at the heights of the true losses."""
    colours: Floats
    """(T, 4) RGBA by training step, pale where the path is ``faded``."""
    episode: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    """(T - 1,) which of ``episodes.NAMES`` each segment is; empty where nobody asked."""


@dataclass(frozen=True)
class Drop:
    """A ball on a path and the surface's point beneath or above it."""

    ball: Floats
    foot: Floats
    """NaN where the surface has no loss or is cut there."""


def of(path: Path, scale: Scale, frame: Frame, steps: Normalize | None) -> list[Ribbon]:
    """Return the stretches of a path within the box, of the points with a known true loss."""
    position = scale.position(path.true_loss)
    known = np.isfinite(position) & np.isfinite(path.xy).all(axis=1)
    share = np.column_stack([frame.window.share(path.xy[known]), position[known]])
    colours = theme.STEP(steps(path.step[known])) if steps else theme.STEP(np.zeros(known.sum()))
    pale = paths.faded(path)[known]
    colours[pale] = theme.faded(colours[pale])
    stretches = inside(np.column_stack([share, colours]))
    size = np.array(frame.size)
    return [
        Ribbon(
            np.column_stack([(part[:, :2] - 0.5) * size, frame.height * part[:, 2]]), part[:, 3:]
        )
        for part in stretches
    ]


def inside(rows: Floats) -> list[Floats]:
    """Cut a polyline, columns 0 to 2 its points, to the unit cube; return its stretches.

    Further columns are interpolated along with the points. Points at one place are merged.
    """
    rows = rows[
        np.concatenate([[True], (np.diff(rows[:, :3], axis=0) != 0).any(axis=1)])[: len(rows)]
    ]
    start, move = rows[:-1], np.diff(rows, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = np.stack([-start[:, :3] / move[:, :3], (1 - start[:, :3]) / move[:, :3]])
    # Along a wall 0/0: inside if the start is.
    still = move[:, :3] == 0
    held = (start[:, :3] >= 0) & (start[:, :3] <= 1)
    enter = np.where(still, np.where(held, -np.inf, np.inf), walls.min(axis=0)).max(axis=1)
    leave = np.where(still, np.inf, walls.max(axis=0)).min(axis=1)
    enter, leave = np.maximum(enter, 0), np.minimum(leave, 1)
    stretches: list[list[Floats]] = []
    for k in np.flatnonzero(enter < leave):
        first, last = start[k] + enter[k] * move[k], start[k] + leave[k] * move[k]
        if enter[k] > 0 or not stretches or (stretches[-1][-1] != first).any():
            stretches.append([first])
        # The next segment starts at exactly this row, which start + 1 * move may miss.
        stretches[-1].append(rows[k + 1] if leave[k] == 1 else last)
    return [np.stack(stretch) for stretch in stretches]


def drops(ribbons: list[Ribbon], relief: Relief, count: int) -> list[Drop]:
    """Return balls at even arc length with the surface's points on their verticals."""
    if not ribbons:
        return []
    longest = max(ribbons, key=lambda ribbon: float(np.linalg.norm(np.diff(ribbon.points, axis=0))))
    balls = paths.even(longest.points, count)
    return [Drop(ball, foot) for ball, foot in zip(balls, feet(balls, relief), strict=True)]


def feet(points: Floats, relief: Relief) -> Floats:
    """Return the surface's points (N, 3) on the verticals of points, heights NaN without one."""
    return np.column_stack([points[:, :2], relief.height(points)])


def track(path: Path, relief: Relief, frame: Frame, steps: Normalize | None) -> list[Ribbon]:
    """Return a path's projection as it runs over the surface, in as many stretches as are drawn.

    Every recorded step has its place on the plane, whether or not its true loss is known.
    """
    finite = np.isfinite(path.xy).all(axis=1)
    share = np.column_stack([frame.window.share(path.xy[finite]), np.full(finite.sum(), 0.5)])
    step = path.step[finite].astype(np.float64)
    kinds = np.append(episodes.along(path.step[finite], path.events), episodes.NONE)
    found = []
    for part in inside(np.column_stack([share, step])):
        rows = _fine(part)
        # Of the row that its segment begins at, also where that lies outside the box.
        begins = np.searchsorted(step, (rows[:-1, 3] + rows[1:, 3]) / 2, side="right") - 1
        flat = (rows[:, :2] - 0.5) * np.array(frame.size)
        points = np.column_stack([flat, relief.height(flat)])
        colours = theme.STEP(steps(rows[:, 3])) if steps else theme.STEP(np.zeros(len(rows)))
        drawn = np.isfinite(points[:, 2])
        runs = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(drawn)) + 1)
        found += [
            Ribbon(points[run], np.asarray(colours)[run], kinds[begins[run[:-1]]])
            for run in runs
            if drawn[run[0]] and len(run) > 1
        ]
    return found


def _fine(rows: Floats) -> Floats:
    """Insert points, evenly within each segment, so that none is longer than ``FINE``."""
    counts = np.ceil(np.linalg.norm(np.diff(rows[:, :2], axis=0), axis=1) / FINE).astype(int)
    counts = np.maximum(counts, 1)
    at = np.concatenate([np.arange(n) / n + k for k, n in enumerate(counts)] + [[len(counts)]])
    return np.stack([np.interp(at, np.arange(len(rows)), column) for column in rows.T], axis=1)

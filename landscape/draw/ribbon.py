"""A path in the box of a surface: at its true loss, cut where it leaves the box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Normalize

from landscape.draw import paths, theme
from landscape.draw.meshes import Frame
from landscape.draw.scale import Scale
from landscape.store.records import Floats, Path, Scan


@dataclass(frozen=True)
class Ribbon:
    """One unbroken stretch of a path, in the box."""

    points: Floats
    """(T, 3), at the heights of the true losses."""
    colours: Floats
    """(T, 4) RGBA by training step, pale where the path is ``faded``."""


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


def drops(ribbons: list[Ribbon], scan: Scan, scale: Scale, frame: Frame, count: int) -> list[Drop]:
    """Return balls at even arc length with the surface's points on their verticals."""
    if not ribbons:
        return []
    longest = max(ribbons, key=lambda ribbon: float(np.linalg.norm(np.diff(ribbon.points, axis=0))))
    balls = paths.even(longest.points, count)
    return [Drop(ball, foot(ball, scan, scale, frame)) for ball in balls]


def foot(ball: Floats, scan: Scan, scale: Scale, frame: Frame) -> Floats:
    """Return the surface's point on a vertical, bilinear between the grid's; NaN without one."""
    xy = frame.window.at(ball[:2] / np.array(frame.size) + 0.5)
    position = scale.position(scan.measures["train_loss"])
    i = int(np.clip(np.searchsorted(scan.x, xy[0], side="right") - 1, 0, len(scan.x) - 2))
    j = int(np.clip(np.searchsorted(scan.y, xy[1], side="right") - 1, 0, len(scan.y) - 2))
    u = (xy[0] - scan.x[i]) / (scan.x[i + 1] - scan.x[i])
    v = (xy[1] - scan.y[j]) / (scan.y[j + 1] - scan.y[j])
    with np.errstate(invalid="ignore"):
        z = np.array([1 - u, u]) @ position[i : i + 2, j : j + 2] @ np.array([1 - v, v])
    height = frame.height * z if np.isfinite(z) and z <= 1 else np.nan
    return np.array([ball[0], ball[1], height])

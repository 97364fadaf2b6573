"""The paths of a scan in the box of a surface: tubes, tracks, balls and marked points.

Tubes run at a path's true losses and are cut where they leave the box; tracks run over the surface.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from landscape.draw.elements import episodes, finer, paths
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.solid import relief
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.relief import Relief
from landscape.store.scans.records import Floats, Path, Point, Scan

TUBE = 0.0075
"""Radius of a path in the air, in widths of the box."""
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
    pale: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """(T,) whether the path is ``faded`` there; empty where nobody asked."""
    radius: float = TUBE
    """Of a tube."""


@dataclass(frozen=True)
class Drop:
    """A ball on a path and the surface's point beneath or above it."""

    ball: Floats
    foot: Floats
    """NaN where the surface has no loss or is cut there."""


@dataclass(frozen=True)
class Trail:
    """Where the paths of a scan run."""

    relief: Relief
    """The surface of the training loss."""
    tubes: list[Ribbon]
    """At the paths' true losses."""
    tracks: list[Ribbon]
    """Over the surface."""
    drops: list[Drop]
    places: list[tuple[Point, Floats]]
    """Marked points and where they stand."""
    tiny: bool = False
    """Whether the paths are a dot on the plane."""

    def episodes(self) -> list[tuple[str, Floats]]:
        """Return each episode's name with the middle of its longest stretch over the surface.

        None where the path is a dot: the names would stand in a heap.
        """
        found: list[tuple[str, Floats]] = []
        if self.tiny:
            return found
        for kind, name in enumerate(episodes.NAMES):
            stretches = [
                track.points[run]
                for track in self.tracks
                for run in np.split(
                    np.arange(len(track.episode)), np.flatnonzero(np.diff(track.episode)) + 1
                )
                if len(run) and track.episode[run[0]] == kind
            ]
            if stretches:
                longest = max(stretches, key=len)
                found.append((name, longest[len(longest) // 2]))
        return found


def of(scan: Scan, scale: Scale, box: Frame) -> Trail:
    """Lay the paths of a scan into the box."""
    surface = relief.of(*finer.of(scan, "train_loss", scale), scale, box)
    steps = paths.step_range(scan)
    # Over a dot of a path they would be a pole.
    balls = 0 if scan.path_is_a_dot else paths.BALLS
    each = [ribbons(path, scale, box, steps) for path in scan.paths]
    return Trail(
        surface,
        [tube for tubes in each for tube in tubes],
        [part for path in scan.paths for part in track(path, surface, box, steps)],
        [drop for tubes in each for drop in drops(tubes, surface, balls)],
        mark_places(scan, scale, box, surface),
        scan.path_is_a_dot,
    )


def mark_places(
    scan: Scan, scale: Scale, box: Frame, surface: Relief
) -> list[tuple[Point, Floats]]:
    """Return marked points with their places in the box, at the true loss of their path's row.

    A point of which no path knows the loss, or one below the scale, stands on the surface. Left
    out: points outside the plane or above the cap.
    """
    found = []
    for point in scan.points:
        xy = np.array(point.xy)
        if len(xy) != 2 or not box.window.holds(xy):
            continue
        position = float(scale.position(np.array(_true_loss(scan, point))))
        place = box.place(xy[None], np.array([position]))
        # As well where the loss lies below all that the box shows: the label says it.
        if not position >= 0:
            place = feet(place, surface)
        if np.isfinite(place).all() and place[0, 2] <= box.height:
            found.append((point, place[0]))
    return found


def _true_loss(scan: Scan, point: Point) -> float:
    for path in scan.paths:
        rows = np.flatnonzero((path.step == point.step) & np.isfinite(path.true_loss))
        rows = rows[np.isclose(path.xy[rows], point.xy).all(axis=1)] if len(rows) else rows
        if len(rows):
            return float(path.true_loss[rows[0]])
    return float("nan")


def ribbons(path: Path, scale: Scale, frame: Frame, steps: Normalize | None) -> list[Ribbon]:
    """Return the stretches of a path within the box, of the points with a known true loss."""
    position = scale.position(path.true_loss)
    known = np.isfinite(position) & np.isfinite(path.xy).all(axis=1)
    share = np.column_stack([frame.window.share(path.xy[known]), position[known]])
    colours = theme.STEP(steps(path.step[known])) if steps else theme.STEP(np.zeros(known.sum()))
    pale = paths.faded(path)[known]
    colours[pale] = theme.faded(colours[pale])
    stretches = inside(np.column_stack([share, colours, pale]))
    size = np.array(frame.size)
    return [
        Ribbon(
            np.column_stack([(part[:, :2] - 0.5) * size, frame.height * part[:, 2]]),
            part[:, 3:7],
            pale=part[:, 7] > 0.5,
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


def drops(tubes: list[Ribbon], relief: Relief, count: int) -> list[Drop]:
    """Return balls at even arc length of the longest stretch, and the surface's points at them.

    These lie on the balls' verticals.
    """
    if not tubes:
        return []
    longest = max(tubes, key=lambda tube: _length(tube.points))
    balls = paths.even(longest.points, count)
    return [Drop(ball, foot) for ball, foot in zip(balls, feet(balls, relief), strict=True)]


def _length(points: Floats) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


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
    pale = paths.between(paths.faded(path)[finite])
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
            Ribbon(
                points[run],
                np.asarray(colours)[run],
                kinds[begins[run[:-1]]],
                pale[begins[np.minimum(run, len(begins) - 1)]],
            )
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

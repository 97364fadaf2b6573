"""What a surface figure stands on: the box, the view, ticks and where letters go."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from landscape.draw import camera, contours, marks, ribbon
from landscape.draw.camera import Camera
from landscape.draw.meshes import Frame
from landscape.draw.scale import Scale
from landscape.store.records import Floats, Point, Scan

HEIGHT = 0.46
FLOOR = -0.27
"""Where the flat copy lies beneath the surface."""
AZIMUTHS = (-125.0, -55.0, -145.0, -35.0, -110.0, -70.0, 125.0, 55.0, 110.0, 70.0)
ELEVATIONS = (38.0, 50.0)
"""Views to choose from, the first ones being the habit."""
BETTER = 0.08
"""Another view must show so much more of what matters before it replaces the habit."""


@dataclass(frozen=True)
class Tick:
    """A tick's place in the box and its value on the axis."""

    place: Floats
    value: float


@dataclass(frozen=True)
class Edge:
    """An edge of the box that carries an axis."""

    start: Floats
    end: Floats
    ticks: list[Tick]


def frame(scan: Scan) -> Frame:
    """Return the box for a plane, its longer side 1."""
    share, _ = contours.shape(scan)
    longer = max(1.0, share)
    return Frame(marks.window(scan), (1 / longer, share / longer), HEIGHT)


def corners(box: Frame) -> Floats:
    """Return the eight corners of the box, floor to top: row ``4 * z + 2 * x + y``."""
    w, d = box.size[0] / 2, box.size[1] / 2
    return np.array(
        [[x, y, z] for z in (FLOOR, box.height) for x in (-w, w) for y in (-d, d)], dtype=np.float64
    )


def view(scan: Scan, scale: Scale, box: Frame, size: tuple[int, int]) -> Camera:
    """Choose the view in which most of the path and of the lowest tenth of the plane is seen."""
    position = scale.position(scan.measures["train_loss"])
    heights = box.height * np.clip(np.nan_to_num(position), 0, 1)
    targets = _targets(scan, scale, box, position)
    best, most = None, -np.inf
    for elevation, azimuth in itertools.product(ELEVATIONS, AZIMUTHS):
        seen = camera.fitted(corners(box), azimuth, elevation, size, (0.13, 0.06, 0.12, 0.02))
        score = (
            float(camera.visible(seen, targets, heights, box.size).mean()) if len(targets) else 0
        )
        if best is None or score > most + BETTER:
            best, most = seen, score
    if best is None:
        raise AssertionError("no azimuths")
    return best


def _targets(scan: Scan, scale: Scale, box: Frame, position: Floats) -> Floats:
    finite = np.isfinite(position)
    deepest = np.quantile(position[finite], 0.1) if finite.any() else -np.inf
    low = np.argwhere(finite & (position <= deepest))
    low = low[:: max(1, len(low) // 400)]
    xy = np.column_stack([scan.x[low[:, 0]], scan.y[low[:, 1]]])
    parts = [box.place(xy, position[low[:, 0], low[:, 1]] + 0.01)]
    for path in scan.paths:
        height = scale.position(path.true_loss)
        points = box.place(path.xy, height + 0.01)
        shown = np.isfinite(points).all(axis=1) & (height <= 1)
        parts.append(points[shown][:200])
    return np.concatenate(parts)


def edges(box: Frame, seen: Camera, scale: Scale) -> tuple[Edge, Edge, Edge]:
    """Return the edges for the letters of x, y and the loss: the front ones and the leftmost."""
    w, d = box.size[0] / 2, box.size[1] / 2
    front_x, front_y = (float(np.sign(part)) or 1.0 for part in (seen.eye - seen.target)[:2])
    ends = np.array([-1.0, 1.0])
    x_edge = np.column_stack([ends * w, [front_y * d] * 2, [FLOOR] * 2])
    y_edge = np.column_stack([[front_x * w] * 2, ends * d, [FLOOR] * 2])
    base = corners(box)[:4]
    left = base[int(seen.project(base)[:, 0].argmin())]
    z_edge = np.stack([left * [1, 1, 0], left * [1, 1, 0] + [0, 0, box.height]])
    x, y = (_plane_ticks(box, k, edge) for k, edge in ((0, x_edge), (1, y_edge)))
    losses = scale.ticks(6)
    heights = box.height * scale.position(losses)
    z = [
        Tick(z_edge[0] + [0, 0, height], float(loss))
        for height, loss in zip(heights, losses, strict=True)
    ]
    found = [
        Edge(edge[0], edge[1], ticks) for edge, ticks in ((x_edge, x), (y_edge, y), (z_edge, z))
    ]
    return found[0], found[1], found[2]


def _plane_ticks(box: Frame, axis: int, edge: Floats) -> list[Tick]:
    low, high = float(box.window.low[axis]), float(box.window.high[axis])
    values = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
    margin = 1e-9 * (high - low)
    return [
        Tick(edge[0] + (edge[1] - edge[0]) * (value - low) / (high - low), float(value))
        for value in values
        if low - margin <= value <= high + margin
    ]


def walls(box: Frame, seen: Camera, scale: Scale) -> Floats:
    """Return the segments (K, 2, 3) of the floor's outline and grid and of the two far walls."""
    w, d = box.size[0] / 2, box.size[1] / 2
    front_x, front_y = (float(np.sign(part)) or 1.0 for part in (seen.eye - seen.target)[:2])
    far_x, far_y = -front_x * w, -front_y * d
    x, y, z = edges(box, seen, scale)
    parts = []
    for tick in [*x.ticks, Tick(x.start, 0), Tick(x.end, 0)]:
        at = tick.place[0]
        parts += [[(at, -d, FLOOR), (at, d, FLOOR)], [(at, far_y, FLOOR), (at, far_y, box.height)]]
    for tick in [*y.ticks, Tick(y.start, 0), Tick(y.end, 0)]:
        at = tick.place[1]
        parts += [[(-w, at, FLOOR), (w, at, FLOOR)], [(far_x, at, FLOOR), (far_x, at, box.height)]]
    for at in [*(float(tick.place[2]) for tick in z.ticks), box.height]:
        parts += [[(-w, far_y, at), (w, far_y, at)], [(far_x, -d, at), (far_x, d, at)]]
    return np.array(parts, dtype=np.float64)


def places(scan: Scan, scale: Scale, box: Frame) -> list[tuple[Point, Floats]]:
    """Return marked points with their places in the box, at the true loss of their path's row.

    A point of which no path knows the loss stands on the surface. Left out: points outside the
    plane or above the cap.
    """
    found = []
    for point in scan.points:
        xy = np.array(point.xy)
        if len(xy) != 2 or not box.window.holds(xy):
            continue
        position = float(scale.position(np.array(_true_loss(scan, point))))
        place = box.place(xy[None], np.array([position]))[0]
        if np.isnan(position):
            place = ribbon.foot(place, scan, scale, box)
        if np.isfinite(place).all() and place[2] <= box.height:
            found.append((point, place))
    return found


def _true_loss(scan: Scan, point: Point) -> float:
    for path in scan.paths:
        rows = np.flatnonzero((path.step == point.step) & np.isfinite(path.true_loss))
        rows = rows[np.isclose(path.xy[rows], point.xy).all(axis=1)] if len(rows) else rows
        if len(rows):
            return float(path.true_loss[rows[0]])
    return float("nan")


def flat(points: Floats) -> Floats:
    """Return points (..., 3) moved down to the floor."""
    return np.asarray(points * [1, 1, 0] + [0, 0, FLOOR])


def shadow(xy: Floats, box: Frame) -> Floats:
    """Return a path's segments (K, 2, 3) on the floor, cut at its edge."""
    finite = xy[np.isfinite(xy).all(axis=1)]
    share = np.column_stack([box.window.share(finite), np.full(len(finite), 0.5)])
    parts = []
    for part in ribbon.inside(share):
        on = np.column_stack([(part[:, :2] - 0.5) * box.size, np.full(len(part), FLOOR)])
        parts.append(np.stack([on[:-1], on[1:]], axis=1))
    return np.concatenate([*parts, np.empty((0, 2, 3))])

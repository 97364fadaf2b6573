"""What a surface figure stands on: the box, the view, ticks and where letters go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from landscape.draw.elements import plane_axes
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.solid import trail
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.perspective import Camera
from landscape.store.scans.records import Floats, Scan

HEIGHT = 0.52
FLOOR = -0.22
"""Where the flat copy lies beneath the surface."""
FILLED = 0.8
"""Of a plane: where a surface takes more, its box holds all of the plane."""
SPACING = 0.1
"""Between the numbers of the loss axis, in inches."""


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


def box_of(scan: Scan, window: PlaneWindow | None = None) -> Frame:
    """Return the box for a plane or the part of it in a window, its longer side 1."""
    whole = plane_axes.window(scan)
    window = whole if window is None else window
    sides = (window.high - window.low) / (whole.high - whole.low)
    sides = sides * [1.0, plane_axes.shape(scan)[0]]
    width, depth = (sides / sides.max()).tolist()
    # What follows a comma explains the name; the small print has it whole.
    first, second = (label.split(",")[0] for label in scan.plane.labels)
    return Frame(window, (width, depth), HEIGHT, (first, second))


def occupied(scan: Scan, shown: Mapping[str, Scale]) -> PlaneWindow:
    """Return the part of a plane where one of its losses is below its cap, or a path or mark is.

    With the grid points around it, and the whole plane where that is hardly more.
    """
    whole = plane_axes.window(scan)
    below = np.any([s.position(scan.measures[name]) <= 1 for name, s in shown.items()], axis=0)
    if not below.any():
        return whole
    i, j = np.nonzero(below)
    around = np.column_stack([scan.x[_widened(i, scan.x)], scan.y[_widened(j, scan.y)]])
    held = [] if scan.path_is_a_dot else [path.xy for path in scan.paths]
    held += [np.array([point.xy]) for point in scan.points]
    inside = [xy for part in held for xy in part if np.isfinite(xy).all() and whole.holds(xy)]
    every = np.concatenate([around, *(xy[None] for xy in inside)])
    low, high = every.min(axis=0), every.max(axis=0)
    if np.prod((high - low) / (whole.high - whole.low)) > FILLED:
        return whole
    return PlaneWindow(low, high)


def _widened(rows: NDArray[np.intp], axis: Floats) -> list[int]:
    """The first and the last of some rows, one further where there is one."""
    return [max(int(rows.min()) - 1, 0), min(int(rows.max()) + 1, len(axis) - 1)]


def corners(box: Frame) -> Floats:
    """Return the eight corners of the box, floor to top: row ``4 * z + 2 * x + y``."""
    w, d = box.size[0] / 2, box.size[1] / 2
    return np.array(
        [[x, y, z] for z in (FLOOR, box.height) for x in (-w, w) for y in (-d, d)], dtype=np.float64
    )


def base(box: Frame, seen: Camera) -> tuple[Floats, Floats]:
    """Return the ends (2, 3) of the floor's two front edges, along x and along y."""
    w, d = box.size[0] / 2, box.size[1] / 2
    front_x, front_y = (float(np.sign(part)) or 1.0 for part in (seen.eye - seen.target)[:2])
    ends = np.array([-1.0, 1.0])
    x_edge = np.column_stack([ends * w, [front_y * d] * 2, [FLOOR] * 2])
    return x_edge, np.column_stack([[front_x * w] * 2, ends * d, [FLOOR] * 2])


def edges(box: Frame, seen: Camera, scale: Scale) -> tuple[Edge, Edge, Edge]:
    """Return the edges for the letters of x, y and the loss: the front ones and the leftmost."""
    x_edge, y_edge = base(box, seen)
    floor = corners(box)[:4]
    left = floor[int(seen.project(floor)[:, 0].argmin())]
    z_edge = np.stack([left * [1, 1, 0], left * [1, 1, 0] + [0, 0, box.height]])
    x, y = (plane_ticks(box, k, edge) for k, edge in ((0, x_edge), (1, y_edge)))
    z = _upright_ticks(box, scale, z_edge, seen)
    found = [
        Edge(edge[0], edge[1], ticks) for edge, ticks in ((x_edge, x), (y_edge, y), (z_edge, z))
    ]
    return found[0], found[1], found[2]


def _upright_ticks(box: Frame, scale: Scale, edge: Floats, seen: Camera) -> list[Tick]:
    """Return the most ticks whose numbers keep a line's distance: from above the axis is short."""
    for count in range(9, 1, -1):
        losses = scale.ticks(count)
        heights = box.height * scale.position(losses)
        places = edge[0] + np.column_stack([np.zeros((len(losses), 2)), heights])
        rows = seen.project(places)[:, 1] if len(places) else np.empty(0)
        if (np.diff(rows) >= SPACING * theme.now().dpi).all():
            break
    return [Tick(place, float(loss)) for place, loss in zip(places, losses, strict=True)]


def plane_ticks(box: Frame, axis: int, edge: Floats) -> list[Tick]:
    """Return the numbers along the edge (2, 3) of an axis of the plane, 0 or 1."""
    low, high = float(box.window.low[axis]), float(box.window.high[axis])
    if axis == 0 and box.numbers:
        across = edge[1] - edge[0]
        return [Tick(edge[0] + across * (at - low) / (high - low), n) for at, n in box.numbers]
    values = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
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


def pane(box: Frame, scale: Scale) -> Floats | None:
    """Return the corners (4, 3) of the plane of the best constant output's loss, if it's inside."""
    place = float(scale.position(np.array(scale.constant)))
    if not 0 < place < 1:
        return None
    w, d = box.size[0] / 2, box.size[1] / 2
    z = box.height * place
    return np.array([[-w, -d, z], [w, -d, z], [w, d, z], [-w, d, z]])


def flat(points: Floats) -> Floats:
    """Return points (..., 3) moved down to the floor."""
    return np.asarray(points * [1, 1, 0] + [0, 0, FLOOR])


def shadow(xy: Floats, box: Frame) -> Floats:
    """Return a path's segments (K, 2, 3) on the floor, cut at its edge."""
    finite = xy[np.isfinite(xy).all(axis=1)]
    share = np.column_stack([box.window.share(finite), np.full(len(finite), 0.5)])
    parts = []
    for part in trail.inside(share):
        on = np.column_stack([(part[:, :2] - 0.5) * box.size, np.full(len(part), FLOOR)])
        parts.append(np.stack([on[:-1], on[1:]], axis=1))
    return np.concatenate([*parts, np.empty((0, 2, 3))])

"""What a surface figure stands on: the box, the view, ticks and where letters go."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from landscape.draw.elements import plane_axes
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style
from landscape.draw.solid import perspective, trail
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.relief import Relief
from landscape.draw.solid.trail import Trail
from landscape.store.scans.records import Floats, Scan

HEIGHT = 0.55
FLOOR = -0.22
"""Where the flat copy lies beneath the surface."""
AZIMUTHS = (-125.0, -55.0, -145.0, -35.0, -110.0, -70.0, 125.0, 55.0, 145.0, 35.0, 110.0, 70.0)
ELEVATIONS = (36.0, 44.0, 52.0)
"""Views to choose from, the first ones being the habit."""
ELEVATION = 38.0
"""Degrees of the first view of what can be turned."""
SEEN = 300
"""So many points are looked for to choose it."""
BETTER = 0.02
"""Another view must show so much more of what matters before it replaces the habit."""
RIGHTWARDS = 0.015
"""What it counts for that the path runs from left to right, and against it that it doesn't."""
WEIGHTS = (1.0, 1.0, 1.0, 3.0)
"""How much it counts that the surface, its lowest tenth, the path, the marked points are seen."""
LEFT, RIGHT, TOP, NUMBERS, LETTERS = 0.46, 0.13, 0.04, 0.2, 0.46
"""Room for letters around the box, in inches; beneath an edge for its numbers and its name."""
OBLIQUE = 0.35
"""Cosine from which on a slope counts as well seen."""
SPACING = 0.1
"""Between the numbers of the loss axis, in inches."""
TALLEST = 1.1
"""Height over width from which on a box is seen smaller instead."""


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


def box_of(scan: Scan) -> Frame:
    """Return the box for a plane, its longer side 1."""
    share, _ = plane_axes.shape(scan)
    longer = max(1.0, share)
    return Frame(plane_axes.window(scan), (1 / longer, share / longer), HEIGHT)


def corners(box: Frame) -> Floats:
    """Return the eight corners of the box, floor to top: row ``4 * z + 2 * x + y``."""
    w, d = box.size[0] / 2, box.size[1] / 2
    return np.array(
        [[x, y, z] for z in (FLOOR, box.height) for x in (-w, w) for y in (-d, d)], dtype=np.float64
    )


def best_view(box: Frame, trail: Trail, width: int, style: Style = PLAIN) -> Camera:
    """Choose the view in which most of the path, the lowest tenth and the whole surface is seen.

    The picture is ``width`` pixels wide and as high as the box then needs. Among views that show
    as much, the path runs from left to right. A camera that was asked for goes first.
    """
    if style.camera is not None:
        return fitted(box, *style.camera, width)
    targets, weights = _targets(trail)
    best, most = None, -np.inf
    for elevation, azimuth in itertools.product(ELEVATIONS, AZIMUTHS):
        seen = fitted(box, azimuth, elevation, width)
        shown = [_seen(points, normals, trail, seen) for points, normals in targets]
        score = float(np.average(shown, weights=weights)) if targets else 0.0
        score += RIGHTWARDS * _rightwards(trail, seen)
        if best is None or score > most + BETTER:
            best, most = seen, score
    if best is None:
        raise AssertionError("no azimuths")
    return best


def fitted(box: Frame, azimuth: float, elevation: float, width: int) -> Camera:
    """Return the camera whose picture the box fills between room for letters."""
    left, right, top = (theme.now().dpi * room for room in (LEFT, RIGHT, TOP))
    margins = left / width, right / width
    # Twice as high as wide, so that the width decides.
    seen = perspective.fitted(
        corners(box), azimuth, elevation, (width, 2 * width), (*margins, 0, 0)
    )
    for _ in range(2):
        tall = float(np.ptp(seen.project(corners(box))[:, 1]))
        bottom = _beneath(box, seen)
        height = min(round(bottom + tall + top), round(TALLEST * width))
        room = (*margins, bottom / height, top / height)
        seen = perspective.fitted(corners(box), azimuth, elevation, (width, height), room)
    return seen


def _beneath(box: Frame, seen: Camera) -> float:
    """Return how far, in pixels, letters reach below the box."""
    lowest = seen.project(corners(box))[:, 1].min()
    reach = NUMBERS
    for start, end in base(box, seen):
        ends = seen.project(np.stack([start, end]))
        across = abs(ends[1, 0] - ends[0, 0]) / np.linalg.norm(ends[1] - ends[0])
        reach = max(reach, LETTERS * across - (ends[:, 1].mean() - lowest) / theme.now().dpi)
    return reach * theme.now().dpi


def _seen(points: Floats, normals: Floats, trail: Trail, seen: Camera) -> float:
    """Return the share of points that are seen; those seen from the side count less."""
    facing = np.clip(normals @ seen.axes[2] / OBLIQUE, 0, 1)
    return float((trail.relief.shows(seen, points, 50) * facing).mean())


def _targets(trail: Trail) -> tuple[list[tuple[Floats, Floats]], list[float]]:
    """Return what is to be seen with its normals: surface, lowest tenth, path, marked points.

    And how much each counts.
    """
    surface = trail.relief
    x, y = np.meshgrid(surface.x, surface.y, indexing="ij")
    whole = np.stack([x, y, surface.heights], axis=-1).reshape(-1, 3)
    whole = whole[surface.heights.ravel() <= surface.top]
    low = whole[whole[:, 2] <= np.quantile(whole[:, 2], 0.1)] if len(whole) else whole
    path = np.concatenate([*(track.points for track in trail.tracks), np.empty((0, 3))])
    marked = np.array([place for _, place in trail.places]).reshape(-1, 3)
    # What lies beneath the surface is looked for on it.
    marked[:, 2] = np.fmax(marked[:, 2], surface.height(marked))
    parts = [
        (part[:: max(1, len(part) // 300)], weight)
        for part, weight in zip((whole, low, path, marked), WEIGHTS, strict=True)
        if len(part)
    ]
    up = np.array([0.0, 0.0, 0.01])
    return [(part + up, surface.normal(part)) for part, _ in parts], [weight for _, weight in parts]


def _rightwards(trail: Trail, seen: Camera) -> float:
    """Return 1 where the path is seen to run well to the right, −1 to the left."""
    if not trail.tracks:
        return 0.0
    ends = np.stack([trail.tracks[0].points[0], trail.tracks[-1].points[-1]])
    return float(np.clip(np.diff(seen.project(ends)[:, 0])[0] / seen.width / 0.2, -1, 1))


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
    x, y = (_plane_ticks(box, k, edge) for k, edge in ((0, x_edge), (1, y_edge)))
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


def eye(scan: Scan) -> list[float]:
    """Return the direction (3,) of length 1 from which most of the path and the lowest is seen."""
    box = box_of(scan)
    laid = trail.of(scan, scales.of(scan, paths=True), box)
    points = np.concatenate([*(one.points for one in laid.tracks), _lowest(laid.relief)])
    points = points[:: max(1, len(points) // SEEN)] + np.array([0.0, 0.0, 0.012])
    up = np.radians(ELEVATION)
    best, most = np.array([0.0, -np.cos(up), np.sin(up)]), -1.0
    for azimuth in np.radians(AZIMUTHS):
        around = [np.cos(azimuth) * np.cos(up), np.sin(azimuth) * np.cos(up), np.sin(up)]
        seen = Camera(5 * np.array(around), np.zeros(3), 1, 1)
        shown = float(np.mean(laid.relief.shows(seen, points, 60))) if len(points) else 0.0
        if shown > most + BETTER:
            best, most = np.array(around), shown
    return [float(part) for part in best]


def _lowest(relief: Relief) -> Floats:
    x, y = np.meshgrid(relief.x, relief.y, indexing="ij")
    whole = np.stack([x, y, relief.heights], axis=-1).reshape(-1, 3)
    whole = whole[np.isfinite(whole[:, 2])]
    return whole[whole[:, 2] <= np.quantile(whole[:, 2], 0.1)] if len(whole) else whole

"""From where a surface is looked at: the view that shows most of the path and the lowest.

The camera itself is in `perspective`.
"""

from __future__ import annotations

import itertools

import numpy as np

from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style
from landscape.draw.sheet.page import inches, wrapped
from landscape.draw.solid import perspective, trail
from landscape.draw.solid.lettering import GAP, HIGH, LINE, LONGEST, outwards, placed, reach
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.stage import base, box_of, corners, plane_ticks
from landscape.draw.solid.trail import Trail
from landscape.store.scans.records import Floats, Scan

ASIDE = (35.0, -35.0, 55.0, -55.0, 20.0, -20.0, 70.0, -70.0)
AZIMUTHS = tuple(front * (90 + off) for front in (-1, 1) for off in ASIDE)
ELEVATIONS = (32.0, 38.0, 44.0, 52.0, 60.0)
"""Views to choose from, the first ones being the habit."""
BETTER = 0.02
"""Another view must show so much more of what matters before it replaces the habit."""
RIGHTWARDS = 0.015
"""What it counts for that the path runs from left to right, and against it that it doesn't."""
STEEP = 0.003
"""What a degree of elevation counts against a view: from above a surface is a map."""
WEIGHTS = (1.0, 2.0, 1.0, 4.0)
"""How much it counts that the surface, its lowest tenth, the path, the marked points are seen."""
SEEN = 100
"""About so many points of each are looked for."""
LEFT, RIGHT, TOP, BOTTOM = 0.46, 0.13, 0.04, 0.05
"""Room around the box, in inches, at least; letters take more of it."""
ROUND = 0.015
"""Inches more around a name than its letters are reckoned to take."""
AWAY = 5.0
"""About how far a camera is that sees all of a box, in its widths."""
OBLIQUE = 0.35
"""Cosine from which on a slope counts as well seen."""
TALLEST = 1.1
"""Height over width from which on a box is seen smaller instead."""


def best_view(box: Frame, trail: Trail, width: int, style: Style = PLAIN) -> Camera:
    """Choose the view in which most of marks, lowest tenth, path and whole surface is seen.

    The picture is ``width`` pixels wide and as high as the box then needs. Among views that show
    as much, the path runs from left to right. A camera that was asked for goes first.
    """
    if style.camera is not None:
        return fitted(box, *style.camera, width)
    return fitted(box, *_chosen(trail), width)


def _chosen(trail: Trail) -> tuple[float, float]:
    """Return azimuth and elevation of the best view."""
    targets, weights = _targets(trail)
    best, most = (AZIMUTHS[0], ELEVATIONS[0]), -np.inf
    for elevation, azimuth in itertools.product(ELEVATIONS, AZIMUTHS):
        seen = _roughly(azimuth, elevation)
        shown = [_seen(points, normals, trail, seen) for points, normals in targets]
        score = float(np.average(shown, weights=weights)) if targets else 0.0
        score += RIGHTWARDS * _rightwards(trail, seen)
        score -= STEEP * (elevation - ELEVATIONS[0])
        if score > most + BETTER:
            best, most = (azimuth, elevation), score
    return best


def _roughly(azimuth: float, elevation: float) -> Camera:
    """Return about the camera that is `fitted`: a small shift hides little else."""
    around, up = np.radians([azimuth, elevation])
    back = [np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)]
    return Camera(AWAY * np.array(back), np.zeros(3), 1, 1)


def fitted(box: Frame, azimuth: float, elevation: float, width: int) -> Camera:
    """Return the camera whose picture the box fills between room for letters."""
    dpi = theme.now().dpi
    left, right, top = (dpi * room for room in (LEFT, RIGHT, TOP))
    # Twice as high as wide, so that the width decides.
    seen = perspective.fitted(
        corners(box), azimuth, elevation, (width, 2 * width), (left / width, right / width, 0, 0)
    )
    for _ in range(3):
        tall = float(np.ptp(seen.project(corners(box))[:, 1]))
        left, bottom, right = (dpi * room for room in _letters(box, seen))
        height = min(round(bottom + tall + top), round(TALLEST * width))
        room = (left / width, right / width, bottom / height, top / height)
        seen = perspective.fitted(corners(box), azimuth, elevation, (width, height), room)
    return seen


def _letters(box: Frame, seen: Camera) -> tuple[float, float, float]:
    """Return how many inches letters reach beyond the box: at its left, beneath, at its right."""
    dpi = theme.now().dpi
    whole = seen.project(corners(box))
    (least, lowest), (most, _) = whole.min(axis=0), whole.max(axis=0)
    left, bottom, right = LEFT, BOTTOM, RIGHT
    for axis, (edge, name) in enumerate(zip(base(box, seen), box.names, strict=True)):
        start, end = edge
        ends = seen.project(np.stack([start, end]))
        room = float(np.linalg.norm(ends[1] - ends[0]))
        across, up = np.abs(ends[1] - ends[0]) / room
        # A name is written along its edge, around its middle.
        lines = wrapped(name, LONGEST * room / dpi, theme.LETTERS)
        half = max(inches(line, theme.LETTERS) for line in lines) / 2 + ROUND
        ticks = plane_ticks(box, axis, edge)
        outward = outwards(ends, whole.mean(axis=0))
        deep = reach(ticks, outward) + GAP + LINE * len(lines) + ROUND
        numbers = placed(ticks, seen, outward)[:, 1].min(initial=lowest)
        bottom = max(bottom, HIGH / 2 + (lowest - numbers) / dpi)
        x, y = ends.mean(axis=0)
        bottom = max(bottom, deep * across + half * up - (y - lowest) / dpi)
        beside = deep * up + half * across
        # Whichever side it is on.
        if x > whole[:, 0].mean():
            right = max(right, beside - (most - x) / dpi)
        else:
            left = max(left, beside - (x - least) / dpi)
    return left, bottom, right


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
        (part[:: max(1, len(part) // SEEN)], weight)
        for part, weight in zip((whole, low, path, marked), WEIGHTS, strict=True)
        if len(part)
    ]
    up = np.array([0.0, 0.0, 0.01])
    targets = [(part + up, surface.normal(part)) for part, _ in parts]
    if len(marked):
        # No slope beneath a mark makes it narrow.
        targets[-1] = (targets[-1][0], np.tile([0.0, 0.0, 1.0], (len(targets[-1][0]), 1)))
    return targets, [weight for _, weight in parts]


def _rightwards(trail: Trail, seen: Camera) -> float:
    """Return 1 where the path is seen to run well to the right, −1 to the left."""
    if not trail.tracks:
        return 0.0
    ends = np.stack([trail.tracks[0].points[0], trail.tracks[-1].points[-1]])
    return float(np.clip(np.diff(seen.project(ends)[:, 0])[0] / seen.width / 0.2, -1, 1))


def eye(scan: Scan) -> list[float]:
    """Return the direction (3,) of length 1 from which what can be turned is seen at first.

    It is chosen as that of the printed surface is.
    """
    box = box_of(scan)
    laid = trail.of(scan, scales.of(scan, paths=True), box)
    return [float(part) for part in _roughly(*_chosen(laid)).axes[2]]

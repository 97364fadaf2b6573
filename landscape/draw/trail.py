"""The paths of a scan in the box of its training loss: tubes, tracks, balls and marked points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.draw import episodes, paths, relief, ribbon
from landscape.draw.meshes import Frame
from landscape.draw.relief import Relief
from landscape.draw.ribbon import Drop, Ribbon
from landscape.draw.scale import Scale
from landscape.store.records import Floats, Point, Scan


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
    surface = relief.of(scan, "train_loss", scale, box)
    steps = paths.steps(scan)
    # Over a dot of a path they would be a pole.
    balls = 0 if paths.tiny(scan) else paths.BALLS
    each = [ribbon.of(path, scale, box, steps) for path in scan.paths]
    return Trail(
        surface,
        [tube for tubes in each for tube in tubes],
        [track for path in scan.paths for track in ribbon.track(path, surface, box, steps)],
        [drop for tubes in each for drop in ribbon.drops(tubes, surface, balls)],
        places(scan, scale, box, surface),
        paths.tiny(scan),
    )


def places(scan: Scan, scale: Scale, box: Frame, surface: Relief) -> list[tuple[Point, Floats]]:
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
        place = box.place(xy[None], np.array([position]))
        if np.isnan(position):
            place = ribbon.feet(place, surface)
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

"""A scan's surface at a step, for windows and films: measure, scale, box, the path so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from landscape.draw.elements import finer, paths
from landscape.draw.look import scale as scales
from landscape.draw.look.scale import Scale
from landscape.draw.solid import meshes, relief, stage, trail
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.relief import Relief
from landscape.draw.solid.trail import Trail
from landscape.store.scans.records import Floats, Path, Scan


@dataclass(frozen=True)
class Scene:
    """A scan as it is drawn."""

    scan: Scan
    measure: str
    scale: Scale
    box: Frame
    mesh: Mesh
    relief: Relief


def of(scan: Scan, measure: str, *, log: bool, points: int = finer.MOVING) -> Scene:
    """Return the surface of a measure on about ``points`` a side, linear if ``log`` is False."""
    scale = scales.of_measure(scan, measure)
    scale = replace(scale, log=scale.log and log)
    box = stage.box_of(scan)
    grid = finer.of(scan, measure, scale, points)
    mesh, surface = meshes.surface(*grid, scale, box), relief.of(*grid, scale, box)
    return Scene(scan, measure, scale, box, mesh, surface)


def recorded_steps(scan: Scan) -> list[int]:
    """Return the recorded steps of all paths."""
    every = np.concatenate([path.step for path in scan.paths] or [np.empty(0, np.int64)])
    return [int(step) for step in np.unique(every)]


def until(scan: Scan, step: int) -> Scan:
    """Return a scan whose paths end at a step, with the marked points reached by then."""
    return replace(
        scan,
        paths=tuple(_cut(path, step) for path in scan.paths),
        points=tuple(point for point in scan.points if point.step <= step),
    )


def _cut(path: Path, step: int) -> Path:
    rows = path.step <= step
    return replace(
        path,
        step=path.step[rows],
        xy=path.xy[rows],
        distance_from_plane=path.distance_from_plane[rows],
        true_loss=path.true_loss[rows],
        plane_loss=path.plane_loss[rows],
        interpolated=path.interpolated[rows],
    )


def places(scene: Scene, path: Path) -> Floats:
    """Return where each row of a path (T, 3) is drawn; NaN where it isn't.

    At its true loss over the training loss, on the surface over another measure.
    """
    if scene.measure == "train_loss":
        found = scene.box.place(path.xy, scene.scale.position(path.true_loss))
    else:
        found = scene.box.place(path.xy, np.zeros(len(path.xy)))
        found[:, 2] = scene.relief.height(found)
    # What lies beyond the box is cut off.
    half = np.append(np.array(scene.box.size) / 2, np.inf) * (1 + 1e-9)
    out = (np.abs(found) > half).any(axis=1) | (found[:, 2] > scene.box.height * (1 + 1e-9))
    found[out] = np.nan
    return found


def laid(scene: Scene, step: int) -> Trail:
    """Return the paths up to a step: at their true losses over the training loss.

    Over another measure, which wasn't recorded in the same way, only their projections. Colours
    are those of the whole path.
    """
    part = until(scene.scan, step)
    norm = paths.step_range(scene.scan)
    surface = scene.relief
    tracks = [
        track
        for path in part.paths
        if len(path.step) > 1
        for track in trail.track(path, surface, scene.box, norm)
    ]
    if scene.measure != "train_loss":
        return Trail(surface, [], tracks, [], [])
    balls = 0 if scene.scan.path_is_a_dot else paths.BALLS
    each = [
        trail.ribbons(path, scene.scale, scene.box, norm)
        for path in part.paths
        if len(path.step) > 1
    ]
    return Trail(
        surface,
        [tube for tubes in each for tube in tubes],
        tracks,
        [drop for tubes in each for drop in trail.drops(tubes, surface, balls)],
        trail.mark_places(part, scene.scale, scene.box, surface),
    )

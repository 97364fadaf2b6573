"""A surface without OpenGL: triangles and lines painted from far to near by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba

from landscape.draw.elements import episodes
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.solid import meshes, stage
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.trail import Trail
from landscape.store.scans.records import Floats, Path

NEARER = 0.02
"""How far lines are moved towards the eye in the order of painting, so that their surface does not
cover them."""


@dataclass
class Strokes:
    """Polygons and lines of a scene with their distance from the eye."""

    seen: Camera
    outlines: list[Floats] = field(default_factory=list)
    depths: list[float] = field(default_factory=list)
    faces: list[tuple[float, ...]] = field(default_factory=list)
    edges: list[tuple[float, ...]] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def triangles(self, mesh: Mesh, colours: Floats) -> None:
        """Add a mesh, one colour a triangle."""
        corners = mesh.points[mesh.faces]
        for corner, colour in zip(corners, colours, strict=True):
            # The seams between antialiased triangles would show without an edge.
            self._add(corner, tuple(colour), tuple(colour), 0.35)

    def lines(
        self, segments: Floats, colours: Floats, width: float, nearer: float = NEARER
    ) -> None:
        """Add segments (K, 2, 3), one colour each."""
        for segment, colour in zip(segments, colours, strict=True):
            self._add(segment, (0.0, 0.0, 0.0, 0.0), tuple(colour), width, nearer)

    def ball(self, place: Floats, radius: float, colour: str) -> None:
        """Add a disc that faces the eye."""
        right, up, _ = self.seen.axes
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = place + radius * (np.cos(turn)[:, None] * right + np.sin(turn)[:, None] * up)
        self._add(circle, to_rgba(colour), to_rgba(theme.INK), 0.6, 4 * NEARER)

    def _add(
        self,
        points: Floats,
        face: tuple[float, ...],
        edge: tuple[float, ...],
        width: float,
        nearer: float = 0.0,
    ) -> None:
        self.outlines.append(self.seen.project(points))
        self.depths.append(float(np.linalg.norm(points.mean(axis=0) - self.seen.eye)) - nearer)
        self.faces.append(face)
        self.edges.append(edge)
        self.widths.append(width)

    def paint(self, axes: Axes, order: float) -> None:
        """Paint all from far to near."""
        ranks = np.argsort(-np.array(self.depths), kind="stable")
        axes.add_collection(
            PolyCollection(
                [self.outlines[k] for k in ranks],
                facecolors=[self.faces[k] for k in ranks],
                edgecolors=[self.edges[k] for k in ranks],
                linewidths=[self.widths[k] for k in ranks],
                capstyle="round",
                joinstyle="round",
                closed=False,
                rasterized=True,
                zorder=order,
            ),
            autolim=False,
        )


def paint(
    axes: Axes,
    paths: Sequence[Path],
    mesh: Mesh,
    scale: Scale,
    box: Frame,
    seen: Camera,
    trail: Trail | None,
) -> None:
    """Paint the scene into axes of the camera's pixels, without marked points."""
    axes.set(xlim=(0, seen.width), ylim=(0, seen.height))
    axes.set_axis_off()
    _ground(axes, paths, mesh, scale, box, seen)
    scene = Strokes(seen)
    scene.triangles(mesh, _shaded(mesh, seen))
    for place in scale.position(scale.levels()):
        segments, _ = meshes.lines(mesh, float(place))
        scene.lines(segments, _same((*to_rgba(theme.INK)[:3], 0.6), segments), 0.45)
    edges = mesh.points[meshes.rim(mesh)]
    scene.lines(edges, _same(to_rgba(theme.INK), edges), 0.6)
    _constant(scene, scale, box)
    if trail:
        _path(scene, trail)
    scene.paint(axes, 2)


def _constant(scene: Strokes, scale: Scale, box: Frame) -> None:
    """Draw the edge of the plane of the best constant output's loss, in short pieces to sort."""
    corners = stage.pane(box, scale)
    if corners is None:
        return
    at = np.linspace(0, 1, 41)[:, None]
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        points = start + at * (end - start)
        pieces = np.stack([points[:-1], points[1:]], axis=1)
        scene.lines(pieces, _same(to_rgba(theme.now().constant), pieces), 1.0)


def _ground(
    axes: Axes, paths: Sequence[Path], mesh: Mesh, scale: Scale, box: Frame, seen: Camera
) -> None:
    below = Strokes(seen)
    flat = replace(mesh, points=stage.flat(mesh.points))
    grey = theme.blended(np.array([to_rgba(theme.now().beyond)]), 0.7)[0]
    below.triangles(replace(flat, faces=mesh.beyond), np.tile(grey, (len(mesh.beyond), 1)))
    below.paint(axes, 0)
    below = Strokes(seen)
    below.triangles(flat, theme.blended(_coloured(mesh), 0.5))
    below.paint(axes, 0)
    drawn = Strokes(seen)
    walls = stage.walls(box, seen, scale)
    drawn.lines(walls, _same(to_rgba(theme.now().wall), walls), 0.5)
    for place in scale.position(scale.levels()):
        segments = stage.flat(meshes.lines(mesh, float(place))[0])
        drawn.lines(segments, _same((0.2, 0.2, 0.2, 0.4), segments), 0.4)
    for one in paths:
        segments = stage.shadow(one.xy, box)
        drawn.lines(segments, _same(to_rgba(theme.now().note), segments), 0.6, nearer=0.1)
    drawn.paint(axes, 1)


def _path(scene: Strokes, trail: Trail) -> None:
    for part in trail.tracks:
        segments = np.stack([part.points[:-1], part.points[1:]], axis=1)
        for kind in np.unique(part.episode[part.episode >= 0]):
            band = segments[part.episode == kind]
            scene.lines(band, _same(to_rgba(episodes.colour(kind)), band), 3.4)
        scene.lines(segments, _same(to_rgba(theme.INK), segments), 1.8)
        scene.lines(segments, part.colours[1:], 1.0, nearer=1.5 * NEARER)
    for part in trail.tubes:
        segments = np.stack([part.points[:-1], part.points[1:]], axis=1)
        scene.lines(segments, _same(to_rgba(theme.INK), segments), 3.0, nearer=2 * NEARER)
        scene.lines(segments, part.colours[1:], 2.0, nearer=3 * NEARER)
    for drop in trail.drops:
        if np.isfinite(drop.foot).all():
            segment = np.stack([drop.ball, drop.foot])[None]
            scene.lines(segment, _same(to_rgba(theme.INK), segment), 0.6)
        scene.ball(drop.ball, 0.010, "white")


def _coloured(mesh: Mesh) -> Floats:
    return np.asarray(theme.now().loss(mesh.position[mesh.faces].mean(axis=1)))


def _shaded(mesh: Mesh, seen: Camera) -> Floats:
    right, up, back = seen.axes
    light = 0.5 * back + 0.7 * up - 0.5 * right
    normal = mesh.normals[mesh.faces].mean(axis=1)
    bright = 0.72 + 0.34 * np.abs(normal @ (light / np.linalg.norm(light)))
    colours = _coloured(mesh)
    bright *= mesh.openness[mesh.faces].mean(axis=1)
    colours[:, :3] = np.clip(colours[:, :3] * bright[:, None], 0, 1)
    return colours


def _same(colour: tuple[float, ...], segments: Floats) -> Floats:
    return np.tile(np.array(colour), (len(segments), 1))

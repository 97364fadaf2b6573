"""A plane's losses as triangles: heights on a scale, cut at the cap, contour lines, rims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look.scale import Scale
from landscape.draw.solid import shade
from landscape.store.scans.records import Floats

Faces = NDArray[np.intp]
NONE: Faces = np.empty((0, 3), np.intp)


@dataclass(frozen=True)
class Frame:
    """The box that holds a surface: the plane's middle at the origin, heights from 0."""

    window: PlaneWindow
    size: tuple[float, float]
    """Width and depth."""
    height: float
    names: tuple[str, str] = ("", "")
    """Of the two axes."""
    numbers: tuple[tuple[float, float], ...] = ()
    """Where the first axis has its ticks and what they say; none: at round places."""

    def place(self, xy: Floats, position: Floats) -> Floats:
        """Return points (N, 3) of the box for coordinates (N, 2) and positions on the scale."""
        flat = (self.window.share(xy) - 0.5) * self.size
        return np.column_stack([flat, self.height * np.asarray(position)])


@dataclass(frozen=True)
class Mesh:
    """Triangles with, at each of their N corners, a position on the scale and a normal."""

    points: Floats
    """(N, 3)."""
    faces: Faces
    """(M, 3) rows of ``points``."""
    position: Floats
    """(N,)."""
    normals: Floats
    """(N, 3) of length 1, upwards."""
    openness: Floats
    """(N,) what is left of its colour: `shade.openness`."""
    beyond: Faces
    """(K, 3) those that reach above the cap, before they are cut; within the box."""


def surface(x: Floats, y: Floats, loss: Floats, scale: Scale, frame: Frame) -> Mesh:
    """Return ``loss[i, j]`` over (x[i], y[j]) as triangles, cut along the line of the cap.

    Corner ``i * len(y) + j`` carries ``loss[i, j]``. Triangles that touch a loss which is NaN or
    infinite are left out.
    """
    position = scale.position(loss).ravel()
    xy = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    safe = np.where(np.isfinite(position), position, 0.0)
    points = frame.place(xy, safe)
    faces = _faces(len(x), len(y), safe)
    faces = faces[np.isfinite(position)[faces].all(axis=1)]
    # Beyond the cap heights may be a hundred times the box: they would tilt the rim's normals.
    bent = frame.place(xy, np.clip(safe, -0.3, 1.3))
    normals = _upright(bent, faces, np.isfinite(loss))
    heights = np.where(np.isfinite(loss), points[:, 2].reshape(loss.shape), np.nan)
    sides = points[:, 0].reshape(loss.shape)[:, 0], points[:, 1].reshape(loss.shape)[0]
    openness = shade.openness(*sides, heights, frame.height).ravel()
    near = np.abs(points[:, :2]) <= np.array(frame.size) / 2 * (1 + 1e-9)
    held: NDArray[np.bool_] = np.asarray(near.all(axis=1))
    beyond = faces[(safe > 1)[faces].any(axis=1) & held[faces].all(axis=1)]
    return cut(Mesh(points, faces, safe, normals, openness, beyond), 1.0)


def cut(mesh: Mesh, top: float) -> Mesh:
    """Cut a mesh along the line where its position is ``top``, and keep what is below.

    Neighbours share the corners of the cut, so that the mesh has one rim.
    """
    above = mesh.position > top
    if not above[mesh.faces].any():
        return mesh
    edges, crossing = _crossed(mesh, above, top)
    whole = mesh.faces[~above[mesh.faces].any(axis=1)]
    points = np.concatenate([mesh.points, _mix(mesh.points, edges, crossing)])
    position = np.concatenate([mesh.position, np.full(len(edges), top)])
    normals = np.concatenate([mesh.normals, _mix(mesh.normals, edges, crossing)])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    number = {(int(a), int(b)): len(mesh.points) + k for k, (a, b) in enumerate(edges)}
    part = mesh.faces[above[mesh.faces].any(axis=1) & ~above[mesh.faces].all(axis=1)]
    pieces = [piece for face in part for piece in _below(face, above, number)]
    faces = np.concatenate([whole, np.array(pieces, dtype=np.intp).reshape(-1, 3)])
    openness = np.concatenate([mesh.openness, _mix(mesh.openness[:, None], edges, crossing)[:, 0]])
    return Mesh(points, faces, position, normals, openness, mesh.beyond)


def lines(mesh: Mesh, level: float) -> tuple[Floats, Floats]:
    """Return the segments (K, 2, 3) where the position is ``level``, and their ends' normals."""
    above = mesh.position >= level
    mixed = mesh.faces[above[mesh.faces].any(axis=1) & ~above[mesh.faces].all(axis=1)]
    if not len(mixed):
        return np.empty((0, 2, 3)), np.empty((0, 2, 3))
    pairs = mixed[:, [[0, 1], [1, 2], [2, 0]]]
    # Of a mixed triangle's three edges, two have ends on different sides.
    edges = pairs[above[pairs[..., 0]] != above[pairs[..., 1]]]
    low, high = mesh.position[edges[:, 0]], mesh.position[edges[:, 1]]
    along = (level - low) / (high - low)
    ends = _mix(mesh.points, edges, along), _mix(mesh.normals, edges, along)
    return ends[0].reshape(-1, 2, 3), ends[1].reshape(-1, 2, 3)


def rim(mesh: Mesh) -> Faces:
    """Return the edges (K, 2) that belong to one triangle only."""
    edges, count = _distinct(mesh, _edges(mesh))
    return np.asarray(edges[count == 1])


def _edges(mesh: Mesh) -> Faces:
    """Three (3 K, 2) of every triangle, each from its lower corner to its higher one."""
    return np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)


def _distinct(mesh: Mesh, edges: Faces) -> tuple[Faces, NDArray[np.intp]]:
    """Edges in order, each once, and how often each is there."""
    # As numbers: NumPy's distinct rows take ten times as long.
    found, count = np.unique(edges @ [len(mesh.points), 1], return_counts=True)
    return np.stack(np.divmod(found, len(mesh.points)), axis=1), count


def _faces(nx: int, ny: int, position: Floats) -> Faces:
    corner = np.arange(nx * ny).reshape(nx, ny)
    a, b, c, d = (corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:])
    a, b, c, d = (part.ravel() for part in (a, b, c, d))
    # The flatter diagonal: the other one would put a notch into every slope.
    slash = np.abs(position[a] - position[c]) <= np.abs(position[b] - position[d])
    first = np.where(slash[:, None], np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(slash[:, None], np.stack([a, c, d], 1), np.stack([b, c, d], 1))
    return np.concatenate([first, second])


def _upright(points: Floats, faces: Faces, finite: NDArray[np.bool_]) -> Floats:
    # Central differences know nothing of diagonals, which would show as creases in the light.
    x, y = (points[:, k].reshape(finite.shape) for k in (0, 1))
    z = np.where(finite, points[:, 2].reshape(finite.shape), np.nan)
    along_x, along_y = np.gradient(z, x[:, 0], axis=0), np.gradient(z, y[0], axis=1)
    normals = np.stack([-along_x, -along_y, np.ones_like(z)], axis=-1).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    beside_gap = np.isnan(normals).any(axis=1)
    normals[beside_gap] = _normals(points, faces)[beside_gap]
    return normals


def _normals(points: Floats, faces: Faces) -> Floats:
    a, b, c = (points[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for k in range(3):
        np.add.at(normals, faces[:, k], across)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > 0, normals / np.maximum(lengths, 1e-300), [0, 0, 1]))


def _mix(values: Floats, edges: Faces, along: Floats) -> Floats:
    start, end = values[edges[:, 0]], values[edges[:, 1]]
    return np.asarray(start + along[:, None] * (end - start))


def _crossed(mesh: Mesh, above: NDArray[np.bool_], top: float) -> tuple[Faces, Floats]:
    pairs = _edges(mesh)
    edges, _ = _distinct(mesh, pairs[above[pairs[:, 0]] != above[pairs[:, 1]]])
    low, high = mesh.position[edges[:, 0]], mesh.position[edges[:, 1]]
    return edges, np.asarray((top - low) / (high - low))


def _below(
    face: Faces, above: NDArray[np.bool_], number: dict[tuple[int, int], int]
) -> list[tuple[int, int, int]]:
    outline: list[int] = []
    for k in range(3):
        here, there = int(face[k]), int(face[(k + 1) % 3])
        if not above[here]:
            outline.append(here)
        if above[here] != above[there]:
            outline.append(number[min(here, there), max(here, there)])
    return [(outline[0], outline[k], outline[k + 1]) for k in range(1, len(outline) - 1)]

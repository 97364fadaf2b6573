"""The drawn surface as a function of place: its height anywhere, and what it hides from the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.draw.look.scale import Scale
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.perspective import Camera
from landscape.store.scans.records import Floats


@dataclass(frozen=True)
class Relief:
    """What the triangles of a surface are, without the triangles."""

    x: Floats
    """Places of the grid's columns in the box, rising."""
    y: Floats
    heights: Floats
    """(nx, ny); NaN where the loss is not finite."""
    top: float
    """Above it the surface is cut."""

    def height(self, points: Floats) -> Floats:
        """Return the surface's height at points (..., 2 or more); NaN where nothing is drawn."""
        i, u = _cell(self.x, points[..., 0])
        j, v = _cell(self.y, points[..., 1])
        a, b = self.heights[i, j], self.heights[i + 1, j]
        d, c = self.heights[i, j + 1], self.heights[i + 1, j + 1]
        with np.errstate(invalid="ignore"):
            slash = np.abs(np.nan_to_num(a) - np.nan_to_num(c)) <= np.abs(
                np.nan_to_num(b) - np.nan_to_num(d)
            )
            lower = np.where(slash, u >= v, u + v <= 1)
            # Of each cell's two triangles the one that holds the point, split as in ``meshes``.
            first = np.where(slash, a + u * (b - a) + v * (c - b), a + u * (b - a) + v * (d - a))
            second = np.where(slash, a + u * (c - d) + v * (d - a), c - (1 - u) * (c - d))
            second = np.where(slash, second, second - (1 - v) * (c - b))
            height = np.where(lower, first, second)
            outside = (u < -1e-9) | (u > 1 + 1e-9) | (v < -1e-9) | (v > 1 + 1e-9)
            return np.asarray(np.where(outside | (height > self.top), np.nan, height))

    def normal(self, points: Floats) -> Floats:
        """Return the surface's normals (N, 3) beneath or above points; upright beside gaps."""
        step = 0.01
        along_x, along_y = (
            (self.height(points[:, :2] + off) - self.height(points[:, :2] - off)) / (2 * step)
            for off in step * np.eye(2)
        )
        slopes = np.nan_to_num(np.column_stack([along_x, along_y]))
        normals = np.column_stack([-slopes, np.ones(len(points))])
        return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))

    def shows(self, camera: Camera, points: Floats, steps: int = 160) -> NDArray[np.bool_]:
        """Say of each point (N, 3) whether its line to the eye crosses the surface nowhere.

        What is nearer to the surface than a hundredth of the way through the box counts as seen
        or not by its own side.
        """
        if not len(points):
            return np.zeros(0, dtype=np.bool_)
        towards = camera.eye - points
        towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
        # Above the top nothing stands in the way.
        reach = np.maximum(self.top - points[:, 2], 0) / np.maximum(towards[:, 2], 0.05)
        share = np.linspace(0, 1, steps)[:, None]
        places = points + (share * reach)[..., None] * towards
        above = places[..., 2] - self.height(places)
        with np.errstate(invalid="ignore"):
            crossed = above[1:] * above[:-1] < 0
        return np.asarray(~crossed.any(axis=0))


def of(x: Floats, y: Floats, loss: Floats, scale: Scale, frame: Frame) -> Relief:
    """Return the relief of ``loss[i, j]`` over (x[i], y[j]) in the box."""
    position = scale.position(loss)
    (left, front), (right, back) = frame.window.low, frame.window.high
    return Relief(
        ((x - left) / (right - left) - 0.5) * frame.size[0],
        ((y - front) / (back - front) - 0.5) * frame.size[1],
        frame.height * np.where(np.isfinite(position), position, np.nan),
        frame.height * (1 + 1e-9),
    )


def _cell(grid: Floats, wanted: Floats) -> tuple[NDArray[np.intp], Floats]:
    cell = np.clip(np.searchsorted(grid, wanted, side="right") - 1, 0, len(grid) - 2)
    return cell, np.asarray((wanted - grid[cell]) / (grid[cell + 1] - grid[cell]))

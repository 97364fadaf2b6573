"""A perspective camera in NumPy, for letters where VTK draws the geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from landscape.store.scans.records import Floats

ANGLE = 24.0
"""Vertical view angle in degrees: narrow enough that far edges don't shrink much."""


@dataclass(frozen=True)
class Camera:
    """Where the eye is, where it looks, and the picture's size in pixels."""

    eye: Floats
    target: Floats
    width: int
    height: int

    @cached_property
    def axes(self) -> Floats:
        """Rows: right, up, and from the target towards the eye."""
        back = (self.eye - self.target) / np.linalg.norm(self.eye - self.target)
        right = np.array([-back[1], back[0], 0.0])
        right /= np.linalg.norm(right)
        (a, b, c), (d, e, _) = back.tolist(), right.tolist()
        # The cross product of both; NumPy's takes ten times as long, and cameras are many.
        up = [-c * e, c * d, a * e - b * d]
        return np.stack([right, up, back])

    def project(self, points: Floats) -> Floats:
        """Return pixels (N, 2) from the lower left corner for points (N, 3)."""
        seen = (np.atleast_2d(points) - self.eye) @ self.axes.T
        reach = -seen[:, 2:] * np.tan(np.radians(ANGLE) / 2)
        middle = np.array([self.width, self.height]) / 2
        return np.asarray(middle + seen[:, :2] / reach * self.height / 2)


def fitted(
    corners: Floats,
    azimuth: float,
    elevation: float,
    size: tuple[int, int],
    margins: tuple[float, float, float, float],
) -> Camera:
    """Return the camera from which ``corners`` (N, 3) are seen as large as the picture allows.

    ``azimuth`` and ``elevation`` are in degrees;
    ``margins`` are shares of the picture's width and height to leave: left, right, bottom, top.
    """
    a, e = np.radians([azimuth, elevation])
    back = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    target = corners.mean(axis=0)
    camera = Camera(target + 5 * back, target, *size)
    whole = np.array(size, dtype=np.float64)
    left, right, bottom, top = margins
    low, high = whole * [left, bottom], whole * [1 - right, 1 - top]
    for _ in range(30):
        seen = camera.project(corners)
        first, last = seen.min(axis=0), seen.max(axis=0)
        distance = float(np.linalg.norm(camera.eye - camera.target))
        pixel = 2 * distance * np.tan(np.radians(ANGLE) / 2) / size[1]
        shift = ((first + last) / 2 - (low + high) / 2) @ camera.axes[:2] * pixel
        closer = float(((last - first) / (high - low)).max())
        target = camera.target + shift
        camera = replace(camera, target=target, eye=target + distance * closer * back)
        if abs(closer - 1) < 1e-9 and np.abs(shift).max() < 1e-9:
            break
    return camera

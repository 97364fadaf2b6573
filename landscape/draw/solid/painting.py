"""A surface into axes, by whichever renderer there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.solid import by_matplotlib, by_vtk, opengl
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.relief import Relief
from landscape.draw.solid.trail import Trail
from landscape.errors import LandscapeError
from landscape.store.scans.records import Path, Scan

Renderer = Literal["auto", "pyvista", "matplotlib"]
RENDERERS = ("auto", "pyvista", "matplotlib")


def uses_vtk(renderer: str) -> bool:
    """Say whether a renderer that was asked for means VTK here.

    Raises:
        LandscapeError: an unknown renderer, or pyvista without OpenGL.
    """
    if renderer not in RENDERERS:
        raise LandscapeError(f"renderer must be one of {', '.join(RENDERERS)}, got {renderer!r}")
    if renderer == "matplotlib":
        return False
    found = opengl.probe()
    if not found.ok and renderer == "pyvista":
        raise LandscapeError(f"renderer pyvista: {found.reason}, or take renderer matplotlib")
    return found.ok


def paint(
    axes: Axes,
    paths: Sequence[Path],
    mesh: Mesh,
    scale: Scale,
    box: Frame,
    seen: Camera,
    laid: Trail | None,
    *,
    vtk: bool,
) -> None:
    """Draw a surface with the shadows of ``paths`` and, with a trail, the paths themselves.

    Into axes in pixels of the camera's picture.
    """
    if vtk:
        show(axes, by_vtk.picture(paths, mesh, scale, box, seen, laid))
    else:
        by_matplotlib.paint(axes, paths, mesh, scale, box, seen, laid)


def show(axes: Axes, picture: NDArray[np.uint8]) -> None:
    """Fill axes with a picture, in coordinates of its pixels from the lower left corner."""
    tall, wide = picture.shape[:2]
    axes.imshow(picture, extent=(0, wide, 0, tall), aspect="auto", rasterized=True)
    axes.set(xlim=(0, wide), ylim=(0, tall))
    axes.set_axis_off()


def uncertain(axes: Axes, scan: Scan, relief: Relief, seen: Camera) -> None:
    """Put a dot on a surface at each such grid point that the camera sees."""
    i, j = np.nonzero(scan.uncertain)
    # The relief is of a finer grid, in which the scan's is.
    i *= (len(relief.x) - 1) // (len(scan.x) - 1)
    j *= (len(relief.y) - 1) // (len(scan.y) - 1)
    places = np.stack([relief.x[i], relief.y[j], relief.heights[i, j]], axis=-1)
    places = places[np.isfinite(places).all(axis=1) & (places[:, 2] <= relief.top)]
    places = places[relief.shows(seen, places + np.array([0.0, 0.0, 0.012]))]
    if len(places):
        axes.plot(*seen.project(places).T, ".", ms=1.4, mew=0, color=theme.INK, alpha=0.6, zorder=2)

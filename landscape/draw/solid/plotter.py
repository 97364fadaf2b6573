"""A plane's surface as an ordinary plotter of pyvista's: to turn, to add to, to take stills of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landscape.draw.elements import plane_axes
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style
from landscape.draw.solid import by_vtk, opengl, perspective, scene, stage, view
from landscape.errors import LandscapeError
from landscape.store.scans.records import Scan

if TYPE_CHECKING:
    import pyvista

SIZE = (1200, 900)
MARGINS = (0.05, 0.05, 0.05, 0.05)


def plotter(
    scan: Scan,
    *,
    size: tuple[int, int] = SIZE,
    off_screen: bool | None = None,
    style: Style = PLAIN,
) -> pyvista.Plotter:
    """Put the surface of a plane's training loss and the path on it into a new plotter.

    The grid spans a box of unit size around the origin, its longer side 1 long; height is the
    loss on the figure's scale. ``show()`` opens a window; close what isn't shown, an open plotter
    keeps over a hundred megabytes. ``size`` is in pixels; None leaves ``off_screen`` to pyvista.

    Raises:
        LandscapeError: the scan is no plane, or OpenGL doesn't work here.
    """
    plane_axes.check(scan, "surface")
    found = opengl.probe()
    if not found.ok:
        raise LandscapeError(f"a plotter needs OpenGL: {found.reason}")
    opengl.prepare()
    import pyvista

    scan = style.shown(scan)
    made = pyvista.Plotter(off_screen=off_screen, window_size=list(size), lighting="none")
    try:
        with theme.wearing(style.look()):
            _furnish(made, scan, size, style)
    except BaseException:
        made.close()
        raise
    return made


def _furnish(made: pyvista.Plotter, scan: Scan, size: tuple[int, int], style: Style) -> None:
    shown = scene.of(scan, "train_loss", log=style.log is not False)
    if style.camera is None:
        x, y, z = view.eye(scan)
        azimuth, elevation = np.degrees([np.arctan2(y, x), np.arcsin(z)]).tolist()
    else:
        azimuth, elevation = style.camera
    seen = perspective.fitted(stage.corners(shown.box), azimuth, elevation, size, MARGINS)
    by_vtk.aim(made, seen)
    by_vtk.ground(made, shown.mesh, shown.scale, shown.box, seen)
    laid = scene.laid(shown, max(scene.recorded_steps(scan), default=0))
    by_vtk.walk(made, scan.paths, shown.box, seen, laid)
    for point, place in laid.places:
        by_vtk.ball(made, place, 1.6 * by_vtk.BALL, theme.mark(point.name).colour)
    made.renderer.reset_camera_clipping_range()

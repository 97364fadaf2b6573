from __future__ import annotations

import numpy as np
import pytest

from landscape.draw.solid import opengl, perspective

CORNERS = np.array(
    [[x, y, z] for x in (-0.5, 0.5) for y in (-0.3, 0.3) for z in (-0.3, 0.5)], dtype=float
)
SIZE = (640, 480)
MARGINS = (0.13, 0.06, 0.12, 0.02)


@pytest.mark.parametrize("azimuth", [-125.0, -55.0, 35.0])
def test_the_box_fills_the_picture_up_to_its_margins(azimuth):
    pixels = perspective.fitted(CORNERS, azimuth, 38.0, SIZE, MARGINS).project(CORNERS)
    low, high = pixels.min(axis=0) / SIZE, pixels.max(axis=0) / SIZE
    room = np.array([1 - 0.13 - 0.06, 1 - 0.12 - 0.02])
    assert ((high - low) / room).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose((low + high) / 2, [(0.13 + 0.94) / 2, (0.12 + 0.98) / 2], atol=1e-6)


def test_points_are_where_vtk_puts_them(gl):
    opengl.prepare()
    import pyvista

    seen = perspective.fitted(CORNERS, -125.0, 38.0, SIZE, MARGINS)
    plotter = pyvista.Plotter(off_screen=True, window_size=list(SIZE))
    try:
        plotter.camera.position = tuple(seen.eye)
        plotter.camera.focal_point = tuple(seen.target)
        plotter.camera.up = (0, 0, 1)
        plotter.camera.view_angle = perspective.ANGLE
        plotter.renderer.reset_camera_clipping_range()
        found = []
        for point in CORNERS:
            plotter.renderer.SetWorldPoint(*point, 1.0)
            plotter.renderer.WorldToDisplay()
            found.append(plotter.renderer.GetDisplayPoint()[:2])
    finally:
        plotter.close()
    np.testing.assert_allclose(seen.project(CORNERS), found, atol=1e-3)

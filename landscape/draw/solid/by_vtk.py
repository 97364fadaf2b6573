"""The geometry of a surface, drawn by VTK without a screen and without a letter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap, to_rgb, to_rgba
from numpy.typing import NDArray
from PIL import Image

from landscape.draw.elements import episodes
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.solid import meshes, opengl, stage
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.perspective import ANGLE, Camera
from landscape.draw.solid.trail import Trail
from landscape.store.scans.records import Floats, Path

if TYPE_CHECKING:
    import pyvista

SUPERSAMPLED = 2
"""Drawn so many times larger and reduced: multisampling leaves thin lines dashed."""
LIFT = 0.0022
"""How far contour lines stand off the surface: unlifted they turn into dashes."""
UP = np.array([0.0, 0.0, 1.0])
NOTHING: Floats = np.empty((0, 2, 3))
BEYOND = 0.7
"""How much of the grey above the cap is left on the floor."""
BALL = 0.0115


def picture(
    paths: Sequence[Path],
    mesh: Mesh,
    scale: Scale,
    box: Frame,
    seen: Camera,
    trail: Trail | None,
) -> NDArray[np.uint8]:
    """Return the scene in RGB as the camera sees it, without marked points; clear pages in RGBA."""
    opengl.prepare()
    import pyvista

    size = [SUPERSAMPLED * seen.width, SUPERSAMPLED * seen.height]
    plotter = pyvista.Plotter(off_screen=True, window_size=size, lighting="none")
    try:
        # Reducing smooths as well, in half the time.
        if plotter.render_window:
            plotter.render_window.SetMultiSamples(0)
        aim(plotter, seen)
        ground(plotter, mesh, scale, box, seen)
        walk(plotter, paths, box, seen, trail)
        plotter.renderer.reset_camera_clipping_range()
        clear = theme.now().transparent
        drawn = np.asarray(plotter.screenshot(None, transparent_background=clear, return_img=True))
    finally:
        # An unclosed plotter keeps over a hundred megabytes.
        plotter.close()
    return reduced(drawn if clear else drawn[..., :3], SUPERSAMPLED)


def ground(plotter: pyvista.Plotter, mesh: Mesh, scale: Scale, box: Frame, seen: Camera) -> None:
    """Put everything but paths into a plotter without lights: surface, floor, lines, walls."""
    plotter.renderer.set_background(theme.now().page)
    _light(plotter, seen)
    _segments(plotter, stage.walls(box, seen, scale), theme.now().wall, 0.8)
    if len(mesh.beyond):
        _beyond(plotter, mesh)
    if len(mesh.faces):
        _surface(plotter, mesh)
        _floor(plotter, mesh)
        _contours(plotter, mesh, scale)
    _constant(plotter, scale, box)


def walk(
    plotter: pyvista.Plotter,
    paths: Sequence[Path],
    box: Frame,
    seen: Camera,
    trail: Trail | None,
) -> None:
    """Put the paths' shadows, and with a trail the paths, into a plotter."""
    for one in paths:
        shadow = stage.shadow(one.xy, box) + UP * 2 * LIFT
        _segments(plotter, shadow, theme.now().note, 1.0)
    if trail:
        _path(plotter, trail, seen)


def reduced(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Reduce a picture (height, width, 3 or 4) by a whole factor with Lanczos' filter of width 3.

    Pillow weighs colours by their opacity, so that edges don't take on the background's.
    """
    size = picture.shape[1] // factor, picture.shape[0] // factor
    whole = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(whole.resize(size, Image.Resampling.LANCZOS))


def aim(plotter: pyvista.Plotter, seen: Camera) -> None:
    """Look at the scene as the camera does."""
    plotter.camera.position = tuple(seen.eye)
    plotter.camera.focal_point = tuple(seen.target)
    plotter.camera.up = (0.0, 0.0, 1.0)
    plotter.camera.view_angle = ANGLE


def _light(plotter: pyvista.Plotter, seen: Camera) -> None:
    import pyvista

    right, up, back = seen.axes
    far = 4.0
    for place, intensity in (
        (right * -1.2 + up * 1.5 + back * 0.5, 0.62),
        (right * 1.6 + up * 0.7 - back * 0.2, 0.34),
        (back, 0.58),
    ):
        plotter.add_light(
            pyvista.Light(
                position=tuple(seen.target + far * place),
                focal_point=tuple(seen.target),
                color="white",
                intensity=intensity,
                light_type="scene light",
            )
        )


def _data(mesh: Mesh, points: Floats | None = None) -> pyvista.PolyData:
    import pyvista

    faces = np.column_stack([np.full(len(mesh.faces), 3), mesh.faces])
    data = pyvista.PolyData(mesh.points if points is None else points, faces.ravel())
    data.point_data["position"] = mesh.position
    return data


def _surface(plotter: pyvista.Plotter, mesh: Mesh) -> None:
    data = _data(mesh)
    data.point_data["Normals"] = mesh.normals.astype(np.float32)
    data.point_data.active_normals_name = "Normals"
    colours = theme.now().loss(np.clip(mesh.position, 0, 1))[:, :3] * mesh.openness[:, None]
    data.point_data["colours"] = np.round(255 * colours).astype(np.uint8)
    plotter.add_mesh(
        data,
        scalars="colours",
        rgb=True,
        smooth_shading=True,
        ambient=0.6,
        diffuse=0.5,
        specular=0.07,
        specular_power=20,
        copy_mesh=False,
    )
    edges = mesh.points[meshes.rim(mesh)]
    _segments(plotter, edges, "#2b2b2b", 1.2)


def _constant(plotter: pyvista.Plotter, scale: Scale, box: Frame) -> None:
    """Draw the best constant output's loss as a pane of glass with an edge."""
    import pyvista

    corners = stage.pane(box, scale)
    if corners is None:
        return
    # Just above a plateau at that very loss, which would shine through in patches.
    corners = corners + UP * LIFT
    pane = pyvista.PolyData(corners, np.array([4, 0, 1, 2, 3]))
    plotter.add_mesh(pane, color=theme.now().constant, opacity=0.08, lighting=False)
    edges = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    _segments(plotter, edges, theme.now().constant, 1.8)


def _floor(plotter: pyvista.Plotter, mesh: Mesh) -> None:
    look = theme.now()
    pale = ListedColormap(theme.blended(look.loss(np.linspace(0, 1, 256)), 0.32))
    plotter.add_mesh(
        _data(mesh, stage.flat(mesh.points)),
        scalars="position",
        cmap=pale,
        clim=(0, 1),
        show_scalar_bar=False,
        lighting=False,
        interpolate_before_map=True,
    )


def _beyond(plotter: pyvista.Plotter, mesh: Mesh) -> None:
    """Colour the floor where losses are above the cap, a little below that of the others."""
    points = stage.flat(mesh.points) - UP * LIFT
    faces = np.column_stack([np.full(len(mesh.beyond), 3), mesh.beyond])
    grey = theme.blended(np.array([to_rgba(theme.now().beyond)]), BEYOND)[0, :3]
    plotter.add_mesh(_polydata(points, faces), color=grey, lighting=False)


def _polydata(points: Floats, faces: NDArray[np.intp]) -> pyvista.PolyData:
    import pyvista

    return pyvista.PolyData(points, faces.ravel())


def _contours(plotter: pyvista.Plotter, mesh: Mesh, scale: Scale) -> None:
    lifted, flat = [NOTHING], [NOTHING]
    for place in scale.position(scale.levels()):
        points, normals = meshes.lines(mesh, float(place))
        # One copy a side: the rims' outer faces show them as well.
        lifted += [points + LIFT * normals, points - LIFT * normals]
        flat.append(stage.flat(points) + UP * LIFT)
    _segments(plotter, np.concatenate(lifted), "#10181c", 0.8, opacity=0.55)
    _segments(plotter, np.concatenate(flat), "#3c3c3c", 0.7, opacity=0.3)


def _segments(
    plotter: pyvista.Plotter, segments: Floats, colour: str, width: float, opacity: float = 1.0
) -> None:
    import pyvista

    if not len(segments):
        return
    count = len(segments)
    cells = np.column_stack([np.full(count, 2), np.arange(2 * count).reshape(-1, 2)])
    data = pyvista.PolyData(segments.reshape(-1, 3), lines=cells.ravel())
    plotter.add_mesh(
        data, color=colour, line_width=1.3 * _pixels(width), lighting=False, opacity=opacity
    )


def _path(plotter: pyvista.Plotter, trail: Trail, seen: Camera) -> None:
    import pyvista

    for part in trail.tracks:
        points = part.points + 1.2 * LIFT * trail.relief.normal(part.points)
        found = np.unique(part.episode[part.episode >= 0])
        for kind in found:
            band = np.stack([points[:-1], points[1:]], axis=1)[part.episode == kind]
            _segments(plotter, band, theme.INK, 13.5)
            _segments(plotter, band + LIFT * seen.axes[2], episodes.colour(kind), 12.0)
        # Over the bands, and no wider than leaves them to be seen.
        points = points + LIFT * seen.axes[2] * (len(found) > 0)
        _polyline(plotter, points, None, 6.0 if len(found) else 8.0)
        # Towards the eye, so that the casing shows on both sides.
        _polyline(plotter, points + 2 * LIFT * seen.axes[2], part.colours, 4.8)
    for part in trail.tubes:
        cells = np.concatenate([[len(part.points)], np.arange(len(part.points))])
        line = pyvista.PolyData(part.points, lines=cells)
        line.point_data["colours"] = np.round(255 * part.colours[:, :3]).astype(np.uint8)
        plotter.add_mesh(
            line.tube(radius=part.radius, n_sides=20, capping=True),
            scalars="colours",
            rgb=True,
            smooth_shading=True,
            **_matter(),
        )
    for drop in trail.drops:
        ball(plotter, drop.ball, BALL, "white")
    feet = [[drop.ball, drop.foot] for drop in trail.drops if np.isfinite(drop.foot).all()]
    _segments(plotter, np.array(feet).reshape(-1, 2, 3), theme.INK, 1.2)


def _pixels(width: float) -> float:
    """Return how many pixels of the rendering a line has that is so many of 1/300 inch wide."""
    return SUPERSAMPLED * width * theme.now().dpi / theme.DPI


def _polyline(
    plotter: pyvista.Plotter, points: Floats, colours: Floats | None, width: float
) -> None:
    import pyvista

    line = pyvista.PolyData(points, lines=np.concatenate([[len(points)], np.arange(len(points))]))
    more: dict[str, Any] = {"color": theme.INK}
    if colours is not None:
        line.point_data["colours"] = np.round(255 * colours[:, :3]).astype(np.uint8)
        more = {"scalars": "colours", "rgb": True}
    plotter.add_mesh(line, line_width=_pixels(width), lighting=False, **more)


def ball(plotter: pyvista.Plotter, place: Floats, radius: float, colour: str) -> None:
    """Put a ball into a plotter."""
    import pyvista

    ball = pyvista.Sphere(
        radius=radius, center=tuple(place), theta_resolution=32, phi_resolution=32
    )
    plotter.add_mesh(ball, color=to_rgb(colour), smooth_shading=True, **_matter())


def _matter() -> dict[str, Any]:
    return {"ambient": 0.62, "diffuse": 0.55, "specular": 0.2, "specular_power": 25}

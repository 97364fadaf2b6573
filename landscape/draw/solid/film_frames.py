"""The frames of a film, one at a time: the scene by VTK, letters and curve by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from landscape.draw.elements import finer, paths, plane_axes, plots
from landscape.draw.look import theme
from landscape.draw.look.style import Style
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.page import Page
from landscape.draw.solid import by_matplotlib, by_vtk, lettering, opengl, perspective, stage, view
from landscape.draw.solid import scene as scenes
from landscape.draw.solid.painting import show
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.scene import Scene
from landscape.draw.solid.trail import Trail
from landscape.errors import LandscapeError
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan

Picture = NDArray[np.uint8]
Draw = Callable[[Camera, Trail, Scan], Picture]
"""The scene from a camera, with the path so far."""
WIDTH, NARROWEST = 7.2, 5.0
"""Inches of the layout, by default and at least."""
DPI = 960 / WIDTH
"""Pixels of an inch, whatever the width: a wider film has more of them, not larger letters."""
TOP, BOTTOM, SIDE = 0.42, 0.62, 2.15
"""Inches for the title above, colour bars beneath and the curve at the right."""
MARGINS = (0.15, 0.06, 0.14, 0.03)
ELEVATION = 36.0
GROWN = 0.75
"""The share of a film at which the path has reached its end; then it only turns."""


@dataclass(frozen=True)
class Format:
    """How large a film is: four to three, in even numbers of pixels as encoders want them."""

    size: tuple[int, int]
    """Width and height in pixels."""
    dpi: float

    @classmethod
    def of(cls, style: Style) -> Format:
        """The format of a film that is ``style.width`` inches wide.

        Raises:
            LandscapeError: too narrow for the curve beside the surface.
        """
        width = style.inches(WIDTH)
        if width < NARROWEST:
            raise LandscapeError(
                f"a film's width must be at least {NARROWEST * style.zoom:g} inches "
                f"with theme {style.theme}, got {width * style.zoom:.4g}"
            )
        dpi = DPI * style.zoom
        wide = 2 * round(width * dpi / 2)
        return cls((wide, 2 * round(wide * 3 / 8)), dpi)

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height of the layout."""
        # A thousandth of a pixel more, or rounding would take one off.
        return (self.size[0] + 1e-3) / self.dpi, (self.size[1] + 1e-3) / self.dpi

    @property
    def scene(self) -> tuple[int, int]:
        """Pixels of the part that turns."""
        return (
            self.size[0] - round(SIDE * self.dpi),
            self.size[1] - round((TOP + BOTTOM) * self.dpi),
        )


@dataclass(frozen=True)
class Cursor:
    """Where the loss at each recorded step is on the still page, in pixels."""

    step: Floats
    at: Floats
    """(T, 2) from the upper left corner."""


def frames(scan: Scan, count: int, style: Style) -> Iterator[Picture]:
    """Yield ``count`` pictures (height, width, 3) of a whole turn around the surface.

    The turn begins at ``style.camera``'s azimuth and keeps its elevation. VTK's window stays open
    until the last picture, or until the iterator is closed.

    Raises:
        LandscapeError: the scan is no plane, pyvista was asked for and there is no OpenGL, or the
            width is too small.
    """
    form = Format.of(style)
    plane_axes.check(scan, "film")
    found = opengl.probe() if style.renderer != "matplotlib" else opengl.Probe(False, "")
    if not found.ok and style.renderer == "pyvista":
        raise LandscapeError(f"renderer pyvista: {found.reason}, or take renderer matplotlib")
    look = replace(style.look(), dpi=form.dpi, transparent=False)
    with theme.wearing(look):
        points = finer.MOVING if found.ok else finer.FEW
        scene = scenes.of(scan, "train_loss", log=style.log is not False, points=points)
        shown = replace(scene, scan=style.shown(scan))
        still, cursor = _still(shown, style, form)
        first, elevation = style.camera or (_azimuth(view.eye(scan)), ELEVATION)
        around = first + np.arange(count) * 360 / count
        corners = stage.corners(shown.box)
        seen = _steady(
            [perspective.fitted(corners, one, elevation, form.scene, MARGINS) for one in around]
        )
    maker = _by_vtk if found.ok else _by_matplotlib
    with maker(shown, form) as draw:
        for number in range(count):
            with theme.wearing(look):
                step = _step(shown.scan, number / (GROWN * (count - 1)))
                trail = scenes.laid(shown, step)
                scene_picture = draw(seen[number], trail, scenes.until(shown.scan, step))
                yield _composed(still, scene_picture, cursor, step, form)


def _azimuth(eye: list[float]) -> float:
    return float(np.degrees(np.arctan2(eye[1], eye[0])))


def _steady(whole: list[Camera]) -> list[Camera]:
    """All from one distance and to one place: a box that breathes while it turns is no orbit."""
    far = max(float(np.linalg.norm(one.eye - one.target)) for one in whole)
    target = np.mean([one.target for one in whole], axis=0)
    return [replace(one, eye=target + far * one.axes[2], target=target) for one in whole]


def _step(scan: Scan, share: float) -> int:
    recorded = scenes.recorded_steps(scan)
    if not recorded:
        return 0
    return recorded[round(min(share, 1.0) * (len(recorded) - 1))]


@contextmanager
def _by_vtk(scene: Scene, form: Format) -> Iterator[Draw]:
    opengl.prepare()
    import pyvista

    factor = by_vtk.SUPERSAMPLED
    plotter = pyvista.Plotter(
        off_screen=True, window_size=[factor * side for side in form.scene], lighting="none"
    )

    def draw(seen: Camera, trail: Trail, until: Scan) -> Picture:
        # After the first frame it would draw the scene anew with every part that is added.
        plotter.suppress_rendering = True
        plotter.clear_actors()
        plotter.remove_all_lights()
        by_vtk.aim(plotter, seen)
        by_vtk.ground(plotter, scene.mesh, scene.scale, scene.box, seen)
        by_vtk.walk(plotter, until.paths, scene.box, seen, trail)
        for point, place in trail.places:
            by_vtk.ball(plotter, place, 1.5 * by_vtk.BALL, theme.mark(point.name).colour)
        plotter.renderer.reset_camera_clipping_range()
        plotter.suppress_rendering = False
        plotter.render()
        drawn = np.asarray(plotter.screenshot(None, return_img=True))[..., :3]
        picture = by_vtk.reduced(drawn, factor)
        return _lettered(scene, seen, form, lambda axes: show(axes, picture))

    try:
        if plotter.render_window:
            plotter.render_window.SetMultiSamples(0)
        yield draw
    finally:
        plotter.close()


@contextmanager
def _by_matplotlib(scene: Scene, form: Format) -> Iterator[Draw]:
    def draw(seen: Camera, trail: Trail, until: Scan) -> Picture:
        return _lettered(
            scene,
            seen,
            form,
            lambda axes: by_matplotlib.paint(
                axes, until.paths, scene.mesh, scene.scale, scene.box, seen, trail
            ),
        )

    yield draw


def _lettered(scene: Scene, seen: Camera, form: Format, draw: Callable[[Axes], None]) -> Picture:
    sheet = page.blank((seen.width + 1e-3) / form.dpi, (seen.height + 1e-3) / form.dpi)
    axes = sheet.axes(0, 0, sheet.width, sheet.height)
    draw(axes)
    axes.set(xlim=(0, seen.width), ylim=(0, seen.height))
    lettering.draw(axes, scene.scale, scene.box, seen, upright=True)
    return _pixels(sheet.figure)


def _pixels(figure: Figure) -> Picture:
    theme.inked(figure)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _still(scene: Scene, style: Style, form: Format) -> tuple[Picture, Cursor]:
    """Draw what doesn't change: title, colour bars, the loss curve, the path's share."""
    scan, (width, height) = scene.scan, form.inches
    sheet = page.blank(width, height)
    title = style.title or f"{scan.run_name or 'scan'}: {sentences.measure(scan, 'train_loss')}"
    sheet.text(0.12, 0.1, title, theme.TITLE + 1)
    below = "; ".join(sentences.share(path) for path in scan.paths)
    lines = page.wrapped(below, width - 0.25, theme.SMALL)[:1] if below else []
    sheet.text(0.12, 0.29, "\n".join(lines), theme.SMALL, theme.now().note)
    footer.loss_bar(sheet, scene.scale, 0.5, height - BOTTOM, width - SIDE - 1.0)
    cursor = _curve(sheet, scene, form)
    steps = paths.step_range(scan)
    if steps is not None:
        footer.step_bar(sheet, steps, width - SIDE + 0.4, height - BOTTOM, SIDE - 0.6)
    picture = _pixels(sheet.figure)
    return picture, cursor


def _curve(sheet: Page, scene: Scene, form: Format) -> Cursor:
    width, height = form.inches
    known = [path for path in scene.scan.paths if np.isfinite(path.true_loss).sum() > 1]
    if not known:
        return Cursor(np.empty(0), np.empty((0, 2)))
    axes = sheet.axes(width - SIDE + 0.5, TOP + 0.45, SIDE - 0.65, height - TOP - BOTTOM - 1.0)
    for path in known:
        there = np.isfinite(path.true_loss)
        plots.measured(axes, path.step[there], path.true_loss[there], theme.now().train)
    axes.set_yscale("log" if scene.scale.log else "linear")
    values = np.concatenate([path.true_loss[np.isfinite(path.true_loss)] for path in known])
    plots.upright(axes, values, scene.scan.constant_loss, log=scene.scale.log)
    axes.set_xlabel("training step", size=theme.LETTERS)
    axes.set_title("training loss along the path", size=theme.LETTERS, pad=4)
    sheet.figure.canvas.draw()
    first = known[0]
    there = np.isfinite(first.true_loss)
    pixels = axes.transData.transform(np.column_stack([first.step, first.true_loss])[there])
    pixels[:, 1] = form.size[1] - pixels[:, 1]
    return Cursor(first.step[there].astype(np.float64), pixels)


def _composed(still: Picture, scene: Picture, cursor: Cursor, step: int, form: Format) -> Picture:
    picture = still.copy()
    top = round(TOP * form.dpi)
    picture[top : top + scene.shape[0], : scene.shape[1]] = scene
    gone = np.flatnonzero(cursor.step <= step)
    if len(gone):
        _dot(picture, cursor.at[gone[-1]])
    return picture


def _dot(picture: Picture, at: Floats, radius: float = 5.5) -> None:
    """Paint a red dot with a dark rim, which fades over a pixel as letters do."""
    low = np.maximum(np.floor(at - radius - 3).astype(int), 0)
    part = picture[low[1] : low[1] + round(2 * radius + 7), low[0] : low[0] + round(2 * radius + 7)]
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    away = np.hypot(columns + low[0] - at[0], rows + low[1] - at[1])
    rim, fill = (np.clip(reach - away, 0, 1)[..., None] for reach in (radius + 1.5, radius))
    mixed = part * (1 - rim) + rim * np.array([26, 26, 26])
    part[:] = np.round(mixed * (1 - fill) + fill * np.array([214, 39, 40])).astype(np.uint8)

"""A plane in three dimensions as it is printed: VTK's geometry, matplotlib's letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landscape.draw.elements import plane_axes
from landscape.draw.elements.labels import Labels
from landscape.draw.figures import contour
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import bar, page
from landscape.draw.solid import (
    explained_surface,
    hidden_parts,
    lettering,
    meshes,
    painting,
    stage,
    trail,
    view,
)
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.painting import Renderer
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.trail import Trail
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan

SIDE = 0.03
"""Inches beside the picture."""


@styled
def surface(
    scan: Scan,
    *,
    renderer: Renderer | None = None,
    like: Sequence[Scan] = (),
    style: Style = PLAIN,
) -> Figure:
    """Draw the losses of a plane as a surface, ready for print.

    One panel in a column's width, or two over a page's, as `contour`. The path runs at its own
    true losses, pale where the plane's is over 10 % off and dotted where the surface hides it.
    Peaks are cut at the cap. The renderer is ``style``'s unless given: ``auto`` takes VTK where
    OpenGL works and matplotlib's plainer 3D elsewhere; ``opengl.probe().reason`` says what is
    missing. ``style.explain`` gives `explained_surface.surface`, with a legend for everything.

    Raises:
        LandscapeError: the scan is no plane, an unknown renderer, or pyvista without OpenGL.

    >>> import numpy as np
    >>> from landscape.store.scans.records import Plane
    >>> directions = np.eye(2, 3, dtype=np.float32)
    >>> plane = Plane("random", np.zeros(3, np.float32), directions, ("u", "v"), "some unit")
    >>> x = np.linspace(-1, 1, 11)
    >>> loss = 0.1 + x[:, None] ** 2 + 2 * x**2
    >>> scan = Scan(plane, x, x, {"train_loss": loss}, np.ones((11, 11), bool))
    >>> figure = surface(scan, renderer="matplotlib", style=Style(width=3.25))
    >>> float(figure.get_size_inches()[0])
    3.25
    """
    if style.explain:
        return explained_surface.surface(scan, renderer=renderer, like=like, style=style)
    plane_axes.check(scan, "surface")
    vtk = painting.uses_vtk(renderer or style.renderer)
    scan = style.shown(scan)
    # The pane at the best constant output is the explained figure's.
    scale = replace(scales.of(scan, paths=True, like=like, style=style), constant=np.nan)
    names = contour.panels(scan, scale, style)
    width = style.inches(contour.COLUMN if len(names) == 1 else contour.PAGE)
    columns = style.columns(len(names), width)
    across = (width - 2 * SIDE) / columns
    box = stage.box_of(scan)
    laid = trail.plain(trail.of(scan, scale, box), theme.PATH)
    # A pixel of the rendering is a pixel of the PNG, not resampled.
    seen = view.best_view(box, laid, round(across * theme.now().dpi), style)
    tall = seen.height / theme.now().dpi
    note = "" if style.bare else contour.note([scan])
    rows = -(-len(names) // columns)
    below = contour.NOTE if note else 0.0
    sheet = page.blank(width, bar.HEIGHT + rows * tall + below, title=style.title)
    title = sentences.MEASURES[names[0]] if len(names) == 1 else "loss"
    bar.above(sheet, scale, title, 2 * SIDE, min(width, contour.COLUMN) - 4 * SIDE)
    for k, name in enumerate(names):
        left, top = SIDE + k % columns * across, bar.HEIGHT + k // columns * tall
        mesh = meshes.surface(scan.x, scan.y, scan.measures[name], scale, box)
        axes = sheet.axes(left, top, across, tall)
        painting.paint(axes, scan.paths, mesh, scale, box, seen, None if k else laid, vtk=vtk)
        lettering.draw(axes, scale, box, seen, upright=True)
        if len(names) > 1:
            text = sentences.MEASURES[name].removesuffix(" loss")
            sheet.text(left + 0.05, top + 0.03, text, theme.LETTERS)
        if k == 0:
            hidden_parts.dash(axes, laid, seen, fine=True)
            lowest = _lowest(scan, scale, box) if name == "train_loss" else None
            _mark(axes, scan, laid, seen, lowest, bare=style.bare)
    if note:
        sheet.text(2 * SIDE, bar.HEIGHT + rows * tall, note, theme.SMALL, theme.now().note)
    return sheet.figure


def _lowest(scan: Scan, scale: Scale, box: Frame) -> tuple[Floats, str] | None:
    """The place of the best of all evaluated points where it is none of the run's, and its text."""
    found = scan.below_the_run()
    if found is None:
        return None
    loss, at = found
    return box.place(at[None], scale.position(np.array([loss]))), contour.lowest_text(loss)


def _mark(
    axes: Axes,
    scan: Scan,
    laid: Trail,
    seen: Camera,
    lowest: tuple[Floats, str] | None,
    *,
    bare: bool,
) -> None:
    """Draw marked points where they are, and what they are beside them."""
    placed = Labels(axes, page.extent(axes))
    placed.written()
    for tube in laid.tubes:
        placed.keep_clear(seen.project(tube.points), 0.01)
    stands = {point.step: seen.project(place)[0] for point, place in laid.places}
    marked = [point for point in contour.marked(scan) if point.step in stands]
    for point in {point.step: point for point in marked}.values():
        at, look = stands[point.step], theme.mark(point.name)
        contour.stamp(axes, at, look, hollow=contour.hollow(scan, point.step))
        placed.mark(tuple(at), contour.MARK * look.size / 72 / 2)
    if lowest is not None:
        contour.mark_lowest(axes, placed, seen.project(lowest[0])[0], "" if bare else lowest[1])
    for step, text in contour.facts(scan) if not bare else ():
        if step in stands:
            placed.near(tuple(stands[step]), text)

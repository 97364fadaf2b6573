"""A plane in three dimensions as it is printed: VTK's geometry, matplotlib's letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landscape.draw.elements import finer, plane_axes
from landscape.draw.elements.labels import Labels
from landscape.draw.figures import contour
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import bar, page
from landscape.draw.solid import (
    draped,
    explained_surface,
    lettering,
    meshes,
    painting,
    stage,
    trail,
    view,
)
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.painting import Renderer
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.trail import Trail
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan

SIDE = 0.03
"""Inches beside the picture."""
MARK = 0.6
"""Size of marks, smaller than from above: they stand where the surface is lowest."""
BEHIND, LIFTED = "\nbehind the surface", 0.012
"""What is said of a mark that the surface hides, and how far off it a place is looked for."""


@styled
def surface(
    scan: Scan,
    *,
    renderer: Renderer | None = None,
    like: Sequence[Scan] = (),
    style: Style = PLAIN,
) -> Figure:
    """Draw the losses of a plane as a surface, ready for print.

    One panel in a column's width, or two over a page's, as `contour` and on its scale. The path
    lies on the surface, dashed where its own loss is over 10 % off; marks stand at the losses of
    the weights themselves. Peaks are cut at the cap, the floor beneath them is grey, and the box
    ends where nothing is shown any more. The renderer is ``style``'s unless given: ``auto`` takes
    VTK where OpenGL works and matplotlib's plainer 3D elsewhere; ``opengl.probe().reason`` says
    what is missing. ``style.explain`` gives `explained_surface.surface`, with a legend for
    everything.

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
    names = contour.panels(scan, scales.of(scan, like=like, style=style), style)
    width = style.inches(contour.COLUMN if len(names) == 1 else contour.PAGE)
    columns = style.columns(len(names), width)
    across = (width - 2 * SIDE) / columns
    rows = -(-len(names) // columns)
    # The pane at the best constant output is the explained figure's.
    colours = [
        replace(one, constant=np.nan)
        for one in contour.scales(scan, names, like, style, abreast=rows == 1)
    ]
    scale = colours[0]
    box = stage.box_of(scan, stage.occupied(scan, dict(zip(names, colours, strict=True))))
    laid = trail.of(scan, scale, box)
    # A pixel of the rendering is a pixel of the PNG, not resampled.
    seen = view.best_view(box, laid, round(across * theme.now().dpi), style)
    laid = draped.of(laid, theme.PATH)
    tall = seen.height / theme.now().dpi
    note = "" if style.bare else contour.note([scan])
    lines = page.wrapped(note, width - 4 * SIDE, theme.SMALL) if note else []
    below = contour.NOTE * len(lines)
    sheet = page.blank(width, bar.HEIGHT + rows * tall + below, title=style.title)
    shared = len(set(colours)) == 1
    for k, (name, scale) in enumerate(zip(names, colours, strict=True)):
        left, top = SIDE + k % columns * across, bar.HEIGHT + k // columns * tall
        if not (k and shared):
            title = "loss" if shared and len(names) > 1 else sentences.MEASURES[name]
            wide = min(across, contour.COLUMN) - 2 * SIDE
            bar.above(sheet, scale, title, left + SIDE, wide)
        grid = finer.of(scan, name, scale, finer.POINTS if vtk else finer.FEW)
        mesh = meshes.surface(*grid, scale, box)
        axes = sheet.axes(left, top, across, tall)
        painting.paint(axes, scan.paths, mesh, scale, box, seen, None if k else laid, vtk=vtk)
        _note(axes, mesh, scale)
        page.drew(axes, contour.LOSSES[name], *(() if shared else ("bars",)))
        lettering.draw(axes, scale, box, seen, upright=True)
        if len(names) > 1:
            text = sentences.MEASURES[name].removesuffix(" loss")
            sheet.text(left + 0.05, top + 0.03, text, theme.LETTERS)
        if k == 0:
            lowest = _lowest(scan, scale, box) if name == "train_loss" else None
            _mark(axes, scan, laid, seen, lowest, bare=style.bare)
    if lines:
        said = "\n".join(lines)
        sheet.text(2 * SIDE, bar.HEIGHT + rows * tall, said, theme.SMALL, theme.now().note)
    return sheet.figure


def _note(axes: Axes, mesh: Mesh, scale: Scale) -> None:
    """Note which looks of a surface are there to be explained."""
    if len(mesh.beyond):
        page.drew(axes, "beyond")
    there, levels = mesh.position[mesh.faces], scale.position(scale.levels())
    if ((levels > there.min(initial=1.0)) & (levels < there.max(initial=0.0))).any():
        page.drew(axes, "levels")


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
    for image in axes.images:
        placed.on(np.asarray(image.get_array())[::-1])
    for tube in laid.tubes:
        placed.keep_clear(seen.project(tube.points), 0.01)
        page.drew(axes, "path", *(("dashes",) if tube.pale.all() else ()))
    places = {point.step: place for point, place in laid.places}
    stands = {step: seen.project(place)[0] for step, place in places.items()}
    behind = {step: _is_behind(place, laid, seen) for step, place in places.items()}
    marked = [point for point in contour.marked(scan) if point.step in stands]
    for point in {point.step: point for point in marked}.values():
        at, look = stands[point.step], theme.mark(point.name)
        hollow = contour.hollow(scan, point.step)
        if hollow:
            _plumb(axes, places[point.step], laid, seen)
        hidden = behind[point.step]
        contour.stamp(axes, at, look, hollow=hollow, scale=MARK, behind=hidden)
        page.drew(axes, "marks")
        placed.mark(tuple(at), MARK * look.size / 72 / 2)
    if lowest is not None:
        at, hidden = seen.project(lowest[0])[0], _is_behind(lowest[0][0], laid, seen)
        text = "" if bare else lowest[1] + hidden * BEHIND
        contour.mark_lowest(axes, placed, at, text, scale=MARK, behind=hidden)
    for step, text in contour.facts(scan) if not bare else ():
        if step in stands:
            placed.near(tuple(stands[step]), text + behind[step] * BEHIND)


def _is_behind(place: Floats, laid: Trail, seen: Camera) -> bool:
    """Whether the surface hides a place, or the surface's point above one beneath it."""
    on = place[None].copy()
    on[:, 2] = np.fmax(on[:, 2], laid.relief.height(on)) + LIFTED
    return not laid.relief.shows(seen, on)[0]


def _plumb(axes: Axes, place: Floats, laid: Trail, seen: Camera) -> None:
    """Join a mark that isn't on the surface to the place that it is above or beneath."""
    foot = trail.feet(place[None], laid.relief)[0]
    if np.isfinite(foot).all():
        line = seen.project(np.stack([place, foot]))
        page.drew(axes, "plumb")
        axes.plot(*line.T, color="white", lw=1.4, alpha=0.7, zorder=6)
        axes.plot(*line.T, color=theme.INK, lw=0.6, ls=(0, (1.5, 1.2)), zorder=6.1)

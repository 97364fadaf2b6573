"""A surface with everything explained beneath it: legend, colour bars, small print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from landscape.draw.elements import finer, marks, paths, plane_axes, raster
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Swatch
from landscape.draw.solid import (
    hidden_parts,
    lettering,
    meshes,
    painting,
    relief,
    stage,
    trail,
    view,
)
from landscape.draw.solid.painting import Renderer
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.trail import Trail
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Scan

WIDTH, SINGLE, SIDE, TOP, SHARED = 7.2, 5.0, 0.1, 0.3, 0.3


@styled
def surface(
    scan: Scan,
    *,
    renderer: Renderer | None = None,
    like: Sequence[Scan] = (),
    style: Style = PLAIN,
) -> Figure:
    """Draw the losses of a plane as surfaces, training beside validation on one scale.

    The path runs over the training loss, at its own true losses; a pane stands at the best
    constant output's loss. The renderer is ``style``'s unless given: ``auto`` takes VTK where
    OpenGL works and matplotlib's plainer 3D elsewhere; ``opengl.probe().reason`` says what is
    missing.

    Raises:
        LandscapeError: the scan is no plane, an unknown renderer, or pyvista without OpenGL.
    """
    plane_axes.check(scan, "surface")
    vtk = painting.uses_vtk(renderer or style.renderer)
    scan = style.shown(scan)
    names = marks.losses(scan, style.panels)
    scale = scales.of(scan, paths=True, like=like, style=style)
    width = style.inches(WIDTH if len(names) > 1 else SINGLE)
    wide, columns = width - 2 * SIDE, style.columns(len(names), width)
    dpi = theme.now().dpi
    box = stage.box_of(scan)
    laid = trail.of(scan, scale, box)
    # The panels share the loss axis: the second one goes without its letters.
    shared = SHARED if columns > 1 else 0.0
    across = (wide + shared) / columns
    # A pixel of the rendering is a pixel of the PNG, not resampled.
    seen = view.best_view(box, laid, round(across * dpi), style)
    tall = seen.height / dpi
    indent = 0.25 if columns == len(names) and width >= plane_axes.SINGLE else 0.1
    foot = footer.under(
        scan,
        scale,
        paths.step_range(scan),
        _entries(scan, scale, names, laid, seen),
        wide - 2 * indent,
        [_axes(scan), *sentences.bands(scan)],
    )
    rows = -(-len(names) // columns)
    height = round(rows * (TOP + tall) + foot.height + 0.1, 2)
    sheet = page.blank(width, height, title=style.title, left=2 * SIDE)
    for k, name in enumerate(names):
        beside = k % columns > 0
        hidden = shared if beside else 0.0
        left, top = SIDE + k % columns * across, k // columns * (TOP + tall)
        grid = finer.of(scan, name, scale, finer.POINTS if vtk else finer.FEW)
        mesh = meshes.surface(*grid, scale, box)
        sheet.text(
            left + 0.05 * (2 - beside), top + 0.1, sentences.measure(scan, name), theme.TITLE
        )
        axes = sheet.axes(left, top + TOP, across - hidden, tall)
        painting.paint(axes, scan.paths, mesh, scale, box, seen, None if k else laid, vtk=vtk)
        painting.uncertain(axes, scan, relief.of(*grid, scale, box), seen)
        axes.set_xlim(hidden * dpi, seen.width)
        lettering.draw(axes, scale, box, seen, upright=not beside)
        if k == 0:
            hidden_parts.draw(axes, laid, seen)
    foot.draw(sheet, SIDE + indent, rows * (TOP + tall) + 0.05, wide - 2 * indent)
    return sheet.figure


def _entries(
    scan: Scan, scale: Scale, names: tuple[str, ...], laid: Trail, seen: Camera
) -> list[Artist]:
    kinds = {
        int(kind)
        for name in names
        for kind in np.unique(raster.kinds(scan.measures[name], scan.measured))
    }
    shown = {point.name for point, _ in laid.places}
    handles = marks.entries(scan, scale, names, kinds, shown=shown)
    if laid.tubes or laid.tracks:
        whole = (0.0, 1.0)
        tube, track, ghost = (4.0, None), [(2.2, theme.INK), (1.3, None)], hidden_parts.LAYERS
        samples = [
            Swatch("path at its true training loss", [tube], whole, bead=True),
            Swatch("its projection onto the surface", track, whole),
        ]
        if hidden_parts.any_hidden(laid, seen):
            samples.append(Swatch("beneath or behind the surface", ghost, whole, dashed=True))
        place = len(scan.points)
        handles[place:place] = samples
    if stage.pane(stage.box_of(scan), scale) is not None:
        handles.append(_pane())
    return handles


def _pane() -> Patch:
    colour = to_rgba(theme.now().constant, 0.25)
    return Patch(facecolor=colour, edgecolor=theme.now().constant, lw=0.9, label=sentences.IGNORING)


def _axes(scan: Scan) -> str:
    plane = scan.plane
    # Along the axes there is no room for what follows a comma.
    names = [label for label in plane.labels if "," in label]
    unit = plane.unit
    if unit != sentences.DISTANCE and plane.directions.size:
        unit += f": 1 = {' and '.join(number(norm) for norm in plane.norms)} in weight space"
    scaled = [] if plane_axes.shape(scan)[1] else ["not to one scale"]
    return f"axes: {'; '.join([*names, unit, *scaled])}"

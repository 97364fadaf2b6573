"""A valley in three dimensions: its slices as slats, none shaded or bent towards the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from landscape.draw.elements import columns as column
from landscape.draw.elements import labels
from landscape.draw.elements.columns import Columns
from landscape.draw.elements.labels import Labels
from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.figures import contour
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import bar, page
from landscape.draw.solid import hidden_parts, lettering, meshes, painting, view
from landscape.draw.solid.meshes import Frame, Mesh
from landscape.draw.solid.painting import Renderer
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.relief import Relief
from landscape.draw.solid.trail import Ribbon, Trail, inside
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import valley_sentences as sentences
from landscape.store.scans.records import Floats, Point
from landscape.store.scans.valleys import Valley

WIDTH, SIDE = 5.0, 0.03
"""Inches."""
DEEP, TALL = 0.5, 0.36
"""The box's size across the path and upwards; along it is 1."""
GAP = 0.13
"""Left open on each side of a slat, in columns."""
FINE = 121
"""Points along a slat."""


@styled
def slats(valley: Valley, *, renderer: Renderer | None = None, style: Style = PLAIN) -> Figure:
    """Draw a valley's slices as slats side by side, and the run at its own loss between them.

    A slat is flat along the path and lit by its slope across alone: between two nothing was
    measured. Cut at the cap. The run's line has gaps where the weights leapt. Otherwise as
    `surface`.

    Raises:
        LandscapeError: no row is measured yet, an unknown renderer, pyvista without OpenGL, or
            losses that don't fit the scale asked for.
    """
    if not valley.finished_rows:
        raise LandscapeError(
            "a valley's figure needs a row that is measured, got none; go on with --resume"
        )
    vtk = painting.uses_vtk(renderer or style.renderer)
    scale = scale_of(valley, style=style)
    where = Columns.of(valley)
    width = style.inches(WIDTH)
    box = box_of(valley, where, width)
    whole = boards(valley, where, scale, box)
    mesh = meshes.cut(whole, 1.0)
    laid = walked(valley, where, scale, box, until=np.inf if style.path else -1)
    seen = view.best_view(box, laid, round((width - 2 * SIDE) * theme.now().dpi), style)
    tall = seen.height / theme.now().dpi
    sheet = page.blank(width, bar.HEIGHT + tall, title=style.title)
    bar.above(sheet, scale, "training loss", 2 * SIDE, min(width, contour.COLUMN) - 4 * SIDE)
    axes = sheet.axes(SIDE, bar.HEIGHT, width - 2 * SIDE, tall)
    painting.paint(axes, (), mesh, scale, box, seen, laid, vtk=vtk)
    if (whole.position > 1).any():
        page.drew(axes, "beyond")
    lettering.draw(axes, scale, box, seen, upright=True)
    hidden_parts.dash(axes, laid, seen, fine=True)
    _mark(axes, laid, box, scale, seen)
    return sheet.figure


def _mark(axes: Axes, laid: Trail, box: Frame, scale: Scale, seen: Camera) -> None:
    """Mark start, best and end, and say beside them what they are."""
    placed = Labels(axes, page.extent(axes))
    placed.written()
    for tube in laid.tubes:
        placed.keep_clear(seen.project(tube.points), 0.01)
        page.drew(axes, "path")
    for point, place in laid.places:
        at, look = seen.project(place)[0], theme.mark(point.name)
        contour.stamp(axes, at, look, hollow=False)
        placed.mark(tuple(at), contour.MARK * look.size / 72 / 2)
    for point, place in laid.places:
        loss = number(float(scale.loss(np.array(place[2] / box.height))))
        text = f"{point.name}, step {point.step:,}\nloss {loss}"
        placed.near(tuple(seen.project(place)[0]), text)


def scale_of(valley: Valley, *, style: Style = PLAIN, log: bool = True) -> Scale:
    """The scale of the valley's figure, linear if not ``log``; no pane at the constant output."""
    found = scales.of_valleys([valley], style=style)
    # Lines across a slat would be read as going on over the next.
    return replace(found, log=found.log and log, constant=np.nan, lines=0)


def box_of(valley: Valley, where: Columns, width: float) -> Frame:
    """The box: columns along it, whose numbers are steps, the valley's y across."""
    far = column.reach(valley, distance=False)
    texts = [f"{step}" for step in valley.slices.step.tolist()]
    places = where.middle / where.width * 0.8 * width
    there = labels.ruler(places.tolist(), texts, 0.8 * width)
    numbers = tuple((float(where.middle[k]), float(valley.slices.step[k])) for k in there)
    window = PlaneWindow(np.array([0.0, -far]), np.array([where.width, far]))
    names = "training step", sentences.across(valley, distance=False)
    return Frame(window, (1.0, DEEP), TALL, names, numbers)


def boards(valley: Valley, where: Columns, scale: Scale, box: Frame) -> Mesh:
    """The slats as triangles; a board's two edges have the same heights and normals."""
    y = np.linspace(valley.y[0], valley.y[-1], FINE)
    parts = [_board(valley, k, y, where, scale, box) for k in range(len(where.left))]
    before = np.cumsum([0, *(len(part.points) for part in parts[:-1])])
    return Mesh(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.faces + n for part, n in zip(parts, before, strict=True)]),
        np.concatenate([part.position for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.openness for part in parts]),
        meshes.NONE,
    )


def _board(
    valley: Valley, number: int, y: Floats, where: Columns, scale: Scale, box: Frame
) -> Mesh:
    heights = column.positions(valley, "train_loss", number, y, scale)
    known = np.isfinite(heights)
    # Slopes of what is drawn, the height beyond the cap bent as that of a surface is.
    flat = np.clip(np.where(known, heights, 0.0), -0.3, 1.3) * box.height
    apart = box.size[1] * (y[1] - y[0]) / float(box.window.high[1] - box.window.low[1])
    slope = np.gradient(flat, apart)
    normals = np.column_stack([np.zeros(len(y)), -slope, np.ones(len(y))])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    edges = where.left[number] + np.array([GAP, 1 - GAP])
    xy = np.stack(np.meshgrid(edges, y, indexing="ij"), axis=-1).reshape(-1, 2)
    position = np.tile(np.where(known, heights, 0.0), 2)
    rows = np.arange(len(y) - 1)[known[:-1] & known[1:]]
    lower = np.column_stack([rows, rows + len(y), rows + len(y) + 1])
    upper = np.column_stack([rows, rows + len(y) + 1, rows + 1])
    faces = np.concatenate([lower, upper])
    # No slat shades another: they are slices, not a surface.
    openness = np.ones(len(position))
    points, upwards = box.place(xy, position), np.tile(normals, (2, 1))
    return Mesh(points, faces, position, upwards, openness, meshes.NONE)


def walked(
    valley: Valley, where: Columns, scale: Scale, box: Frame, *, until: float = np.inf
) -> Trail:
    """The run at its own loss along y = 0, with gaps where it leapt, and its marked points.

    Of what was recorded ``until`` a step.
    """
    relief = _relief(valley, where, scale, box)
    own = valley.walked()
    known = np.isfinite(own.loss) & (own.step <= until)
    if not known.any():
        return Trail(relief, [], [], [], [])
    x, values = where.broken(own.travelled[known], own.loss[known])
    place = np.column_stack([x / where.width, np.full(len(x), 0.5), scale.position(values)])
    colour = np.array(to_rgba(theme.PATH))
    tubes = []
    for part in np.split(place, np.flatnonzero(np.isnan(values))):
        for stretch in inside(part[np.isfinite(part[:, 2])]):
            on = np.column_stack(
                [(stretch[:, :2] - 0.5) * np.array(box.size), box.height * stretch[:, 2]]
            )
            tubes.append(Ribbon(on, np.tile(colour, (len(on), 1))))
    places = []
    for name, row in own.landmarks().items():
        at = np.array([[float(where.at(own.travelled)[row]), 0.0]])
        stands = box.place(at, scale.position(own.loss[row : row + 1]))[0]
        if own.step[row] <= until and stands[2] <= box.height * (1 + 1e-9):
            marked = Point(name, (float(at[0, 0]), 0.0), int(own.step[row]))
            places.append((marked, stands))
    return Trail(relief, tubes, [], [], places)


def _relief(valley: Valley, where: Columns, scale: Scale, box: Frame) -> Relief:
    """What the slats hide, the gaps between them included: a line of sight seldom meets one."""
    heights = np.stack(
        [column.positions(valley, "train_loss", k, valley.y, scale) for k in range(len(where.left))]
    )
    edges = np.column_stack([where.left + GAP, where.left + 1 - GAP]).ravel()
    ends = (box.window.low, box.window.high)
    return Relief(
        ((edges - ends[0][0]) / (ends[1][0] - ends[0][0]) - 0.5) * box.size[0],
        ((valley.y - ends[0][1]) / (ends[1][1] - ends[0][1]) - 0.5) * box.size[1],
        box.height * np.repeat(heights, 2, axis=0),
        box.height * (1 + 1e-9),
    )

"""A plane in three dimensions: VTK's geometry, matplotlib's letters."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from landscape.draw import (
    contours,
    footer,
    marks,
    meshes,
    opengl,
    page,
    painter,
    paths,
    raster,
    solid,
    stage,
    theme,
    words,
)
from landscape.draw import scale as scales
from landscape.draw.camera import Camera
from landscape.draw.meshes import Frame
from landscape.draw.page import Page
from landscape.draw.scale import Scale
from landscape.draw.stage import Edge
from landscape.errors import LandscapeError
from landscape.store.records import Floats, Scan

Renderer = Literal["auto", "pyvista", "matplotlib"]
RENDERERS = ("auto", "pyvista", "matplotlib")
WIDTH, SINGLE, SIDE, TOP = 7.2, 5.0, 0.12, 0.3
PIXELS_PER_INCH = theme.DPI
"""A pixel of the rendering is a pixel of the PNG, not resampled."""


def surface(scan: Scan, *, renderer: Renderer = "auto") -> Figure:
    """Draw the losses of a plane as surfaces, training beside validation on one scale.

    The path runs over the training loss, at its own true losses. ``auto`` takes VTK where OpenGL
    works and matplotlib's plainer 3D elsewhere; ``opengl.probe().reason`` says what is missing.

    Raises:
        LandscapeError: the scan is no plane, an unknown renderer, or pyvista without OpenGL.
    """
    contours.check(scan, "surface")
    vtk = _uses_vtk(renderer)
    names = marks.losses(scan)
    scale = scales.of(scan, paths=True)
    width = WIDTH if len(names) > 1 else SINGLE
    across = (width - 2 * SIDE) / len(names)
    tall = round(across * 0.86, 2)
    foot = footer.under(
        scan,
        scale,
        paths.steps(scan),
        _entries(scan, scale, names),
        width - 2 * SIDE - 0.5,
        _axes(scan),
    )
    sheet = page.blank(width, round(TOP + tall + foot.height + 0.1, 2))
    box = stage.frame(scan)
    size = round(across * PIXELS_PER_INCH), round(tall * PIXELS_PER_INCH)
    seen = stage.view(scan, scale, box, size)
    for k, name in enumerate(names):
        left = SIDE + k * across
        mesh = meshes.surface(scan.x, scan.y, scan.measures[name], scale, box)
        page_title(sheet, left + 0.1, words.measure(scan, name))
        axes = sheet.axes(left, TOP, across, tall)
        if vtk:
            show(axes, solid.picture(scan, mesh, scale, box, seen, path=k == 0))
        else:
            painter.paint(axes, scan, mesh, scale, box, seen, path=k == 0)
        letters(axes, scan, scale, box, seen)
        if k == 0:
            names_of_marks(axes, scan, scale, box, seen)
    foot.draw(sheet, SIDE + 0.25, TOP + tall + 0.05, width - 2 * SIDE - 0.5)
    return sheet.figure


def _uses_vtk(renderer: str) -> bool:
    if renderer not in RENDERERS:
        raise LandscapeError(f"renderer must be one of {', '.join(RENDERERS)}, got {renderer!r}")
    if renderer == "matplotlib":
        return False
    found = opengl.probe()
    if not found.ok and renderer == "pyvista":
        raise LandscapeError(f"renderer pyvista: {found.reason}, or take renderer matplotlib")
    return found.ok


def page_title(sheet: Page, left: float, text: str) -> None:
    """Write a panel's title."""
    sheet.text(left, 0.1, text, theme.TITLE)


def show(axes: Axes, picture: NDArray[np.uint8]) -> None:
    """Fill axes with a picture, in coordinates of its pixels from the lower left corner."""
    tall, wide = picture.shape[:2]
    axes.imshow(picture, extent=(0, wide, 0, tall), aspect="auto", rasterized=True)
    axes.set(xlim=(0, wide), ylim=(0, tall))
    axes.set_axis_off()


def letters(axes: Axes, scan: Scan, scale: Scale, box: Frame, seen: Camera) -> None:
    """Write ticks and names along the three edges, at places seen through the camera."""
    x, y, z = stage.edges(box, seen, scale)
    middle = seen.project(stage.corners(box)).mean(axis=0)
    for edge, text in ((x, scan.plane.labels[0]), (y, scan.plane.labels[1])):
        _along(axes, edge, seen, middle, text)
    _upright(axes, z, seen, "loss (log scale)" if scale.log else "loss")


def _along(axes: Axes, edge: Edge, seen: Camera, middle: Floats, text: str) -> None:
    ends = seen.project(np.stack([edge.start, edge.end]))
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    outward = np.array([along[1], -along[0]])
    outward *= np.sign(outward @ (ends.mean(axis=0) - middle)) or 1.0
    front = ends[int(ends[:, 1].argmin())]
    reach = 0.0
    for tick in edge.ticks:
        written = words.number(tick.value)
        half = np.array([page.inches(written, theme.TICKS), 0.09]) / 2 * PIXELS_PER_INCH
        off = 0.045 * PIXELS_PER_INCH + float(half @ np.abs(outward))
        reach = max(reach, off + float(half @ np.abs(outward)))
        at = seen.project(tick.place)[0]
        # The two axes meet in front: there their numbers step aside.
        aside = 0.05 * PIXELS_PER_INCH * (np.linalg.norm(at - front) < 5)
        inward = (ends.mean(axis=0) - front) / np.linalg.norm(ends.mean(axis=0) - front)
        at = at + outward * off + inward * aside
        axes.text(at[0], at[1], written, size=theme.TICKS, ha="center", va="center")
    angle = (float(np.degrees(np.arctan2(along[1], along[0]))) + 90) % 180 - 90
    room = float(np.linalg.norm(ends[1] - ends[0])) / PIXELS_PER_INCH
    # What follows a comma explains the name; the small print has it whole.
    lines = page.wrapped(text.split(",")[0], 1.15 * room, theme.LETTERS)
    at = ends.mean(axis=0) + outward * (reach + (0.03 + 0.065 * len(lines)) * PIXELS_PER_INCH)
    axes.text(
        at[0],
        at[1],
        "\n".join(lines),
        size=theme.LETTERS,
        ha="center",
        va="center",
        rotation=angle,
        rotation_mode="anchor",
        linespacing=1.1,
        multialignment="center",
    )


def _upright(axes: Axes, edge: Edge, seen: Camera, text: str) -> None:
    inch = PIXELS_PER_INCH
    low = seen.project(edge.start)[0]
    high = seen.project(edge.end)[0]
    last = -np.inf
    for tick in edge.ticks:
        at = seen.project(tick.place)[0]
        # Seen from above the axis is short: numbers keep a line's distance.
        if at[1] - last < 0.115 * inch:
            continue
        last = float(at[1])
        axes.text(
            at[0] - 0.05 * inch,
            at[1],
            words.number(tick.value),
            size=theme.TICKS - 0.5,
            ha="right",
            va="center",
        )
    at = (low + high) / 2
    axes.text(
        at[0] - 0.36 * inch, at[1], text, size=theme.LETTERS, ha="center", va="center", rotation=90
    )


def names_of_marks(axes: Axes, scan: Scan, scale: Scale, box: Frame, seen: Camera) -> None:
    """Write marked points' names beside their balls; points that coincide share one."""
    groups: list[tuple[Floats, list[str]]] = []
    for point, place in stage.places(scan, scale, box):
        at = seen.project(place)[0]
        near = [group for group in groups if np.linalg.norm(group[0] - at) < 0.16 * PIXELS_PER_INCH]
        if near:
            near[0][1].append(point.name)
        else:
            groups.append((at, [point.name]))
    for at, names in groups:
        left = at[0] > 0.8 * seen.width
        axes.text(
            at[0] + (-1 if left else 1) * 0.075 * PIXELS_PER_INCH,
            at[1] + 0.03 * PIXELS_PER_INCH,
            ", ".join(names),
            size=theme.TICKS,
            ha="right" if left else "left",
            va="bottom",
            path_effects=theme.halo(2.0),
        )


def _entries(scan: Scan, scale: Scale, names: tuple[str, ...]) -> list[Artist]:
    kinds = {
        int(kind)
        for name in names
        for kind in np.unique(raster.kinds(scan.measures[name], scan.measured))
    }
    shown = {point.name for point, _ in stage.places(scan, scale, stage.frame(scan))}
    handles = marks.entries(scan, scale, names, kinds, shown=shown)
    if scan.paths:
        handles.append(
            Line2D(
                [],
                [],
                color=theme.STEP(0.6),
                marker="o",
                mfc="white",
                mec=theme.INK,
                mew=0.6,
                ms=3.5,
                lw=2.4,
                label="path at its true training loss",
            )
        )
    return handles


def _axes(scan: Scan) -> list[str]:
    plane = scan.plane
    scaled = "" if contours.shape(scan)[1] else "; not to one scale"
    names = " and ".join(plane.labels)
    if plane.unit == words.DISTANCE:
        return [f"axes: {names}; both in {words.DISTANCE}{scaled}"]
    lengths = " and ".join(words.number(norm) for norm in plane.norms)
    return [f"axes: {names}; {plane.unit}: 1 = {lengths} in weight space{scaled}"]

"""Several planes, or runs, side by side with everything explained beneath them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from landscape.draw.elements import episodes, marks, paths, plane_axes, raster, several
from landscape.draw.figures import explained_contour, inset
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.look.style import PLAIN, Style
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.footer import Footer
from landscape.draw.sheet.legend import Legend, Swatch
from landscape.store.scans import sentences
from landscape.store.scans.records import Scan

WIDTH = 7.2
LEFT, GAP, RIGHT, TOP, BENEATH = 0.62, 0.5, 0.14, 0.27, 0.48
PIXELS = 600


def atlas(scans: Sequence[Scan], *, style: Style = PLAIN) -> Figure:
    """Draw the training losses of planes on one scale, one of steps, with a legend beneath.

    Panels are as in `explained_contour.contour`, without the inset.

    Raises:
        LandscapeError: the losses don't fit the scale asked for.
    """
    shown = [style.shown(scan) for scan in scans]
    width = style.inches(WIDTH)
    columns = several.columns(len(shown), width - LEFT - RIGHT, GAP)
    across = (width - LEFT - RIGHT - GAP * (columns - 1)) / columns
    colours = scales.of(shown[0], shown=("train_loss",), like=shown, style=style, floor=style.floor)
    steps = _steps(shown)
    tall = [across * plane_axes.shape(scan)[0] for scan in shown]
    rows = [max(tall[k : k + columns]) for k in range(0, len(tall), columns)]
    pictures = [raster.of_scan(scan, "train_loss", colours, PIXELS) for scan in shown]
    titles = several.titles(shown)
    kinds = {int(kind) for picture in pictures for kind in np.unique(picture.kind)}
    foot = _footer(shown, titles, colours, steps, _entries(shown, colours, kinds), width - 0.4)
    panels = sum(TOP + row + BENEATH for row in rows)
    sheet = page.blank(width, panels + foot.height, title=style.title, left=LEFT)
    top = 0.0
    for k, scan in enumerate(shown):
        column = k % columns
        if k and not column:
            top += TOP + rows[k // columns - 1] + BENEATH
        axes = sheet.axes(LEFT + column * (across + GAP), top + TOP, across, tall[k])
        explained_contour.panel(
            axes, scan, "train_loss", pictures[k], colours, steps=steps, little=True
        )
        plane_axes.ticks(axes)
        axes.set_title(titles[k], size=theme.LETTERS, loc="left", pad=3, parse_math=False)
        for axis, place in ((0, axes.xaxis), (1, axes.yaxis)):
            name = page.wrapped(scan.plane.labels[axis].split(",")[0], across, theme.SMALL)[0]
            place.set_label_text(name, size=theme.SMALL)
            place.labelpad = 1.5
    foot.draw(sheet, 0.2, panels, width - 0.4)
    return sheet.figure


def _steps(scans: Sequence[Scan]) -> Normalize | None:
    found = [norm for norm in map(paths.step_range, scans) if norm is not None]
    if not found:
        return None
    return Normalize(
        min(float(norm.vmin or 0) for norm in found), max(float(norm.vmax or 1) for norm in found)
    )


def _entries(scans: Sequence[Scan], colours: Scale, kinds: set[int]) -> list[Artist]:
    large = [scan for scan in scans if not scan.path_is_a_dot]
    names = dict.fromkeys(point.name for scan in large for point in scan.points)
    handles: list[Artist] = [marks.sample(theme.mark(name), name) for name in names]
    handles.append(marks.sample(theme.LOWEST, "lowest on the grid"))
    if any(scan.path_is_a_dot for scan in scans):
        handles.append(inset.sample())
    events = [event for scan in large for path in scan.paths for event in path.events]
    handles += [
        Swatch(name, episodes.strokes(episodes.COLOURS[name], 1.5), (0.0, 1.0))
        for name in sentences.event_names(events)
    ]
    faded = [scan for scan in large if any(paths.faded(path).any() for path in scan.paths)]
    handles += [marks.pale(faded[0])] if faded else []
    return handles + marks.beyond(colours, kinds)


def _footer(
    scans: Sequence[Scan],
    titles: Sequence[str],
    colours: Scale,
    steps: Normalize | None,
    handles: list[Artist],
    width: float,
) -> Footer:
    texts = [
        f"{title}: {'; '.join([*map(sentences.share, scan.paths), f'axes: {_unit(scan)}'])}"
        for title, scan in zip(titles, scans, strict=True)
    ]
    lines = [line for text in texts for line in page.wrapped(text, width, theme.SMALL)]
    return Footer(colours, steps, Legend(handles, width), lines, abreast=width >= footer.ABREAST)


def _unit(scan: Scan) -> str:
    units = dict.fromkeys(sentences.unit(scan.plane, axis) for axis in (0, 1))
    scaled = "" if plane_axes.shape(scan)[1] else ", not to one scale"
    return " and ".join(units) + scaled

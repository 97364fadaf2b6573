"""Several planes, or runs, side by side as they are printed: one scale of colours for all."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from landscape.draw.elements import plane_axes, several
from landscape.draw.figures import contour, explained_map
from landscape.draw.look import scale as scales
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import bar, page
from landscape.errors import LandscapeError
from landscape.store.scans.records import Scan

NAME = 0.17
"""Room for a panel's name above it, in inches."""
GAP = 0.36
"""Between panels, the numbers of the right one's axis in it; without them `contour.GAP`."""
MOST = 24
"""Panels."""


@styled
def atlas(scans: Sequence[Scan], *, style: Style = PLAIN) -> Figure:
    """Draw the training losses of several planes on one scale, each with its path.

    Over a page's width, 6.75 inches, and otherwise as `contour.contour` draws one. Panels bear the
    run's name, or the plane's kind where all are of one run. ``style.explain`` gives
    `explained_map.atlas`, with a legend for everything.

    Raises:
        LandscapeError: fewer than two planes or more than 24, or a line among them.
    """
    if not 2 <= len(scans) <= MOST:
        raise LandscapeError(f"a map figure needs 2 to {MOST} scans of planes, got {len(scans)}")
    for scan in scans:
        plane_axes.check(scan, "map")
    if style.explain:
        return explained_map.atlas(scans, style=style)
    shown = [style.shown(scan) for scan in scans]
    alike = _alike(shown)
    gap = contour.GAP if alike else GAP
    width = style.inches(contour.PAGE)
    columns = several.columns(len(shown), width - contour.LEFT - contour.RIGHT, gap)
    across = (width - contour.LEFT - contour.RIGHT - gap * (columns - 1)) / columns
    colours = scales.of(shown[0], shown=("train_loss",), like=shown, style=style, floor=style.floor)
    tall = [across * plane_axes.shape(scan)[0] for scan in shown]
    rows = [max(tall[k : k + columns]) for k in range(0, len(tall), columns)]
    said = "" if style.bare else contour.note(shown)
    panels = bar.HEIGHT + sum(NAME + row + contour.BENEATH for row in rows)
    sheet = page.blank(
        width, panels + (contour.NOTE if said else 0.0), title=style.title, left=contour.LEFT
    )
    bar.above(sheet, colours, "training loss", contour.LEFT, min(across * 2, contour.COLUMN))
    titles = several.titles(shown)
    top = bar.HEIGHT
    for k, scan in enumerate(shown):
        column = k % columns
        if k and not column:
            top += NAME + rows[k // columns - 1] + contour.BENEATH
        left = contour.LEFT + column * (across + gap)
        axes = sheet.axes(left, top + NAME, across, tall[k])
        contour.panel(axes, scan, "train_loss", colours, style=style, brief=True)
        contour.dress(axes, scan, (across, tall[k]), first=not (alike and column))
        axes.set_title(titles[k], size=theme.LETTERS, loc="left", pad=2.5, parse_math=False)
    if said:
        sheet.text(contour.LEFT, panels, said, theme.SMALL, colour=theme.now().note)
    return sheet.figure


def _alike(scans: Sequence[Scan]) -> bool:
    """Whether all have the same axis upwards, so that its numbers stand at the left alone."""
    axes = {(scan.plane.labels[1], scan.plane.unit, *scan.y[[0, -1]]) for scan in scans}
    return len(axes) == 1

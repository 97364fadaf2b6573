"""Ticks and names along the edges of a surface's box, where the camera sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.draw.sheet import page
from landscape.draw.solid import stage
from landscape.draw.solid.meshes import Frame
from landscape.draw.solid.perspective import Camera
from landscape.draw.solid.stage import Edge, Tick
from landscape.quantities import number
from landscape.store.scans.records import Floats

LONGEST, LINE = 1.15, 0.13
"""A name's line may be so many times as long as its edge, and is so many inches high."""
OFF, HIGH, GAP = 0.045, 0.09, 0.03
"""From an edge to its numbers, their height, and from them to the name, in inches."""


def outwards(ends: Floats, middle: Floats) -> Floats:
    """Return the direction (2,) at a right angle to an edge, as it is seen, from the middle."""
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    across = np.array([along[1], -along[0]])
    return np.asarray(across * (np.sign(across @ (ends.mean(axis=0) - middle)) or 1.0))


def placed(ticks: Sequence[Tick], seen: Camera, outward: Floats) -> Floats:
    """Return where the middles of an edge's numbers are (n, 2), in pixels."""
    sizes = [(page.inches(number(tick.value), theme.TICKS), HIGH) for tick in ticks]
    off = OFF + np.array(sizes).reshape(-1, 2) @ np.abs(outward) / 2
    at = seen.project(np.array([tick.place for tick in ticks]).reshape(-1, 3))
    return np.asarray(at + off[:, None] * outward * theme.now().dpi)


def reach(ticks: Sequence[Tick], outward: Floats) -> float:
    """Return how many inches the numbers of an edge reach beyond it, along ``outward`` (2,)."""
    sizes = [(page.inches(number(tick.value), theme.TICKS), HIGH) for tick in ticks]
    return max((OFF + float(np.abs(outward) @ size) for size in sizes), default=0.0)


def draw(axes: Axes, scale: Scale, box: Frame, seen: Camera, *, upright: bool) -> None:
    """Write ticks and names along the three edges; the loss's only where ``upright``."""
    x, y, z = stage.edges(box, seen, scale)
    middle = seen.project(stage.corners(box)).mean(axis=0)
    for edge, text in zip((x, y), box.names, strict=True):
        _along(axes, edge, seen, middle, text)
    if upright:
        _upright(axes, z, seen, "loss (log scale)" if scale.log else "loss")


def _along(axes: Axes, edge: Edge, seen: Camera, middle: Floats, text: str) -> None:
    ends = seen.project(np.stack([edge.start, edge.end]))
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    outward = outwards(ends, middle)
    front = ends[int(ends[:, 1].argmin())]
    for tick, place in zip(edge.ticks, placed(edge.ticks, seen, outward), strict=True):
        # The two axes meet in front: there their numbers step aside.
        meets = np.linalg.norm(seen.project(tick.place)[0] - front) < 5
        inward = (ends.mean(axis=0) - front) / np.linalg.norm(ends.mean(axis=0) - front)
        at = place + inward * (0.05 * theme.now().dpi * meets)
        axes.text(at[0], at[1], number(tick.value), size=theme.TICKS, ha="center", va="center")
    angle = (float(np.degrees(np.arctan2(along[1], along[0]))) + 90) % 180 - 90
    room = float(np.linalg.norm(ends[1] - ends[0])) / theme.now().dpi
    lines = page.wrapped(text, LONGEST * room, theme.LETTERS)
    far = reach(edge.ticks, outward) + GAP + LINE / 2 * len(lines)
    at = ends.mean(axis=0) + outward * far * theme.now().dpi
    axes.text(
        at[0],
        at[1],
        "\n".join(lines),
        size=theme.LETTERS,
        ha="center",
        va="center",
        rotation=angle,
        rotation_mode="anchor",
        multialignment="center",
    )


def _upright(axes: Axes, edge: Edge, seen: Camera, text: str) -> None:
    low = seen.project(edge.start)[0]
    high = seen.project(edge.end)[0]
    reach = 0.06 + max((page.inches(number(t.value), theme.TICKS) for t in edge.ticks), default=0)
    for tick in edge.ticks:
        at = seen.project(tick.place)[0]
        axes.text(
            at[0] - 0.05 * theme.now().dpi,
            at[1],
            number(tick.value),
            size=theme.TICKS - 0.5,
            ha="right",
            va="center",
        )
    at = (low + high) / 2
    axes.text(
        at[0] - (0.1 + reach) * theme.now().dpi,
        at[1],
        text,
        size=theme.LETTERS,
        ha="center",
        va="center",
        rotation=90,
    )

"""A path laid onto a surface for print: a tube in one colour.

Dashed where the plane has another loss, as on the plane seen from above: both pictures of it say
the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from landscape.draw.solid.trail import Ribbon, Trail

LIFT = 0.003
"""How far the tube's middle is above the surface: less than its radius, so that it lies on it."""
DASH, SPACE = 0.024, 0.018
"""Their lengths."""
THICK, THIN = 0.0058, 0.0042
"""Radii of whole parts and of dashes, all in widths of the box."""


def of(laid: Trail, colour: str) -> Trail:
    """Return a trail whose tubes are the projections of its paths, in one colour.

    Nothing of a path that is a dot.
    """
    tubes = [] if laid.tiny else [tube for track in laid.tracks for tube in _tubes(laid, track)]
    shade = np.array(to_rgba(colour))
    tubes = [replace(tube, colours=np.tile(shade, (len(tube.points), 1))) for tube in tubes]
    return replace(laid, tubes=tubes, tracks=[], drops=[])


def _tubes(laid: Trail, track: Ribbon) -> Iterator[Ribbon]:
    points = track.points + LIFT * laid.relief.normal(track.points)
    long = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(long)])
    inked = along % (DASH + SPACE) <= DASH
    for run in _runs(track.pale, inked):
        radius = THIN if track.pale[run[0]] else THICK
        yield Ribbon(points[run], track.colours[run], pale=track.pale[run], radius=radius)


def _runs(pale: NDArray[np.bool_], inked: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Rows of each whole stretch, and of each dash of a pale one."""
    rows = np.arange(len(pale))
    kind = np.where(pale, np.where(inked, 1, 2), 0)
    for piece in np.split(rows, np.flatnonzero(np.diff(kind)) + 1):
        if kind[piece[0]] == 0 and piece[-1] + 1 < len(rows):
            piece = np.append(piece, piece[-1] + 1)
        if kind[piece[0]] < 2 and len(piece) > 1:
            yield piece

"""A plane's losses as a picture: smooth between finite values, node by node where one is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgba
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from landscape.draw.elements import finer
from landscape.draw.look import theme
from landscape.draw.look.scale import Scale
from landscape.store.scans.records import Floats, Scan

FINITE, UNMEASURED, NOT_A_NUMBER, INFINITE = range(4)
COLOURS = {
    UNMEASURED: theme.UNMEASURED,
    NOT_A_NUMBER: theme.NOT_A_NUMBER,
    INFINITE: theme.INFINITE,
}
HATCHES = {UNMEASURED: "", NOT_A_NUMBER: "xxxx", INFINITE: "...."}
NAMES = {UNMEASURED: "not measured", NOT_A_NUMBER: "loss is NaN", INFINITE: "loss is infinite"}


@dataclass(frozen=True)
class Raster:
    """Positions on a scale at the centres of (width, height) pixels that fill the plane."""

    x: Floats
    y: Floats
    position: Floats
    """(width, height); NaN where ``kind`` is not FINITE."""
    kind: NDArray[np.int8]
    """FINITE, UNMEASURED, NOT_A_NUMBER or INFINITE."""

    def picture(self) -> NDArray[np.uint8]:
        """Return RGBA with rows along y from the bottom, as imshow wants with origin="lower".

        What is above the scale is in a quiet grey.
        """
        coloured = theme.now().loss(np.clip(np.nan_to_num(self.position), 0, 1))
        beyond = np.nan_to_num(self.position, nan=-1.0, posinf=2.0) > 1
        coloured[beyond] = to_rgba(theme.now().beyond)
        for kind, colour in COLOURS.items():
            coloured[self.kind == kind] = to_rgba(colour)
        return np.asarray(np.round(255 * coloured).transpose(1, 0, 2), dtype=np.uint8)


def kinds(loss: Floats, measured: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Say of each grid point whether it has a finite loss, and if not, why."""
    kind = np.full(loss.shape, FINITE, dtype=np.int8)
    kind[np.isinf(loss)] = INFINITE
    missing = np.isnan(loss)
    kind[missing & measured] = NOT_A_NUMBER
    kind[missing & ~measured] = UNMEASURED
    return kind


def of(
    x: Floats, y: Floats, loss: Floats, measured: NDArray[np.bool_], scale: Scale, pixels: int
) -> Raster:
    """Rasterize ``loss[i, j]`` at (x[i], y[j]) with ``pixels`` along the longer axis.

    Within a cell whose corners are all finite the position on the scale is that of `finer`;
    elsewhere a pixel takes the value of the nearest corner, so that nothing is invented around a
    NaN.
    """
    share = (y[-1] - y[0]) / (x[-1] - x[0])
    width = max(2, round(pixels * min(1.0, 1 / share)))
    height = max(2, round(pixels * min(1.0, share)))
    columns, rows = _centres(x, width), _centres(y, height)
    kind = kinds(loss, measured)
    position = scale.position(loss)
    smooth = finer.between(x, y, position, columns, rows)
    nearest = np.ix_(_nearest(x, columns), _nearest(y, rows))
    broken = _touching(kind != FINITE, finer.cell(x, columns), finer.cell(y, rows))
    values = np.where(broken, position[nearest], smooth)
    pixel_kind = np.where(broken, kind[nearest], FINITE).astype(np.int8)
    values[pixel_kind != FINITE] = np.nan
    return Raster(columns, rows, values, pixel_kind)


def of_scan(scan: Scan, measure: str, scale: Scale, pixels: int) -> Raster:
    """Rasterize one measure of a scan."""
    return of(scan.x, scan.y, scan.measures[measure], scan.measured, scale, pixels)


def between(
    x: Floats, y: Floats, loss: Floats, scale: Scale, columns: Floats, rows: Floats
) -> Floats:
    """Interpolate the position on the scale at ``columns`` by ``rows``, for views within a cell.

    Bicubic on the four by four grid points around it and up; bilinear on smaller grids; NaN where
    the grid points around it aren't finite.
    """
    i, j = _around(x, columns), _around(y, rows)
    block = scale.position(loss[i, j])
    if not np.isfinite(block).all():
        return np.full((len(columns), len(rows)), np.nan)
    degrees = min(3, block.shape[0] - 1), min(3, block.shape[1] - 1)
    spline = RectBivariateSpline(x[i], y[j], block, kx=degrees[0], ky=degrees[1])
    return np.asarray(spline(columns, rows))


def _around(grid: Floats, wanted: Floats) -> slice:
    first = int(np.searchsorted(grid, wanted[0], side="right")) - 2
    last = int(np.searchsorted(grid, wanted[-1], side="left")) + 2
    start = max(0, min(first, len(grid) - 4))
    return slice(start, max(last, start + 4))


def _centres(grid: Floats, count: int) -> Floats:
    edges = np.linspace(grid[0], grid[-1], count + 1)
    return np.asarray((edges[1:] + edges[:-1]) / 2)


def _nearest(grid: Floats, wanted: Floats) -> NDArray[np.intp]:
    return np.asarray(np.searchsorted((grid[1:] + grid[:-1]) / 2, wanted))


def _touching(
    bad: NDArray[np.bool_], columns: NDArray[np.intp], rows: NDArray[np.intp]
) -> NDArray[np.bool_]:
    cells = bad[:-1, :-1] | bad[1:, :-1] | bad[:-1, 1:] | bad[1:, 1:]
    return np.asarray(cells[np.ix_(columns, rows)])

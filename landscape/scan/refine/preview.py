"""A first picture of a scan that isn't complete: the points to come interpolated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landscape.scan.refine import order, until_tolerance
from landscape.scan.refine.prediction import Interpolant
from landscape.store.scans.attributes import LOSSES
from landscape.store.scans.records import Scan


def preview(scan: Scan) -> Scan | None:
    """The scan with a guess where nothing is measured yet; its own arrays stay as they are.

    None until the coarsest level of the grid is measured (2 % of 51 x 51 points, with a tolerance
    3 %).
    """
    coarsest = until_tolerance.COARSEST if scan.tolerance else order.COARSEST
    first = order.levels(scan.measured.shape, coarsest)[0]
    rows = np.flatnonzero(~scan.measured)
    if not scan.measured.flat[first].all() or not len(rows):
        return None
    grid = np.unravel_index(np.arange(scan.measured.size), scan.measured.shape)
    points = np.stack(grid, 1).astype(np.float64)
    flat = {name: values.ravel() for name, values in scan.measures.items()}
    known = np.flatnonzero(scan.measured)
    losses = [flat[name][known] for name in flat if name in LOSSES]
    if np.isfinite(losses).all(0).sum() < len(first) // 2:
        return None  # there is next to nothing to interpolate between
    measures = {name: values.copy() for name, values in scan.measures.items()}
    for name, guess in Interpolant(points, known, flat).at(rows).items():
        measures[name].flat[rows] = guess.values
    return replace(scan, measures=measures)

"""The same losses along further random directions: one of them alone is an anecdote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landscape.scan.measures import FURTHER, stored
from landscape.store.scans.records import Plane, Scan, Spread


def empty(scan: Scan, planes: Sequence[Plane]) -> Spread:
    """Room for a scan's losses on ``planes``, the first of which is the scan's own."""
    # Those that an evaluation of the model gives; curvature is measured on the scan's own plane.
    names = [name for name in scan.measures if name not in stored(tuple(FURTHER))]
    shape = (len(planes), *scan.measured.shape)
    return Spread(
        seeds=np.array([plane.seed for plane in planes], np.int64),
        measures={name: np.full(shape, np.nan) for name in names},
        measured=np.zeros(shape, bool),
        lengths=np.array([plane.norms for plane in planes], np.float64),
    )


def sheet(scan: Scan, spread: Spread, plane: Plane, number: int) -> Scan:
    """One of the planes as a scan whose arrays are the spread's: filling it fills these."""
    return Scan(
        plane=plane,
        x=scan.x,
        y=scan.y,
        measures={name: values[number] for name, values in spread.measures.items()},
        measured=spread.measured[number],
    )


def copy_own(scan: Scan, spread: Spread) -> None:
    """Take over the scan's own values as those of its first plane."""
    for name, values in spread.measures.items():
        values[0] = scan.measures[name]
    spread.measured[0] = scan.measured

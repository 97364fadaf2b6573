"""The run's own movement over times as short as its replicas: stretches of its window."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.motion import distances
from landscape.diagnose.motion.grid import Grid
from landscape.store.measured.trainings import Stretches
from landscape.store.trajectories.trajectory import Trajectory

MOST = 32
"""Stretches; a longer window holds more of them, of which these are spread evenly."""
POINTS = 128
"""Positions that a stretch is read at from sketches."""


def measure(
    trajectory: Trajectory, rows: NDArray[np.int64], *, first: int, last: int, steps: int
) -> Stretches:
    """c½, R and D_eff of stretches of ``steps`` between steps ``first`` and ``last``.

    From the sketch of every step, or from the snapshots in ``rows`` where there is none. Stretches
    that follow each other share a position alone, so that their cosines are nearly independent: a
    correlation of 0 for a walk and at most about 0.06 in confinement, where positions a stretch
    apart are independent (the last of one is the first of the next).

    Raises:
        LandscapeError: fewer than 33 recorded positions in a stretch.
    """
    sketched = trajectory.sketch_seed() is not None
    whole = None if sketched else distances.measure(trajectory, rows=rows)
    grids, error = [], 0.0
    for start in starts(first, last, steps):
        here = whole
        if here is None:
            here = distances.sketched(trajectory, first=start, last=start + steps, points=POINTS)
        grids.append(Grid.of(here, start, start + steps))
        error = here.error
    cosines = np.array([grid.half_cosine() for grid in grids])
    count = len(grids)
    return Stretches(
        count=count,
        steps=steps,
        half_cosine=float(cosines.mean()),
        half_cosine_error=(
            float(cosines.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
        ),
        ratio=float(np.mean([grid.ratio() for grid in grids])),
        dimension=of_several([grid.dimension(error) for grid in grids]),
        hops=float(np.median([grid.hops() for grid in grids])),
        distance_error=error,
    )


def starts(first: int, last: int, steps: int) -> list[int]:
    """First steps of as many stretches as fit, at most `MOST`, the last of them at the end."""
    count = min(MOST, max(1, (last - first) // steps))
    if count == 1:
        return [last - steps]
    return [int(start) for start in np.linspace(first, last - steps, count)]


def of_several(dimensions: list[float]) -> float:
    """D_eff from several estimates of it: tr V²/(tr V)² is what has a mean."""
    return float(1 / np.mean(1 / np.asarray(dimensions)))

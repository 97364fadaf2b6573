"""The plane of a path's first two principal components."""

from __future__ import annotations

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.basis import DISTANCE, forward
from landscape.plane.choice import AT
from landscape.plane.moving import Parameters, mask
from landscape.plane.principal import components, rows_between
from landscape.quantities import percent
from landscape.store.scans.records import Plane
from landscape.store.trajectories.trajectory import Trajectory


def pca(
    trajectory: Trajectory,
    *,
    at: str | int = AT,
    first: str | int | None = None,
    last: str | int | None = None,
    parameters: Parameters | None = None,
) -> Plane:
    """The plane through w_at along the first two principal components of the recorded weights.

    Of the cadence rows from step ``first`` to ``last`` (all of them by default), about their
    mean. Both directions have length 1 and point the way that training went from the first of
    these rows to the last: coordinates are distances in weight space. ``parameters`` says which
    tensors move, and so whose components these are; None: all.

    Raises:
        LandscapeError: no such steps, or the weights moved along a line at most.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> plane = pca(recorded, last=16)
    >>> [round(norm, 6) for norm in plane.norms], plane.origin_step
    ([1.0, 1.0], 40)
    """
    rows = rows_between(trajectory, first, last)
    directions, shares = components(
        trajectory,
        count=2,
        rows=rows,
        moves=None if parameters is None else mask(parameters),
        dtype=np.float32,
    )
    if len(directions) < 2:
        raise LandscapeError(
            "plane pca needs recorded weights that span a plane, "
            f"these {len(rows)} rows span {'a line' if len(directions) else 'a point'}; "
            "record more often, or take plane along"
        )
    row = trajectory.row(at)
    movement = trajectory.row_weights(int(rows[-1]))
    movement -= trajectory.row_weights(int(rows[0]))
    np.nan_to_num(movement, copy=False)
    for direction in directions:
        direction[:] = forward(direction, movement)
    span = "" if first is None and last is None else f", steps {_span(trajectory, rows)}"
    return Plane(
        kind="pca",
        origin=trajectory.row_weights(row),
        directions=directions,
        labels=tuple(
            f"principal component {k}, {percent(share)} of the path's variance{span}"
            for k, share in enumerate(shares, start=1)
        ),
        unit=DISTANCE,
        buffers=trajectory.buffers(row),
        normalization="none",
        ignored="none",
        origin_step=int(trajectory.step[row]),
        origin_name=str(at),
        batchnorm="recompute",
    )


def _span(trajectory: Trajectory, rows: np.ndarray) -> str:
    return f"{trajectory.step[rows[0]]:,} to {trajectory.step[rows[-1]]:,}"

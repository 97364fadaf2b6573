"""What 1 on an axis means: the directions' own scale, or distance in weight space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.basis import DISTANCE
from landscape.store.scans.records import Plane

UNITS = ("own", "distance", "equal")


def scaled(plane: Plane, unit: str) -> Plane:
    """The plane with its directions rescaled; it remains the same plane.

    ``own``: as they were made. ``distance``: each to length 1, so that coordinates are
    distances in weight space. ``equal``: both to one length, the geometric mean of the two, so
    that the axes are equal in distance and the unit stays what it was on average.

    >>> directions = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]], np.float32)
    >>> plane = Plane("mine", np.zeros(3, np.float32), directions, ("u", "v"), "some unit")
    >>> [round(norm, 6) for norm in scaled(plane, "distance").norms]
    [1.0, 1.0]

    Raises:
        LandscapeError: no such unit.
    """
    if unit == "own":
        return plane
    if unit not in UNITS:
        raise LandscapeError(f"unit must be one of {', '.join(UNITS)}, got {unit}")
    if plane.unit == DISTANCE:
        return plane
    norms = np.array(plane.norms)
    target = 1.0 if unit == "distance" else float(np.exp(np.log(norms).mean()))
    if not np.isfinite(target) or not norms.all():
        raise LandscapeError(
            f"unit {unit} needs directions that aren't zero; normalize in another way"
        )
    directions = plane.directions * (target / norms)[:, None]
    name = DISTANCE if unit == "distance" else f"{plane.unit}, equal in distance on both axes"
    factors = norms / target
    return replace(
        plane,
        directions=directions.astype(np.float32),
        unit=name if len(norms) > 1 or unit == "distance" else plane.unit,
        points=tuple(
            replace(p, xy=tuple(float(c * f) for c, f in zip(p.xy, factors, strict=True)))
            for p in plane.points
        ),
    )

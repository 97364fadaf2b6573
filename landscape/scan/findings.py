"""Numbers that sum a scan up: how wide the surroundings are, how high the barrier is."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from landscape.scan import barriers
from landscape.scan.crossings import LADDER, kept, planes, rays
from landscape.store.scans import rises
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.sentences import remarks
from landscape.store.scans.widths import Width


def width(scan: Scan) -> Width | None:
    """The width r_0.1 over all random directions of a scan, to compare two minima by.

    From the radii that were measured along its rays. None where they weren't, or not all of them.
    """
    there, found, level = rays(scan), kept(scan), rises.of(scan.settings)
    if not there or len(found.radii) < planes(scan):
        return None
    lengths = np.array([scan.plane.norms]) if scan.spread is None else scan.spread.lengths
    radii = np.array([[math.inf if r is None else r for r in row] for row in found.radii])
    distances = radii * lengths[:, [ray.axis for ray in there]]
    reaches = [abs(ray.end) for ray in there]
    return Width(
        rise=level.by,
        rise_rule=level.rule,
        lower=_quantile(radii, 0.25),
        median=_quantile(radii, 0.5),
        upper=_quantile(radii, 0.75),
        median_distance=_quantile(distances, 0.5),
        rays=radii.size,
        planes=len(radii),
        beyond=int(np.isinf(radii).sum()),
        below=int((radii == 0).sum()),
        reach=min(reaches),
        finest=float(LADDER[0]) * max(reaches),
        unit=scan.plane.unit,
        crossings=found,
    )


def barrier(scan: Scan) -> dict[str, Any] | None:
    """The barrier between the two weights of a line: None for any other scan.

    A `Barrier` over the measured points between, both ends included, for training and
    validation. None as well where the ends aren't grid points; a value is None where it isn't
    finite.
    """
    ends = scan.settings.get("between")
    if not ends or not scan.complete:
        return None
    a, b = ends
    t = (scan.x - a) / (b - a)
    # What is interpolated has no say: an extreme between would be the interpolation's.
    inside = (t >= -1e-6) & (t <= 1 + 1e-6) & scan.measured
    t = t[inside]
    if len(t) < 2 or t[0] > 1e-6 or t[-1] < 1 - 1e-6:
        return None
    found: dict[str, Any] = {"from": a, "to": b}
    for name in ("train", "validation"):
        if f"{name}_loss" not in scan.measures:
            continue
        columns = (scan.measures[f"{name}_{what}"][inside] for what in ("loss", "accuracy"))
        above = barriers.barrier(t, *columns)
        found |= {
            f"{name}_nats": _known(above.loss),
            f"{name}_at": _known(above.at),
            f"{name}_ratio": _known(above.ratio),
            f"{name}_error_points": _known(above.error),
        }
    return found


def summed_up(scan: Scan) -> Scan:
    """The scan with its findings, and with remarks on what must be said beside the figure."""
    found: dict[str, Any] = {}
    if (measured := width(scan)) is not None:
        found["width"] = asdict(measured)
    if (between := barrier(scan)) is not None:
        found["barrier"] = between
    summed = replace(scan, findings=found)
    return replace(summed, remarks=tuple(remarks(summed)))


def _quantile(values: Floats, share: float) -> float | None:
    # Between an infinite value and a finite one there is nothing to interpolate.
    return _known(float(np.quantile(values, share, method="inverted_cdf")))


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None

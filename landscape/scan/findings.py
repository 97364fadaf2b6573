"""Numbers that sum a scan up: how wide the surroundings are, how high the barrier is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from landscape.plane.kinds import KINDS
from landscape.plane.normalization import NORMALIZATIONS
from landscape.scan import barriers
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.sentences import remarks

RISE = 0.1
"""By so much the loss rises within the width r_0.1."""


@dataclass(frozen=True)
class Width:
    """The radius at which the training loss has risen by 0.1, along rays from the origin.

    Rays go both ways along every direction; in the unit of the axes.
    """

    radii: Floats
    """(n,) one a ray: infinite where the loss doesn't rise by that within the grid."""
    reach: float
    """How far the shortest ray goes."""
    unit: str
    planes: int
    """How many sets of random directions there are."""
    distances: Floats
    """(n,) the radii as distances in weight space."""

    def quantile(self, share: float) -> float:
        """A quantile over the rays; infinite where it lies beyond the grid."""
        return _quantile(self.radii, share)

    def record(self) -> dict[str, Any]:
        """Plain JSON values; None for what lies beyond the grid."""
        found = {"lower": 0.25, "median": 0.5, "upper": 0.75}
        values = {name: _known(self.quantile(share)) for name, share in found.items()}
        return {
            "rise": RISE,
            **values,
            "median_distance": _known(_quantile(self.distances, 0.5)),
            "rays": len(self.radii),
            "planes": self.planes,
            "beyond": int(np.isinf(self.radii).sum()),
            "reach": self.reach,
            "unit": self.unit,
        }


def width(scan: Scan) -> Width | None:
    """The width r_0.1 over all random directions of a scan, to compare two minima by.

    Linear between grid points. None where it isn't determined: the directions aren't random, the
    origin isn't a grid point or its loss isn't finite, or the scan isn't complete.
    """
    row, scaling = KINDS.get(scan.plane.kind), NORMALIZATIONS.get(scan.plane.normalization)
    if row is None or not row.random or scaling is None or not scaling.compares:
        return None
    if not scan.complete:
        return None
    axes = (scan.x,) if scan.is_line else (scan.x, scan.y)
    zeros = [np.flatnonzero(np.abs(axis) <= 1e-12 * np.ptp(axis)) for axis in axes]
    if not all(len(zero) for zero in zeros):
        return None
    middle = [int(zero[0]) for zero in zeros]
    radii, distances, reaches = [], [], []
    for losses, lengths in _sheets(scan):
        for k, axis in enumerate(axes):
            index: list[Any] = list(middle)
            index[k] = slice(None)
            along = losses[tuple(index)]
            for ray, values in _rays(axis, along, middle[k]):
                found = radius(ray, values)
                if found is None:
                    return None
                radii.append(found)
                distances.append(found * lengths[k])
                reaches.append(float(ray[-1]))
    if not radii:
        return None
    count = 1 if scan.spread is None else len(scan.spread.seeds)
    return Width(np.array(radii), min(reaches), scan.plane.unit, count, np.array(distances))


def radius(ray: Floats, losses: Floats, rise: float = RISE) -> float | None:
    """Where losses at increasing distances first lie ``rise`` above that at distance 0.

    Linear between points. A loss that isn't finite has risen. Infinite where that is beyond the
    last one; None where the first one isn't finite.
    """
    if not np.isfinite(losses[0]):
        return None
    target = losses[0] + rise
    above = np.flatnonzero(~(losses < target))
    if len(above) == 0:
        return float("inf")
    k = int(above[0])
    low, high = losses[k - 1], losses[k]
    if not np.isfinite(high):
        return float(ray[k])
    return float(ray[k - 1] + (ray[k] - ray[k - 1]) * (target - low) / (high - low))


def barrier(scan: Scan) -> dict[str, Any] | None:
    """The barrier between the two weights of a line: None for any other scan.

    A `Barrier` over the grid points between, both ends included, for training and
    validation. None as well where the ends aren't grid points; a value is None where it isn't
    finite.
    """
    ends = scan.settings.get("between")
    if not ends or not scan.complete:
        return None
    a, b = ends
    t = (scan.x - a) / (b - a)
    inside = (t >= -1e-6) & (t <= 1 + 1e-6)
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
        found["width"] = measured.record()
    if (between := barrier(scan)) is not None:
        found["barrier"] = between
    summed = replace(scan, findings=found)
    return replace(summed, remarks=tuple(remarks(summed)))


def _sheets(scan: Scan) -> list[tuple[Floats, Floats]]:
    """Training losses and the directions' lengths, of all of the scan's planes."""
    if scan.spread is None:
        return [(scan.measures["train_loss"], np.array(scan.plane.norms))]
    losses = scan.spread.measures["train_loss"]
    return list(zip(losses, scan.spread.lengths, strict=True))


def _rays(axis: Floats, losses: Floats, middle: int) -> list[tuple[Floats, Floats]]:
    both = [
        (axis[middle:], losses[middle:]),
        (-axis[middle::-1], losses[middle::-1]),
    ]
    return [(ray, values) for ray, values in both if len(ray) > 1]


def _quantile(values: Floats, share: float) -> float:
    # Between an infinite value and a finite one there is nothing to interpolate.
    return float(np.quantile(values, share, method="inverted_cdf"))


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None

"""Where the loss first lies above a level along rays from a plane's origin, found by measuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from landscape.plane.kinds import KINDS
from landscape.plane.normalization import NORMALIZATIONS
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.widths import Crossings
from landscape.store.typed import rebuilt

RISE = 0.1
"""By so much the loss rises within the width r_0.1."""
PRECISION = 0.02
"""A radius is right to this, relative."""
LADDER: Floats = np.array([8.0**k for k in range(-5, 1)])
"""Shares of a ray's reach at which the loss is measured first."""


def bisections(precision: float) -> int:
    """Halvings in log radius, until the middle of what is left is as near as that to both ends."""
    return math.ceil(math.log2(math.log(8.0) / (2 * math.log1p(precision))))


BISECTIONS = bisections(PRECISION)
KEY = "crossings"
"""Among a scan's findings while there are paths to come: what is measured so far."""


@dataclass(frozen=True)
class Ray:
    """A way from the origin along one of the axes to where the scan ends."""

    axis: int
    end: float
    """Its coordinate there, negative on the way to the axis' beginning."""


def rays(scan: Scan) -> list[Ray]:
    """The rays that the width is taken over, the same on each of a scan's planes.

    None where there is no width to compare minima by: the directions aren't random or not scaled
    by the weights, or the origin isn't within the grid.
    """
    row, scaling = KINDS.get(scan.plane.kind), NORMALIZATIONS.get(scan.plane.normalization)
    if row is None or not row.random or scaling is None or not scaling.compares:
        return []
    axes = (scan.x,) if scan.is_line else (scan.x, scan.y)
    if not all(axis[0] <= 0 <= axis[-1] for axis in axes):
        return []
    both = [Ray(k, float(end)) for k, axis in enumerate(axes) for end in (axis[-1], axis[0])]
    return [ray for ray in both if ray.end]


def planes(scan: Scan) -> int:
    """How many planes of a scan have rays."""
    return 1 if scan.spread is None else len(scan.spread.seeds)


def kept(scan: Scan) -> Crossings:
    """What was measured so far, of the first of the planes."""
    return rebuilt(Crossings, scan.findings.get(KEY, {}))


def most(scan: Scan) -> int:
    """How many losses are left to be computed at most: some twelve a ray, and the origin's."""
    there = rays(scan)
    left = planes(scan) - len(kept(scan).radii)
    return left * (1 + len(there) * (len(LADDER) + BISECTIONS)) if there else 0


def known(scan: Scan, number: int) -> list[tuple[Floats, Floats]]:
    """Shares of the reach and training losses of the grid points measured on each of the rays."""
    losses, measured = scan.measures["train_loss"], scan.measured
    if scan.spread is not None:
        losses, measured = scan.spread.measures["train_loss"][number], scan.spread.measured[number]
    axes = (scan.x,) if scan.is_line else (scan.x, scan.y)
    zero = [np.abs(axis) <= 1e-12 * np.ptp(axis) for axis in axes]
    found = []
    for ray in rays(scan):
        # No lines through the origin where it isn't a grid point.
        on = np.ix_(*(zero[k] | (k == ray.axis) for k in range(len(axes))))
        there = measured[on].ravel()
        found.append((axes[ray.axis][there] / ray.end, losses[on].ravel()[there]))
    return found


def measure(
    losses_at: Callable[[Floats], Floats],
    dimensions: int,
    there: Sequence[Ray],
    grid: Sequence[tuple[Floats, Floats]] = (),
    *,
    ladder: Floats = LADDER,
    precision: float = PRECISION,
) -> Iterator[tuple[int, list[float | None] | None]]:
    """Find the radius on each ray at which the loss has risen.

    ``losses_at`` gives the training losses (n,) at points (n, D) of the plane. First at the
    radii of the ``ladder`` (a factor of 8 apart), then at the middle, in log radius, of the two
    that the level is first crossed between, to ``precision``. ``grid`` is `known`'s: beyond one of
    its points at which the loss has risen nothing is computed. So a rise that falls again is seen
    where it holds at a grid point or from one radius of the ladder to the next; where the loss
    only rises, the numbers are the same to the bit whatever the grid. A loss that isn't finite has
    risen.

    Yields how many losses were computed since, with the last of them the radii as `Crossings` has
    them: never where the origin's loss isn't finite.
    """
    ends = np.zeros((len(there), dimensions))
    for row, ray in zip(ends, there, strict=True):
        row[ray.axis] = ray.end
    rungs = (ends[:, None] * ladder[:, None]).reshape(-1, dimensions)
    losses = losses_at(np.concatenate([np.zeros((1, dimensions)), rungs]))
    level, computed = losses[0] + RISE, len(losses)
    if not np.isfinite(level):
        yield computed, None
        return
    risen = np.array(
        [_first(shares, values, level, ladder[0]) for shares, values in grid] or math.inf
    )
    risen = np.broadcast_to(risen, len(there))
    above = ~(losses[1:].reshape(len(there), -1) < level) | (risen[:, None] <= ladder)
    first = above.argmax(1)
    shares = np.where(above.any(1), 0.0, np.inf)
    between = np.flatnonzero(first > 0)
    low, high = np.log(ladder[first[between] - 1]), np.log(ladder[first[between]])
    for _ in range(bisections(precision) if len(between) else 0):
        yield computed, None
        middle = (low + high) / 2
        over = np.exp(middle) >= risen[between]
        ask = np.flatnonzero(~over)
        if len(ask):
            points = ends[between[ask]] * np.exp(middle[ask])[:, None]
            over[ask] = ~(losses_at(points) < level)
        computed = len(ask)
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    shares[between] = np.exp((low + high) / 2)
    radii = shares * np.abs([ray.end for ray in there])
    yield computed, [float(radius) if np.isfinite(radius) else None for radius in radii]


def _first(shares: Floats, losses: Floats, level: float, finest: float) -> float:
    """The nearest of some points on a ray at which the loss has risen; infinite if at none."""
    return float(np.min(shares[(shares >= finest) & ~(losses < level)], initial=np.inf))

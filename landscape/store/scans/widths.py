"""How wide the surroundings of some weights are, as it is kept among a scan's findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from landscape.store.scans.rises import Rise

FEWEST = 5
"""Values from which on there are quartiles; of fewer the lowest and the highest are told."""


def ends(count: int) -> tuple[float, float]:
    """The quantiles that so many values are told by beside their median.

    >>> ends(6), ends(4)
    ((0.25, 0.75), (0.0, 1.0))
    """
    return (0.25, 0.75) if count >= FEWEST else (0.0, 1.0)


def ends_called(count: int) -> str:
    """What these are called."""
    return "quartiles" if count >= FEWEST else "lowest and highest"


@dataclass(frozen=True)
class Crossings:
    """Where the training loss has risen, on the rays of the planes that were measured so far."""

    radii: Sequence[Sequence[float | None]] = field(default_factory=list)
    """By plane, a number a ray in the unit of the axes: None beyond the scan's reach, 0 below the
    finest radius looked at. Each axis' ray to its end comes before that to its beginning."""
    losses: int = 0
    """So many were computed for it."""


@dataclass(frozen=True)
class Width:
    """The radius r_0.1 at which the training loss has risen, over rays from the origin.

    Rays go both ways along every direction. Radii are in ``unit``; a quantile is None where it
    lies beyond the scan's reach, 0 where it lies below the finest radius looked at.
    """

    rise: float
    """By so much, in the loss's unit."""
    lower: float | None
    """The lower quartile over the rays."""
    median: float | None
    upper: float | None
    median_distance: float | None
    """The median of the radii as distances in weight space."""
    rays: int
    planes: int
    """How many sets of random directions there are."""
    reach: float
    """How far the shortest ray goes."""
    unit: str
    beyond: int = 0
    """So many rays on which the loss doesn't rise so far."""
    below: int = 0
    """So many on which it has risen at the finest radius already."""
    finest: float | None = None
    """The finest radius looked at, the coarsest over the rays. None in files of older versions:
    their radii are interpolated linearly between grid points, too small where a grid is coarse."""
    crossings: Crossings | None = None
    """Each ray's radius; None in files of older versions."""
    rise_rule: str = ""
    """Where the rise comes from, as `Rise` has it."""

    @property
    def level(self) -> Rise:
        """The rise, which speaks for itself."""
        return Rise(self.rise, self.rise_rule)

    @property
    def has_quartiles(self) -> bool:
        """Whether ``lower`` and ``upper`` are told as such; of a few rays the ends are told."""
        return self.rays >= FEWEST or (self.rays == FEWEST - 1 and self.crossings is None)

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The quartiles, or of a few rays the lowest and the highest radius."""
        if self.has_quartiles or self.crossings is None:
            return self.lower, self.upper  # of up to three rays the quartiles are the ends
        radii = [math.inf if r is None else r for row in self.crossings.radii for r in row]
        highest = max(radii)
        return min(radii) if min(
            radii
        ) < math.inf else None, highest if highest < math.inf else None

    @property
    def ends_called(self) -> str:
        """What they are called."""
        return ends_called(FEWEST if self.has_quartiles else 0)

    def bound(self, radius: float | None) -> tuple[str, float]:
        """What is known of a quantile: ``beyond`` or ``below`` and of what, or only the value."""
        if radius is None:
            return "beyond", self.reach
        if radius == 0 and self.finest is not None:
            return "below", self.finest
        return "", radius

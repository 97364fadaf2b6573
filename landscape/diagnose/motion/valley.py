"""How many Hessian eigenvalues lie below a curvature: the dimension of the valley at that scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.curvature.density import Count, count_below
from landscape.store.measured.curvature import Density
from landscape.store.scans.records import Floats

CURVATURES = 25
"""Curvatures at which eigenvalues are counted, evenly spaced in their logarithm."""
DECADES = 8
RESOLVED = 2.0
"""† A number of eigenvalues is known if its limits, errors included, lie within this factor."""


@dataclass(frozen=True)
class Spectrum:
    """Counts at K curvatures, as `density.Count` has them."""

    curvature: Floats
    """(K,) increasing."""
    below: Floats
    """(K,) estimates of #{λ_i < curvature[k]};"""
    error: Floats
    """(K,) their standard errors,"""
    lower: Floats
    upper: Floats
    """(K,) and limits that hold whatever lies between the quadrature's nodes."""

    def count(self, curvature: float) -> Count | None:
        """#{λ_i < curvature}, interpolated; None outside of the measured range."""
        if not self.curvature[0] <= curvature <= self.curvature[-1]:
            return None
        columns = (self.below, self.error, self.lower, self.upper)
        return Count(*(float(np.interp(curvature, self.curvature, each)) for each in columns))


def spectrum_of(density: Density) -> Spectrum | None:
    """The counts over eight decades below the top; None where no eigenvalue is positive."""
    if not density.highest > 0:
        return None
    curvature = np.geomspace(density.highest * 10.0**-DECADES, density.highest, CURVATURES)
    counts = [count_below(density, float(value)) for value in curvature]
    columns = np.array([(c.value, c.error, c.lower, c.upper) for c in counts])
    return Spectrum(curvature, *columns.T)


def valley_count(density: Density | None, curvature: float) -> Count | None:
    """#{λ_i < curvature}; None where no density was measured or none reaches so far."""
    spectrum = None if density is None else spectrum_of(density)
    return None if spectrum is None else spectrum.count(curvature)


def is_resolved(count: Count) -> bool:
    """Whether its limits, widened by two standard errors, lie within a factor `RESOLVED`."""
    spread = 2 * count.error
    return 0 < count.upper + spread <= RESOLVED * (count.lower - spread)

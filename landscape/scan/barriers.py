"""How high the loss rises between two weights: the one definition of a barrier."""

from __future__ import annotations

import math

import numpy as np

from landscape.store.measured.paths import Barrier
from landscape.store.scans.records import Floats


def barrier(t: Floats, losses: Floats, accuracies: Floats) -> Barrier:
    """The barrier of losses and accuracies (shares) at t (n,), which goes from 0 to 1."""
    height, at = highest(t, losses)
    error, _ = highest(t, 100 * (1 - accuracies))
    return Barrier(height, _over(height, float(max(losses[0], losses[-1]))), error, at)


def highest(t: Floats, values: Floats) -> tuple[float, float]:
    """The most by which values at t exceed the line between their ends, at least 0, and its t.

    NaN for both where an end isn't finite, infinite where something between isn't.
    """
    if not np.isfinite(values[[0, -1]]).all():
        return math.nan, math.nan
    above = values - ((1 - t) * values[0] + t * values[-1])
    above = np.where(np.isnan(above), np.inf, above)
    k = int(above.argmax())
    return max(float(above[k]), 0.0), float(t[k])


def _over(height: float, larger: float) -> float:
    if height == 0:
        return 0.0
    if larger > 0:
        return height / larger
    return math.inf if larger == 0 else math.nan

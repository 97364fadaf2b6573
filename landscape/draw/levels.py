"""Which contour lines the errors of a scan's values allow."""

from __future__ import annotations

import numpy as np

from landscape.store.records import Floats, Scan

ERRORS = 2.0
"""Lines lie at least so many standard errors apart: what is finer would be noise."""


def resolvable(scan: Scan, name: str, levels: Floats) -> Floats:
    """Return those of the levels that lie two standard errors or more from the one below.

    The error at a level is the median one of the tenth of the points whose values are nearest to
    it. Values without errors are exact: all levels remain.
    """
    errors = scan.measures.get(f"{name}_error")
    if errors is None or not len(levels):
        return levels
    values = scan.measures[name]
    known = np.isfinite(values) & np.isfinite(errors)
    if not known.any():
        return levels
    values, errors = values[known], errors[known]
    count = max(1, len(values) // 10)
    kept = [float(levels[0])]
    for level in levels[1:]:
        nearest = np.argsort(np.abs(values - level), kind="stable")[:count]
        if level - kept[-1] >= ERRORS * float(np.median(errors[nearest])):
            kept.append(float(level))
    return np.array(kept)

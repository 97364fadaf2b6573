"""Whether the loss still falls: its slope over a window, with an error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from landscape.diagnose.thresholds import Thresholds
from landscape.store.scans.records import Floats

DESCENDING, RISING, SETTLED, UNDETERMINED = "still-descending", "rising", "settled", "undetermined"
FEWEST = 8
"""Rows below which there is no slope."""
MOST = 1000
"""Theil and Sen compare all pairs; more rows than that are thinned evenly."""


@dataclass(frozen=True)
class Change:
    """The change of log loss over a window."""

    total: float
    """S: the slope times the window's length; NaN without a slope."""
    error: float
    """e = 2 sd √(12/n_eff), two standard errors."""
    rows: int


def of_log_loss(step: NDArray[np.int64], loss: Floats) -> Change:
    """Theil-Sen slope of log L over the window that the rows (T,) span.

    Its error allows for rows that resemble their neighbours: n_eff = n (1 − φ)/(1 + φ) with φ the
    residuals' lag-1 correlation. Rows with a loss that isn't positive and finite are left out.
    """
    keep = np.isfinite(loss) & (loss > 0)
    step, logs = step[keep].astype(np.float64), np.log(loss[keep])
    count = len(step)
    if count < FEWEST:
        return Change(math.nan, math.inf, count)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
    slope, intercept, _, _ = theilslopes(logs[chosen], step[chosen])
    residuals = logs - intercept - slope * step
    spread = float(residuals.std())
    if spread == 0:
        return Change(float(slope * (step[-1] - step[0])), 0.0, count)
    centred = residuals - residuals.mean()
    phi = float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())
    # Two rows at least are independent, and alternating ones count once each.
    effective = max(2.0, min(float(count), count * (1 - phi) / (1 + phi)))
    error = 2 * spread * math.sqrt(12 / effective)
    return Change(float(slope * (step[-1] - step[0])), error, count)


def state(change: Change, thresholds: Thresholds) -> str:
    """``still-descending``, ``rising``, ``settled`` or ``undetermined``."""
    if math.isnan(change.total):
        return UNDETERMINED
    line = math.log(thresholds.descending)
    if change.total + change.error < -line:
        return DESCENDING
    if change.total - change.error > line:
        return RISING
    if abs(change.total) + change.error < math.log(thresholds.settled):
        return SETTLED
    return UNDETERMINED

"""Losses between the points of a grid that was measured to a tolerance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from landscape.scan.refine.prediction import Interpolant
from landscape.store.scans.records import Floats, Scan

LossesAt = Callable[[Floats], Floats]
"""The training losses (n,) at points (n, D) of a plane; NaN where they must be measured."""


def nowhere(xy: Floats) -> Floats:
    """All must be measured: every point of a grid was, or nothing was tested there."""
    return np.full(len(xy), np.nan)


def within_tolerance(scan: Scan, base: LossesAt | None = None) -> LossesAt:
    """What a scan's measured points say of others, as its own grid was interpolated.

    Known is a loss below the cap within the grid whose expected error is within the tolerance, and
    only where a test of the held-out points was passed. ``base`` gives the losses on the coreset
    that the grid's interpolation started from.
    """
    certificate = scan.certificate
    if certificate is None or not len(certificate.xy) or not certificate.passed:
        return nowhere
    axes = (scan.x, scan.y)[: scan.measured.ndim]
    promise = certificate.promise("train_loss")
    grid = np.stack(np.nonzero(scan.measured), 1).astype(np.float64)
    losses = scan.measures["train_loss"][scan.measured]
    places_there = np.stack([a[i] for a, i in zip(axes, np.nonzero(scan.measured), strict=True)], 1)
    from_grid = None if base is None else base(places_there)

    def losses_at(xy: Floats) -> Floats:
        found = np.full(len(xy), np.nan)
        inside = np.all([(c >= a[0]) & (c <= a[-1]) for a, c in zip(axes, xy.T, strict=True)], 0)
        if not inside.any():
            return found
        # In cells, as the grid's own points are.
        places = [
            np.interp(c, a, np.arange(len(a))) for a, c in zip(axes, xy[inside].T, strict=True)
        ]
        points = np.concatenate([grid, np.stack(places, 1)])
        values = np.concatenate([losses, np.full(len(points) - len(grid), np.nan)])
        known = np.arange(len(grid))
        under = {}
        if base is not None and from_grid is not None:
            under = {"train_loss": np.concatenate([from_grid, base(xy[inside])])}
        between = Interpolant(points, known, {"train_loss": values}, under, {"train_loss": promise})
        guess = between.at(np.arange(len(grid), len(points)))["train_loss"]
        near = (guess.of_allowed(promise) <= 1) & promise.below(guess.values)
        found[inside] = np.where(near & np.isfinite(guess.values), guess.values, np.nan)
        return found

    return losses_at

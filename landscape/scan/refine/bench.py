"""What a tolerance takes and what it keeps, against scans of which every point is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from landscape.errors import LandscapeError
from landscape.scan.refine.caps import caps
from landscape.scan.refine.until_tolerance import Refinement
from landscape.store.scans.attributes import LOSSES
from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Scan


@dataclass(frozen=True)
class Kept:
    """One draw of the held-out points on one scan: what was evaluated, how far off the rest is.

    Of the training and the validation loss the worse one, over all points of the grid.
    """

    evaluated: float
    """Share of the points, those held out among them."""
    below: float
    """Share of the points whose training loss lies below the cap."""
    quantile95: float
    """Of the errors below the cap, relative to max(|loss|, 0.001 of the range below the cap)."""
    largest: float
    wrong_side: int
    """So many points are on the wrong side of the cap."""
    factor: float
    """The largest factor above the cap."""
    attempts: int


def replayed(exact: Scan, *, tolerance: float, cap: str, draw: int) -> Kept:
    """Scan to a tolerance with the losses of an exact scan looked up; nothing is evaluated.

    ``draw`` seeds the held-out points.

    Raises:
        LandscapeError: not every point of the scan is measured.
    """
    if not exact.measured.all():
        raise LandscapeError(
            f"a tolerance is compared with scans of which every point is measured, this one has "
            f"{int(exact.measured.sum()):,} of {exact.measured.size:,}; make it with --exact"
        )
    limits = caps(cap, exact.measures, exact.constant_loss, None)
    names = [name for name in exact.measures if name in LOSSES]
    scan = replace(
        exact,
        plane=replace(exact.plane, seed=draw),
        measures={name: np.full(exact.measured.shape, np.nan) for name in names},
        measured=np.zeros(exact.measured.shape, bool),
        tolerance=tolerance,
        errors={},
        subset={},
    )
    refinement = Refinement(scan, tolerance, {}, limits, [point.xy for point in exact.points])
    for rows in refinement.batches():
        for name in names:
            scan.measures[name].flat[rows] = exact.measures[name].flat[rows]
        scan.measured.flat[rows] = True
    return _compared(refinement.finish(scan), exact, refinement.caps, tolerance)


def _compared(found: Scan, exact: Scan, limits: dict[str, float], tolerance: float) -> Kept:
    quantiles, largest, wrong, factors, below = [0.0], [0.0], 0, [1.0], 1.0
    for name, losses in found.measures.items():
        truth = exact.measures[name]
        lowest = float(np.min(truth[np.isfinite(truth)], initial=np.inf))
        promise = Promise.of(tolerance, limits.get(name, np.inf), lowest)
        under = promise.below(truth)
        off = promise.relative(losses, truth)[under]
        if len(off):
            quantiles.append(float(np.quantile(off, 0.95)))
            largest.append(float(off.max()))
        wrong += int(promise.wrong_side(losses, truth).sum())
        factors.append(float(promise.factor(losses, truth)[~under].max(initial=1.0)))
        below = float(under.mean()) if name == "train_loss" else below
    assert found.certificate is not None
    return Kept(
        float(found.measured.mean()),
        below,
        max(quantiles),
        max(largest),
        wrong,
        max(factors),
        found.certificate.attempts,
    )

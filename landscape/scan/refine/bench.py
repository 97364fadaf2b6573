"""What a tolerance takes and what it keeps, against scans of which every point is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from landscape.errors import LandscapeError
from landscape.scan.refine.caps import caps
from landscape.scan.refine.columns import ColumnRefinement
from landscape.scan.refine.order import Rows
from landscape.scan.refine.until_tolerance import Refinement
from landscape.store.scans.attributes import LOSSES
from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley


@dataclass(frozen=True)
class Kept:
    """One draw of the held-out points on one scan: what was evaluated, how far off the rest is.

    Of the training and the validation loss the worse one, over all points of the grid.
    """

    evaluated: float
    """Share of the points, those held out among them; the recorded ones of a valley aren't."""
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


def replayed(exact: Scan | Valley, *, tolerance: float, cap: str, draw: int) -> Kept:
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
        measures={name: np.full(exact.measured.shape, np.nan) for name in names},
        measured=np.zeros(exact.measured.shape, bool),
        tolerance=tolerance,
        errors={},
        subset={},
    )
    if isinstance(scan, Valley) and isinstance(exact, Valley):
        return _replayed_valley(scan, exact, limits, draw)
    assert isinstance(scan, Scan)
    scan = replace(scan, plane=replace(scan.plane, seed=draw))
    refinement = Refinement(scan, tolerance, {}, limits, [point.xy for point in scan.points])
    _fill(scan, exact, refinement)
    return _compared(refinement.finish(scan), exact, refinement.caps, tolerance)


def _replayed_valley(scan: Valley, exact: Valley, limits: dict[str, float], draw: int) -> Kept:
    scan, recorded = replace(scan, seed=draw), np.zeros(exact.measured.shape, bool)
    if exact.batchnorm == "saved":
        known = exact.path.step[~np.isnan(exact.path.loss)]
        recorded[:, exact.centre] = np.isin(exact.slices.step, known)
    _look_up(scan, exact, np.flatnonzero(recorded))
    refinement = ColumnRefinement(
        scan, scan.tolerance, {}, limits, recorded=recorded[:, exact.centre]
    )
    _fill(scan, exact, refinement)
    found = _compared(refinement.finish(scan), exact, refinement.caps, scan.tolerance)
    return replace(found, evaluated=found.evaluated - float(recorded.mean()))


def _fill(scan: Scan | Valley, exact: Scan | Valley, refinement: Refinement) -> None:
    for rows in refinement.batches():
        _look_up(scan, exact, rows)


def _look_up(scan: Scan | Valley, exact: Scan | Valley, rows: Rows) -> None:
    for name, values in scan.measures.items():
        values.flat[rows] = exact.measures[name].flat[rows]
    scan.measured.flat[rows] = True


def _compared(
    found: Scan | Valley, exact: Scan | Valley, limits: dict[str, float], tolerance: float
) -> Kept:
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

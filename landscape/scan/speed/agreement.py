"""Whether a strategy's losses are the plain loop's."""

from __future__ import annotations

import math

import numpy as np

from landscape.problem.evaluate import measure_samples
from landscape.problem.sums import means
from landscape.scan.speed.engine import Engine
from landscape.scan.speed.strategies import Strategy
from landscape.scan.speed.totals import totals
from landscape.store.scans.records import Floats

CHECKED = 128
"""Samples on which a candidate must agree with the plain loop."""
AGREE, AGREE_ABSOLUTE = 1e-5, 1e-9


def disagreement(engine: Engine, way: Strategy, xy: Floats, batch_size: int) -> float:
    """The largest difference to the plain loop at points ``xy`` (n, D), as `difference` has it."""
    count = min(CHECKED, batch_size, len(engine.data.train))
    plain = []
    for point in xy:
        engine.move(point)
        found = measure_samples(
            engine.model, engine.data.train, engine.objective, batch_size=count, at_most=count
        )
        plain.append(found.loss)
    inputs, targets = next(engine.data.train.batches(count, count))
    prepared = way.prepare(inputs)
    losses: list[float] = []
    for part in [xy] if way.at_once else [point[None] for point in xy]:
        way.move(part)
        sums = totals(engine.objective, way.outputs(prepared), targets, len(part))
        losses += means(sums)[0].tolist()
    return difference(np.array(losses), np.array(plain))


def difference(found: Floats, plain: Floats) -> float:
    """The largest of |Δ| / (1e-5 |L| + 1e-9); what isn't finite must be the same."""
    same = (found == plain) | (np.isnan(found) & np.isnan(plain))
    both = np.isfinite(found) & np.isfinite(plain)
    if not (same | both).all():
        return math.inf
    with np.errstate(invalid="ignore"):
        ratios = np.abs(found - plain) / (AGREE * np.abs(plain) + AGREE_ABSOLUTE)
    return float(np.where(same, 0.0, ratios).max())

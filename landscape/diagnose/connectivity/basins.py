"""Whether the floors below a run's places are connected, from the barriers between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.paths import PATHS, Barrier, Pair


def connected(evidence: Evidence, thresholds: Thresholds, items: Items) -> bool | None:
    """Whether the floors are; None where it isn't known, as between low and high barriers.

    One kind of path that is low connects two floors, whatever kind it is for others. They lie in
    different basins only where they fall into groups between which every path of every pair is
    high, after matching too (unless the model has no units to match). Adds to ``items``.
    """
    floors = evidence.measured.connectivity
    if floors is None:
        return None
    paths = evidence.measured.barriers
    for name, barriers in paths.items():
        worst = barriers.highest
        items[f"barrier_{name}"] = held(
            worst.error,
            thresholds.barrier_error,
            f"worst barrier between {floors.count} floors, error points, {PATHS[name].along}; "
            f"loss ratio {worst.ratio:.3g}, low below {thresholds.barrier_ratio:g}",
            below="they are joined, if the loss ratio is low too",
            above="a barrier is between them",
        )
    scale = _scale(evidence)
    # Without matching, a high path may be one between copies of the same network.
    complete = "matched" in paths or floors.symmetric is False
    found = {}
    for pair in floors.pairs:
        between = [barriers.of(pair) for barriers in paths.values()]
        found[pair] = _joined(between, complete, scale, thresholds)
    if _groups(floors.count, [pair for pair, joined in found.items() if joined]) == 1:
        return True
    apart = _groups(floors.count, [pair for pair, joined in found.items() if joined is not False])
    if apart == 1:
        return None
    items["basins"] = Item(
        apart,
        None,
        "groups of floors between which every path is high"
        + (", after matching too" if floors.symmetric is not False else "; no units to match"),
    )
    return False


def _joined(
    paths: Sequence[Barrier], complete: bool, scale: float, thresholds: Thresholds
) -> bool | None:
    """Whether two floors are; None where no path is low and not all are known to be high."""
    low = [_is_low(barrier, scale, thresholds) for barrier in paths]
    if True in low:
        return True
    return False if complete and None not in low else None


def _groups(count: int, pairs: list[Pair]) -> int:
    """Into how many groups pairs tie ``count`` floors."""
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return int(connected_components(graph, directed=False, return_labels=False))


def _is_low(barrier: Barrier, scale: float, thresholds: Thresholds) -> bool | None:
    """Whether a barrier is low; None where it is neither low nor high, or not known."""
    few = barrier.error < thresholds.barrier_error
    flat = barrier.ratio < thresholds.barrier_ratio
    if not math.isnan(barrier.error):
        # Floors near zero loss make any ratio large: points of error alone are high.
        return True if few and flat else None if few else False
    if flat:
        return True
    high = barrier.ratio >= thresholds.barrier_ratio
    return False if high and barrier.loss > thresholds.barrier_share * scale else None


def _scale(evidence: Evidence) -> float:
    known = math.isfinite(evidence.constant_loss)
    return abs(evidence.constant_loss if known else float(evidence.rows.train_loss[0]))

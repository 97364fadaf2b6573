"""Whether training is at the edge of stability.

Cohen et al., 2021; for small batches Andreyev and Beneventano, 2024.
"""

from __future__ import annotations

from landscape.curvature.bounds import Bounds, bounds
from landscape.diagnose.estimates import is_sgd
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.whole import StateAtStep

FEWEST = 2
"""Steps in the run's last half at which sharpness must hover at the bound."""


def judge(evidence: Evidence, thresholds: Thresholds) -> tuple[tuple[str, ...], Items]:
    """``("edge-of-stability",)`` or (), and the sharpness beside its bounds.

    The Hessian's top eigenvalue counts for full batches, batch sharpness for small ones, and only
    near the upper of the two momentum bounds: in between stability is undetermined. After an
    escape the sharpness told is that before its onset; at the landing it says nothing.
    """
    setup = evidence.setup
    if not is_sgd(evidence) or not setup.learning_rate > 0:
        return (), {}
    limits = bounds(
        setup.learning_rate,
        momentum=setup.momentum,
        nesterov=setup.nesterov,
        weight_decay=setup.weight_decay,
    )
    if (onset := evidence.state("onset")) is not None:
        known = onset.step >= setup.constant_from
        return (), _items(evidence, onset, limits, "_onset", thresholds) if known else {}
    half = (int(evidence.rows.step[0]) + int(evidence.rows.step[-1])) / 2
    since = max(half, setup.constant_from)
    late = [evidence.measured.at(step) for step in evidence.measured.steep_steps if step >= since]
    hovering = [state for state in late if _hovers(evidence, state, limits, thresholds)]
    end = evidence.state("end")
    items = _items(evidence, end, limits, "", thresholds) if end is not None else {}
    return ("edge-of-stability",) if len(hovering) >= FEWEST else (), items


def _hovers(evidence: Evidence, state: StateAtStep, limits: Bounds, thresholds: Thresholds) -> bool:
    is_full = 0 < evidence.setup.samples <= evidence.setup.batch_size
    value = state.lambda_max if is_full else state.batch_sharpness
    error = 0.0 if is_full else state.batch_sharpness_error
    if value is None:
        return False
    low, high = thresholds.edge * limits.full_batch, thresholds.above_edge * limits.full_batch
    return value - 2 * error > low and value < high


def _items(
    evidence: Evidence, state: StateAtStep, limits: Bounds, suffix: str, thresholds: Thresholds
) -> Items:
    formula = "(2 + 2β)/((1 + 2β)η)" if evidence.setup.nesterov else "(2 + 2β)/η"
    low, high = (share * limits.full_batch for share in (thresholds.edge, thresholds.above_edge))
    where = " before the onset" if suffix else ""
    edge = "" if suffix else f"; the edge: {low:.3g} to {high:.3g} at {FEWEST} late steps"
    items: Items = {}
    if state.lambda_max is not None:
        items[f"sharpness{suffix}"] = Item(
            state.lambda_max,
            limits.full_batch,
            f"top Hessian eigenvalue{where}, against {formula} for full batches{edge}",
        )
    if state.batch_sharpness is not None:
        items[f"batch_sharpness{suffix}"] = Item(
            state.batch_sharpness,
            limits.noisy,
            f"± {state.batch_sharpness_error:.2g}{where}; stable below 2(1 − β)/η where noise "
            f"dominates, {formula} = {limits.full_batch:.3g} for full batches; between: "
            f"undetermined{edge}",
        )
    return items

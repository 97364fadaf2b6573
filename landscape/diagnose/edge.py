"""Whether training is at the edge of stability.

Cohen et al., 2021; for small batches Andreyev and Beneventano, 2024.
"""

from __future__ import annotations

from landscape.diagnose.bounds import bounds
from landscape.diagnose.estimates import is_sgd
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.thresholds import Thresholds


def judge(evidence: Evidence, thresholds: Thresholds) -> tuple[tuple[str, ...], Items]:
    """``("edge-of-stability",)`` or (), and the sharpness at the end beside its bounds.

    The Hessian's top eigenvalue counts for full batches, batch sharpness for small ones, and only
    near the upper of the two momentum bounds: in between stability is undetermined.
    """
    state = evidence.states.get("end")
    if state is None or not is_sgd(evidence):
        return (), {}
    setup = evidence.setup
    limits = bounds(
        setup.learning_rate,
        momentum=setup.momentum,
        nesterov=setup.nesterov,
        weight_decay=setup.weight_decay,
    )
    items: Items = {}
    is_full = 0 < setup.samples <= setup.batch_size
    sharpness = state.lambda_max if is_full else state.batch_sharpness
    if state.lambda_max is not None:
        items["sharpness"] = Item(
            state.lambda_max, limits.full_batch, "top Hessian eigenvalue against (2 + 2β)/η"
        )
    if state.batch_sharpness is not None:
        items["batch_sharpness"] = Item(
            state.batch_sharpness,
            limits.noisy,
            f"± {state.batch_sharpness_error:.2g}; stable below 2(1 − β)/η where noise dominates, "
            f"2(1 + β)/η = {limits.full_batch:.3g} for full batches; between: undetermined",
        )
    at_edge = sharpness is not None and sharpness > thresholds.edge * limits.full_batch
    return ("edge-of-stability",) if at_edge else (), items

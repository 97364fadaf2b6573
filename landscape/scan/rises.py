"""By how much the loss has to rise within the width r₀.₁: decided in one place."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from landscape.problem.problem import Problem
from landscape.scan.measures import NAT, loss_unit
from landscape.store.scans.records import Floats, clearly_below
from landscape.store.scans.rises import SHARE, Rise


def decide(problem: Problem, constant_loss: float, losses: Callable[[], Floats]) -> Rise:
    """0.1 nat of cross-entropy, of any other loss 0.1 of the way from the lowest to a reference.

    The reference is the best constant output's loss, or else that of the start, the first of the
    training ``losses``; one that isn't clearly above the lowest of these is none. Without one it is
    0.1 of the loss itself.
    """
    if loss_unit(problem) == NAT:
        return Rise(SHARE, "nat")
    found = losses()
    finite = found[np.isfinite(found)]
    lowest = float(finite.min()) if len(finite) else math.nan
    start = float(found[0]) if len(found) else math.nan
    for rule, reference in (("constant", constant_loss), ("start", start)):
        if math.isfinite(reference) and clearly_below(lowest, reference):
            return Rise(SHARE * (reference - lowest), rule)
    return Rise(SHARE, "unknown")

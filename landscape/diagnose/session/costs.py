"""What measuring will take, part by part, from a timed Hessian-vector product."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from landscape.curvature.hessian import sampled
from landscape.diagnose.session.context import Context, PartRow

TIMED = 128
"""Samples behind the product that is timed."""
WARM, REPEATS = 2, 3
"""The first products also plan, allocate and keep graphs; of the others the fastest counts."""
FORWARD, GRADIENT, PRODUCT = 1, 3, 6
"""Forward passes' worth: a backward pass takes two, a product both of them twice."""
OTHERS = 0.3
"""Seconds that each part takes beside its passes."""


def seconds(context: Context, parts: Mapping[str, PartRow]) -> Mapping[str, float]:
    """What parts will take on this machine, roughly: right within a factor of two or so."""
    if not parts:
        return {}
    try:
        one = product(context) / PRODUCT
    # Somebody's model may have no second derivatives: the parts that need them say why.
    except Exception:
        one = 0.0
    return {name: one * part.cost(context) + OTHERS for name, part in parts.items()}


def product(context: Context) -> float:
    """Seconds of a Hessian-vector product a sample, timed on a few samples."""
    few = min(TIMED, context.subject.samples)
    hessian = sampled(context.subject.problem, few, memory=context.memory)
    vector = np.ones(hessian.size, np.float32)
    for _ in range(WARM):
        hessian @ vector
    took = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        hessian @ vector
        took.append(time.perf_counter() - started)
    return min(took) / hessian.samples

"""What measuring will take, part by part, from a timed Hessian-vector product."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from landscape.curvature import jump
from landscape.curvature.hessian import SAMPLES, sampled
from landscape.diagnose import connectivity, curves
from landscape.diagnose.context import Context
from landscape.diagnose.functions import ROWS as FUNCTIONS
from landscape.diagnose.parts import (
    DENSITY,
    IN_TIME,
    LANDMARKS,
    SHARP_BATCHES,
    SHARPNESSES,
    SOME,
    has_returned,
)
from landscape.diagnose.replicas import FLOORS

TIMED = 128
"""Samples behind the product that is timed."""
WARM, REPEATS = 2, 3
"""The first products also plan, allocate and keep graphs; of the others the fastest counts."""
FORWARD, GRADIENT, PRODUCT = 1, 3, 6
"""Forward passes' worth: a backward pass takes two, a product both of them twice."""
ROW_PRODUCTS, ROW_LOSSES = 37, 32
"""Of a row of the curvature: Lanczos, trace and the gradient's curvature; the critical step."""
OTHERS = 0.3
"""Seconds that each part takes beside its passes."""


def seconds(context: Context, parts: Iterable[str]) -> Mapping[str, float]:
    """What parts will take on this machine, roughly: right within a factor of two or so."""
    chosen = tuple(parts)
    if not chosen:
        return {}
    try:
        one = product(context) / PRODUCT
    # Somebody's model may have no second derivatives: the parts that need them say why.
    except Exception:
        one = 0.0
    passes = {name: _PASSES[name](context) if name in _PASSES else 0.0 for name in chosen}
    return {name: one * count + OTHERS for name, count in passes.items()}


def product(context: Context) -> float:
    """Seconds of a Hessian-vector product a sample, timed on a few samples."""
    hessian = sampled(context.subject.problem, min(TIMED, context.subject.samples))
    vector = np.ones(hessian.size)
    for _ in range(WARM):
        hessian @ vector
    took = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        hessian @ vector
        took.append(time.perf_counter() - started)
    return min(took) / hessian.samples


def _units(context: Context) -> float:
    return IN_TIME * context.subject.samples * (FORWARD + GRADIENT)


def _functions(context: Context) -> float:
    return FUNCTIONS * context.subject.samples * FORWARD


def _curvature(context: Context) -> float:
    total = context.subject.samples
    row = ROW_PRODUCTS * min(SAMPLES, total) * PRODUCT + total * (GRADIENT + ROW_LOSSES * FORWARD)
    return _at_onset(context, LANDMARKS) * row


def _sharpness(context: Context) -> float:
    batch = min(context.subject.evidence.setup.batch_size, context.subject.samples)
    return _at_onset(context, SHARPNESSES) * SHARP_BATCHES * batch * (GRADIENT + PRODUCT)


def _at_onset(context: Context, rows: int) -> int:
    return rows + (context.course is not None and context.course.escaped)


def _density(context: Context) -> float:
    probes, steps = DENSITY
    return probes * steps * min(SAMPLES, context.subject.samples) * PRODUCT


def _jump(context: Context) -> float:
    return 2 * _subspace(context) if has_returned(context.course) else 0.0


def _diffusion(context: Context) -> float:
    escaped = context.course is None or context.course.escaped
    return 0.0 if escaped else _subspace(context)


def _subspace(context: Context) -> float:
    return jump.PRODUCTS * min(SOME, context.subject.samples) * PRODUCT


def _connectivity(context: Context) -> float:
    return connectivity.cost(context.subject.problem, FLOORS)


def _curves(context: Context) -> float:
    return FLOORS * (FLOORS - 1) / 2 * curves.cost(context.subject.problem)


_PASSES: Mapping[str, Callable[[Context], float]] = {
    "units": _units,
    "functions": _functions,
    "curvature": _curvature,
    "sharpness": _sharpness,
    "density": _density,
    "jump": _jump,
    "diffusion": _diffusion,
    "connectivity": _connectivity,
    "curves": _curves,
}
"""Forward passes of single samples that each takes."""

"""Random directions in weight space, scaled to the weights (Li et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.records import Floats, Weights


def _filters(direction: Floats, weights: Floats) -> Floats:
    # A filter of zeros gets zero; so does, against all odds, a direction of norm zero.
    rows = direction.reshape(len(direction), -1)
    target = np.linalg.norm(weights.reshape(len(weights), -1), axis=1)
    norms = np.linalg.norm(rows, axis=1)
    scale = np.divide(target, norms, out=np.zeros_like(target), where=norms > 0)
    scaled: Floats = (rows * scale[:, None]).reshape(direction.shape)
    return scaled


def _layer(direction: Floats, weights: Floats) -> Floats:
    return _filters(direction.reshape(1, -1), weights.reshape(1, -1)).reshape(direction.shape)


NORMALIZATIONS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "filter": _filters,
    "layer": _layer,
    "weight": lambda direction, weights: direction * weights,
    "none": lambda direction, weights: direction,
}
"""How a tensor of a direction is scaled, given the weights' tensor of the same shape.

``filter``: every row of the first dimension to the norm of the weights' row. ``layer``: the
tensor to the tensor's norm. ``weight``: every entry times its weight. ``none``: as drawn.
"""


def gaussian(size: int, *, seed: int, count: int = 2) -> list[NDArray[np.float64]]:
    """Standard normal directions (P,), one flat draw after the other from PCG64(seed).

    NumPy's generator, since torch's normal draws differ between processors.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    return [generator.standard_normal(size) for _ in range(count)]


def normalized(
    direction: Floats,
    weights: Weights,
    parameters: Sequence[Mapping[str, Any]],
    *,
    normalize: str = "filter",
    include_1d: bool = False,
) -> Floats:
    """Scale a direction (P,) to the weights (P,), tensor by tensor; float64.

    Biases, normalization parameters and other tensors with fewer than two dimensions get zero;
    with ``include_1d`` each is scaled as one filter.

    Raises:
        LandscapeError: no such normalization.
    """
    if normalize not in NORMALIZATIONS:
        raise LandscapeError(
            f"normalize must be one of {', '.join(NORMALIZATIONS)}, got {normalize}"
        )
    scaled = np.zeros(len(weights))
    for parameter in parameters:
        shape = tuple(parameter["shape"])
        if len(shape) < 2 and not include_1d:
            continue
        place = slice(parameter["offset"], parameter["offset"] + int(np.prod(shape)))
        shaped = shape if len(shape) >= 2 else (1, -1)
        part = direction[place].reshape(shaped), weights[place].astype(np.float64).reshape(shaped)
        scaled[place] = NORMALIZATIONS[normalize](*part).reshape(-1)
    return scaled

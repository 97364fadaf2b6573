"""Which tensors a plane's directions move: the others have zero in every direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats

Parameters = Sequence[Mapping[str, Any]]
"""Name, shape and offset of each tensor, as a trajectory lists them; ``moves`` false: it stays."""


def mask(parameters: Parameters) -> NDArray[np.bool_] | None:
    """Which entries of the flat vector move, (P,); None if all do."""
    if all(parameter.get("moves", True) for parameter in parameters):
        return None
    return np.concatenate(
        [np.full(int(np.prod(p["shape"])), p.get("moves", True)) for p in parameters]
    )


def only_moving(vectors: Floats, parameters: Parameters) -> Floats:
    """Vectors (..., P) with zero where nothing moves."""
    moves = mask(parameters)
    return vectors if moves is None else np.where(moves, vectors, 0.0)

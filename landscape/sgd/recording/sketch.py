"""A count sketch of w_t - w_0: a few hundred numbers that distances can be estimated from.

Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", 2002. The sketch is
linear, so the sketch of a difference is the difference of the sketches, and its squared length
is an unbiased estimate of the difference's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import LandscapeError
from landscape.store.trajectories.trajectory import Trajectory

METHOD = (
    "count-sketch: generator = numpy.random.Generator(numpy.random.PCG64(seed)), "
    "order = generator.permutation(P), signs = 2 * generator.integers(0, 2, P) - 1; "
    "number j is the sum over k = j, j + m, j + 2m, ... of signs[k] * (w_t - w_0)[order[k]]"
)
SEED = 0
"""The same in every run, so that runs of one layout can be compared by their sketches."""


@dataclass(frozen=True)
class Distance:
    """An estimated distance in weight space and its standard error."""

    value: float
    error: float


class Sketch:
    """Sketches vectors (P,) as ``size`` numbers; one gather and one sum, about P reads."""

    def __init__(self, reference: Tensor, size: int, *, seed: int = SEED) -> None:
        """Make ready to sketch differences to ``reference``, w_0 (P,)."""
        generator = np.random.Generator(np.random.PCG64(seed))
        count = len(reference)
        device = reference.device
        self.reference = reference.detach().float().clone()
        # Half as wide as they come: this is mostly waiting for memory.
        order = torch.from_numpy(generator.permutation(count))
        self._order = (order.int() if count < 2**31 else order).to(device)
        signs = torch.from_numpy(2 * generator.integers(0, 2, count) - 1)
        self._signs = signs.to(device=device, dtype=torch.float32)
        self._start = -self.reference[self._order] * self._signs
        # Zeros at the end fill the last row.
        rows = -(-count // size)
        self._table = torch.zeros(rows * size, device=device)
        self._filled = self._table[:count]
        self._shape = (rows, size)

    def __call__(self, weights: Tensor) -> NDArray[np.float32]:
        """The sketch (m,) of ``weights`` - w_0."""
        torch.index_select(weights.detach().float(), 0, self._order, out=self._filled)
        # The difference, signed, in one pass; a sign makes no rounding.
        torch.addcmul(self._start, self._filled, self._signs, out=self._filled)
        found: NDArray[np.float32] = self._table.view(self._shape).sum(0).cpu().numpy()
        return found


def relative_error(size: int) -> float:
    """Standard error of an estimated distance, as a share of it: 1/√(2m); 4.4 % for 256 numbers."""
    return 1 / math.sqrt(2 * size)


def distance(trajectory: Trajectory, first: int, second: int) -> Distance:
    """Estimate ‖w_first - w_second‖ between any two steps, recorded rows or not.

    The error is one standard deviation, at most: differences that a few weights make up have a
    smaller one.

    Raises:
        LandscapeError: there are no sketches, or not of these steps.
    """
    sketches = [_sketch(trajectory, step) for step in (first, second)]
    value = float(np.linalg.norm(sketches[0].astype(np.float64) - sketches[1]))
    return Distance(value, value * relative_error(len(sketches[0])))


def _sketch(trajectory: Trajectory, step: int) -> NDArray[np.float32]:
    found = trajectory.sketches(slice(step, step + 1)) if step >= 0 else np.empty((0, 0))
    if len(found):
        row: NDArray[np.float32] = found[0]
        return row
    about = trajectory.sketch_seed()
    if about is None:
        raise LandscapeError(
            f"{trajectory.path} must hold sketches, found none; "
            "read the distance off recorded rows, or train again without --no-sketch"
        )
    # The last weights begin no step; they are a row.
    start = trajectory.row_weights(0)
    size = trajectory.sketches(slice(0, 1)).shape[1]
    sketch = Sketch(torch.from_numpy(start), size, seed=about[0])
    return sketch(torch.from_numpy(trajectory.row_weights(trajectory.row(step))))

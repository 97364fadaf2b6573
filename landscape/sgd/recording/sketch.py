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
from landscape.problem import tuning
from landscape.store.trajectories.trajectory import Trajectory

BLOCK = 2**16
"""Weights that share one permutation: what is gathered lies close together in memory."""
METHOD = (
    "count-sketch: generator = numpy.random.Generator(numpy.random.PCG64(seed)), "
    "order = generator.permutation(min(P, 65536)), signs = 2 * generator.integers(0, 2, P) - 1, "
    "shifts = generator.integers(0, m, blocks) with shifts[0] = 0, where blocks = ceil(P / 65536); "
    "of the block d of (w_t - w_0)[65536 b :], which is 65536 long but for the last one, "
    "its k-th entry d[order[order < len(d)][k]], times signs[65536 b + k], is added to number "
    "(k + shifts[b]) modulo m"
)
WHOLE_METHOD = (
    "count-sketch: generator = numpy.random.Generator(numpy.random.PCG64(seed)), "
    "order = generator.permutation(P), signs = 2 * generator.integers(0, 2, P) - 1; "
    "number j is the sum over k = j, j + m, j + 2m, ... of signs[k] * (w_t - w_0)[order[k]]"
)
"""How runs of before were sketched: the same where P is at most `BLOCK`."""
DRAWN = 2**20
"""Signs drawn at a time."""
SEED = 0
"""The same in every run, so that runs of one layout can be compared by their sketches."""


@dataclass(frozen=True)
class Distance:
    """An estimated distance in weight space and its standard error."""

    value: float
    error: float


class Sketch:
    """Sketches vectors (P,) as ``size`` numbers, in one pass; a byte a weight is kept, its sign.

    Any two weights share a number with probability 1 / m, as if all of them were permuted: within
    a block by the permutation, in different blocks by their shifts.
    """

    def __init__(
        self, reference: Tensor, size: int, *, seed: int = SEED, method: str = METHOD
    ) -> None:
        """Make ready to sketch differences to ``reference``, w_0 (P,)."""
        generator = np.random.Generator(np.random.PCG64(seed))
        count, device = len(reference), reference.device
        self._size = size
        self._block = max(1, count if method == WHOLE_METHOD else min(count, BLOCK))
        order = torch.from_numpy(generator.permutation(self._block if count else 0))
        # Half as wide as they come: this is mostly waiting for memory.
        self._order = (order.int() if count < 2**31 else order).to(device)
        signs = torch.empty(count, dtype=torch.int8)
        for start in range(0, count, DRAWN):
            drawn = 2 * generator.integers(0, 2, min(DRAWN, count - start)) - 1
            signs[start : start + DRAWN] = torch.from_numpy(drawn)
        self._signs = signs.to(device)
        shifts = generator.integers(0, size, -(-count // self._block))
        shifts[:1] = 0
        self._shifts: list[int] = shifts.tolist()
        # Zeros at the end fill the last row.
        rows = -(-self._block // size)
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self._table = torch.zeros(rows * size, dtype=dtype, device=device)
        self._part = torch.zeros(self._block, device=device)
        self.start = self._summed(reference)
        """Of w_0 itself (m,), which is subtracted."""

    def __call__(self, weights: Tensor) -> NDArray[np.float32]:
        """The sketch (m,) of ``weights`` - w_0."""
        with tuning.threads(1):  # blocks are too small to be shared, as in `Meter`
            found: NDArray[np.float32] = (self._summed(weights) - self.start).float().cpu().numpy()
        return found

    def _summed(self, weights: Tensor) -> Tensor:
        """Of the weights themselves, in float64: what their difference to w_0 is lost in else."""
        total = torch.zeros(self._size, dtype=self._table.dtype, device=weights.device)
        weights = weights.detach()
        for shift, start in zip(self._shifts, range(0, len(weights), self._block), strict=True):
            part = weights[start : start + self._block].float()
            order = self._order
            if len(part) < self._block:
                order = order[order < len(part)]
                self._table.zero_()
            gathered = self._part[: len(part)]
            torch.index_select(part, 0, order, out=gathered)
            gathered.mul_(self._signs[start : start + len(part)])
            self._table[: len(part)] = gathered
            found = self._table.view(-1, self._size).sum(0)
            total += found.roll(shift) if shift else found
        return total


def relative_error(size: int) -> float:
    """Standard error of an estimated distance, as a share of it: 1/√(2m); 4.4 % for 256 numbers."""
    return 1 / math.sqrt(2 * size)


def distance(trajectory: Trajectory, first: int, second: int) -> Distance:
    """Estimate ‖w_first - w_second‖ between any two steps, recorded rows or not.

    The error is one standard deviation, at most: differences that a few weights make up have a
    smaller one.

    Raises:
        LandscapeError: there are no sketches, or not of these steps.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> near, far = (distance(recorded, 17, step) for step in (18, 37))
    >>> 0 < near.value < far.value, far.error > 0
    (True, True)
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
    sketch = Sketch(torch.from_numpy(start), size, seed=about[0], method=about[1])
    return sketch(torch.from_numpy(trajectory.row_weights(trajectory.row(step))))

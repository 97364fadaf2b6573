"""Values between measured points of a grid: cubic radial basis functions on the nearest ones.

The interpolant is sum_i c_i |x - x_i|^3 plus an affine part, on the nearest measured points of each
wanted one (Duchon, 1977; on a line the natural cubic spline). It is linear in the values, so the
weights of a point serve every measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from landscape.store.records import Floats

NEAREST = 24
"""So many measured points make one value."""
CHUNK = 4096
"""Systems solved at a time: 40 MB."""
FLOOR = 1e-6
"""Errors are relative to a loss, or to this where the loss is smaller."""


@dataclass(frozen=True)
class Weights:
    """How M wanted values come from measured ones."""

    nearest: NDArray[np.int64]
    """(M, k) rows of the measured points that each one is made from, the nearest first."""
    weights: Floats
    """(M, k), theirs."""
    power: Floats
    """(M,) the power function: an error's bound a unit of the values' roughness."""

    def of(self, values: Floats) -> Floats:
        """The wanted values (M,) from those at the measured points (N,)."""
        return np.asarray((self.weights * values[self.nearest]).sum(1))


def weights(measured: Floats, wanted: Floats, *, leave_out: bool = False) -> Weights:
    """Weights of measured points (N, D) for wanted ones (M, D), in any common unit.

    With ``leave_out`` the wanted points are the measured ones, each made from the others alone.
    """
    count = min(NEAREST, len(measured) - leave_out)
    tree = cKDTree(measured)
    parts = []
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        _, nearest = tree.query(part, k=count + leave_out)
        nearest = nearest.reshape(len(part), -1)[:, int(leave_out) :]
        parts.append((nearest, *_solved(measured[nearest], part)))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Weights(*joined)


def _solved(points: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    """Weights (M, k) and power (M,) of points (M, k, D) for wanted ones (M, D)."""
    count, k, dimensions = points.shape
    offsets = points - wanted[:, None]
    # In units of the neighbourhood, so that the systems are of one condition.
    reach = np.linalg.norm(offsets, axis=2).max(1)
    offsets /= reach[:, None, None]
    between = np.linalg.norm(offsets[:, :, None] - offsets[:, None], axis=3) ** 3
    system = np.zeros((count, k + 1 + dimensions, k + 1 + dimensions))
    system[:, :k, :k] = between
    affine = np.concatenate([np.ones((count, k, 1)), offsets], 2)
    system[:, :k, k:] = affine
    system[:, k:, :k] = affine.transpose(0, 2, 1)
    right = np.zeros((count, k + 1 + dimensions))
    right[:, :k] = np.linalg.norm(offsets, axis=2) ** 3
    right[:, k] = 1.0
    try:
        found = np.linalg.solve(system, right[..., None])[:, :k, 0]
    except np.linalg.LinAlgError:  # the nearest ones on one line: no slope across it
        found = (np.linalg.pinv(system) @ right[..., None])[:, :k, 0]
    squared = np.einsum("mi,mij,mj->m", found, between, found)
    squared -= 2 * (found * right[:, :k]).sum(1)
    return found, np.sqrt(np.maximum(squared, 0.0)) * reach**1.5


def linear(measured: Floats, values: Floats, wanted: Floats) -> Floats:
    """Values (M,) linear between measured points (N, D), which span all of the wanted ones."""
    if measured.shape[1] == 1:
        order = measured[:, 0].argsort()
        return np.asarray(np.interp(wanted[:, 0], measured[order, 0], values[order]))
    return np.asarray(LinearNDInterpolator(measured, values)(wanted))


@dataclass(frozen=True)
class Scale:
    """The scale on which losses are interpolated: logarithmic, or asinh where some are negative."""

    unit: float
    """Of asinh(loss / unit); 0 for log(loss + 1e-6)."""

    @classmethod
    def of(cls, losses: Floats) -> Scale:
        """The one that fits measured losses, finite all."""
        return cls(0.0 if (losses >= 0).all() else float(np.median(np.abs(losses))) or 1.0)

    def to(self, losses: Floats) -> Floats:
        """Losses on the scale."""
        return np.log(losses + FLOOR) if self.unit == 0 else np.arcsinh(losses / self.unit)

    def back(self, values: Floats) -> Floats:
        """Losses from values on the scale."""
        if self.unit == 0:
            return np.maximum(np.exp(values) - FLOOR, 0.0)
        return np.asarray(self.unit * np.sinh(values))

    def slope(self, losses: Floats) -> Floats:
        """By how much a loss changes a unit of the scale."""
        return losses + FLOOR if self.unit == 0 else np.hypot(losses, self.unit)


def relative(found: Floats, exact: Floats) -> Floats:
    """Errors of losses relative to max(|loss|, 1e-6)."""
    return np.asarray(np.abs(found - exact) / np.maximum(np.abs(exact), FLOOR))


def spread(estimate: Floats, points: Floats, spacing: Floats, count: int) -> Iterator[int]:
    """Rows of the ``count`` points (M, D) of the largest estimates (M,), apart from each other.

    ``spacing`` (M,) is how far away the nearest measured point is. Each one chosen brings the
    estimates around it down, as if it were measured.
    """
    left = estimate.copy()
    for _ in range(min(count, len(left))):
        row = int(left.argmax())
        yield row
        away = np.linalg.norm(points - points[row], axis=1)
        left *= np.minimum(1.0, away / np.maximum(spacing, 1e-12)) ** 1.5
        left[row] = -1.0

"""Values between measured points of a grid: quintic radial basis functions on the nearest ones.

The interpolant is sum_i c_i |x - x_i|^5 plus a quadratic (Duchon, 1977; on a line the natural
quintic spline), on the measured points around a box of wanted ones. It is linear in the values, so
that the weights of a point serve every measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from landscape.store.scans.records import Floats

NEAREST = 80
"""So many measured points make the values in a box."""
INSIDE = 16
"""At most so many of them lie in it: the others are all around."""
FLOOR = 1e-6
"""Errors are relative to a loss, or to this where the loss is smaller."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class InterpolationWeights:
    """How M wanted values come from measured ones."""

    nearest: Rows
    """(M, k) rows of the measured points that each one is made from."""
    weights: Floats
    """(M, k), theirs."""
    power: Floats
    """(M,) the power function: an error's bound a unit of the values' roughness."""

    def of(self, values: Floats) -> Floats:
        """The wanted values (M,) from those at the measured points (N,)."""
        return np.asarray((self.weights * values[self.nearest]).sum(1))


def weights(measured: Floats, wanted: Floats) -> InterpolationWeights:
    """Weights of measured points (N, D) for wanted ones (M, D), in any common unit."""
    found = _empty(len(wanted), len(measured))
    for near, rows, _, system in _boxes(measured, wanted):
        if len(rows):
            found.nearest[rows] = near
            found.weights[rows], found.power[rows] = system.at(wanted[rows])
    return found


def left_out(measured: Floats) -> InterpolationWeights:
    """Weights of measured points (N, D) for each of themselves from the others alone.

    From the inverse of the system that holds them all (Rippa, 1999).
    """
    found = _empty(len(measured), len(measured))
    for near, _, inside, system in _boxes(measured, measured[:0]):
        if len(inside):
            columns = np.searchsorted(near, inside)
            found.nearest[inside] = near
            found.weights[inside], found.power[inside] = system.without(columns)
    return found


def _empty(count: int, measured: int) -> InterpolationWeights:
    k = min(NEAREST, measured)
    return InterpolationWeights(
        np.zeros((count, k), np.int64), np.zeros((count, k)), np.zeros(count)
    )


def _boxes(measured: Floats, wanted: Floats) -> Iterator[tuple[Rows, Rows, Rows, _System]]:
    """Boxes that share a system: its points' rows in order, wanted and measured rows inside."""
    tree = cKDTree(measured)
    both = np.concatenate([measured, wanted])
    low, size = both.min(0), float(np.ptp(both, axis=0).max()) or 1.0
    left = [(low, size, np.arange(len(wanted)), np.arange(len(measured)))]
    while left:
        low, size, rows, inside = left.pop()
        if not len(rows) and not len(inside):
            continue
        if len(inside) <= INSIDE:
            middle = low + size / 2
            _, near = tree.query(middle, k=min(NEAREST, len(measured)), p=np.inf)
            near = np.sort(np.atleast_1d(near))
            yield near, rows, inside, _System(measured[near])
            continue
        half = size / 2
        parts = [_part(points, low + half) for points in (wanted[rows], measured[inside])]
        for corner in range(2 ** len(low)):
            up = corner >> np.arange(len(low)) & 1
            kept = (rows[parts[0] == corner], inside[parts[1] == corner])
            left.append((low + half * up, half, *kept))


def _part(points: Floats, middle: Floats) -> Rows:
    """In which part of a box each point lies, a bit an axis."""
    return np.asarray((points >= middle) @ (1 << np.arange(len(middle))))


class _System:
    """The linear system of some measured points (k, D), inverted."""

    def __init__(self, points: Floats) -> None:
        # In units of the neighbourhood, so that the systems are of one condition.
        self._middle = points.mean(0)
        self._reach = float(np.abs(points - self._middle).max()) or 1.0
        self._points = (points - self._middle) / self._reach
        powers = _quadratics(self._points)
        # Points on one line, say, tell nothing of the slope across it.
        _, sizes, axes = np.linalg.svd(powers, full_matrices=False)
        self._axes = axes[sizes > 1e-9 * sizes[0]].T
        powers = powers @ self._axes
        k, more = powers.shape
        system = np.zeros((k + more, k + more))
        system[:k, :k] = _kernel(self._points[:, None] - self._points)
        system[:k, k:], system[k:, :k] = powers, powers.T
        self._inverse = np.linalg.inv(system)

    def at(self, wanted: Floats) -> tuple[Floats, Floats]:
        """Weights (m, k) and power (m,) of wanted points (m, D)."""
        x = (wanted - self._middle) / self._reach
        right = np.concatenate(
            [_kernel(x[:, None] - self._points), _quadratics(x) @ self._axes], axis=1
        )
        found = right @ self._inverse
        squared = -(found * right).sum(1)
        return found[:, : len(self._points)], self._power(squared)

    def without(self, columns: Rows) -> tuple[Floats, Floats]:
        """The same of some of its own points (m,), each one left out."""
        k = len(self._points)
        rows = self._inverse[columns, :k]
        own = rows[np.arange(len(columns)), columns]
        # Without one of the last that a slope is known from, there is nothing to compare.
        own = np.where(np.abs(own) > 1e-12 * np.abs(self._inverse).max(), own, np.inf)
        found = -rows / own[:, None]
        found[np.arange(len(columns)), columns] = np.where(np.isinf(own), 1.0, 0.0)
        return found, self._power(np.where(np.isinf(own), 1.0, 1 / own))

    def _power(self, squared: Floats) -> Floats:
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)) * self._reach**2.5)


def _kernel(offsets: Floats) -> Floats:
    """Of offsets (..., D): -|x|^5, conditionally positive definite of order 3."""
    squared = np.einsum("...d,...d->...", offsets, offsets)
    return np.asarray(-(squared**2) * np.sqrt(squared))


def _quadratics(x: Floats) -> Floats:
    """All products of at most two of the coordinates of points (n, D)."""
    first, second = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, first] * x[:, second]], axis=1)


def linear(measured: Floats, values: Floats, wanted: Floats) -> Floats:
    """Values (M,) linear between measured points (N, D), which span all of the wanted ones."""
    if measured.shape[1] == 1:
        order = measured[:, 0].argsort()
        return np.asarray(np.interp(wanted[:, 0], measured[order, 0], values[order]))
    return np.asarray(LinearNDInterpolator(measured, values)(wanted))


POWERS = (0.0, 0.25)
"""Of losses, on scales: 0 is the logarithm. Around a minimum losses rise like a square, further
out like a product of layers: their fourth root is smoother there."""


@dataclass(frozen=True)
class LossScale:
    """A scale to interpolate losses on: log, a power, or asinh where some are negative."""

    unit: float
    """Of asinh(loss / unit); 0 for the others."""
    power: float = 0.0
    """Of (loss + 1e-6)^power; 0 for log(loss + 1e-6)."""

    @classmethod
    def of(cls, losses: Floats) -> LossScale:
        """Logarithmic, or asinh, as it fits measured losses, finite all."""
        return cls(0.0 if (losses >= 0).all() else float(np.median(np.abs(losses))) or 1.0)

    @classmethod
    def best(cls, losses: Floats, others: InterpolationWeights) -> LossScale:
        """The one on which measured losses are nearest to what the ``others`` of them say."""
        first = cls.of(losses)
        if first.unit != 0:
            return first
        found = [cls(0.0, power) for power in POWERS]
        return min(found, key=lambda one: one.off(losses, others))

    def off(self, losses: Floats, others: InterpolationWeights) -> float:
        """How far off, relative, 95 % of the losses are at most, each from the others alone."""
        there = self.to(losses)
        off = np.abs(others.of(there) - there) * self.slope(losses)
        return float(np.quantile(off / np.maximum(np.abs(losses), FLOOR), 0.95))

    def to(self, losses: Floats) -> Floats:
        """Losses on the scale."""
        if self.unit != 0:
            return np.asarray(np.arcsinh(losses / self.unit))
        return np.asarray((losses + FLOOR) ** self.power if self.power else np.log(losses + FLOOR))

    def back(self, values: Floats) -> Floats:
        """Losses from values on the scale."""
        if self.unit != 0:
            return np.asarray(self.unit * np.sinh(values))
        there = np.maximum(values, 0.0) ** (1 / self.power) if self.power else np.exp(values)
        return np.maximum(there - FLOOR, 0.0)

    def slope(self, losses: Floats) -> Floats:
        """By how much a loss changes a unit of the scale."""
        if self.unit != 0:
            return np.hypot(losses, self.unit)
        return (losses + FLOOR) ** (1 - self.power) / (self.power or 1.0)


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

"""Values between measured points of a grid: radial basis functions on the nearest ones.

The interpolant is sum_i c_i |x - x_i|^p plus a polynomial (Duchon, 1977), on the measured points
around a box of wanted ones. p = 5 goes with a quadratic (on a line the natural quintic spline) and
fits what is smooth; p = 3 with a plane (the cubic spline) swings less beside a kink. It is linear
in the values, so that the weights of a point serve every measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Floats

NEAREST = 80
"""So many measured points make the values in a box."""
INSIDE = 16
"""At most so many of them lie in it: the others are all around."""
DEGREES = {3: 1, 5: 2}
"""By the power p of the distance, the degree of the polynomial."""
SMOOTHEST = max(DEGREES)

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

    @property
    def parts(self) -> tuple[Rows, Floats, Floats]:
        """All three arrays."""
        return self.nearest, self.weights, self.power

    def of(self, values: Floats) -> Floats:
        """The wanted values (M,) from those at the measured points (N,)."""
        return np.asarray((self.weights * values[self.nearest]).sum(1))


def weights(measured: Floats, wanted: Floats, order: int = SMOOTHEST) -> InterpolationWeights:
    """Weights of measured points (N, D) for wanted ones (M, D), in any common unit.

    ``order`` is the power p.
    """
    return both(measured, wanted, order)[1]


def left_out(measured: Floats, order: int = SMOOTHEST) -> InterpolationWeights:
    """Weights of measured points (N, D) for each of themselves from the others alone.

    From the inverse of the system that holds them all (Rippa, 1999).
    """
    return both(measured, measured[:0], order)[0]


def both(
    measured: Floats, wanted: Floats, order: int
) -> tuple[InterpolationWeights, InterpolationWeights]:
    """`left_out` and `weights` from the same systems, which is what takes the time."""
    out, found = _empty(len(measured), len(measured)), _empty(len(wanted), len(measured))
    for near, rows, inside in _boxes(measured, wanted):
        system = _System(measured[near], order)
        if len(inside):
            columns = np.searchsorted(near, inside)
            out.nearest[inside] = near
            out.weights[inside], out.power[inside] = system.without(columns)
        if len(rows):
            found.nearest[rows] = near
            found.weights[rows], found.power[rows] = system.at(wanted[rows])
    return out, found


def _empty(count: int, measured: int) -> InterpolationWeights:
    k = min(NEAREST, measured)
    return InterpolationWeights(
        np.zeros((count, k), np.int64), np.zeros((count, k)), np.zeros(count)
    )


def _boxes(measured: Floats, wanted: Floats) -> Iterator[tuple[Rows, Rows, Rows]]:
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
            yield near, rows, inside
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

    def __init__(self, points: Floats, order: int) -> None:
        self._order = order
        # In units of the neighbourhood, so that the systems are of one condition.
        self._middle = points.mean(0)
        self._reach = float(np.abs(points - self._middle).max()) or 1.0
        self._points = (points - self._middle) / self._reach
        powers = self._polynomials(self._points)
        # Points on one line, say, tell nothing of the slope across it.
        _, sizes, axes = np.linalg.svd(powers, full_matrices=False)
        self._axes = axes[sizes > 1e-9 * sizes[0]].T
        powers = powers @ self._axes
        k, more = powers.shape
        system = np.zeros((k + more, k + more))
        system[:k, :k] = self._kernel(self._points[:, None] - self._points)
        system[:k, k:], system[k:, :k] = powers, powers.T
        self._inverse = np.linalg.inv(system)

    def at(self, wanted: Floats) -> tuple[Floats, Floats]:
        """Weights (m, k) and power (m,) of wanted points (m, D)."""
        x = (wanted - self._middle) / self._reach
        right = np.concatenate(
            [self._kernel(x[:, None] - self._points), self._polynomials(x) @ self._axes], axis=1
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
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)) * self._reach ** (self._order / 2))

    def _kernel(self, offsets: Floats) -> Floats:
        """Of offsets (..., D): |x|^p, with the sign that makes it conditionally positive."""
        distances = np.sqrt(np.einsum("...d,...d->...", offsets, offsets))
        return np.asarray((1 if self._order == 3 else -1) * distances**self._order)

    def _polynomials(self, x: Floats) -> Floats:
        """All products of at most as many of the coordinates of points (n, D) as the degree."""
        parts = [np.ones((len(x), 1)), x]
        if DEGREES[self._order] > 1:
            first, second = np.triu_indices(x.shape[1])
            parts.append(x[:, first] * x[:, second])
        return np.concatenate(parts, axis=1)


def linear(measured: Floats, values: Floats, wanted: Floats) -> Floats:
    """Values (M,) linear between measured points (N, D), which span all of the wanted ones."""
    if measured.shape[1] == 1:
        order = measured[:, 0].argsort()
        return np.asarray(np.interp(wanted[:, 0], measured[order, 0], values[order]))
    return np.asarray(LinearNDInterpolator(measured, values)(wanted))


ROOT = 0.25
"""Around a minimum losses rise like a square, further out like a product of layers: their fourth
root is smoother there than their logarithm."""


@dataclass(frozen=True)
class LossScale:
    """A scale to interpolate losses on: log, a root, or asinh where some are negative.

    The logarithm may be bent above a cap, so that what towers there doesn't make waves below:
    it goes on like the logarithm of itself.
    """

    unit: float = 0.0
    """Of asinh(loss / unit); 0 for the others."""
    power: float = 0.0
    """Of (loss + floor)^power; 0 for log(loss + floor)."""
    floor: float = 1e-6
    cap: float = np.inf
    """Beyond it the logarithm is bent."""

    @classmethod
    def fitting(cls, losses: Floats, promise: Promise) -> list[LossScale]:
        """Those to try for measured losses, finite all: the first is the plainest."""
        if not (losses >= 0).all():
            return [cls(float(np.median(np.abs(losses))) or 1.0)]
        found = [cls(floor=promise.floor), cls(power=ROOT, floor=promise.floor)]
        if (losses > promise.cap).any():
            found.append(cls(floor=promise.floor, cap=promise.cap))
        return found

    def to(self, losses: Floats) -> Floats:
        """Losses on the scale."""
        if self.unit != 0:
            return np.asarray(np.arcsinh(losses / self.unit))
        if self.power:
            return np.asarray((losses + self.floor) ** self.power)
        logs = np.log(losses + self.floor)
        over = np.maximum(logs - self._bend, 0.0)
        return np.asarray(np.minimum(logs, self._bend) + np.log1p(over))

    def back(self, values: Floats) -> Floats:
        """Losses from values on the scale."""
        if self.unit != 0:
            return np.asarray(self.unit * np.sinh(values))
        if self.power:
            there = np.maximum(values, 0.0) ** (1 / self.power)
        else:
            # As far as a float goes: a guess may be anything.
            over = np.expm1(np.clip(values - self._bend, 0.0, 7.0))
            there = np.exp(np.minimum(np.minimum(values, self._bend) + over, 700.0))
        return np.maximum(there - self.floor, 0.0)

    def slope(self, losses: Floats) -> Floats:
        """By how much a loss changes a unit of the scale."""
        if self.unit != 0:
            return np.hypot(losses, self.unit)
        if self.power:
            return np.asarray((losses + self.floor) ** (1 - self.power) / self.power)
        over = np.maximum(np.log(losses + self.floor) - self._bend, 0.0)
        return np.asarray((losses + self.floor) * (1 + over))

    @property
    def _bend(self) -> float:
        return float(np.log(self.cap + self.floor))


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

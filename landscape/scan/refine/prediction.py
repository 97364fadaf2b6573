"""What measured points say about the others: values, and how far off these may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from landscape.scan.refine import interpolation
from landscape.scan.refine.interpolation import DEGREES, InterpolationWeights, LossScale
from landscape.scan.refine.order import Rows
from landscape.store.scans.attributes import ACCURACIES, LOSSES
from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Floats

AROUND = 16
"""How rough a measure is at a point is seen at so many measured ones around it, each weighed by
one over its distance squared: a plateau isn't rough because a cliff ends not far away."""
FEWEST = 7
"""Of fewer finite losses nothing is to be said about the points between."""
MEAN_TO_RMS = math.sqrt(math.pi / 2)
"""From the mean of normal errors' sizes to the root of their mean square."""
UNKNOWN = 1e9
"""The error expected beside points whose loss isn't finite: these must be measured."""

Candidate = tuple[Floats, Floats]
"""Values (M,) and their expected errors, by one order on one scale."""


@dataclass(frozen=True)
class Guess:
    """A measure at some points that weren't measured, each array of shape (M,)."""

    values: Floats
    error: Floats
    """Absolute, as it is to be expected there; NaN for what is interpolated linearly."""

    def of_allowed(self, promise: Promise) -> Floats:
        """The error as a share of what is allowed there."""
        infinite = np.isposinf(self.values)
        allowed = promise.allowed(np.where(infinite, 1.0, self.values))
        return self.error / np.maximum(allowed, np.finfo(float).tiny)


class Interpolant:
    """Measures between measured points of a grid.

    Losses, slope and curvature by radial basis functions of each order in `DEGREES` on each
    `LossScale` that fits: at every point by the one that says the measured points around it best,
    each from the others. Accuracies: linear. With ``base`` (values at all points, of fewer
    samples) what is interpolated is the difference to it on the scale, or the loss itself where
    that is said better. Among measured points that are all infinite it is infinite.
    """

    def __init__(
        self,
        points: Floats,
        known: Rows,
        measures: Mapping[str, Floats],
        base: Mapping[str, Floats] | None = None,
        promises: Mapping[str, Promise] | None = None,
    ) -> None:
        """Of all points (N, D), ``known`` are measured; measures and base hold (N,) values.

        The caps and floors of the losses' ``promises`` shape their scales.
        """
        self._base = base or {}
        self._measures = measures
        self._promises = promises or {}
        self._points = points
        losses = [values[known] for name, values in measures.items() if name in LOSSES]
        losses += [values[known] for values in self._base_losses]
        finite = np.isfinite(losses).all(0)
        self._known, self._broken = known[finite], known[~finite]
        self._here = points[self._known]
        self._poor = len(self._here) < FEWEST
        if not self._poor:
            self._tree = cKDTree(self._here)
            self._others = np.setdiff1d(np.arange(len(points)), self._known)
            made = {
                order: interpolation.both(self._here, points[self._others], order)
                for order in DEGREES
            }
            self._left_out = {order: out for order, (out, _) in made.items()}
            self._wanted = {order: wanted for order, (_, wanted) in made.items()}

    def at(self, rows: Rows) -> dict[str, Guess]:
        """Every measure at some unmeasured points."""
        if self._poor:
            return self._unknown(len(rows))
        return self._guessed(rows, self._weights(rows), leaving_out=False)

    def left_out(self, rows: Rows) -> dict[str, Guess]:
        """Every measure at some measured points, each from the other ones alone.

        Accuracies: from the points that aren't among ``rows``.
        """
        if self._poor:
            return self._unknown(len(rows))
        return self._guessed(rows, self._weights(rows), leaving_out=True)

    def spacing(self, rows: Rows) -> Floats:
        """How far away from each point the nearest measured one is."""
        distances, _ = cKDTree(self._points[self._measured]).query(self._points[rows])
        return np.asarray(distances)

    @property
    def _measured(self) -> Rows:
        return np.concatenate([self._known, self._broken])

    @property
    def _base_losses(self) -> list[Floats]:
        return [values for name, values in self._base.items() if name in LOSSES]

    def _unknown(self, count: int) -> dict[str, Guess]:
        unknown = np.full(count, np.nan)
        must = Guess(np.ones(count), np.full(count, UNKNOWN))
        return {
            name: Guess(unknown, unknown) if name in ACCURACIES else must for name in self._measures
        }

    def _weights(self, rows: Rows) -> dict[int, InterpolationWeights]:
        """For any points: where they are measured and finite, without themselves."""
        known = np.isin(rows, self._known)
        found = {}
        for order in DEGREES:
            out, wanted = self._left_out[order], self._wanted[order]
            made = InterpolationWeights(
                *(np.empty((len(rows), *part.shape[1:]), part.dtype) for part in out.parts)
            )
            for where, source, part in (
                (known, np.searchsorted(self._known, rows[known]), out),
                (~known, np.searchsorted(self._others, rows[~known]), wanted),
            ):
                for target, values in zip(made.parts, part.parts, strict=True):
                    target[where] = values[source]
            found[order] = made
        return found

    def _guessed(
        self, rows: Rows, weights: Mapping[int, InterpolationWeights], *, leaving_out: bool
    ) -> dict[str, Guess]:
        nearest = self._nearest(rows, leaving_out=leaving_out)
        beside = np.isin(nearest, self._broken).any(1)
        for values in self._base_losses:
            beside |= ~np.isfinite(values[rows])
        count = min(AROUND + 1, len(self._here))
        away, around = self._tree.query(self._points[rows], k=count)
        # Of a point that is left out its own roughness says nothing new.
        own = away[:, :1] == 0
        around = np.where(own, around[:, 1:], around[:, :-1])
        shares = np.where(own, away[:, 1:], away[:, :-1]) ** -2.0
        shares /= shares.sum(1, keepdims=True)
        found = {}
        for name, values in self._measures.items():
            if name in ACCURACIES:
                found[name] = Guess(self._linear(name, rows), np.full(len(rows), np.nan))
                continue
            candidates = [
                one
                for scale in self._scales(name)
                for one in self._on(scale, name, rows, weights, (around, shares))
            ]
            guesses, errors = (np.array(part) for part in zip(*candidates, strict=True))
            best = errors.argmin(0), np.arange(len(rows))
            infinite = np.isposinf(values[nearest]).all(1)
            error = np.where(infinite, 0.0, np.where(beside, UNKNOWN, errors[best]))
            found[name] = Guess(np.where(infinite, np.inf, guesses[best]), error)
        return found

    def _on(
        self,
        scale: LossScale,
        name: str,
        rows: Rows,
        weights: Mapping[int, InterpolationWeights],
        around: tuple[Rows, Floats],
    ) -> list[Candidate]:
        """What each order says on a scale; ``around`` are measured points with their shares."""
        known, there, shares = scale.to(self._finite(name)), *around
        ways = [(known, np.zeros(len(rows)))]
        if name in self._base:
            base = scale.to(np.where(np.isfinite(self._base[name]), self._base[name], 1.0))
            ways.insert(0, (known - base[self._known], base[rows]))
        found = []
        for (values, more), (order, made) in product(ways, weights.items()):
            out = self._left_out[order]
            roughness = np.abs(out.of(values) - values) / out.power
            off = MEAN_TO_RMS * (roughness[there] * shares).sum(1) * made.power
            guesses = scale.back(made.of(values) + more)
            found.append((guesses, off * scale.slope(guesses)))
        return found

    def _finite(self, name: str) -> Floats:
        """A measure where the losses are finite; curvature may be missing there."""
        values = self._measures[name][self._known]
        finite = np.isfinite(values)
        return values if finite.all() else np.where(finite, values, np.nanmedian(values))

    def _scales(self, name: str) -> list[LossScale]:
        values = self._finite(name)
        if name in self._base:
            base = self._base[name]
            values = np.concatenate([values, base[np.isfinite(base)]])
        return LossScale.fitting(values, self._promises.get(name, Promise(0.0)))

    def _linear(self, name: str, rows: Rows) -> Floats:
        known = np.setdiff1d(self._measured, rows)
        values, more = self._measures[name][known], np.zeros(len(rows))
        if name in self._base:
            values, more = values - self._base[name][known], self._base[name][rows]
        return interpolation.linear(self._points[known], values, self._points[rows]) + more

    def _nearest(self, rows: Rows, *, leaving_out: bool) -> Rows:
        """The 2^D measured points next to each one, itself not among them."""
        wanted, measured = self._points[rows], self._measured
        first = int(leaving_out)
        _, nearest = cKDTree(self._points[measured]).query(
            wanted, k=min(first + 2 ** wanted.shape[1], len(measured))
        )
        return np.asarray(measured[nearest[:, first:]])

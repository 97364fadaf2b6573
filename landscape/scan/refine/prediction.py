"""What measured points say about the others: values, and how far off these may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from landscape.scan.refine import interpolation
from landscape.scan.refine.interpolation import FLOOR, InterpolationWeights, LossScale
from landscape.scan.refine.order import Rows
from landscape.store.scans.records import Floats

AROUND = 16
"""How rough a measure is at a point is seen at so many measured ones around it."""
FEWEST = 8
"""Of fewer finite losses nothing is to be said about the points between."""
UNKNOWN = 1e9
"""The relative error expected beside points whose loss isn't finite: these must be measured."""


@dataclass(frozen=True)
class Guess:
    """A measure at some points that weren't measured, each array of shape (M,)."""

    values: Floats
    error: Floats
    """Absolute, as it is to be expected there; NaN for what is interpolated linearly."""

    @property
    def relative(self) -> Floats:
        """The error relative to max(|value|, 1e-6)."""
        return self.error / np.maximum(np.abs(self.values), FLOOR)


class Interpolant:
    """Measures between measured points of a grid.

    Losses, slope and curvature: cubic on their `LossScale`. Accuracies: linear. With ``base``
    (values at all points, of fewer samples) what is interpolated is the difference to it on that
    scale.
    """

    def __init__(
        self,
        points: Floats,
        known: Rows,
        measures: Mapping[str, Floats],
        base: Mapping[str, Floats] | None = None,
    ) -> None:
        """Of all points (N, D), ``known`` are measured; measures and base hold (N,) values."""
        self._base = base or {}
        self._measures = measures
        self._points = points
        losses = [values[known] for name, values in measures.items() if name.endswith("_loss")]
        losses += [values[known] for values in self._base_losses]
        finite = np.isfinite(losses).all(0)
        self._known, self._broken = known[finite], known[~finite]
        self._here = points[self._known]
        self._poor = len(self._here) < FEWEST
        if not self._poor:
            self._left_out = interpolation.left_out(self._here)
            self._tree = cKDTree(self._here)

    def at(self, rows: Rows) -> dict[str, Guess]:
        """Every measure at some unmeasured points."""
        if self._poor:
            return self._unknown(len(rows))
        wanted = self._points[rows]
        weights = interpolation.weights(self._here, wanted)
        _, around = self._tree.query(wanted, k=min(AROUND, len(self._here)))
        return self._guessed(rows, weights, around)

    def left_out(self, rows: Rows) -> dict[str, Guess]:
        """Every measure at some measured points, each from the other ones alone.

        Accuracies: from the points that aren't among ``rows``.
        """
        if self._poor or np.isin(rows, self._broken).any():
            return self._unknown(len(rows))
        places = np.searchsorted(self._known, rows)
        out = self._left_out
        weights = InterpolationWeights(out.nearest[places], out.weights[places], out.power[places])
        _, around = self._tree.query(self._points[rows], k=min(AROUND + 1, len(self._here)))
        return self._guessed(rows, weights, around[:, 1:])

    def _unknown(self, count: int) -> dict[str, Guess]:
        unknown = np.full(count, np.nan)
        must = Guess(np.ones(count), np.full(count, UNKNOWN))
        return {
            name: Guess(unknown, unknown) if name.endswith("_accuracy") else must
            for name in self._measures
        }

    def _guessed(self, rows: Rows, weights: InterpolationWeights, around: Rows) -> dict[str, Guess]:
        wanted = self._points[rows]
        beside = self._beside_broken(wanted)
        for values in self._base_losses:
            beside |= ~np.isfinite(values[rows])
        found = {}
        for name in self._measures:
            if name.endswith("_accuracy"):
                found[name] = Guess(self._linear(name, rows), np.full(len(rows), np.nan))
                continue
            scale, known = self._scale(name)
            roughness = np.abs(self._left_out.of(known) - known) / self._left_out.power
            off = np.sqrt((roughness[around] ** 2).mean(1)) * weights.power
            guess = weights.of(known)
            if name in self._base:
                guess = guess + np.nan_to_num(scale.to(self._base[name][rows]), posinf=0.0)
            value = scale.back(guess)
            error = np.where(beside, UNKNOWN, off * scale.slope(value))
            found[name] = Guess(value, error)
        return found

    def spacing(self, rows: Rows) -> Floats:
        """How far away from each point the nearest measured one is."""
        known = np.concatenate([self._here, self._points[self._broken]])
        distances, _ = cKDTree(known).query(self._points[rows])
        return np.asarray(distances)

    @property
    def _base_losses(self) -> list[Floats]:
        return [values for name, values in self._base.items() if name.endswith("_loss")]

    def _scale(self, name: str) -> tuple[LossScale, Floats]:
        """A measure's scale, and its values there at the measured points, less the base's."""
        values = self._measures[name][self._known]
        # Curvature may be missing where the loss is finite.
        values = np.where(np.isfinite(values), values, np.nanmedian(values))
        if name not in self._base:
            scale = LossScale.best(values, self._left_out)
            return scale, scale.to(values)
        base = self._base[name]
        scale = LossScale.of(np.concatenate([values, base[np.isfinite(base)]]))
        return scale, scale.to(values) - scale.to(base[self._known])

    def _linear(self, name: str, rows: Rows) -> Floats:
        known = np.setdiff1d(np.concatenate([self._known, self._broken]), rows)
        values, more = self._measures[name][known], np.zeros(len(rows))
        if name in self._base:
            values, more = values - self._base[name][known], self._base[name][rows]
        return interpolation.linear(self._points[known], values, self._points[rows]) + more

    def _beside_broken(self, wanted: Floats) -> NDArray[np.bool_]:
        """Whether one of the 2^D nearest measured points has a loss that isn't finite."""
        if not len(self._broken):
            return np.zeros(len(wanted), bool)
        known = np.concatenate([self._here, self._points[self._broken]])
        _, nearest = cKDTree(known).query(wanted, k=2 ** wanted.shape[1])
        return np.asarray((nearest >= len(self._here)).any(1))

"""Fewer evaluations: points measured where interpolation is worst, until a test passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from landscape.scan import interpolate, order
from landscape.scan.between import Between, Guess
from landscape.scan.order import Rows
from landscape.store.records import Certificate, Floats, Scan

HELD_OUT = 64
"""Fresh random points that a certificate is made from."""
LEAST, SHARE, MOST = 16, 8, 4
"""A round measures an eighth of the points that may be off by more than the tolerance: at least
16, at most a quarter of as many as there are."""
GROWTH = 1.1
"""Between two attempts at a certificate so many times as many points are measured: who tries
often enough passes by luck."""


@dataclass
class Refinement:
    """The points that a scan measures for a tolerance, and the values at the others.

    All of it follows from the values measured: a resumed scan takes the same way again.
    """

    scan: Scan
    """Its arrays fill up while `batches` is iterated."""
    tolerance: float
    """Of losses, relative to max(|loss|, 1e-6): for 95 % of the points; twice it for all."""
    base: Mapping[str, Floats] = field(default_factory=dict)
    """Measures of fewer samples at all points: what is interpolated is the difference to them."""
    certificate: Certificate | None = None
    """There is one when `batches` has ended."""
    _wrong: dict[str, float] = field(default_factory=dict)
    """By how much errors exceed what was expected of them: of 95 % of the held-out ones."""

    def __post_init__(self) -> None:
        shape = self.scan.measured.shape
        grid = np.unravel_index(np.arange(self.scan.measured.size), shape)
        self._points = np.stack(grid, 1).astype(np.float64)
        self._known = np.zeros(self.scan.measured.size, bool)

    def batches(self) -> Iterator[Rows]:
        """Points to measure next, by flat index; their values are there when the next are asked.

        Ends when a certificate passes, or when every point is measured.
        """
        yield self._take(order.levels(self.scan.measured.shape)[0])
        random = np.random.Generator(np.random.PCG64([self.scan.plane.seed, HELD_OUT]))
        attempts, least = 0, 0
        while np.count_nonzero(~self._known) > HELD_OUT:
            rows, between = np.flatnonzero(~self._known), self._between()
            guesses = between.at(rows)
            expected = np.max([self._expected(guesses[name], name) for name in self._losses], 0)
            if self._known.sum() >= least and self._good(expected):
                attempts += 1
                chosen = np.sort(random.choice(len(rows), HELD_OUT, replace=False))
                yield self._take(rows[chosen])
                self._compare(rows[chosen], guesses, chosen, attempts)
                if self.certificate is not None and self.certificate.passed:
                    return
                least = int(GROWTH * self._known.sum())
            else:
                bad = np.count_nonzero(expected > self.tolerance)
                count = max(LEAST, min(bad // SHARE, self._known.sum() // MOST))
                points, spacing = self._points[rows], between.spacing(rows)
                worst = interpolate.spread(expected, points, spacing, count)
                yield self._take(rows[sorted(worst)])
        yield self._take(np.flatnonzero(~self._known))
        nothing = np.empty((0, self._points.shape[1]))
        self.certificate = Certificate(self.tolerance, attempts, nothing, {}, {})

    def finish(self, scan: Scan) -> Scan:
        """The scan, its arrays filled with interpolated values where nothing was measured."""
        rows = np.flatnonzero(~self._known)
        errors = {}
        for name, guess in (self._between().at(rows) if len(rows) else {}).items():
            errors[name] = np.zeros(scan.measured.shape)
            linear = np.isnan(guess.error)
            errors[name].flat[rows] = self._wrong[name] * np.where(linear, 1.0, guess.error)
            scan.measures[name].flat[rows] = guess.values
        return replace(scan, certificate=self.certificate, errors=errors)

    @property
    def _losses(self) -> list[str]:
        """The measures that the tolerance is of."""
        return [name for name in self.scan.measures if name.endswith("_loss")]

    def _between(self) -> Between:
        flat = {name: values.ravel() for name, values in self.scan.measures.items()}
        base = {name: values.ravel() for name, values in self.base.items()}
        return Between(self._points, np.flatnonzero(self._known), flat, base)

    def _take(self, rows: Rows) -> Rows:
        self._known[rows] = True
        return rows

    def _expected(self, guess: Guess, name: str) -> Floats:
        # A failed certificate has shown by how much it is worse than thought.
        return np.asarray(max(1.0, self._wrong.get(name, 1.0)) * guess.relative)

    def _good(self, expected: Floats) -> bool:
        high = float(np.quantile(expected, 0.95))
        return high <= self.tolerance and float(expected.max()) <= 2 * self.tolerance

    def _compare(
        self, rows: Rows, guesses: Mapping[str, Guess], chosen: Rows, attempts: int
    ) -> None:
        """Make the certificate of the points ``rows``, which were guessed before."""
        axes = (self.scan.x, self.scan.y)[: self._points.shape[1]]
        places = self._points[rows].astype(int).T
        guessed = {name: guess.values[chosen] for name, guess in guesses.items()}
        measured = {name: self.scan.measures[name].ravel()[rows] for name in guesses}
        xy = np.stack([axis[place] for axis, place in zip(axes, places, strict=True)], 1)
        self.certificate = Certificate(self.tolerance, attempts, xy, guessed, measured)
        for name, guess in guesses.items():
            off = np.abs(guessed[name] - measured[name])
            # What is interpolated linearly has one error everywhere.
            error = np.where(np.isnan(guess.error[chosen]), 1.0, guess.error[chosen])
            ratio = (off / np.maximum(error, np.finfo(float).tiny))[np.isfinite(off)]
            self._wrong[name] = float(np.quantile(ratio, 0.95)) if len(ratio) else np.nan

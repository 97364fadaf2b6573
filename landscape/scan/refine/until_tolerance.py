"""Fewer evaluations: points measured where interpolation is worst, until a test passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from landscape.errors import LandscapeError
from landscape.scan.refine import interpolation, order
from landscape.scan.refine.order import Rows
from landscape.scan.refine.prediction import Guess, Interpolant
from landscape.store.scans.records import Certificate, Floats, Scan

HELD_OUT = 64
"""Random points that a certificate is made from."""
COARSEST = 9
"""Points an axis of the first grid: 3 % of 51 x 51."""
LEAST, GROWTH = 12, 0.25
"""A round measures at least 12 points, and a quarter of as many as there are where all others may
be off by more than the tolerance: where half of them may, half of that."""


def check(tolerance: float) -> None:
    """Refuse a tolerance that can't be.

    Raises:
        LandscapeError: it is negative, or 1 or more.
    """
    if not 0 <= tolerance < 1:
        raise LandscapeError(
            f"tolerance must be from 0 (measure every point) to below 1, got {tolerance:g}"
        )


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

        The held-out points are measured first and have no say in where further ones are: at all
        times they are a random sample of the rest. Ends when they pass, each guessed from all
        others, or when every point is measured.
        """
        yield self._take(order.levels(self.scan.measured.shape, COARSEST)[0])
        random = np.random.Generator(np.random.PCG64([self.scan.plane.seed, HELD_OUT]))
        held, attempts = np.empty(0, np.int64), 1
        while np.count_nonzero(~self._known) > HELD_OUT:
            rows = np.flatnonzero(~self._known)
            free = np.setdiff1d(rows, held)
            fresh = np.sort(random.choice(free, HELD_OUT - len(held), replace=False))
            held = np.union1d(held, fresh)
            yield fresh
            if self._passes(held, attempts):
                self._take(held)
                return
            between = self._between(np.flatnonzero(self._known))
            expected = self._expected(between.at(rows))
            if self._good(expected):
                # The held-out points met what the others know nothing of: they must learn it,
                # and the next test takes new ones.
                self._take(held)
                held, attempts = held[:0], attempts + 1
                continue
            bad = float((expected > self.tolerance).mean())
            count = max(LEAST, int(GROWTH * bad * self._known.sum()))
            points, spacing = self._points[rows], between.spacing(rows)
            worst = rows[sorted(interpolation.spread(expected, points, spacing, count))]
            # Those of them that were held out are measured already, and are replaced.
            held = np.setdiff1d(held, worst)
            yield self._take(worst)
        yield self._take(np.flatnonzero(~self._known))
        nothing = np.empty((0, self._points.shape[1]))
        self.certificate = Certificate(self.tolerance, attempts, nothing, {}, {})

    def finish(self, scan: Scan) -> Scan:
        """The scan, its arrays filled with interpolated values where nothing was measured."""
        rows = np.flatnonzero(~self._known)
        errors = {}
        for name, guess in self._guesses(rows).items():
            errors[name] = np.zeros(scan.measured.shape)
            linear = np.isnan(guess.error)
            errors[name].flat[rows] = self._wrong[name] * np.where(linear, 1.0, guess.error)
            scan.measures[name].flat[rows] = guess.values
        return replace(scan, certificate=self.certificate, errors=errors)

    @property
    def _losses(self) -> list[str]:
        """The measures that the tolerance is of."""
        return [name for name in self.scan.measures if name.endswith("_loss")]

    def _guesses(self, rows: Rows) -> Mapping[str, Guess]:
        return self._between(np.flatnonzero(self._known)).at(rows) if len(rows) else {}

    def _between(self, known: Rows) -> Interpolant:
        flat = {name: values.ravel() for name, values in self.scan.measures.items()}
        base = {name: values.ravel() for name, values in self.base.items()}
        return Interpolant(self._points, known, flat, base)

    def _take(self, rows: Rows) -> Rows:
        self._known[rows] = True
        return rows

    def _expected(self, guesses: Mapping[str, Guess]) -> Floats:
        """The relative error (M,) to be expected of the worst loss."""
        return np.asarray(np.max([guesses[name].relative for name in self._losses], axis=0))

    def _good(self, expected: Floats) -> bool:
        high = float(np.quantile(expected, 0.95))
        return high <= self.tolerance and float(expected.max()) <= 2 * self.tolerance

    def _passes(self, held: Rows, attempts: int) -> bool:
        """Make the certificate of the held-out points, and say whether all is near enough.

        That is where they pass and what is expected of all other points is within it too.
        """
        known = np.union1d(np.flatnonzero(self._known), held)
        between = self._between(known)
        guesses = between.left_out(held)
        axes = (self.scan.x, self.scan.y)[: self._points.shape[1]]
        places = self._points[held].astype(int).T
        xy = np.stack([axis[place] for axis, place in zip(axes, places, strict=True)], 1)
        guessed = {name: guess.values for name, guess in guesses.items()}
        measured = {name: self.scan.measures[name].ravel()[held] for name in guesses}
        self.certificate = Certificate(self.tolerance, attempts, xy, guessed, measured)
        if not self.certificate.passed:
            return False
        for name, guess in guesses.items():
            off = np.abs(guessed[name] - measured[name])
            # What is interpolated linearly has one error everywhere.
            error = np.where(np.isnan(guess.error), 1.0, guess.error)
            ratio = (off / np.maximum(error, np.finfo(float).tiny))[np.isfinite(off)]
            self._wrong[name] = float(np.quantile(ratio, 0.95)) if len(ratio) else np.nan
        rest = np.setdiff1d(np.arange(len(self._known)), known)
        return not len(rest) or self._good(self._expected(between.at(rest)))

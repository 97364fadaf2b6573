"""Fewer evaluations: points measured where interpolation is worst, until a test passes."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.scan.refine import interpolation, order
from landscape.scan.refine.order import Rows
from landscape.scan.refine.prediction import Guess, Interpolant
from landscape.store.scans.attributes import LOSSES
from landscape.store.scans.certificates import Certificate, Promise
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.valleys import Valley

HELD_OUT = 32
"""Random points that a certificate is made from."""
ABOVE = 8
"""So many of them lie where losses are expected above the cap; of a region that has fewer, all."""
FEW = 64
"""So many points that are left are measured: there is next to nothing to save."""
COARSEST = 7
"""Points an axis of the first grid: 2 % of 51 x 51."""
LEAST, GROWTH = 12, 0.25
"""A round measures at least 12 points, and a quarter of as many as there are where all others may
be off by more than the tolerance: where half of them may, half of that."""
STRICTER = 1.1
"""After a test that failed errors are expected so many times as large as before."""
LAST = 4
"""So many times the lowest loss is looked for where it is expected, and measured."""

Mask = NDArray[np.bool_]
Grid = TypeVar("Grid", Scan, Valley)


class Between(Protocol):
    """What measured points say about others: an `Interpolant`, or one for each column."""

    def at(self, rows: Rows) -> Mapping[str, Guess]:
        """Every measure at some unmeasured points."""

    def left_out(self, rows: Rows) -> Mapping[str, Guess]:
        """Every measure at some measured points, each from the other ones alone."""

    def spacing(self, rows: Rows) -> Floats:
        """How far away from each point the nearest measured one is."""


def check(tolerance: float) -> None:
    """Refuse a tolerance that can't be.

    Raises:
        LandscapeError: it is negative, or 1 or more.
    """
    if not 0 <= tolerance < 1:
        raise LandscapeError(
            f"tolerance must be from 0 (measure every point) to below 1, got {tolerance:g}"
        )


def too_few(shape: Sequence[int]) -> bool:
    """Whether a grid has too few points to test anything: all of them are measured."""
    first = math.prod(min(count, COARSEST) for count in shape)
    return math.prod(shape) - first <= FEW


@dataclass
class Refinement:
    """The points that a scan measures for a tolerance, and the values at the others.

    All of it follows from the values measured: a resumed scan takes the same way again.
    """

    scan: Scan | Valley
    """Its arrays fill up while `batches` is iterated."""
    tolerance: float
    """Of losses below their cap: for 95 % of the points; twice it for all."""
    base: Mapping[str, Floats] = field(default_factory=dict)
    """Measures of fewer samples at all points, which interpolation starts from."""
    caps: dict[str, float] = field(default_factory=dict)
    """By loss. One that no loss of the first grid lies below is none."""
    certain: Sequence[tuple[float, ...]] = ()
    """Coordinates whose nearest grid points are measured in any case."""
    certificate: Certificate | None = None
    """There is one when `batches` has ended."""
    _caution: float = 1.0
    """Errors are expected so many times as large as measured points say."""
    _ratios: dict[str, list[float]] = field(default_factory=dict)
    """Errors of all points that were held out, as shares of what was expected of them. Those of
    tests that failed count too: a test that passed is one with small ones."""

    def __post_init__(self) -> None:
        shape = self.scan.measured.shape
        grid = np.unravel_index(np.arange(self.scan.measured.size), shape)
        self._points = np.stack(grid, 1).astype(np.float64)
        self._known = np.zeros(self.scan.measured.size, bool)

    def batches(self) -> Iterator[Rows]:
        """Points to measure next, by flat index; their values are there when the next are asked.

        The held-out points are measured before anything is refined and have no say in where
        further ones are: in each region they are at all times a random sample of the rest. Ends
        when they pass, each guessed from all others, or when every point is measured.
        """
        yield self._take(self.first())
        self._drop_caps()
        below = self._expected_below()
        random = np.random.Generator(np.random.PCG64([self._seed, HELD_OUT]))
        # With too few points to test anything all are measured, without an attempt.
        held, attempts = np.empty(0, np.int64), int((~self._known).sum() > FEW)
        while np.count_nonzero(~self._known) > FEW:
            fresh = self._fresh(held, below, random)
            held = np.union1d(held, fresh)
            if len(fresh):
                yield fresh
            if (yield from self._refined(below)):
                passed = self._passes(held, below, attempts)
                self._take(held)
                if passed:
                    yield from self._lowest()
                    return
                # The held-out points met what the others know nothing of: they must teach it,
                # and the next test takes new ones.
                held, attempts = held[:0], attempts + 1
                self._failed()
            # Those that are among the worst now are measured already, and are replaced.
            held = held[~self._known[held]]
        yield self._take(np.flatnonzero(~self._known))
        nothing = np.empty((0, self._points.shape[1]))
        self.certificate = Certificate(self.tolerance, attempts, nothing, {}, {}, self.caps)

    def rough(self) -> float:
        """The share of the points that can't be interpolated from the first grid alone."""
        self._take(self.first())
        self._drop_caps()
        rows = np.flatnonzero(~self._known)
        return float((self._expected(self._guesses(rows)) > 1).mean()) if len(rows) else 0.0

    def finish(self, scan: Grid) -> Grid:
        """The scan, its arrays filled with interpolated values where nothing was measured."""
        rows = np.flatnonzero(~scan.measured)
        errors = {}
        for name, guess in self._guesses(rows).items():
            errors[name] = np.zeros(scan.measured.shape)
            linear = np.isnan(guess.error)
            expected = np.where(linear, 1.0, guess.error)
            errors[name].flat[rows] = self._exceeding(name) * expected
            scan.measures[name].flat[rows] = guess.values
        return replace(scan, certificate=self.certificate, errors=errors)

    def _refined(self, below: Mask) -> Generator[Rows, None, bool]:
        """Points where the others are expected to be worst; returns whether all are good as is."""
        rows = np.flatnonzero(~self._known)
        between = self._between(np.flatnonzero(self._known))
        expected = self._expected(between.at(rows))
        if self._good(expected, below[rows]):
            return True
        bad = float((expected > 1).mean())
        count = max(LEAST, int(GROWTH * bad * self._known.sum()))
        points, spacing = self._points[rows], between.spacing(rows)
        yield self._take(rows[sorted(interpolation.spread(expected, points, spacing, count))])
        return False

    def _failed(self) -> None:
        """Expect larger errors, so that not every small step ends in a test of 32 points."""
        self._caution *= STRICTER

    def first(self) -> Rows:
        """A coarse grid, and the grid points nearest to those that must be measured."""
        shape = self.scan.measured.shape
        marked = []
        for xy in self.certain:
            axes = zip(self._axes, xy, strict=True)
            place = tuple(int(np.abs(axis - at).argmin()) for axis, at in axes)
            marked.append(int(np.ravel_multi_index(place, shape)))
        return np.union1d(order.levels(shape, COARSEST)[0], np.array(marked, np.int64))

    def _drop_caps(self) -> None:
        """Forget caps that no loss measured so far lies below: all would be above."""
        lowest = {name: self._lowest_of(name) for name in self.caps}
        self.caps = {name: cap for name, cap in self.caps.items() if lowest[name] < cap}

    def _expected_below(self) -> Mask:
        """Where a loss is expected below its cap, seen from the first grid."""
        rows = np.flatnonzero(~self._known)
        below = np.ones(len(self._known), bool)
        if self.caps and len(rows):
            guesses, promises = self._guesses(rows), self.promises
            within = [promises[name].below(guesses[name].values) for name in self._losses]
            below[rows] = np.any(within, axis=0)
        return below

    def _fresh(self, held: Rows, below: Mask, random: np.random.Generator) -> Rows:
        """Further held-out points, so that each region has as many as it should."""
        rows = np.flatnonzero(~self._known)
        room = int(np.count_nonzero(~below[rows]))
        above = min(room, max(ABOVE, HELD_OUT - (len(rows) - room)))
        free, found = np.setdiff1d(rows, held), []
        for region, count in ((True, HELD_OUT - above), (False, above)):
            there = free[below[free] == region]
            missing = max(0, count - int(np.count_nonzero(below[held] == region)))
            found.append(random.choice(there, missing, replace=False))
        return np.sort(np.concatenate(found))

    def _lowest(self) -> Iterator[Rows]:
        """Points where a loss is expected lower than anywhere measured, until none is.

        So the minimum that is spoken of is a measured one; of a line between two weights the
        highest as well, which its barrier is.
        """
        for _ in range(LAST):
            rows = np.flatnonzero(~self._known)
            guesses, wanted = self._guesses(rows), set()
            for name in self._losses if len(rows) else ():
                measured = self.scan.measures[name].ravel()[self._known]
                values = np.nan_to_num(guesses[name].values, nan=np.inf)
                if values.min() < np.nanmin(measured, initial=np.inf):
                    wanted.add(int(rows[values.argmin()]))
                if self._points.shape[1] == 1 and values.max() > np.nanmax(
                    measured, initial=-np.inf
                ):
                    wanted.add(int(rows[values.argmax()]))
            if not wanted:
                return
            yield self._take(np.array(sorted(wanted)))

    @property
    def _axes(self) -> tuple[Floats, ...]:
        if isinstance(self.scan, Valley):
            return np.arange(len(self.scan.measured), dtype=np.float64), self.scan.y
        return (self.scan.x, self.scan.y)[: self._points.shape[1]]

    @property
    def _seed(self) -> int:
        return self.scan.seed if isinstance(self.scan, Valley) else self.scan.plane.seed

    @property
    def _losses(self) -> list[str]:
        """The measures that the tolerance is of."""
        return [name for name in self.scan.measures if name in LOSSES]

    @property
    def promises(self) -> dict[str, Promise]:
        """What is promised of each loss, as far as its lowest one is known."""
        cap = {name: self.caps.get(name, np.inf) for name in self._losses}
        return {
            name: Promise.of(self.tolerance, cap[name], self._lowest_of(name))
            for name in self._losses
        }

    def _lowest_of(self, name: str) -> float:
        """The lowest finite loss measured so far; infinite if there is none."""
        values = self.scan.measures[name].ravel()[self._known]
        return float(np.min(values[np.isfinite(values)], initial=np.inf))

    def _guesses(self, rows: Rows) -> Mapping[str, Guess]:
        return self._between(np.flatnonzero(self._known)).at(rows) if len(rows) else {}

    def _between(self, known: Rows) -> Between:
        flat = {name: values.ravel() for name, values in self.scan.measures.items()}
        base = {name: values.ravel() for name, values in self.base.items()}
        return Interpolant(self._points, known, flat, base, self.promises)

    def _take(self, rows: Rows) -> Rows:
        self._known[rows] = True
        return rows

    def _expected(self, guesses: Mapping[str, Guess]) -> Floats:
        """The error (M,) to be expected of the worst loss, as a share of what is allowed."""
        promises = self.promises
        shares = [guesses[name].of_allowed(promises[name]) for name in self._losses]
        return self._caution * np.asarray(np.max(shares, axis=0))

    def _good(self, expected: Floats, below: Mask) -> bool:
        """Whether what is expected is within the promise, in each region for itself."""
        return all(
            float(np.quantile(expected[part], 0.95)) <= 1 and float(expected[part].max()) <= 2
            for part in (below, ~below)
            if part.any()
        )

    def _passes(self, held: Rows, below: Mask, attempts: int) -> bool:
        """Make the certificate of the held-out points, and say whether they are near enough."""
        known = np.union1d(np.flatnonzero(self._known), held)
        between = self._between(known)
        guesses = between.left_out(held)
        places = self._points[held].astype(int).T
        xy = np.stack([axis[place] for axis, place in zip(self._axes, places, strict=True)], 1)
        promises = self.promises
        self.certificate = Certificate(
            self.tolerance,
            attempts,
            xy,
            {name: guess.values for name, guess in guesses.items()},
            {name: self.scan.measures[name].ravel()[held] for name in guesses},
            self.caps,
            {name: promises[name].floor for name in self._losses},
            below[held],
        )
        # Among the points that what is expected follows from, a held-out one would be itself.
        for name, guess in self._guesses(held).items():
            self._compare(name, guess)
        return self.certificate.passed

    def _compare(self, name: str, guess: Guess) -> None:
        """Take note of the held-out errors of a measure beside what was expected of them."""
        assert self.certificate is not None
        with np.errstate(invalid="ignore"):  # infinite ones tell nothing
            off = np.abs(guess.values - self.certificate.measured[name])
        # What is interpolated linearly has one error everywhere.
        error = np.where(np.isnan(guess.error), 1.0, guess.error)
        ratio = off / np.maximum(error, np.finfo(float).tiny)
        self._ratios.setdefault(name, []).extend(ratio[np.isfinite(off)].tolist())

    def _exceeding(self, name: str) -> float:
        """By how much errors of a measure exceed what is expected of them, 95 % at most.

        Of n that were held out, a further one is within the k-th smallest with a chance of
        k / (n + 1): Weibull's plotting positions.
        """
        ratios = self._ratios.get(name)
        return float(np.quantile(ratios, 0.95, method="weibull")) if ratios else np.nan

"""A valley to a tolerance: every column from its own measured points, one test for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from landscape.scan.refine import interpolation, order
from landscape.scan.refine.order import Rows
from landscape.scan.refine.prediction import Guess, Interpolant
from landscape.scan.refine.until_tolerance import (
    COARSEST,
    GROWTH,
    Between,
    Mask,
    Refinement,
)
from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Floats

CAUTION = 1.5
"""Errors are expected so many times as large as a column's few points say, at first;"""
STRICTER = 1.25
"""after a test that failed so many times as large as before."""


@dataclass
class ColumnRefinement(Refinement):
    """The points of a valley that are measured for a tolerance, and the values at the others.

    What is said of a point comes from its column alone: between columns nothing is known. Columns
    are refined one after the other, each until its own points say that the rest is near enough.
    The held-out points are drawn from all of them and make one certificate.
    """

    recorded: Mask = field(default_factory=lambda: np.empty(0, bool))
    """(N,) rows whose losses at y = 0 are there without being measured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.scan.measured.shape
        self._columns: Rows = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
        self._centres = self._columns[:, int(np.abs(self.scan.y).argmin())]
        self._take(self._centres[self.recorded])
        self._caution = CAUTION
        self._made: dict[int, tuple[bytes, Mapping[str, Promise], Interpolant]] = {}

    def first(self) -> Rows:
        """Seven points of each column, and y = 0; without what was recorded."""
        coarse = self._columns[:, order.first(self._columns.shape[1], COARSEST)]
        rows = np.union1d(coarse, self._centres)
        return rows[~self._known[rows]]

    def _refined(self, below: Mask) -> Generator[Rows, None, bool]:
        """Each column's worst points until it is good; whether all were so from the beginning."""
        before = np.count_nonzero(self._known)
        for column in self._columns:
            while len(rows := column[~self._known[column]]):
                between = self._between(np.flatnonzero(self._known))
                expected = self._expected(between.at(rows))
                if self._good(expected, below[rows]):
                    break
                bad = float((expected > 1).mean())
                count = max(1, int(GROWTH * bad * self._known[column].sum()))
                points, spacing = self._points[rows], between.spacing(rows)
                chosen = interpolation.spread(expected, points, spacing, count)
                yield self._take(rows[sorted(chosen)])
        return bool(np.count_nonzero(self._known) == before)

    def _failed(self) -> None:
        self._caution *= STRICTER

    def _between(self, known: Rows) -> Between:
        there = np.zeros(len(self._known), bool)
        there[known] = True
        promises = self.promises
        return ColumnInterpolants(
            self._columns.shape[1],
            lambda number: self._interpolant(number, there[self._columns[number]], promises),
        )

    def _interpolant(
        self, number: int, known: Mask, promises: Mapping[str, Promise]
    ) -> Interpolant:
        """A column's, the one of before where nothing has changed."""
        marks = known.tobytes()
        before = self._made.get(number)
        if before is not None and before[:2] == (marks, promises):
            return before[2]
        made = Interpolant(
            np.arange(len(known), dtype=np.float64)[:, None],
            np.flatnonzero(known),
            {name: values[number] for name, values in self.scan.measures.items()},
            {name: values[number] for name, values in self.base.items()},
            promises,
        )
        self._made[number] = marks, promises, made
        return made


class ColumnInterpolants:
    """What measured points of a grid (N, n) say about others in their own column."""

    def __init__(self, width: int, of: Callable[[int], Interpolant]) -> None:
        """``of`` gives a column's interpolant by its number, ``width`` is n."""
        self._width, self._of = width, of

    def at(self, rows: Rows) -> Mapping[str, Guess]:
        """Every measure at some unmeasured points."""
        return self._gathered(rows, lambda one, places: one.at(places))

    def left_out(self, rows: Rows) -> Mapping[str, Guess]:
        """Every measure at some measured points, each from the other ones of its column alone."""
        return self._gathered(rows, lambda one, places: one.left_out(places))

    def spacing(self, rows: Rows) -> Floats:
        """How far away from each point the nearest measured one of its column is."""
        found = np.empty(len(rows))
        for one, where, places in self._parts(rows):
            found[where] = one.spacing(places)
        return found

    def _gathered(
        self, rows: Rows, said: Callable[[Interpolant, Rows], Mapping[str, Guess]]
    ) -> Mapping[str, Guess]:
        found: dict[str, Guess] = {}
        for one, where, places in self._parts(rows):
            for name, guess in said(one, places).items():
                whole = found.setdefault(name, Guess(np.empty(len(rows)), np.empty(len(rows))))
                whole.values[where], whole.error[where] = guess.values, guess.error
        return found

    def _parts(self, rows: Rows) -> Iterator[tuple[Interpolant, Rows, Rows]]:
        """For each column of the rows: its interpolant, where in ``rows``, places in it."""
        numbers, places = np.divmod(rows, self._width)
        for number in np.unique(numbers).tolist():
            where = np.flatnonzero(numbers == number)
            yield self._of(number), where, places[where]

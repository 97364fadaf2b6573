"""A valley's scan, slice by slice, kept in its file on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from landscape.cluster import Workers
from landscape.curvature.critical import critical
from landscape.curvature.hessian import Hessian
from landscape.curvature.searches import Search, together
from landscape.plane import slices
from landscape.plane.basis import distance, product
from landscape.plane.choice import PlaneChoice
from landscape.problem.problem import Problem
from landscape.problem.weights import Buffers
from landscape.scan import crossings
from landscape.scan.filling import Stream, beneath, empty, fill
from landscape.scan.job import FEW, Chosen, Job, stream
from landscape.scan.measures import PointCurvature, of_problem, stored
from landscape.scan.refine import caps
from landscape.scan.refine.columns import ColumnRefinement
from landscape.scan.refine.order import Rows
from landscape.scan.row_engines import RowEngines
from landscape.scan.saving import Saver
from landscape.scan.speed import memory as sizes
from landscape.scan.speed.engine import Engine
from landscape.scan.speed.evaluator import StrategyRecord
from landscape.scan.speed.options import Evaluation
from landscape.store.scans.records import Floats, Plane, Scan, Weights
from landscape.store.scans.valleys import Valley
from landscape.store.trajectories.trajectory import Trajectory

GUESS = 0.1
"""The first critical step is looked for near the learning rate, near this where it isn't known."""
CRITICAL = 5
"""Losses that a critical step takes, as a rule."""
ROWS_BYTES = 2**26
"""Weights and directions of all rows are kept in memory where they take no more."""
SIDE_BY_SIDE = 8
"""Directions along which losses are measured together take one over so much of the memory for
evaluating, in float64; one at least."""

T = TypeVar("T")


@dataclass(frozen=True)
class Sought:
    """What is looked for along one direction."""

    direction: Callable[[], Weights]
    """Makes it: of long ones no more are in memory than are evaluated together."""
    searches: Mapping[float, Search]
    """By the coordinate that a search's ray has at 1."""


@dataclass
class SliceAtHand:
    """A slice with what evaluates it, as long as it is visited."""

    number: int
    before: Valley
    """The valley when it was made,"""
    sheet: Scan
    """and the slice as far as it is measured since."""
    engine: Engine
    stream: Stream
    curvature: PointCurvature | None

    def measured(self, places: Rows) -> Iterator[Valley]:
        """Measure points of the slice, yielding the valley after each."""
        filling = fill(
            self.sheet, self.engine, self.stream, curvature=self.curvature, batches=[places]
        )
        for line in filling:
            self.sheet = line
            yield _counted(self.before, line)
        self.engine.choosing_seconds = 0.0  # that is counted now


@dataclass(frozen=True)
class ValleyJob:
    """A valley's scan, ready to be evaluated or complete already.

    Each slice is a scan along a line, filled as every other one: strategy, workers, measures and
    samples are theirs. To a tolerance random slices are refined together, by `ColumnRefinement`,
    each visited several times; a sharpest direction is found once, so that each of these slices is
    a line's `Job` and complete before the next one.
    """

    problem: Problem
    scan: Valley
    trajectory: Trajectory
    choice: PlaneChoice
    evaluation: Evaluation
    saver: Saver | None = None
    """None: the valley isn't kept in a file."""
    further: Sequence[str] = ()
    """What is measured beside losses and accuracies at every point, which takes its time."""

    @property
    def path(self) -> Path:
        """The file of a job that has one."""
        assert self.saver is not None
        return self.saver.path

    @property
    def written(self) -> bool:
        """Whether its file was written since it was made ready."""
        return self.saver is not None and self.saver.written

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.scan.complete

    @property
    def total(self) -> int:
        """How many losses are to be computed at most."""
        there, left = self.scan, len(self.scan.slices.step) - self.scan.finished_rows
        sides = 2 * int(there.walls.shape[1])
        return left * (len(there.y) + 1 + sides * crossings.MOST_OF_WALL + CRITICAL)

    @property
    def counted(self) -> str:
        """What `total` counts, in words."""
        left = len(self.scan.slices.step) - self.scan.finished_rows
        return f"at most {left:,} rows of {len(self.scan.y)} points, and their rays"

    def seconds(self) -> float:
        """What `further` will take in all, from its time at the first row.

        Raises:
            LandscapeError: curvature can't be had from this model.
        """
        if not self.further or self.finished:
            return 0.0
        plane = self._plane(self._rows[0], self._random(self._rows[0])[None])
        point = self._curvature(plane)
        left = len(self.scan.slices.step) - self.scan.finished_rows
        return point.seconds() * left * len(self.scan.y)

    def run(self, pool: Workers | None = None, *, chosen: Chosen | None = None) -> Iterator[Valley]:
        """Evaluate slice after slice, yielding the valley as it fills and saving it now and then.

        However it ends, what was measured is saved.

        Raises:
            LandscapeError: another process is at work on this scan, or it can't be evaluated.
        """
        if self.finished:
            return
        with self.saver if self.saver is not None else nullcontext() as saver:
            valley, seconds = self._with_strategy(pool)
            if chosen is not None:
                chosen(StrategyRecord(**valley.strategy), seconds)
            try:
                for current in self._filled(valley, pool):
                    valley = current
                    yield valley
                    if saver is not None:
                        saver.offer(valley)
            finally:
                self._engines.release()
                if saver is not None:
                    saver.save(valley)

    def _with_strategy(self, pool: Workers | None) -> tuple[Valley, float]:
        """The valley with how its points are evaluated, which is chosen once for all slices.

        And the seconds that all of them take at most; 0 where nothing was timed.
        """
        valley = self.scan
        if valley.strategy:
            return valley, 0.0
        row = self._rows[0]
        direction = self._random(row) if valley.across == "random" else self._movement(0)
        plane = self._plane(row, direction[None])
        xy = np.tile(valley.y, len(valley.slices.step))[:, None]
        if valley.tolerance:  # choosing is worth a share of the scan, which is shorter then
            xy = xy[:: max(1, len(xy) // FEW)]
        engine = self._engines.chosen(plane, xy, pool)
        known = replace(
            valley,
            strategy=asdict(engine.strategy),
            choosing_seconds=valley.choosing_seconds + engine.choosing_seconds,
        )
        engine.choosing_seconds = 0.0  # that is counted now
        seconds = engine.seconds * self.total
        self._engines.leave()
        return known, seconds

    def _filled(self, valley: Valley, pool: Workers | None) -> Iterator[Valley]:
        """Slices and walls, row after row; to a tolerance all slices before the first wall."""
        together = valley.tolerance > 0 and valley.across == "random"
        if together and valley.certificate is None:
            for current in self._to_tolerance(valley, pool):
                valley = current
                yield valley
        for number in range(valley.finished_rows, len(valley.slices.step)):
            if valley.begun <= number:
                valley = self._begun(valley, number)
                yield valley
            if not together:
                for current in self._losses(valley, number, pool):
                    valley = current
                    yield valley
            if np.isnan(valley.walls[number]).any():
                for computed in self._rays(valley, number):
                    for _ in range(computed):
                        yield valley
                yield valley

    def _to_tolerance(self, valley: Valley, pool: Workers | None) -> Iterator[Valley]:
        """Measure points of all slices, as many as the tolerance takes, and interpolate the others.

        Which ones follows from the losses: of a resumed scan those that are there aren't measured
        again.
        """
        for number in range(valley.begun, len(valley.slices.step)):
            valley = self._begun(valley, number)
        recorded = np.array([self._recorded(valley, n) for n in range(len(valley.slices.step))])
        if self.evaluation.samples is not None:
            for current in self._beneath(valley, pool):
                valley = current
                yield valley
        limits = self._caps(valley)
        refinement = ColumnRefinement(
            valley, valley.tolerance, valley.subset, limits, recorded=recorded
        )
        at_hand: SliceAtHand | None = None  # a column is often visited several times in turn
        for rows in refinement.batches():
            numbers, places = np.divmod(rows, len(valley.y))
            for number in np.unique(numbers).tolist():
                there = places[numbers == number]
                if not valley.measured[number, there].all():
                    at_hand = self._at_hand(valley, number, pool, at_hand)
                    for current in at_hand.measured(there):
                        valley = current
                        yield valley
                # As in a scan that goes on here.
                self._recorded(valley, number)
        del at_hand
        self._engines.leave()
        found = refinement.finish(valley)
        assert found.certificate is not None
        yield replace(found, held_out=len(found.certificate.xy), subset={})

    def _beneath(self, valley: Valley, pool: Workers | None) -> Iterator[Valley]:
        """Measure a subset of the samples at every point: interpolated is what is missing to it."""
        for number, known in enumerate(~np.isnan(valley.subset["train_loss"])):
            if known.all():
                continue
            before, sheet = valley, self._sheet(valley, number)
            few = self._engines.at(sheet.plane, valley, pool, samples=self.evaluation.samples)
            for line in beneath(sheet, few, stream(few, pool)):
                valley = _counted(before, line)
                yield valley
            few.choosing_seconds = 0.0
            del few
            self._engines.leave()

    def _at_hand(
        self, valley: Valley, number: int, pool: Workers | None, last: SliceAtHand | None
    ) -> SliceAtHand:
        """A slice ready to be measured: the last one still, or its engine at another row."""
        if last is not None:
            if last.number == number:
                return last
            vars(last).clear()  # its weights and direction, before the next ones come
            self._engines.leave()
        sheet = self._sheet(valley, number)
        engine = self._engines.at(sheet.plane, valley, pool)
        curvature = self._curvature(sheet.plane) if self.further else None
        return SliceAtHand(number, valley, sheet, engine, stream(engine, pool), curvature)

    def _begun(self, valley: Valley, number: int) -> Valley:
        """The valley with a slice's direction."""
        row, there = self._rows[number], valley.slices
        before = valley.tracked if number else None
        if valley.across == "random":
            direction = self._random(row)
            if number:
                before = self._random(self._rows[number - 1])
        else:
            self._move(row)
            found = slices.sharpest(self._hessian, before, seed=valley.seed)
            direction = found.direction
            there.overlap[number], there.curvature[number] = found.overlap, found.curvature
        there.length[number] = math.sqrt(product(direction, direction))
        if before is not None:
            length = math.sqrt(product(before, before))
            there.turned[number - 1] = distance(direction, before) / length
        movement = self._movement(number)
        moved = math.sqrt(product(movement, movement))
        if moved > 0:
            along = product(direction, movement)
            there.cosine[number] = along / (moved * there.length[number])
        tracked = direction if valley.across == "sharpest" else valley.tracked
        return replace(valley, tracked=tracked, begun=number + 1)

    def _curvature(self, plane: Plane) -> PointCurvature:
        return PointCurvature(
            self.problem,
            plane,
            self.further,
            device=self.evaluation.device,
            memory=sizes.most(self.evaluation.memory),
        )

    def _losses(self, valley: Valley, number: int, pool: Workers | None) -> Iterator[Valley]:
        """Fill a slice as a line's scan does; at y = 0 it has the recorded losses themselves."""
        self._recorded(valley, number)
        before, sheet = valley, self._sheet(valley, number)
        for line in Job(self.problem, sheet, self.evaluation).run(pool):
            valley = _counted(before, line)
            yield valley
        if line.certificate is not None:
            valley = replace(valley, held_out=valley.held_out + len(line.certificate.xy))
        if valley.tolerance:
            for name, errors in valley.errors.items():
                # What is measured throughout has no errors, and no certificate where it goes on.
                errors[number] = line.errors.get(name, 0.0) if line.certificate else 0.0
        self._recorded(valley, number)
        yield valley

    def _recorded(self, valley: Valley, number: int) -> bool:
        """Put the recorded values at y = 0, and say whether these are all: none is to measure."""
        if self.evaluation.everywhere is not None or valley.batchnorm != "saved":
            return False
        recorded = self.trajectory.measures
        there = {
            name: float(recorded[name][self._rows[number]])
            for name in valley.measures
            if name in recorded
        }
        known = [name for name, value in there.items() if not math.isnan(value)]
        for name in known:
            valley.measures[name][number, valley.centre] = there[name]
        if len(known) == len(valley.measures):
            valley.measured[number, valley.centre] = True
        return len(known) == len(valley.measures)

    def _caps(self, valley: Valley) -> dict[str, float]:
        names, asked = of_problem(self.problem), self.evaluation.cap
        return caps.caps(asked, names, valley.constant_loss, self.trajectory)

    def _sheet(self, valley: Valley, number: int) -> Scan:
        """A slice as a scan whose arrays are the valley's: filling it fills these."""
        made = empty(
            self._plane(self._rows[number], self._direction(valley, number)[None]),
            valley.y,
            np.empty(0),
            values=of_problem(self.problem),
            further=stored(self.further),
            settings={"measures": list(self.further)}
            | ({caps.KEY: self._caps(valley)} if self.evaluation.tolerance else {}),
            tolerance=self.evaluation.tolerance,
            samples=self.evaluation.samples,
            strategy=valley.strategy,
        )
        measures = {name: valley.measures[name][number] for name in made.measures}
        errors = {name: valley.errors[name][number] for name in made.errors}
        subset = {name: values[number] for name, values in valley.subset.items()}
        return replace(
            made,
            measures=measures,
            errors=errors,
            # Of a line by itself, as each is across the sharpest direction, it is the line's own.
            subset=subset or made.subset,
            measured=valley.measured[number],
        )

    def _rays(self, valley: Valley, number: int) -> Iterator[int]:
        """Measure a row's walls along all of its directions, and its critical step.

        Yields how many losses were computed since.
        """
        sought = self._sought(valley, number)
        room = sizes.most(self.evaluation.memory) // SIDE_BY_SIDE
        at_once = max(1, room // (8 * self.trajectory.size))
        shares: list[float] = []
        # From the last, the slope: the others are drawn when they are needed.
        for start in reversed(range(0, len(sought), at_once)):
            some = sought[start:]
            del sought[start:]
            ends = [
                end * axis
                for axis, one in zip(np.eye(len(some)), some, strict=True)
                for end in one.searches
            ]
            searches = [search for one in some for search in one.searches.values()]
            made = [one.direction() for one in some]
            # A long one is alone, and not copied.
            directions = np.stack(made) if len(made) > 1 else made[0][None]
            del some, made
            engine = self._engines.at(self._plane(self._rows[number], directions), valley)
            found = yield from together(engine.train_losses_at, np.stack(ends), searches)
            shares = found + shares
            del directions, engine
            self._engines.leave()
        *sides, step = shares
        reach = np.abs(np.array([valley.y[-1], valley.y[0]]))
        # Where the row's own loss isn't finite there is nothing that could rise.
        walls = np.where(np.isnan(sides), np.inf, sides).reshape(-1, 2)
        valley.critical_step[number] = step
        valley.walls[number] = walls * reach

    def _sought(self, valley: Valley, number: int) -> list[Sought]:
        """Both walls along each direction, then the critical step down the full gradient."""
        row, ends = self._rows[number], valley.y[[-1, 0]].tolist()
        self._move(row)
        _, slope = self._hessian.gradient()
        down = slope.astype(np.float32)
        del slope  # in float64
        if not np.isfinite(down).all():  # without a slope nothing is looked for
            down[:] = 0
        np.negative(down, out=down)
        directions = [partial(self._direction, valley, number)]
        directions += [partial(self._random, row, n) for n in range(1, valley.walls.shape[1])]
        walls = []
        # Rows of a valley that was begun to a finer one are as fine.
        precision = min(valley.precision, crossings.WALL_PRECISION)
        for draw, one in enumerate(directions):
            fall = -product(down, one())
            nears = self._nears(valley, number, draw)
            known = (
                self._known(valley, number) if draw == 0 else (crossings.NOTHING, crossings.NOTHING)
            )
            searches = {
                end: crossings.wall(
                    near,
                    fall * end,
                    known[0] / end,
                    known[1],
                    precision=precision,
                    level=valley.rise.by,
                )
                for end, near in zip(ends, nears, strict=True)
            }
            walls.append(Sought(one, searches))
        norm = product(down, down)
        guess = self._guess(valley, number) if norm else math.nan
        return [*walls, Sought(lambda: down, {1.0: critical(guess, -norm)})]

    def _known(self, valley: Valley, number: int) -> tuple[Floats, Floats]:
        """The coordinates of a slice at which the loss over all samples is measured, with it."""
        if self.evaluation.everywhere is not None:
            return crossings.NOTHING, crossings.NOTHING
        there = valley.measured[number]
        return valley.y[there], valley.measures["train_loss"][number, there]

    def _nears(self, valley: Valley, number: int, draw: int) -> list[float]:
        """Shares of the reach where a draw's walls may be, where the row before's are."""
        if not number:
            return [1.0, 1.0]
        reach = np.abs(valley.y[[-1, 0]])
        return [float(share) for share in valley.walls[number - 1, draw] / reach]

    def _guess(self, valley: Valley, number: int) -> float:
        """Where a row's critical step is looked for first."""
        known = valley.critical_step[:number]
        known = known[np.isfinite(known)]
        return float(known[-1]) if len(known) else self._first_rate

    def _direction(self, valley: Valley, number: int) -> Weights:
        """A slice's own; the sharpest one of the last that was begun alone."""
        return self._random(self._rows[number]) if valley.across == "random" else valley.tracked

    def _plane(self, row: int, directions: Weights) -> Plane:
        """The directions (D, P) through a row's weights."""
        valley, step = self.scan, int(self.trajectory.step[row])
        return Plane(
            kind="valley",
            origin=self._weights(row),
            directions=directions,
            labels=(valley.across,) * len(directions),
            unit=valley.unit,
            buffers=self._buffers(row),
            seed=valley.seed,
            normalization=valley.normalization,
            ignored=valley.ignored,
            origin_step=step,
            origin_name=str(step),
            batchnorm=valley.batchnorm,
        )

    def _random(self, row: int, draw: int = 0) -> Weights:
        def drawn() -> Weights:
            parameters = self.problem.layout.to_records()
            return slices.random(self._weights(row), parameters, self.choice, draw=draw)

        return self._once((row, draw), drawn)

    def _movement(self, number: int) -> Weights:
        """From a slice's weights to the next one's; of the last from the one before."""
        first = min(number, len(self._rows) - 2)
        there = self.trajectory.row_weights(self._rows[first + 1])  # its own, not a kept one
        there -= self._weights(self._rows[first])
        return there

    def _move(self, row: int) -> None:
        self._hessian.move(self._weights(row), self._buffers(row))

    def _weights(self, row: int) -> Weights:
        return self._once(row, lambda: self.trajectory.row_weights(row))

    def _buffers(self, row: int) -> Buffers:
        return self._once((row,), lambda: self.trajectory.buffers(row))

    def _once(self, key: object, make: Callable[[], T]) -> T:
        """What is read or drawn of a row, kept where those of all rows take little."""
        count = len(self._rows) * (2 + slices.DRAWS)  # buffers are about as large at most
        if 4 * self.trajectory.size * count > ROWS_BYTES:
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    @cached_property
    def _kept(self) -> dict[object, Any]:
        return {}

    @cached_property
    def _first_rate(self) -> float:
        """The learning rate of the first step that has one."""
        rate = self.trajectory.scalars().get("learning_rate", np.empty(0))
        rate = rate[np.isfinite(rate) & (rate > 0)]
        return float(rate[0]) if len(rate) else GUESS

    @cached_property
    def _engines(self) -> RowEngines:
        return RowEngines(self.problem, self.evaluation)

    @cached_property
    def _hessian(self) -> Hessian:
        evaluation = self.evaluation
        memory = sizes.most(evaluation.memory)
        return Hessian(self.problem, device=evaluation.device, memory=memory)

    @cached_property
    def _rows(self) -> list[int]:
        return [self.trajectory.row(int(step)) for step in self.scan.slices.step]


def _counted(before: Valley, line: Scan) -> Valley:
    """The valley with what a slice has taken since."""
    return replace(
        before,
        evaluation_seconds=before.evaluation_seconds + line.evaluation_seconds,
        choosing_seconds=before.choosing_seconds + line.choosing_seconds,
        samples_evaluated=before.samples_evaluated + line.samples_evaluated,
        samples=line.samples or before.samples,
    )

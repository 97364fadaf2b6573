"""Which strategy and tile evaluate a plane fastest: tried out for a moment, checked, kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from landscape.errors import LandscapeError
from landscape.problem.evaluate import measure
from landscape.problem.problem import Problem
from landscape.scan import memory as sizes
from landscape.scan import strategies
from landscape.scan.engine import Engine, Plan, even
from landscape.scan.strategies import AUTO, Strategy, UnsuitableError
from landscape.scan.strategies.base import PointlessError, example
from landscape.scan.totals import totals
from landscape.store.records import Floats, Plane

MOST_SECONDS, MOST_SHARE = 5.0, 0.03
"""Choosing takes the smaller one: seconds, or the share of what the scan will take by the best
strategy known so far."""
FORCED_SECONDS = 1.0
PLAIN = 256
"""The plain loop's batch until another one is seen to be faster."""
WORTH = 1.0
"""A scan of fewer seconds isn't worth choosing for."""
WORTH_COMPILING = 1800.0
"""Compiling takes half a minute and may gain some per cent."""
HOPELESS = 3.0
"""A candidate whose first tile is so many times slower than the best is timed no further."""
CHECKED = 128
"""Samples on which a candidate must agree with the plain loop, at three of the points."""
AGREE, AGREE_ABSOLUTE = 1e-5, 1e-9
TIMED = 3
"""Batches; a single one where what is prepared of them takes memory."""
FIRST = {True: (8, 512), False: (1, 128)}
"""The first tile tried, (points, samples): of strategies that take several points, and others."""
ORDER = (
    "folded+blocked",
    "shared+batched",
    "folded",
    "shared",
    "sequential",
    "batched",
    "compiled",
)
"""The most promising first: time may run out."""


def engine(
    problem: Problem,
    plane: Plane,
    xy: Floats,
    *,
    strategy: str = AUTO,
    stored: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "float32",
    memory: str | None = None,
    population: Mapping[str, int] | None = None,
    threads: int | None = None,
) -> Engine:
    """An evaluator for a plane's points ``xy`` (n, D), by the fastest strategy that agrees.

    ``stored`` is a scan's `Scan.strategy`: it is taken up as it is and nothing is tried.
    ``population`` is `Engine`'s; ``threads`` are those of the processes that evaluate, this
    process's own unless given.

    Raises:
        LandscapeError: a strategy, precision or size of memory that can't be.
    """
    names = strategies.fitting(strategy)
    most = sizes.DEFAULT if memory is None else sizes.parse(memory)
    made = Engine(
        problem, plane, device=device, precision=precision, memory=most, population=population
    )
    made.threads = threads or made.threads
    started = time.perf_counter()
    with torch.inference_mode():
        if stored:
            made.threads = int(stored["threads"])
            plan = Plan(stored["name"], int(stored.get("points", 1)), int(stored["batch_size"]))
            try:
                way = strategies.make(plan.name, made)
            except UnsuitableError as error:
                raise LandscapeError(
                    f"a resumed scan must go on by its strategy {plan.name}, "
                    f"which isn't possible here: {error}"
                ) from error
            lanes = int(stored.get("lanes", 1))
            made.adopt(plan, way, lanes=lanes, note=stored.get("note", ""))
        else:
            with made.threaded(1 if made.divisible else made.threads):
                Choice(made, xy, forced=strategy != AUTO).choose(names)
    made.choosing_seconds = time.perf_counter() - started
    return made


@dataclass
class Choice:
    """The candidates for one plane, and how they did: seconds a point, by plan."""

    engine: Engine
    xy: Floats
    forced: bool
    seconds: dict[Plan, float] = field(default_factory=dict)
    ways: dict[str, Strategy] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def choose(self, names: Sequence[str]) -> None:
        """Try the strategies ``names``, and have the engine adopt the best."""
        self._lanes = self.engine.threads if self.engine.divisible else 1
        self._bytes = sizes.per_sample(self.engine.model, example(self.engine))
        plain = self._within(Plan("sequential", 1, PLAIN))
        self.ways["sequential"] = strategies.make("sequential", self.engine)
        a_point = self._time(plain, self.ways["sequential"])
        if a_point * len(self.xy) / self._lanes < WORTH and not self.forced:
            self.engine.adopt(plain, self.ways["sequential"])
            self.engine.seconds = a_point
            return
        for name in sorted(set(names) - {"compiled"}, key=ORDER.index):
            if self._late and self.seconds.keys() - {plain}:
                break  # late, but there is something else than the plain loop
            self._try(name)
        long = min(self.seconds.values()) * len(self.xy) / self._lanes > WORTH_COMPILING
        if "compiled" in names or (not self.forced and long and strategies.has_compiler()):
            with self.engine.threaded():  # it is compiled for so many
                self._try("compiled")
            for plan in [plan for plan in self.seconds if plan.name == "compiled"]:
                self.seconds[plan] *= self._lanes  # the others' are those of one thread
        if "sequential" not in names and any(plan.name in names for plan in self.seconds):
            self.seconds.pop(plain)  # it was timed only to know the scan's length
        self._climb()
        best = min(self.seconds, key=self.seconds.__getitem__)
        note = "; ".join(f"not {name}: {reason}" for name, reason in self.refused.items())
        self._adopt(best, note)

    def _adopt(self, best: Plan, note: str) -> None:
        """Take a plan: side by side on one thread each, or on all threads, as is faster."""
        engine, way = self.engine, self.ways[best.name]
        if self._lanes == 1 or best.name == "compiled":
            engine.adopt(best, way, note=note)
            engine.seconds = self.seconds[best] / self._lanes
            return
        with engine.threaded():
            self.seconds.pop(best)
            together = self._time(best, way)
        engine.adopt(best, way, lanes=self._lanes, note=note)
        engine.seconds, count = math.inf, best.points * self._lanes
        for _ in range(2):
            started = time.perf_counter()
            engine.at_many(self._probes(count))
            engine.seconds = min(engine.seconds, (time.perf_counter() - started) / count)
        if together < engine.seconds:
            engine.adopt(best, way, note=note)
            engine.seconds = together

    @property
    def _late(self) -> bool:
        scan = min(self.seconds.values()) * len(self.xy) / self._lanes
        allowed = min(MOST_SECONDS, MOST_SHARE * scan)
        if self.forced:
            allowed = max(allowed, FORCED_SECONDS)
        return time.perf_counter() - self.started >= allowed

    def _try(self, name: str) -> None:
        """Make a strategy, compare it with the plain loop and time its first tile."""
        try:
            way = self.ways.get(name) or strategies.make(name, self.engine)
            plan = self._within(Plan(name, *FIRST[way.at_once]))
            off = 0.0 if name == "sequential" else self._difference(way, plan)
            if off <= 1:
                self.ways[name] = way
                self._time(plan, way)
            else:
                self.refused[name] = f"it differs from the plain loop by {off:.2g} tolerances"
        except PointlessError as error:
            if self.forced:
                self.refused[name] = str(error)
        except UnsuitableError as error:
            self.refused[name] = str(error)
        except Exception as error:
            # The user's model on torch's transformations of it: it may raise anything.
            reason = (str(error).strip().splitlines() or [""])[0]
            self.refused[name] = f"{type(error).__name__}: {reason}"[:200]

    def _climb(self) -> None:
        """Vary the best tile by factors of two until nothing gets better or time runs out."""
        while not self._late:
            best = min(self.seconds, key=self.seconds.__getitem__)
            if best.name == "compiled":
                return  # another size would be compiled anew
            for plan in self._neighbours(best):
                if self._late:
                    return
                self._time(plan, self.ways[plan.name])
            if min(self.seconds, key=self.seconds.__getitem__) == best:
                return

    def _neighbours(self, plan: Plan) -> Iterator[Plan]:
        samples = [replace(plan, batch_size=n) for n in (plan.batch_size // 2, plan.batch_size * 2)]
        points = [replace(plan, points=n) for n in (plan.points * 2, plan.points // 2)]
        for other in samples + (points if self.ways[plan.name].at_once else []):
            if other.points >= 1 and other.batch_size >= 8:
                within = self._within(other)
                if within not in self.seconds:
                    yield within

    def _within(self, plan: Plan) -> Plan:
        """The plan, or what of it there is data and memory for."""
        count = max(len(samples) for samples in self.engine.sets.values())
        points = max(1, min(plan.points, len(self.xy)))
        weights = 12 * len(self.engine.vector)
        if points > 1:
            points = max(1, min(points, self.engine.memory // (4 * weights)))
        # Three responses beside what the layers take, and their parts while they are made.
        takes = self._bytes * points + (3 * self._bytes if plan.name.startswith("shared") else 0)
        room = self.engine.memory // 2 // self._lanes // takes
        return replace(plan, points=points, batch_size=max(1, min(plan.batch_size, count, room)))

    def _time(self, plan: Plan, way: Strategy) -> float:
        """Seconds that a point takes: a few tiles, the better one of two times."""
        engine, best = self.engine, math.inf
        xy = self._probes(plan.points)
        samples = engine.data.train
        size = even(len(samples), plan.batch_size)
        batches = list(
            samples.batches(size, min(len(samples), (1 if way.prepares else TIMED) * size))
        )
        total = sum(math.ceil(len(part) / plan.batch_size) for part in engine.sets.values())
        prepared = [(way.prepare(inputs), targets) for inputs, targets in batches]
        for tiles in (prepared[:1], prepared, prepared):
            started = time.perf_counter()
            way.move(xy)
            moved = time.perf_counter()
            for batch, targets in tiles:
                sums = totals(engine.loss, way.outputs(batch), targets, len(xy))
            sums.tolist()
            ended = time.perf_counter()
            seconds = (moved - started) + (ended - moved) * total / len(tiles)
            best = min(best, seconds / len(xy))
            # The first time is a cold one: it can only tell what is out of the question.
            if best > HOPELESS * min(self.seconds.values(), default=math.inf):
                break
        self.seconds[plan] = best
        return best

    def _difference(self, way: Strategy, plan: Plan) -> float:
        """The largest difference to the plain loop, in units of what is tolerated."""
        engine = self.engine
        xy = self._probes(3)
        count = min(CHECKED, plan.batch_size, len(engine.data.train))
        plain = []
        for point in xy:
            engine.move(point)
            plain.append(
                measure(
                    engine.model, engine.data.train, engine.loss, batch_size=count, at_most=count
                ).loss
            )
        inputs, targets = next(engine.data.train.batches(count, count))
        prepared = way.prepare(inputs)
        found: list[float] = []
        for part in [xy] if way.at_once else [point[None] for point in xy]:
            way.move(part)
            sums = totals(engine.loss, way.outputs(prepared), targets, len(part))
            found += (sums[0] / count).tolist()
        return difference(np.array(found), np.array(plain))

    def _probes(self, count: int) -> Floats:
        """Points spread over the grid, its corners among them; some twice if there are fewer."""
        chosen = np.linspace(0, len(self.xy) - 1, count).round().astype(int)
        return np.asarray(self.xy[chosen])


def difference(found: Floats, plain: Floats) -> float:
    """The largest of |Δ| / (1e-5 |L| + 1e-9); what isn't finite must be the same."""
    same = (found == plain) | (np.isnan(found) & np.isnan(plain))
    both = np.isfinite(found) & np.isfinite(plain)
    if not (same | both).all():
        return math.inf
    with np.errstate(invalid="ignore"):
        ratios = np.abs(found - plain) / (AGREE * np.abs(plain) + AGREE_ABSOLUTE)
    return float(np.where(same, 0.0, ratios).max())

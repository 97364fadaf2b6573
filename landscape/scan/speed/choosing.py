"""Which strategy and tile evaluate a plane fastest: tried out for a moment, checked, kept."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from landscape.errors import LandscapeError
from landscape.problem import tuning
from landscape.problem.problem import Problem
from landscape.scan.speed import memory as sizes
from landscape.scan.speed import strategies
from landscape.scan.speed.agreement import disagreement
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.options import DEFAULT, Evaluation
from landscape.scan.speed.strategies import AUTO, Strategy, UnsuitableError
from landscape.scan.speed.strategies.base import PointlessError, example
from landscape.scan.speed.trial import TileTrial, clock
from landscape.store.scans.records import Floats, Plane

MOST_SECONDS, MOST_SHARE = 5.0, 0.03
"""Choosing takes the smaller one: seconds, or the share of what the scan will take by the best
strategy known so far."""
LEAST_SECONDS = 0.25
"""But so many at least: nobody notices them, and a strategy found is worth a factor of two."""
FORCED_SECONDS = 1.0
PLAIN = 256
"""The plain loop's batch until another one is seen to be faster."""
WORTH = 1.0
"""A scan of fewer seconds isn't worth choosing for."""
HOPELESS = 3.0
"""A candidate whose first tile is so many times slower than the best is timed no further."""
CLOSE = 1.3
"""Candidates within this factor of each other are timed in turn; each one's fastest counts."""
TURNS, FINAL_TURNS = 2, 4
"""So often: a new candidate and the best one, and all close to the best at the end."""
PLAIN_SHARE, TRYING, CLIMBING = 0.1, 0.5, 0.85
"""The shares of the time after which no other batches of the plain loop are tried, no other
strategies, and no other tiles."""
TRY = 5
"""So many points' time another batch of the plain loop takes to try, at most."""
TILE_SHARE, AGAIN_SHARE = 1 / 40, 1 / 10
"""Of the time for choosing, what a first tile may take, going by the plain loop, and what a tile
may take that is timed again however slow it was at first."""
FIRST_POINTS, FIRST_BATCH = 16, 256
"""The first tile tried of strategies that take several points; of others it is the plain loop's."""
HELD = 2**20
"""Bytes of weights from which on what candidates hold is looked after."""
WEIGHTS_SHARE = 4
"""A share of one over so much of the memory is for weights of several points, or of lanes."""
SMALLEST = 8
"""Batch that is tried."""
ORDER = (
    "folded+fused",
    "folded+blocked",
    "shared+batched",
    "folded",
    "shared",
    "sequential",
    "batched",
)
"""The most promising first: time may run out."""


def engine(
    problem: Problem,
    plane: Plane,
    xy: Floats,
    evaluation: Evaluation = DEFAULT,
    *,
    stored: Mapping[str, Any] | None = None,
    population: Mapping[str, int] | None = None,
    weight_decay: float = 0.0,
    threads: int | None = None,
) -> Engine:
    """An evaluator for a plane's points ``xy`` (n, D), by the fastest strategy that agrees.

    ``stored`` is a scan's `Scan.strategy`: it is taken up as it is and nothing is tried.
    ``population`` and ``weight_decay`` are `Engine`'s; ``threads`` are those of the processes that
    evaluate, this process's own unless given.

    Raises:
        LandscapeError: a strategy, precision or size of memory that can't be.
    """
    tuning.tune()
    names = strategies.fitting(evaluation.strategy)
    made = Engine(problem, plane, evaluation, population=population, weight_decay=weight_decay)
    made.threads = threads or made.threads
    started = time.perf_counter()
    if why := made.objective.rich:
        note = f"not {evaluation.strategy}: {why}" if names[0] != "sequential" else ""
        plan = TilePlan("sequential", 1, made.data.batch_size)
        made.adopt(plan, strategies.make("sequential", made), note=note)
        if not stored:
            made.at_many(xy[:1])  # the first pass is a cold one
            began = time.perf_counter()
            made.at_many(xy[:1])
            made.seconds = time.perf_counter() - began
        made.choosing_seconds = time.perf_counter() - started
        return made
    with torch.inference_mode():
        if stored:
            made.threads = int(stored["threads"])
            plan = TilePlan(stored["name"], int(stored.get("points", 1)), int(stored["batch_size"]))
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
                StrategyChoice(made, xy, forced=evaluation.strategy != AUTO).choose(names)
            if made.vector.nbytes >= HELD:
                gc.collect()  # the candidates that weren't chosen hold themselves, through closures
            tuning.hand_back()
    made.choosing_seconds = time.perf_counter() - started
    return made


@dataclass
class StrategyChoice:
    """The candidates for one plane, and how they did: seconds a point, by plan."""

    engine: Engine
    xy: Floats
    forced: bool
    seconds: dict[TilePlan, float] = field(default_factory=dict)
    ways: dict[str, Strategy] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def choose(self, names: Sequence[str]) -> None:
        """Try the strategies ``names``, and have the engine adopt the best."""
        self._now = clock(self.engine.vector.device)
        self._started = self._now()
        self._lanes = self.engine.threads if self.engine.divisible else 1
        copies = 4 * (self._lanes - 1) * len(self.engine.vector)
        if copies > self.engine.memory // WEIGHTS_SHARE:
            self._lanes = 1
        self._bytes = sizes.per_sample(self.engine.model, example(self.engine))
        plain = self._within(TilePlan("sequential", 1, PLAIN))
        self.ways["sequential"] = strategies.make("sequential", self.engine)
        self._time(plain, self.ways["sequential"])
        a_point = self.seconds[plain]
        if a_point * len(self.xy) / self._lanes < WORTH and not self.forced:
            self.engine.adopt(plain, self.ways["sequential"])
            self.engine.seconds = a_point
            return
        self._vary_plain(plain)
        for name in sorted(names, key=ORDER.index):
            if self._spent() >= TRYING and any(plan.name != "sequential" for plan in self.seconds):
                break  # late, but there is something else than the plain loop
            self._try(name)
        if "sequential" not in names and any(plan.name in names for plan in self.seconds):
            # The plain loop was timed only to know the scan's length.
            self.seconds = {plan: s for plan, s in self.seconds.items() if plan.name in names}
        self._climb()
        self._final()
        best = self._best
        note = "; ".join(f"not {name}: {reason}" for name, reason in self.refused.items())
        self._adopt(best, note)

    def _vary_plain(self, plain: TilePlan) -> None:
        """Let the plain loop's batch grow, or shrink, while that makes it faster."""
        for factor in (4.0, 0.25):
            best = plain
            # A try takes a few points' time.
            while self._spent() + TRY * self.seconds[best] / self._allowed < PLAIN_SHARE:
                other = self._within(replace(best, batch_size=int(best.batch_size * factor)))
                if other in self.seconds or other.batch_size < SMALLEST:
                    break
                self._time(other, self.ways["sequential"])
                if self.seconds[other] > self.seconds[best]:
                    break
                best = other

    def _adopt(self, best: TilePlan, note: str) -> None:
        """Take a plan: side by side on one thread each, or on all threads, as is faster."""
        engine, way = self.engine, self.ways[best.name]
        if self._lanes == 1:
            engine.adopt(best, way, note=note)
            engine.seconds = self.seconds[best]
            return
        engine.adopt(best, way, lanes=self._lanes, note=note)
        trial = self._again(best)
        together = apart = math.inf
        for _ in range(TURNS):
            apart = min(apart, max(engine.in_lanes(trial.seconds_in)) / self._lanes)
            with engine.threaded():
                together = min(together, trial.seconds_in(way))
        if together < apart:
            engine.adopt(best, way, note=note)
        engine.seconds = min(together, apart)

    @property
    def _best(self) -> TilePlan:
        return min(self.seconds, key=self.seconds.__getitem__)

    @property
    def _allowed(self) -> float:
        scan = min(self.seconds.values()) * len(self.xy) / self._lanes
        allowed = max(LEAST_SECONDS, min(MOST_SECONDS, MOST_SHARE * scan))
        return max(allowed, FORCED_SECONDS) if self.forced else allowed

    def _spent(self) -> float:
        """The share of the allowed time that is over, by the clock that candidates are timed by."""
        return (self._now() - self._started) / self._allowed

    def _try(self, name: str) -> None:
        """Make a strategy, compare it with the plain loop and time its first tile."""
        try:
            if strategies.at_once(name) and len(self.xy) > 1 and self._points_that_fit < 2:
                raise PointlessError("two points' weights take more than --memory leaves for them")
            way = self.ways.get(name) or strategies.make(name, self.engine)
            plan = self._within(self._first(name, way))
            off = (
                0.0
                if name == "sequential"
                else disagreement(self.engine, way, self._probes(3), plan.batch_size)
            )
            if off <= 1:
                self.ways[name] = way
                self._time(plan, way)
            else:
                self.refused[name] = f"it differs from the plain loop by {off:.2g} tolerances"
        except PointlessError as error:
            if self.forced:
                self.refused[name] = str(error)
        except UnsuitableError as error:
            self.refused[name] = str(error)[:200]  # torch's reasons may be pages
        except Exception as error:
            # The user's model on torch's transformations of it: it may raise anything.
            reason = (str(error).strip().splitlines() or [""])[0]
            self.refused[name] = f"{type(error).__name__}: {reason}"[:200]

    def _first(self, name: str, way: Strategy) -> TilePlan:
        """The first tile, smaller where it would take too much of the time."""
        points, batch_size = FIRST_POINTS, FIRST_BATCH
        if not way.at_once:
            points, batch_size = 1, self._plain_batch
        passes = sum(len(samples) for samples in self.engine.sets.values())
        most = TILE_SHARE * self._allowed * passes / min(self.seconds.values()) / points
        while batch_size > SMALLEST and batch_size > most:
            batch_size //= 2
        return TilePlan(name, points, batch_size)

    @property
    def _plain_batch(self) -> int:
        """The plain loop's fastest so far."""
        plain = [plan for plan in self.seconds if plan.name == "sequential"]
        return min(plain, key=self.seconds.__getitem__).batch_size

    def _climb(self) -> None:
        """Vary the best tile by factors of two until nothing gets better or time runs out."""
        while self._spent() < CLIMBING:
            best = self._best
            for plan in self._neighbours(best):
                if self._spent() >= CLIMBING:
                    return
                self._time(plan, self.ways[plan.name])
            if self._best == best:
                return

    def _neighbours(self, plan: TilePlan) -> Iterator[TilePlan]:
        samples = [replace(plan, batch_size=n) for n in (plan.batch_size // 2, plan.batch_size * 2)]
        points = [replace(plan, points=n) for n in (plan.points * 2, plan.points // 2)]
        for other in samples + (points if self.ways[plan.name].at_once else []):
            if other.points >= 1 and other.batch_size >= SMALLEST:
                within = self._within(other)
                if within not in self.seconds:
                    yield within

    @property
    def _points_that_fit(self) -> int:
        """Of how many points there is memory for the weights, in float64 while they are made."""
        return self.engine.memory // WEIGHTS_SHARE // (12 * len(self.engine.vector))

    def _within(self, plan: TilePlan) -> TilePlan:
        """The plan, or what of it there is data and memory for."""
        count = max(len(samples) for samples in self.engine.sets.values())
        points = max(1, min(plan.points, len(self.xy)))
        if points > 1:
            points = max(1, min(points, self._points_that_fit))
        # Three responses beside what the layers take, and their parts while they are made.
        takes = self._bytes * points + (3 * self._bytes if plan.name.startswith("shared") else 0)
        room = self.engine.memory // 2 // self._lanes // takes
        return replace(plan, points=points, batch_size=max(1, min(plan.batch_size, count, room)))

    def _time(self, plan: TilePlan, way: Strategy) -> None:
        """Time a plan; in turn with the best one so far where it is close to that."""
        best = self._best if self.seconds else None
        least = self.seconds[best] if best is not None else math.inf
        trial = TileTrial(self.engine, plan, way, self._probes(plan.points))
        self.seconds[plan] = found = trial.seconds(1)
        # The first time is a cold one; of several points it is recorded, the next time compared.
        for _ in range(2 if way.at_once else 1):
            # What takes long isn't timed again to see if it was that.
            if found < HOPELESS * least or trial.tile_seconds < AGAIN_SHARE * self._allowed:
                self.seconds[plan] = found = min(found, trial.seconds(1))
        if found > HOPELESS * least:
            return
        trials = [trial]
        if best is not None and 1 / CLOSE < found / least < CLOSE:
            trials.append(self._again(best))
        self._in_turn(trials, TURNS)

    def _in_turn(self, trials: list[TileTrial], turns: int) -> None:
        for trial in turns * trials:
            self.seconds[trial.plan] = min(self.seconds[trial.plan], trial.seconds())

    def _again(self, plan: TilePlan) -> TileTrial:
        return TileTrial(self.engine, plan, self.ways[plan.name], self._probes(plan.points))

    def _final(self) -> None:
        """Time the best few in turn, so that no chance decides between them."""
        last = CLOSE * self.seconds[self._best]
        close = [
            plan
            for plan, seconds in sorted(self.seconds.items(), key=lambda item: item[1])
            if seconds <= last
        ]
        if len(close) < 2:
            return
        for plan in FINAL_TURNS * close:
            if self._spent() >= 1:
                return
            self._in_turn([self._again(plan)], 1)

    def _probes(self, count: int) -> Floats:
        """Points spread over the grid, its corners among them; some twice if there are fewer."""
        chosen = np.linspace(0, len(self.xy) - 1, count).round().astype(int)
        return np.asarray(self.xy[chosen])

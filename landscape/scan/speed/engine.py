"""Points of a plane, evaluated in tiles of K points by B samples."""

from __future__ import annotations

import copy
import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.problem import tuning
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.sums import ALL, FEW
from landscape.problem.weights import tied
from landscape.scan.speed import memory, strategies
from landscape.scan.speed.evaluator import PointEvaluator, StrategyRecord, dtype_of
from landscape.scan.speed.options import DEFAULT, Evaluation
from landscape.scan.speed.side_by_side import Lanes
from landscape.scan.speed.totals import ratios, totals
from landscape.store.scans.records import Floats, Plane

STREAMED = 128
"""Points that share one reading of data that isn't in memory."""
PREPARED = 64
"""Points that share what is prepared of a batch, where all of it doesn't fit memory."""
LARGE = 2**24
"""Bytes of weights: a network of more is large."""
START = 128
"""Samples in a batch until something better is known."""
OWN = ("tied", "model", "vector")
"""What of an engine isn't its copy's too, which evaluates beside it."""


Tile = tuple[str, Any, Tensor]
"""The set's name, a prepared batch, its targets."""
Result = tuple[slice, int, str, Tensor]
"""K consecutive points, the number of a tile, its set's name, and what it came to."""
Reduce = Callable[[slice, Tensor, Tensor], Tensor]
"""What K consecutive points' outputs (K·B, ...) and the targets (B, ...) come to."""
Put = Callable[[str, slice, Tensor], None]
"""Takes a set's name, K consecutive points, and what a tile of theirs came to."""


@dataclass(frozen=True)
class TilePlan:
    """A strategy's name and its tile: at most K points and at most B samples."""

    name: str
    points: int
    batch_size: int


class Engine(PointEvaluator):
    """Evaluates points by a strategy; `choosing.engine` finds out which.

    A point's value doesn't depend on which other points are asked for with it, so long as they
    come in the same tiles: K consecutive ones of the grid. Sums are taken over a set's batches
    in their order. Memory beyond model, data and directions: one tile's, and the prepared
    batches as far as ``memory`` (bytes) allows.
    """

    def __init__(
        self,
        problem: Problem,
        plane: Plane,
        evaluation: Evaluation = DEFAULT,
        *,
        population: Mapping[str, int] | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        """Get ready; ``population`` and ``weight_decay`` are those of `PointEvaluator`.

        Raises:
            LandscapeError: a precision, device or size of memory that can't be.
        """
        precision = evaluation.precision
        self.memory = memory.most(evaluation.memory)
        super().__init__(
            problem,
            plane,
            device=evaluation.device,
            batch_size=START,
            precision=precision,
            population=population,
            weight_decay=weight_decay,
        )
        self.problem, self.plane = problem, plane
        self.evaluation, self.weight_decay = evaluation, weight_decay
        self.seconds = 0.0
        """That a point takes, as far as that is known."""
        self.threads = torch.get_num_threads()
        self.plan = TilePlan("sequential", 1, START)
        self._way: strategies.Strategy = strategies.make("sequential", self)
        self._count = 1
        self._lanes: Lanes[strategies.Strategy] | None = None
        self._twins: list[Engine] = []
        self._kept: dict[str, list[tuple[Any, Tensor]]] = {}

    def adopt(
        self, plan: TilePlan, way: strategies.Strategy, *, lanes: int = 1, note: str = ""
    ) -> None:
        """Evaluate like this from now on, in ``lanes`` threads side by side."""
        self.plan, self._way, self._count = plan, way, lanes
        self._kept, self._twins = {}, []
        others = [self._another(plan.name) for _ in range(lanes - 1)]
        self._lanes = Lanes([way, *others]) if others else None
        self.data.batch_size = plan.batch_size
        self.strategy = StrategyRecord(
            name=plan.name,
            batch_size=plan.batch_size,
            threads=self.threads,
            dtype=self.evaluation.precision,
            device=str(self.vector.device),
            points=plan.points,
            lanes=lanes,
            note=note,
        )

    def go_to(self, plane: Plane) -> None:
        """Evaluate another plane of the same problem from now on, by the same plan.

        What was made of the model alone, such as its traced graph, stays.
        """
        self._place(plane)
        self.plane, self._kept = plane, {}
        with torch.inference_mode():
            if not self._way.follows:
                plan, lanes, note = self.plan, self._count, self.strategy.note
                self.adopt(plan, strategies.make(plan.name, self), lanes=lanes, note=note)
                return
            for twin in self._twins:
                own = {name: vars(twin)[name] for name in OWN}
                vars(twin).update(vars(self) | own)
                twin.set(plane.origin, plane.buffers)

    def release(self) -> None:
        """Let go of everything: nobody is to use it any more.

        It and its strategy hold each other, and a traced graph holds the frames that it was traced
        in, so that model and directions would stay until Python happens to look for such circles,
        which it does by the number of objects, not their bytes. Of a large model it looks now.
        """
        large = self.large
        for twin in self._twins:
            vars(twin).clear()
        vars(self).clear()
        if large:
            gc.collect()
        # What it leaves in pieces the next one, of another row, would take anew beside them.
        tuning.hand_back()

    @property
    def large(self) -> bool:
        """Whether the memory of a model like this one counts more than the time to make another."""
        return self.vector.nbytes > LARGE

    @property
    def divisible(self) -> bool:
        """Whether points may be evaluated side by side: on a processor, from data in memory."""
        in_memory = all(samples.in_memory for samples in self.sets.values())
        return self.vector.device.type == "cpu" and in_memory and self.threads > 1

    def _another(self, name: str) -> strategies.Strategy:
        """The strategy on a copy of the model; the data is shared."""
        other = copy.copy(self)
        dtype = dtype_of(self.evaluation.precision, self.vector.device)
        other.tied = tied(self.problem.model, self.vector.device, dtype, layout=self.problem.layout)
        other.model, other.vector = other.tied.model, other.tied.vector
        other.model.eval()
        other.set(self.plane.origin, self.plane.buffers)
        self._twins.append(other)
        with torch.inference_mode():
            return strategies.make(name, other)

    def in_lanes(self, work: Callable[[strategies.Strategy], float]) -> list[float]:
        """What ``work`` gives for the lanes' strategies, side by side; of a single one without."""
        if self._lanes is None:
            return [work(self._way)]
        return self._lanes.each(lambda way, _: work(way), range(self._count))

    @property
    def block(self) -> int:
        """So many points share a reading of the data: a multiple of K."""
        if not self._batches_first(self.sets):
            # Of two tiles a lane, whoever is first takes the next.
            return self.plan.points * (2 * self._count if self._count > 1 else 1)
        least = PREPARED if all(part.in_memory for part in self.sets.values()) else STREAMED
        return self.plan.points * math.ceil(least / self.plan.points)

    def at_many(self, xy: Floats) -> dict[str, Floats]:
        """All measures at points (n, D), each of shape (n,)."""
        if self._plain:
            with self.threaded():
                return super().at_many(xy)
        return self._measure(self.sets, xy)

    def train_losses_at(self, xy: Floats) -> Floats:
        """The training losses (n,) alone at points (n, D)."""
        if self._plain:
            with self.threaded():
                return super().train_losses_at(xy)
        size = self.block
        parts = [
            self._measure({"train": self.data.train}, xy[start : start + size])["train_loss"]
            for start in range(0, len(xy), size)
        ]
        return np.concatenate(parts)

    def of_samples(self, xy: Floats) -> dict[str, Floats]:
        """What each training sample adds to a value, (n, N) by value, at points (n, D).

        For a few samples, which are one batch.
        """
        if self.objective.rich:
            return self._of_samples_plainly(xy)
        names = self.objective.names
        found = {name: np.empty((len(xy), len(self.data.train))) for name in names}

        def reduce(part: slice, outputs: Tensor, targets: Tensor) -> Tensor:
            points = part.stop - part.start
            there = ratios(self.objective, outputs, targets, points)
            return torch.stack([there[name].a.view(points, -1).double() for name in names])

        def put(_: str, part: slice, values: Tensor) -> None:
            for name, value in zip(names, values.cpu().numpy(), strict=True):
                found[name][part] = value

        with torch.inference_mode(), self.threaded():
            inputs, targets = self.data.train.take(torch.arange(len(self.data.train)))
            tile = "train", self._way.prepare(inputs), targets
            self._each(xy, 1, lambda: iter([tile]), reduce, put)
        return found

    def _of_samples_plainly(self, xy: Floats) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        with self.threaded(), self.objective.measuring(self.model):
            everything = self.data.train.batch(torch.arange(len(self.data.train)))
            for number, point in enumerate(xy):
                self.move(point)
                for name, ratio in self.objective.values(self.model, everything).items():
                    values = found.setdefault(name, np.empty((len(xy), len(ratio.a))))
                    values[number] = ratio.a.detach().double().cpu().numpy()
        return found

    @property
    def _plain(self) -> bool:
        if self.objective.rich:
            return True
        alone = self.plan.name == "sequential" and self._count == 1 and self.population is None
        return alone and not self._batches_first(self.sets)

    def _measure(self, sets: Mapping[str, Samples], xy: Floats) -> dict[str, Floats]:
        moments = self.population is not None
        shape = (ALL if moments else FEW, len(self.objective.names), len(xy))
        sums = {
            name: torch.zeros(shape, dtype=self.exact, device=self.origin.device) for name in sets
        }

        def reduce(part: slice, outputs: Tensor, targets: Tensor) -> Tensor:
            points = part.stop - part.start
            return totals(self.objective, outputs, targets, points, moments=moments)

        def put(name: str, part: slice, found: Tensor) -> None:
            sums[name][..., part] += found.to(sums[name])

        with torch.inference_mode(), self.threaded():
            if self._batches_first(sets):
                for tile in self._tiles(sets):
                    self._each(xy, 1, partial(iter, [tile]), reduce, put)
            else:
                size = self.plan.batch_size
                count = sum(math.ceil(len(samples) / size) for samples in sets.values())
                self._each(xy, count, lambda: self._tiles(sets), reduce, put)
        found: dict[str, Floats] = {}
        for name, total in sums.items():
            found |= self.named(name, total)
        return self.raised(found, xy)

    def _each(
        self,
        xy: Floats,
        count: int,
        tiles: Callable[[], Iterator[Tile]],
        reduce: Reduce,
        put: Put,
    ) -> None:
        """Take K points after K points through the ``count`` tiles, and put away what they come to.

        Lanes take K points each as long as there are enough for all of them; the rest is divided by
        tiles, so that no lane waits for another. Either way results are put away tile by tile in
        order: they are the same to the bit.
        """

        def through(way: strategies.Strategy, work: tuple[slice, int, int]) -> list[Result]:
            part, own, shares = work
            way.move(xy[part])
            return [
                (part, number, name, reduce(part, way.outputs(batch), targets))
                for number, (name, batch, targets) in enumerate(tiles())
                if number % shares == own
            ]

        chunks = list(self._chunks(len(xy)))
        if self._lanes is None:
            found = [through(self._way, (part, 0, 1)) for part in chunks]
        else:
            rest = len(chunks) % self._count
            shares = min(self._count, count)
            works = [(part, 0, 1) for part in chunks[: len(chunks) - rest]]
            for part in chunks[len(chunks) - rest :]:
                works += [(part, own, shares) for own in range(shares)]
            found = self._lanes.each(through, works)
        for part, _, name, value in sorted(chain(*found), key=lambda one: (one[0].start, one[1])):
            put(name, part, value)

    def _chunks(self, count: int) -> Iterator[slice]:
        for start in range(0, count, self.plan.points):
            yield slice(start, min(start + self.plan.points, count))

    def _batches_first(self, sets: Mapping[str, Samples]) -> bool:
        """Whether each batch is taken through all points, instead of each point through all."""
        if not all(samples.in_memory for samples in sets.values()):
            # Re-estimating BatchNorm's statistics reads all the data for every point anyway.
            return self.buffers_stay
        return self._way.prepares and not self._fits()

    def _fits(self) -> bool:
        """Whether all prepared batches may be kept; they take no more than half the memory."""
        if "train" not in self._kept:
            first = next(self._prepared(self.data.train))
            total = sum(len(samples) for samples in self.sets.values())
            takes = _bytes(first[0]) * total / len(first[1])
            if takes > self.memory / 2:
                return False
            for name, samples in self.sets.items():
                self._kept[name] = list(self._prepared(samples))
        return True

    def _tiles(self, sets: Mapping[str, Samples]) -> Iterator[Tile]:
        for name, samples in sets.items():
            tiles: Iterable[tuple[Any, Tensor]] = self._kept.get(name) or self._prepared(samples)
            for batch, targets in tiles:
                yield name, batch, targets

    def _prepared(self, samples: Samples) -> Iterator[tuple[Any, Tensor]]:
        with torch.inference_mode():
            for inputs, targets in samples.batches(even(len(samples), self.plan.batch_size)):
                yield self._way.prepare(inputs), targets

    def threaded(self, count: int | None = None) -> AbstractContextManager[None]:
        """Its number of threads inside, or another; the process's own afterwards."""
        return tuning.threads(count or self.threads)


def even(count: int, most: int) -> int:
    """The batch size that cuts ``count`` samples into equal parts of at most ``most``."""
    return math.ceil(count / math.ceil(count / most))


def _bytes(prepared: Any) -> int:
    """Of all tensors but the first: that one is a view of the data."""
    if isinstance(prepared, Tensor):
        return prepared.numel() * prepared.element_size()
    _, responses = prepared
    return sum(_bytes(response) for response in responses)

"""Points of a plane, evaluated in tiles of K points by B samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.scan import evaluator, strategies
from landscape.scan.evaluator import PointEvaluator
from landscape.scan.memory import DEFAULT
from landscape.scan.totals import totals
from landscape.store.records import Floats, Plane

STREAMED = 128
"""Points that share one reading of data that isn't in memory."""
PREPARED = 64
"""Points that share what is prepared of a batch, where all of it doesn't fit memory."""
START = 128
"""Samples in a batch until something better is known."""


@dataclass(frozen=True)
class Plan:
    """A strategy's name and its tile: at most K points and at most B samples."""

    name: str
    points: int
    batch_size: int


class Engine(PointEvaluator):
    """Evaluates points by a strategy; `choose` finds out which.

    A point's value doesn't depend on which other points are asked for with it, so long as they
    come in the same tiles: K consecutive ones of the grid. Sums are taken over a set's batches
    in their order. Memory beyond model, data and directions: one tile's, and the prepared
    batches as far as ``memory`` (bytes) allows.
    """

    def __init__(
        self,
        problem: Problem,
        plane: Plane,
        *,
        device: str = "auto",
        precision: str = "float32",
        memory: int = DEFAULT,
    ) -> None:
        super().__init__(problem, plane, device=device, batch_size=START, precision=precision)
        self.precision = precision
        self.memory = memory
        self.loss = problem.loss
        self.threads = torch.get_num_threads()
        self.plan = Plan("sequential", 1, START)
        self._way: strategies.Strategy = strategies.make("sequential", self)
        self._kept: dict[str, list[tuple[Any, Tensor]]] = {}

    def adopt(self, plan: Plan, way: strategies.Strategy, *, note: str = "") -> None:
        """Evaluate like this from now on."""
        self.plan, self._way = plan, way
        self._kept = {}
        self.data.batch_size = plan.batch_size
        self.strategy = evaluator.Strategy(
            name=plan.name,
            batch_size=plan.batch_size,
            threads=self.threads,
            dtype=self.precision,
            device=str(self.vector.device),
            points=plan.points,
            note=note,
        )

    @property
    def sets(self) -> Mapping[str, Samples]:
        """The data by name: train and, if there is any, validation."""
        found = {"train": self.data.train}
        if self.data.validation is not None:
            found["validation"] = self.data.validation
        return found

    @property
    def block(self) -> int:
        """So many points share a reading of the data: a multiple of K."""
        if not self._batches_first(self.sets):
            return self.plan.points
        least = PREPARED if all(part.in_memory for part in self.sets.values()) else STREAMED
        return self.plan.points * math.ceil(least / self.plan.points)

    def at_many(self, xy: Floats) -> dict[str, Floats]:
        """All measures at points (n, D), each of shape (n,)."""
        if self._plain:
            with self._threads():
                return super().at_many(xy)
        return self._measure(self.sets, xy)

    def train_losses_at(self, xy: Floats) -> Floats:
        """The training losses (n,) alone at points (n, D)."""
        if self._plain:
            with self._threads():
                return super().train_losses_at(xy)
        size = self.block
        parts = [
            self._measure({"train": self.data.train}, xy[start : start + size])["train_loss"]
            for start in range(0, len(xy), size)
        ]
        return np.concatenate(parts)

    @property
    def _plain(self) -> bool:
        return self.plan.name == "sequential" and not self._batches_first(self.sets)

    def _measure(self, sets: Mapping[str, Samples], xy: Floats) -> dict[str, Floats]:
        sums = {
            name: torch.zeros(2, len(xy), dtype=self.origin.dtype, device=self.origin.device)
            for name in sets
        }
        with torch.inference_mode(), self._threads():
            if self._batches_first(sets):
                for name, batch, targets in self._tiles(sets):
                    for part in self._chunks(len(xy)):
                        self._way.move(xy[part])
                        self._add(sums[name], part, batch, targets)
            else:
                for part in self._chunks(len(xy)):
                    self._way.move(xy[part])
                    for name, batch, targets in self._tiles(sets):
                        self._add(sums[name], part, batch, targets)
        found: dict[str, Floats] = {}
        for name, total in sums.items():
            # The one synchronization with the device.
            losses, accuracies = (total / len(sets[name])).double().cpu().numpy()
            found |= {f"{name}_loss": losses, f"{name}_accuracy": accuracies}
        return found

    def _add(self, sums: Tensor, part: slice, batch: Any, targets: Tensor) -> None:
        count = part.stop - part.start
        sums[:, part] += totals(self.loss, self._way.outputs(batch), targets, count).to(sums)

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

    def _tiles(self, sets: Mapping[str, Samples]) -> Iterator[tuple[str, Any, Tensor]]:
        for name, samples in sets.items():
            tiles: Iterable[tuple[Any, Tensor]] = self._kept.get(name) or self._prepared(samples)
            for batch, targets in tiles:
                yield name, batch, targets

    def _prepared(self, samples: Samples) -> Iterator[tuple[Any, Tensor]]:
        with torch.inference_mode():
            for inputs, targets in samples.batches(even(len(samples), self.plan.batch_size)):
                yield self._way.prepare(inputs), targets

    @contextmanager
    def _threads(self) -> Iterator[None]:
        before = torch.get_num_threads()
        if before != self.threads:
            torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            if before != self.threads:
                torch.set_num_threads(before)


def even(count: int, most: int) -> int:
    """The batch size that cuts ``count`` samples into equal parts of at most ``most``."""
    return math.ceil(count / math.ceil(count / most))


def _bytes(prepared: Any) -> int:
    """Of all tensors but the first: that one is a view of the data."""
    if isinstance(prepared, Tensor):
        return prepared.numel() * prepared.element_size()
    _, responses = prepared
    return sum(_bytes(response) for response in responses)

"""A scan's grid on many processes: each has problem and plane once, and gets points."""

from __future__ import annotations

import math
import pickle
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.problem.load import provide
from landscape.scan.refine.order import Rows
from landscape.scan.speed import choosing
from landscape.scan.speed.engine import Engine
from landscape.scan.speed.options import Evaluation
from landscape.store.scans.records import Floats

BATCH_SECONDS = 1.0
"""A task takes about as long: what a worker that dies costs."""
BATCHES = 4
"""Tasks a worker at least, so that none is idle at the end."""
TRIES = 4
"""So often a task is sent out again whose worker died."""


@dataclass(frozen=True)
class _Task:
    key: str
    parts: tuple[Floats, ...]
    """Coordinates (n, D) of blocks of points."""


@dataclass(frozen=True)
class _Done:
    parts: list[dict[str, Floats]]
    seconds: float


class Farm:
    """Workers that evaluate a grid's points as an engine does; only the caller writes."""

    def __init__(self, engine: Engine, pool: cluster.Workers) -> None:
        """Send out problem and plane.

        Raises:
            LandscapeError: the problem can't be pickled.
        """
        self._engine, self._pool = engine, pool
        self._shared = pool.share(_packed(engine))
        self._key = uuid.uuid4().hex

    def stream(
        self, blocks: Sequence[Rows], place: Callable[[Rows], Floats]
    ) -> Iterator[tuple[Rows, dict[str, Floats], float]]:
        """See `PointEvaluator.stream`; in the order in which they come.

        The seconds are the workers' shared out: those of the wall where all are busy.

        Raises:
            LandscapeError: a task failed, or worker after worker died on it.
        """
        if not self._engine.seconds:  # nothing is known of a point's time: one block each tells
            first, blocks = blocks[: self._pool.count], blocks[self._pool.count :]
            yield from self._run([[block] for block in first], place)
        yield from self._run(self._batches(blocks), place)

    def _run(
        self, batches: Sequence[Sequence[Rows]], place: Callable[[Rows], Floats]
    ) -> Iterator[tuple[Rows, dict[str, Floats], float]]:
        tries = dict.fromkeys(range(len(batches)), 0)
        left = list(range(len(batches)))
        while left:
            again = []
            tasks = [_Task(self._key, tuple(map(place, batches[number]))) for number in left]
            for outcome in self._pool.run(evaluate, tasks, shared=self._shared):
                number = left[outcome.index]
                if outcome.result is None:
                    tries[number] += 1
                    if not outcome.lost or tries[number] == TRIES:
                        raise LandscapeError(f"a worker failed: {outcome.error}")
                    again.append(number)
                    continue
                batch, seconds = batches[number], outcome.result.seconds
                self._engine.seconds = seconds / sum(map(len, batch))
                for block, found in zip(batch, outcome.result.parts, strict=True):
                    yield block, found, seconds / len(batch) / self._pool.count
            left = again
            if left and self._pool.forgets:
                self._shared = self._pool.share(_packed(self._engine))

    def _batches(self, blocks: Sequence[Rows]) -> list[list[Rows]]:
        """Blocks put together to tasks of about a second."""
        points = sum(map(len, blocks))
        seconds = min(
            BATCH_SECONDS, self._engine.seconds * points / (BATCHES * max(1, self._pool.count))
        )
        size = max(1, seconds / max(self._engine.seconds, 1e-9))
        found: list[list[Rows]] = []
        there = math.inf
        for block in blocks:
            if there >= size:
                found.append([])
                there = 0
            found[-1].append(block)
            there += len(block)
        return found


_engines: dict[str, Engine] = {}
"""Of this worker, the last one made."""


def evaluate(task: _Task) -> _Done:
    """What a worker does: evaluate blocks of points on its own engine."""
    if task.key not in _engines:
        _engines.clear()
        _engines[task.key] = _unpacked(cluster.shared())
    engine = _engines[task.key]
    started = time.perf_counter()
    found = [engine.at_many(part) for part in task.parts]
    return _Done(found, time.perf_counter() - started)


def _packed(engine: Engine) -> bytes:
    problem, plane = engine.problem, engine.plane
    about: dict[str, Any] = {
        "evaluation": replace(
            engine.evaluation, device=engine.strategy.device, strategy=Evaluation.strategy
        ),
        "stored": asdict(engine.strategy),
        "population": engine.population,
        "weight_decay": engine.weight_decay,
    }
    try:
        inner = pickle.dumps((replace(problem, augment=None), replace(plane, points=()), about))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise LandscapeError(
            f"workers need a problem that can be pickled, got: {error}; "
            "define its classes and functions at the top of a module, or leave --workers out"
        ) from error
    return pickle.dumps((problem.source, inner))


def _unpacked(content: bytes) -> Engine:
    source, inner = pickle.loads(content)
    try:
        if source is not None:
            provide(source)
        problem, plane, about = pickle.loads(inner)
    except (ImportError, AttributeError, LandscapeError) as error:
        raise LandscapeError(
            f"a worker must be able to import the problem's module, got: {error}; "
            "install the module where the workers run, or start them where its file is"
        ) from error
    return choosing.engine(problem, plane, np.zeros((1, len(plane.directions))), **about)

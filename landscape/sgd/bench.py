"""What recording costs: the same training with and without it, block by block in turn."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.samples import length
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.state import undisturbed
from landscape.sgd.training.train import Training, steps

NEVER = "1000000000"
"""A cadence that records step 0 alone: snapshots are measured by themselves."""

Block = Callable[[], None]


@dataclass(frozen=True)
class StepCost:
    """What one way to train takes."""

    name: str
    milliseconds: float
    """A step: lower quartile over the blocks; what else the machine does only adds."""
    overhead: float
    """How much more than `BASE`, as a share of it."""


BASE = "training, nothing recorded"


@dataclass(frozen=True)
class RecordingCosts:
    """The costs, and what a snapshot takes apart from them."""

    costs: tuple[StepCost, ...]
    evaluation: float
    """Milliseconds of one full-data evaluation, training and validation data."""
    flush: float
    """Milliseconds of one flush, resume.h5 with it."""
    steps_per_epoch: int
    parameters: int
    threads: int

    @property
    def evaluation_share(self) -> float:
        """Of an epoch's time, where one evaluation an epoch is made."""
        base = next(cost.milliseconds for cost in self.costs if cost.name == BASE)
        return self.evaluation / (self.evaluation + base * self.steps_per_epoch)


def recorder(
    problem: Problem, settings: Settings, *, block: int = 3, rounds: int = 300
) -> Iterator[int | RecordingCosts]:
    """Measure; gives the number of rounds done, and the report last.

    Each round runs a block of ``block`` steps of every way to train, so that whatever else the
    machine does meanwhile meets all of them.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ways: dict[str, Block] = {
            "torch.optim.SGD, nothing recorded": _plain(problem, settings, block),
            BASE: _bare(problem, settings, block),
        }
        recordings = {
            "scalars": Options(flight=0, sketch=0),
            "scalars, flight recorder": Options(sketch=0),
            "scalars, flight recorder, sketch": Options(),
        }
        for name, options in recordings.items():
            place = Path(folder) / name
            made = stack.enter_context(
                Recorder(place, problem, settings, record=NEVER, options=options)
            )
            ways[name] = _recorded(made, problem, settings, block)
        # Of one thread its own time: what else the machine does then says little.
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        times: dict[str, list[float]] = {name: [] for name in ways}
        for run in ways.values():
            run()  # warm up
        for done in range(rounds):
            for name, run in ways.items():
                started = clock()
                run()
                times[name].append((clock() - started) / block * 1e3)
            yield done + 1
        evaluation, flush = _snapshot(made, problem, run)
    yield RecordingCosts(
        tuple(_cost(name, times) for name in ways),
        evaluation,
        flush,
        settings.steps_per_epoch(length(problem.train)),
        sum(parameter.numel() for parameter in problem.model.parameters()),
        torch.get_num_threads(),
    )


def _cost(name: str, times: dict[str, list[float]]) -> StepCost:
    mine, base = (statistics.quantiles(times[way], n=4)[0] for way in (name, BASE))
    return StepCost(name, mine, mine / base - 1)


def _plain(problem: Problem, settings: Settings, block: int) -> Block:
    training = Training(problem, settings, measured=False)
    model: nn.Module = training.model
    optimizer = torch.optim.SGD(
        model.parameters(), settings.lr, settings.momentum, weight_decay=settings.weight_decay
    )
    step = 0

    def run() -> None:
        nonlocal step
        for _ in range(block):
            optimizer.zero_grad()
            loss = training.loss(training.batch(step))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1

    return run


def _bare(problem: Problem, settings: Settings, block: int) -> Block:
    training = Training(problem, settings, measured=False)
    step = 0

    def run() -> None:
        nonlocal step
        for _ in range(block):
            training.step(step, settings.lr)
            step += 1

    return run


def _recorded(made: Recorder, problem: Problem, settings: Settings, block: int) -> Block:
    rest = steps(problem, settings)

    def run() -> None:
        for _ in range(block):
            made.record(next(rest))

    return run


def _snapshot(made: Recorder, problem: Problem, run: Block) -> tuple[float, float]:
    """Milliseconds of an evaluation and of a flush after a block, medians of a few."""
    evaluator = Evaluator(problem)
    evaluations = []
    for _ in range(7):
        started = time.perf_counter()
        with undisturbed():
            evaluator.on_train(problem.model)
            evaluator.on_validation(problem.model)
        evaluations.append((time.perf_counter() - started) * 1e3)
    flushes = []
    for _ in range(7):
        run()
        started = time.perf_counter()
        made.flush()
        flushes.append((time.perf_counter() - started) * 1e3)
    return statistics.median(evaluations), statistics.median(flushes)

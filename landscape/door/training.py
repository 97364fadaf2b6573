"""Trainings at the door: our own, and somebody's loop that is watched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, Unpack

from torch import Tensor, nn

from landscape.door.given import check_options, takes_of
from landscape.door.options import TrainingOptions
from landscape.door.progress import Progress, log
from landscape.door.python_words import speaking_python
from landscape.door.runs import HeldRun
from landscape.problem.examine import notes
from landscape.problem.problem import Problem
from landscape.sgd import watching
from landscape.sgd.recording.cadence import DEFAULT
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.setup import begin_with
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import Step
from landscape.sgd.watching import Bystander, Optimizers, Watch

LOOP_OPTIONS = {
    name: hint
    for name, hint in sorted((takes_of(watching.watch) | takes_of(Recorder.__init__)).items())
    if name not in ("folder", "problem", "optimizer", "model", "settings", "command")
}
"""What ``ls.watch`` takes as ``**options``, with its types."""
RECORDED = {name: takes_of(Watch.record)[name] for name in ("terms", "term_weights")}
"""What ``record`` takes beside the loss."""


class RunCallback(Protocol):
    """What a training calls after each of its steps, and once more when it has ended."""

    def __call__(self, run: HeldRun, *, ended: bool) -> object:
        """Take note; what it raises ends the training."""


@speaking_python
def train(
    problem: Problem,
    *,
    to: str | Path,
    lr: float | None = None,
    momentum: float = 0.0,
    epochs: int = 40,
    batch_size: int | None = None,
    seed: int = 0,
    record: str = DEFAULT,
    overwrite: bool = False,
    callbacks: Sequence[RunCallback] = (),
    **options: Unpack[TrainingOptions],
) -> HeldRun:
    """Train a problem by SGD, or another optimizer, and record its weights along the way.

    The problem's model stays as it is: what is trained is a copy, from the weights that it has.
    The same problem, settings and number of threads give the same weights, to the bit, on one
    machine; they are those of ``landscape train`` with the same options. Interrupted (Ctrl-C, a
    kill), the run goes on by ``ls.open(to, problem).resume()``.

    Args:
        problem: what is minimised.
        to: folder to make; a run's name is its folder's.
        lr: learning rate; None: the optimizer's own, of sgd 0.05.
        momentum: of sgd and rmsprop.
        epochs: passes through the training data; ``steps=`` instead counts steps.
        batch_size: samples a step; None: the problem's, such as its DataLoader's, else 32.
        seed: of the order of batches. The weights that it starts from are the problem's.
        record: when weights and losses over all data are recorded, see `landscape.sgd.Cadence`.
        overwrite: replace a run that is there.
        callbacks: each called as ``callback(run, ended=False)`` after each step, and with
            ``ended=True`` when the training has ended, however it did.
        options: other fields of `landscape.sgd.Settings` (``optimizer="adamw"``, ``schedule``,
            ``weight_decay``, ``steps``, ``clip``, ``ema``, ``device``) and of
            `landscape.sgd.Options` (``dense``, ``flight``, ``disk_limit``).

    Raises:
        LandscapeError: something is in the folder, a value that can't be, or a problem that can't
            be trained; nothing is written then.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=8)
    >>> run = ls.train(problem, lr=0.3, momentum=0.9, steps=40, to="runs/quick")
    >>> run.status, len(run.to_pandas(steps=True))
    ('finished', 40)
    """
    main = {"lr": lr, "momentum": momentum, "epochs": epochs}
    settings, recorded = _records({**main, "batch_size": batch_size, "seed": seed, **options})
    underway = begin_with(
        problem, to, settings, record=record, options=recorded, overwrite=overwrite
    )
    _tell(underway.notes)
    run, progress = HeldRun(to, problem), Progress(f"training {to}")

    def told(step: Step) -> None:
        progress.reached(step.step / underway.total)
        _call(callbacks, run, ended=False)

    try:
        underway.finish(told)
    finally:
        _call(callbacks, run, ended=True)
    return run


def _records(given: Mapping[str, Any]) -> tuple[Settings, Options]:
    """Settings and options of recording, from values by the names of their fields."""
    records = (Settings, Options)
    takes = takes_of(Settings) | takes_of(Options)
    check_options("a training's options are", given, dict(sorted(takes.items())))
    places = {one.name: kind for kind in records for one in fields(kind)}
    found: dict[type, dict[str, Any]] = {kind: {} for kind in records}
    for name, value in given.items():
        found[places[name]][name] = value
    return Settings(**found[Settings]), Options(**found[Options])


def _tell(found: Iterable[str]) -> None:
    """Say what a user should know of how the loss is had, as the commands do."""
    for note in found:
        log.warning("%s", note)


def _call(callbacks: Iterable[RunCallback], run: HeldRun, *, ended: bool) -> None:
    for callback in callbacks:
        callback(run, ended=ended)


@speaking_python
def watch(
    folder: str | Path,
    problem: Problem,
    optimizer: Optimizers,
    model: nn.Module | None = None,
    *,
    callbacks: Sequence[RunCallback] = (),
    **options: Any,
) -> HeldLoop:
    """Record a training loop of one's own, in two lines: ``with``, and ``record`` after each step.

    Args:
        folder: to make; refused if something is there.
        problem: what is trained; full-data losses are measured on its data, with its loss.
        optimizer: the loop's, any of torch's, or a list of all that step before a ``record``.
        model: the loop's, if it isn't ``problem.model`` itself.
        callbacks: as for `train`.
        options: ``record="log+100"`` (when weights are recorded), ``steps_per_epoch`` (what an
            epoch is), ``average`` (a running average of the model, recorded too), ``clip``,
            ``parameters`` (frozen tensors that are trained later), ``overwrite``.

    Cost: a few copies of the weights and a few products a step, and a pass through all data
    wherever weights are recorded. In a process that isn't torchrun's first nothing is recorded.

    Raises:
        LandscapeError: the folder isn't free, the model isn't the problem's, or the optimizers
            don't hold its parameters; nothing is written then.

    >>> import torch, landscape as ls
    >>> from landscape.problem import half_square
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> problem = ls.Problem(torch.nn.Linear(1, 1), (x, 2 * x), loss=half_square)
    >>> optimizer = torch.optim.Adam(problem.model.parameters(), lr=0.1)
    >>> with ls.watch("runs/own", problem, optimizer, record="10") as loop:
    ...     for _ in range(30):
    ...         loss = (problem.model(x) - 2 * x).square().mean() / 2
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         loop.record(loss)
    >>> loop.run.status, loop.run.trajectory.step.tolist()
    ('finished', [0, 10, 20, 30])
    """
    check_options("a loop's options are", options, LOOP_OPTIONS)
    watched = watching.watch(folder, problem, optimizer, model, **options)
    if isinstance(watched, Watch):
        _tell(notes(problem))
    return HeldLoop(watched, problem, callbacks)


class HeldLoop:
    """A loop that is recorded; a context manager that closes the run when the loop is left.

    >>> import torch, landscape as ls
    >>> problem = ls.Problem(torch.nn.Linear(2, 2), (torch.eye(2), torch.tensor([0, 1])))
    >>> optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.1)
    >>> with ls.watch("runs/own", problem, optimizer, record="1") as loop:
    ...     problem.model(torch.eye(2)).sum().backward()
    ...     optimizer.step()
    ...     loop.record(0.7)
    >>> loop
    <loop recorded into runs/own>
    """

    def __init__(
        self, watched: Watch | Bystander, problem: Problem, callbacks: Sequence[RunCallback] = ()
    ) -> None:
        """Hold what `landscape.sgd.watch` gives."""
        self.stored = watched
        self._problem, self._callbacks = problem, callbacks

    @property
    def taken(self) -> bool:
        """Whether a step was taken since the last ``record``; a gradient scaler skips some."""
        return self.stored.taken

    @property
    def run(self) -> HeldRun:
        """The run, with its problem: it can be scanned and drawn, also while the loop goes on.

        Raises:
            LandscapeError: this isn't the process that records.
        """
        return HeldRun(self.stored.run.folder, self._problem)

    @speaking_python
    def record(self, loss: Tensor | float, **terms: Any) -> None:
        """Record the step that ``optimizer.step()`` has just taken, with its batch loss.

        ``terms`` and ``term_weights`` are those of a problem that is a sum.

        Raises:
            LandscapeError: no step was taken since the last call.
        """
        check_options("a step is recorded with", terms, RECORDED)
        self.stored.record(loss, **terms)
        self._call(ended=False)

    @speaking_python
    def close(self, status: str = "finished") -> None:
        """Close the run, for whoever doesn't use ``with``."""
        self.stored.close(status)
        self._call(ended=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stored.__exit__(kind, error, at)
        self._call(ended=True)

    def _call(self, *, ended: bool) -> None:
        if self._callbacks and isinstance(self.stored, Watch):
            _call(self._callbacks, self.run, ended=ended)

    def __repr__(self) -> str:
        """Which run it records."""
        if isinstance(self.stored, Bystander):
            return "<loop of a process that records nothing>"
        return f"<loop recorded into {self.stored.run.folder}>"

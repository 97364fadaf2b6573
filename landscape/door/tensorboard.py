"""A run shown in TensorBoard: scalars, events and figures, written one way.

::

    from landscape.door.tensorboard import TensorBoardLog

    run = ls.train(problem, to="runs/high-lr", callbacks=[TensorBoardLog("runs/tensorboard")])

What is written comes from the run's files, so that any run may be shown: while it trains,
afterwards, or one that another process records. Nothing is ever read back.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from landscape.door.python_words import speaking_python
from landscape.door.runs import HeldRun, held
from landscape.errors import LandscapeError
from landscape.store.trajectories.trajectory import Event, Trajectory

WRITERS = ("torch.utils.tensorboard", "tensorboardX")
"""Whose SummaryWriter is taken, the first that is installed."""


class SummaryWriter(Protocol):
    """What is used of a writer, PyTorch's or tensorboardX's."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any:
        """Write a number."""

    def add_text(self, tag: str, text_string: str, global_step: int) -> Any:
        """Write a text."""

    def add_figure(self, tag: str, figure: Figure, global_step: int, close: bool) -> Any:
        """Write a picture."""

    def flush(self) -> Any:
        """Bring what was written to the disk."""

    def close(self) -> Any:
        """Write everything and let go of the file."""


class TensorBoardLog:
    """Writes what is new of one run, now and then; a callback of ``ls.train`` and ``ls.watch``.

    - ``steps/NAME``: the scalars of every SGD step, such as ``steps/batch_loss``; at step t those
      of the step from w_t to w_{t+1}.
    - ``full/NAME``: losses and accuracies over all data, at the recorded steps.
    - ``events``: spikes, escapes, plateaus, recoveries, as text. An event that grows is written
      again.
    - ``figures/loss``: the loss curves with the events.

    Cost: reading the run's scalars and writing about 10 µs a number; with ``every=10`` that is
    well below a percent of most trainings.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
    >>> log = TensorBoardLog("runs/tensorboard", figures=())
    >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons", callbacks=[log])
    >>> [file] = Path("runs/tensorboard").glob("*tfevents*")
    """

    @speaking_python
    def __init__(
        self,
        to: str | Path | SummaryWriter,
        *,
        every: float = 10.0,
        stride: int = 1,
        figures: Sequence[str] = ("loss",),
    ) -> None:
        """Write into a folder.

        Args:
            to: the folder, or a SummaryWriter of one's own, which stays open.
            every: seconds between two times that it writes while the run trains; and at its end.
            stride: of the scalars of steps, only every so many.
            figures: kinds that ``run.figure`` draws.

        Raises:
            LandscapeError: no writer is installed, or a stride below 1.
        """
        if stride < 1:
            raise LandscapeError(f"stride must be at least 1 step, got {stride}")
        self._owns = isinstance(to, str | Path)
        self.writer = _writer(to) if isinstance(to, str | Path) else to
        self.every, self.stride, self.figures = every, stride, tuple(figures)
        self._run = ""
        self._due = 0.0
        self._steps, self._rows = 0, -1
        self._events: set[Event] = set()

    def __call__(self, run: HeldRun, *, ended: bool) -> None:
        """Write what is new, if it is time to or the training has ended."""
        if ended or time.monotonic() >= self._due:
            self.follow(run)
            self._due = time.monotonic() + self.every
        if ended and self._owns:
            self.writer.close()

    @speaking_python
    def follow(self, run: HeldRun | str | Path) -> None:
        """Write what is new of a run now; nothing while nothing was recorded.

        Raises:
            LandscapeError: it is another run than before, or it can't be read.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")
        >>> log = TensorBoardLog("runs/tensorboard", figures=())
        >>> log.follow("runs/moons")
        """
        run = held(run)
        if self._run and run.stored.id != self._run:
            raise LandscapeError(
                f"a log is of one run, got {run.folder} after another one; make a log for each"
            )
        self._run = run.stored.id
        if not (run.folder / "trajectory.h5").is_file():
            return  # before the first flush
        trajectory = run.trajectory
        self._write_steps(trajectory)
        new = self._write_rows(trajectory)
        self._write_events(trajectory.events)
        if new:
            self._write_figures(run, int(trajectory.step[-1]))
        self.writer.flush()

    def _write_steps(self, trajectory: Trajectory) -> None:
        scalars = trajectory.scalars()
        count = len(next(iter(scalars.values()), ()))
        for step in range(-(-self._steps // self.stride) * self.stride, count, self.stride):
            for name, values in scalars.items():
                self._number(f"steps/{name}", values[step], step)
        self._steps = max(self._steps, count)

    def _write_rows(self, trajectory: Trajectory) -> bool:
        """Write the rows after the last one written; say whether there were any."""
        new = np.flatnonzero(trajectory.step > self._rows).tolist()
        for row in new:
            for name, values in trajectory.measures.items():
                self._number(f"full/{name}", values[row], int(trajectory.step[row]))
        self._rows = int(trajectory.step[-1])
        return bool(new)

    def _write_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if event not in self._events:
                self._events.add(event)
                text = f"{event.name}, steps {event.first:,} to {event.last:,}: {event.trigger}"
                self.writer.add_text("events", text, event.first)

    def _write_figures(self, run: HeldRun, step: int) -> None:
        for kind in self.figures:
            if kind == "loss" and not _has_curve(run):
                continue
            # Not closed: that is pyplot's affair, which figures don't touch.
            self.writer.add_figure(f"figures/{kind}", run.figure(kind), step, close=False)

    def _number(self, tag: str, value: float, step: int) -> None:
        if not np.isnan(value):  # not measured there; infinite losses are
            self.writer.add_scalar(tag, float(value), step)


def _has_curve(run: HeldRun) -> bool:
    """Whether there are the two losses that a curve takes."""
    return int(np.isfinite(run.trajectory.measures["train_loss"]).sum()) > 1


def _writer(folder: str | Path) -> SummaryWriter:
    for name in WRITERS:
        try:
            library = importlib.import_module(name)
        except ImportError:  # PyTorch's is there and wants the package tensorboard
            continue
        made: SummaryWriter = library.SummaryWriter(str(folder))
        return made
    raise LandscapeError(
        "logging to TensorBoard needs the package tensorboard or tensorboardX, neither is "
        "installed: pip install tensorboardX"
    )

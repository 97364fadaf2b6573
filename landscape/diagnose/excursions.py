"""Where a run learned, left, and came back: its losses read row by row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from landscape.diagnose.evidence import Evidence, Rows
from landscape.diagnose.thresholds import Thresholds
from landscape.sgd import events
from landscape.sgd.events import Excursion
from landscape.store.records import Floats

END_ROWS = 5
"""The end's median is over the last tenth of the rows, and over at least so many."""


CLEAR = 8
"""MADs that noise doesn't reach."""
SEEN = 10
"""Rows before a spike that its noise is known from."""


@dataclass(frozen=True)
class Course:
    """A run's full-data training loss and the stretches that it falls into."""

    rows: Rows
    """The rows with a loss, finite or not."""
    constant: float
    """L₀, or where there is none the first row's loss."""
    noise: float
    """MAD from a running median in the quieter half of the run."""
    learned: int | None
    """The row from which it had learned for a whole epoch; None: never."""
    excursions: tuple[Excursion, ...]
    residuals: Floats
    """(T,) distance of each loss from the median of those before it."""
    best: int
    """The row with the lowest loss."""
    escaped: bool = False
    """Whether the last excursion reaches the end and is long enough for an escape."""
    epoch: int = 1
    """Steps of one."""

    @property
    def loss(self) -> Floats:
        """(T,) finite losses."""
        return self.rows.train_loss

    @property
    def end(self) -> float:
        """Median loss of the last rows."""
        return float(np.median(self.loss[-max(END_ROWS, len(self.loss) // 10) :]))

    @property
    def scale(self) -> float:
        """|L₀|, which losses are measured by; 1 where it is 0."""
        return abs(self.constant) or 1.0

    def share(self, loss: float) -> float:
        """The share u = (L₀ − L)/L₀ of the way from the constant output to a loss of 0."""
        return (self.constant - loss) / self.scale

    @property
    def last(self) -> Excursion | None:
        """The excursion that reaches the end, if one does."""
        found = self.excursions[-1] if self.excursions else None
        return found if found is not None and found.end == len(self.loss) else None

    @property
    def ended(self) -> tuple[Excursion, ...]:
        """Those that came back."""
        return self.excursions[:-1] if self.last else self.excursions

    @property
    def spikes(self) -> tuple[Excursion, ...]:
        """Those that came back and rose clear of the noise before them, 8 MAD above the best.

        Early in training the way to L₀ is short, and noise alone reaches an excursion's onset.
        """
        return tuple(
            excursion
            for excursion in self.ended
            if excursion.onset is not None
            and excursion.first >= SEEN
            and self.loss[excursion.first : excursion.end].max()
            > excursion.best + CLEAR * np.median(np.abs(self.residuals[: excursion.first]))
        )

    @property
    def longest(self) -> int:
        """Rows of the longest excursion that ended."""
        return max((excursion.rows for excursion in self.ended), default=0)

    def step(self, row: int) -> int:
        """The step of a row."""
        return int(self.rows.step[row])


@dataclass(frozen=True)
class Case:
    """What the rules of the outcome are given."""

    evidence: Evidence
    course: Course
    thresholds: Thresholds


def read(evidence: Evidence, thresholds: Thresholds | None = None) -> Course | None:
    """Follow the training loss through its finite rows; None where there are fewer than two."""
    limits = thresholds or Thresholds()
    rows = _finite(evidence.rows)
    loss = rows.train_loss
    if len(loss) < 2:
        return None
    known = math.isfinite(evidence.constant_loss)
    constant = evidence.constant_loss if known else float(loss[0])
    residuals = events.residuals(loss)
    noise = min(
        (float(np.median(np.abs(half))) for half in _halves(residuals) if len(half)), default=0.0
    )
    # Where noise is large, learning is what stands clear of it.
    above = max(limits.learned, 3 * noise / (abs(constant) or 1.0))
    learned = events.learned(rows.step, loss, constant, evidence.setup.steps_per_epoch, above)
    found: tuple[Excursion, ...] = ()
    if learned is not None:
        found = tuple(
            events.excursions(
                loss, constant, since=learned, residuals=residuals, share=limits.excursion
            )
        )
    course = Course(
        rows,
        constant,
        noise,
        learned,
        found,
        residuals,
        int(loss.argmin()),
        epoch=evidence.setup.steps_per_epoch,
    )
    last = course.last
    if last is None or last.onset is None:
        return course
    fewest = max(limits.escape_rows, limits.escape_times * course.longest)
    return replace(course, escaped=last.rows >= fewest)


def names(course: Course) -> Iterator[tuple[str, int, int]]:
    """Name, first and last step of spikes, recoveries, plateaus, and an escape at the end.

    As `events.detect` has them, with the thresholds of the course.
    """
    for spike in course.spikes:
        peak = spike.first + int(course.loss[spike.first : spike.end].argmax())
        yield "spike", course.step(spike.onset or spike.first), course.step(spike.end - 1)
        yield "recovery", course.step(peak), course.step(spike.end)
    last = course.last
    if last is not None and last.onset is not None:
        name = "escape" if course.escaped else "spike"
        yield name, course.step(last.onset), course.step(last.end - 1)
    for plateau in events.plateaus(course.rows.step, course.loss, course.constant, course.epoch):
        yield plateau.name, plateau.first, plateau.last


def _halves(values: Floats) -> tuple[Floats, Floats]:
    middle = len(values) // 2
    return values[:middle], values[middle:]


def _finite(rows: Rows) -> Rows:
    keep = np.isfinite(rows.train_loss)
    others = (rows.validation_loss, rows.train_accuracy, rows.validation_accuracy)
    kept = (None if values is None else values[keep] for values in others)
    return Rows(rows.step[keep], rows.train_loss[keep], *kept)

"""Where a run learned, left, and came back: its full-data losses read row by row.

The one place that decides what an excursion, a spike and an escape is. A recording names its events
by it, a plane whether the loss rose and stayed, a diagnosis its outcome: all by the same
`EventRules` unless somebody draws a diagnosis's lines elsewhere.

L₀ is the loss of the best constant output, and u = (L₀ − L)/L₀ the share of the way from it to 0.
Thresholds marked † are conventions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from landscape.quantities import percent
from landscape.sgd import endings
from landscape.sgd.endings import Ending, EndingRules
from landscape.store.scans.records import Floats
from landscape.store.trajectories.trajectory import Event

LEARNED = 0.1
"""† Share of the way from the constant output's loss to 0 that counts as having learned."""
EXCURSION = 0.25
"""† Share of the way from the best loss to the constant output's that begins an excursion."""
ROWS = 5
"""† The fewest rows of a plateau."""
FLAT = 0.05
"""† A plateau's losses are within this share of the constant output's."""
LEARNED_NOISE = 3.0
"""Where noise is large, learning is what stands clear of it: by so many MADs."""
SPIKE_NOISE = 8.0
"""MADs that noise doesn't reach."""
SPIKE_ROWS = 10
"""Rows before a spike that its noise is known from."""
BEFORE = 5
"""Rows that the running median is taken over."""
BACK = 8
"""Batches by whose losses a run may be seen to be back between two rows."""
END_ROWS = 5
"""The end's median is over the last tenth of the rows, and over at least so many."""


@dataclass(frozen=True)
class EventRules:
    """What counts as having learned, as an excursion, as a spike and as an escape.

    What noise alone may do gets no name.
    """

    learned: float = LEARNED
    """u that counts as having learned, for a whole epoch,"""
    learned_noise: float = LEARNED_NOISE
    """and at least so many times the noise's MAD as a share of L₀."""
    excursion: float = EXCURSION
    """Share of the way from the best loss to L₀ above which an excursion begins."""
    spike_noise: float = SPIKE_NOISE
    """A spike rises so many MADs of the noise before it above the best loss,"""
    spike_rows: int = SPIKE_ROWS
    """which is known from so many rows: early the way to L₀ is short, and noise may go it."""
    ending: EndingRules = field(default_factory=EndingRules)
    """What the run's last stretch is, beside its best: there an escape is decided."""


@dataclass(frozen=True)
class RiseLevels:
    """Where an excursion begins and how far a row must rise to be its onset."""

    level: float
    onset: float


@dataclass(frozen=True)
class Excursion:
    """Rows ``first`` to ``end`` - 1, all above ``limits.level``; ``onset`` may be none of them."""

    first: int
    end: int
    onset: int | None
    limits: RiseLevels
    best: float
    """The best loss before it."""

    @property
    def rows(self) -> int:
        """How many rows it lasts."""
        return self.end - self.first


@dataclass(frozen=True)
class Course:
    """A run's full-data training loss and the stretches that it falls into."""

    steps: NDArray[np.int64]
    """(T,) of the rows with a finite loss, and"""
    loss: Floats
    """(T,) their losses."""
    constant: float
    """L₀, or where there is none the first row's loss."""
    residuals: Floats
    """(T,) distance of each loss from the median of those before it."""
    learned: int | None
    """The row from which it had learned for a whole epoch; None: never."""
    excursions: tuple[Excursion, ...]
    ending: Ending
    rules: EventRules = field(default_factory=EventRules)
    epoch: int = 1
    """Steps of one."""

    @property
    def best(self) -> int:
        """The row with the lowest loss."""
        return int(self.loss.argmin())

    @property
    def level(self) -> float:
        """The loss above which the run has left its best.

        A quarter of the way to L₀; after an escape to a lower loss, halfway to that. Of a run that
        never learned, the loss that shows learning.
        """
        if self.ending.kind == endings.NEVER:
            return self.constant - self.rules.learned * self.scale
        return self._halfway if self.is_level_halfway else self._excursion

    @property
    def is_level_halfway(self) -> bool:
        """Whether `level` is halfway to where an escape ended."""
        return self.escaped and self._halfway < self._excursion

    @property
    def wandered(self) -> float | None:
        """The median of its losses from the lowest on while it still came back below `level`.

        None where that isn't above `level`: it stayed near, or what rose above it stayed there.
        """
        near = np.flatnonzero(self.loss[: self.left] <= self.level)
        if self.left is None or not len(near) or near[-1] <= self.best:
            return None
        median = float(np.median(self.loss[self.best + 1 : near[-1] + 1]))
        return median if self.level < median < self.ending.end else None

    @property
    def leaving(self) -> float:
        """The loss that a training from one of its rows ends above, if it leaves as the run did.

        `level`; of a run that wandered above that and came back before it left for good, halfway
        from there to its end: a training that wanders as the run did hasn't left.
        """
        return self.level if self.wandered is None else (self.wandered + self.ending.end) / 2

    @property
    def _excursion(self) -> float:
        return level(float(self.loss[self.best]), self.constant, self.rules.excursion)

    @property
    def _halfway(self) -> float:
        return (self.ending.best + self.ending.end) / 2

    @property
    def end(self) -> float:
        """Median loss of the last rows."""
        return float(np.median(self.loss[-max(END_ROWS, len(self.loss) // 10) :]))

    @property
    def noise(self) -> float:
        """MAD from a running median in the quieter half of the run."""
        return _noise(self.residuals)

    @property
    def scale(self) -> float:
        """|L₀|, which losses are measured by; 1 where it is 0."""
        return abs(self.constant) or 1.0

    def share(self, loss: float) -> float:
        """The share u = (L₀ − L)/L₀ of the way from the constant output to a loss of 0."""
        return (self.constant - loss) / self.scale

    def step(self, row: int) -> int:
        """The step of a row."""
        return int(self.steps[row])

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
        """Those that came back, before any escape, and rose clear of the noise before them."""
        end = len(self.loss) if self.left is None else self.left
        return tuple(each for each in self.ended if each.end <= end and self.is_spike(each))

    def is_spike(self, excursion: Excursion) -> bool:
        """Whether it rose clear of the noise before it."""
        if excursion.onset is None or excursion.first < self.rules.spike_rows:
            return False
        before = float(np.median(np.abs(self.residuals[: excursion.first])))
        highest = self.loss[excursion.first : excursion.end].max()
        return bool(highest > excursion.best + self.rules.spike_noise * before)

    @property
    def left(self) -> int | None:
        """The row from which it is away for good; None where it isn't."""
        return self.ending.left

    @property
    def escaped(self) -> bool:
        """Whether its last stretch lies clearly above its best."""
        return self.left is not None


def level(best: float, constant: float, share: float = EXCURSION) -> float:
    """The loss above which an excursion begins: L_best + ``share`` (L₀ − L_best)."""
    return best + share * (constant - best)


def rise_levels(
    best: float,
    constant: float,
    residuals: Sequence[float] | NDArray[np.float64],
    share: float = EXCURSION,
) -> RiseLevels:
    """For a best loss so far, the constant output's, and residuals from a running median.

    The onset is best + max(min(8 MAD, 0.5 (L0 - best)), 0.25 (L0 - best)); ``share`` is the 0.25.
    """
    way = constant - best
    mad = float(np.median(np.abs(residuals))) if len(residuals) else 0.0
    return RiseLevels(
        level(best, constant, share), best + max(min(8 * mad, 0.5 * way), share * way)
    )


def is_away(loss: float, best: float, constant: float, *, learned: float = LEARNED) -> bool:
    """Whether a single row's loss has left the best, which had learned: u above ``learned``.

    What can be said of one row: as a run goes on, or of its end. NaN has not left.
    """
    share = (constant - best) / (abs(constant) or 1.0)
    return share > learned and loss > level(best, constant)


def read(
    step: NDArray[np.int64],
    loss: Floats,
    *,
    constant_loss: float,
    steps_per_epoch: int = 1,
    batches: Floats | None = None,
    rules: EventRules | None = None,
) -> Course | None:
    """Follow the full-data losses of some rows; None where fewer than two of them are finite.

    Where no constant output's loss is known (NaN) the first row's takes its place. Rows that are
    not finite are left out. ``batches`` are the losses of the batches of steps 0, 1, ...: a run
    that was back by these between two rows left after them.
    """
    rules = rules or EventRules()
    finite = np.isfinite(loss)
    step, loss = step[finite], loss[finite]
    if len(step) < 2:
        return None
    constant = constant_loss if math.isfinite(constant_loss) else float(loss[0])
    apart = residuals(loss)
    above = max(rules.learned, rules.learned_noise * _noise(apart) / (abs(constant) or 1.0))
    start = learned(step, loss, constant, steps_per_epoch, above)
    found: list[Excursion] = []
    if start is not None:
        found = excursions(loss, constant, since=start, residuals=apart, share=rules.excursion)
    inside = found[-1].first if found and found[-1].end == len(loss) else None
    noise = 0.0 if math.isfinite(constant_loss) else _noise(apart)
    ending = endings.of(loss, constant, noise, rules.ending, inside=inside)
    course = Course(
        step, loss, constant, apart, start, tuple(found), ending, rules, steps_per_epoch
    )
    if course.left is None or batches is None:
        return course
    left = _left_at_last(course, course.left, batches)
    return replace(course, ending=replace(ending, left=left))


def _left_at_last(course: Course, left: int, batches: Floats) -> int:
    """The row from which batches were away as well, looked for within an epoch of the first one.

    They are back where the mean of some in a row lies below the level by two standard errors.
    """
    until = course.step(left) + course.epoch
    for row in range(left, len(course.steps) - 1):
        if course.step(row) > until:
            break
        between = np.asarray(batches[course.step(row) : course.step(row + 1)], np.float64)
        if len(between) < BACK:
            continue
        some = np.lib.stride_tricks.sliding_window_view(between, BACK)
        errors = some.std(axis=1, ddof=1) / math.sqrt(BACK)
        if (some.mean(axis=1) + 2 * errors <= course.level).any():
            left = row + 1
    return left


def events_of(course: Course) -> list[Event]:
    """Spikes, recoveries, plateaus, and an escape, in the order of their steps.

    A spike is an excursion that ended, a recovery its way back from the highest row; an escape is
    where the last stretch begins that lies clearly above the best, as `endings` reads it. An
    excursion that reaches the end is a spike as well, up to where an escape begins: the run swung
    about away from its best, and then left.
    """
    loss, step = course.loss, course.step
    found: list[Event] = []
    for each in course.spikes:
        found.append(_spike(course, each))
        peak = each.first + int(loss[each.first : each.end].argmax())
        back = (
            f"train_loss {loss[each.end]:.4g} <= {each.limits.level:.4g} at step {step(each.end)}"
        )
        found.append(Event("recovery", step(peak), step(each.end), back))
    if course.left is not None:
        rise = f"train_loss {loss[course.left]:.4g} > {course.ending.best:.4g}, the best stretch's,"
        found.append(
            Event("escape", step(course.left), step(-1), f"{rise} from step {step(course.left)} on")
        )
    last = course.last
    if last is not None and last.onset is not None:
        if course.left is None:
            found.append(_spike(course, last))
        elif last.onset < course.left and course.is_spike(last):
            found.append(replace(_spike(course, last), last=step(course.left)))
    found += plateaus(course.steps, loss, course.constant, course.epoch)
    return sorted(found, key=lambda event: (event.first, event.last, event.name))


def _spike(course: Course, each: Excursion) -> Event:
    assert each.onset is not None
    step = course.step(each.onset)
    rise = f"train_loss {course.loss[each.onset]:.4g} > {each.limits.onset:.4g} at step {step}"
    return Event("spike", step, course.step(each.end - 1), rise)


def detect(
    step: NDArray[np.int64],
    loss: NDArray[np.float64],
    *,
    constant_loss: float,
    steps_per_epoch: int = 1,
    batches: Floats | None = None,
) -> list[Event]:
    """`events_of` what `read` gives."""
    course = read(
        step, loss, constant_loss=constant_loss, steps_per_epoch=steps_per_epoch, batches=batches
    )
    return events_of(course) if course is not None else []


def excursions(
    loss: NDArray[np.float64],
    constant: float,
    *,
    since: int,
    residuals: NDArray[np.float64],
    share: float = EXCURSION,
) -> list[Excursion]:
    """The stretches of rows after row ``since`` above L_best + ``share`` (L0 - L_best)."""
    found: list[Excursion] = []
    at = since
    best = float(loss[: since + 1].min())
    while at < len(loss):
        if loss[at] <= level(best, constant, share):
            best = min(best, float(loss[at]))
            at += 1
            continue
        limits = rise_levels(best, constant, residuals[:at], share)
        end = at
        while end < len(loss) and loss[end] > limits.level:
            end += 1
        above = np.flatnonzero(loss[at:end] > limits.onset)
        onset = at + int(above[0]) if len(above) else None
        found.append(Excursion(at, end, onset, limits, best))
        at = end
    return found


def learned(
    step: NDArray[np.int64],
    loss: NDArray[np.float64],
    constant: float,
    epoch: int,
    above: float = LEARNED,
) -> int | None:
    """The first row of a whole epoch in which the loss stays well below the constant's.

    (L0 - L) / L0, as a running median of three rows, is larger than ``above`` there. None: never.
    """
    share = (constant - loss) / abs(constant) if constant else constant - loss
    padded = np.pad(share, 1, mode="edge")
    smooth = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    start: int | None = None
    for at, value in enumerate(smooth):
        if value <= above:
            start = None
            continue
        start = at if start is None else start
        if step[at] - step[start] >= epoch:
            return start
    return None


def residuals(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each row from the median of those before it; 0 at the first."""
    before = np.pad(loss[:-1], (BEFORE, 0), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(before, BEFORE)
    found: NDArray[np.float64] = loss - np.nanmedian(
        np.where(np.isnan(windows[:, -1:]), loss[0], windows), axis=1
    )
    return found


def plateaus(
    step: NDArray[np.int64], loss: NDArray[np.float64], constant: float, epoch: int
) -> list[Event]:
    """Stretches of an epoch and five rows at least, near the constant output's loss."""
    flat = np.abs(loss - constant) <= FLAT * abs(constant)
    found: list[Event] = []
    at = 0
    while at < len(flat):
        end = at
        while end < len(flat) and flat[end]:
            end += 1
        if end - at >= ROWS and step[end - 1] - step[at] >= epoch:
            trigger = (
                f"train_loss within {percent(FLAT)} of the constant output's {constant:.4g} "
                f"from step {step[at]}"
            )
            found.append(Event("plateau", int(step[at]), int(step[end - 1]), trigger))
        at = max(end, at + 1)
    return found


def _noise(residuals: Floats) -> float:
    """The median of their sizes in the quieter half."""
    middle = len(residuals) // 2
    halves = [half for half in (residuals[:middle], residuals[middle:]) if len(half)]
    return min((float(np.median(np.abs(half))) for half in halves), default=0.0)

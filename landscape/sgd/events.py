"""Events: stretches of steps with a name, found in a run's losses.

Thresholds marked † are conventions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.sgd.flight import FlightWindow
from landscape.store.trajectory import Event

LEARNED = 0.1
"""† Share of the way from the constant output's loss to 0 that counts as having learned."""
EXCURSION = 0.25
"""† Share of the way from the best loss to the constant output's that begins an excursion."""
ROWS = 5
"""† The fewest rows of an escape and of a plateau."""
TIMES = 3
"""† An escape lasts so many times the longest excursion before it."""
FLAT = 0.05
"""† A plateau's losses are within this share of the constant output's."""
BEFORE = 5
"""Rows that the running median is taken over."""


@dataclass(frozen=True)
class Thresholds:
    """Where an excursion begins and how far a row must rise to be its onset."""

    level: float
    onset: float


@dataclass(frozen=True)
class Excursion:
    """Rows ``first`` to ``end`` - 1, all above ``limits.level``; ``onset`` may be none of them."""

    first: int
    end: int
    onset: int | None
    limits: Thresholds
    best: float
    """The best loss before it."""

    @property
    def rows(self) -> int:
        """How many rows it lasts."""
        return self.end - self.first


def thresholds(
    best: float,
    constant: float,
    residuals: Sequence[float] | NDArray[np.float64],
    share: float = EXCURSION,
) -> Thresholds:
    """For a best loss so far, the constant output's, and residuals from a running median.

    The onset is best + max(min(8 MAD, 0.5 (L0 - best)), 0.25 (L0 - best)); ``share`` is the 0.25.
    """
    way = constant - best
    mad = float(np.median(np.abs(residuals))) if len(residuals) else 0.0
    return Thresholds(best + share * way, best + max(min(8 * mad, 0.5 * way), share * way))


def detect(
    step: NDArray[np.int64],
    loss: NDArray[np.float64],
    *,
    constant_loss: float,
    steps_per_epoch: int = 1,
) -> list[Event]:
    """Spikes, recoveries, an escape and plateaus in the full-data losses of some rows.

    A spike is an excursion that ended, a recovery its way back from the highest row; an escape is
    one that lasts to the end, at least five rows and three times as long as any before. Where no
    constant output's loss is known (NaN) the first row's takes its place. Rows that are not
    finite are left out.
    """
    finite = np.isfinite(loss)
    step, loss = step[finite], loss[finite]
    if len(step) < 2:
        return []
    constant = constant_loss if math.isfinite(constant_loss) else float(loss[0])
    found = _excursions(step, loss, constant, steps_per_epoch)
    found += plateaus(step, loss, constant, steps_per_epoch)
    return sorted(found, key=lambda event: (event.first, event.last, event.name))


def joined(found: Sequence[Event], windows: Sequence[FlightWindow]) -> list[Event]:
    """Events of the losses and those of the flight recorder, which knows the onset to the step.

    One that both saw has the name from the losses and the flight recorder's first step.
    """
    rest = [Event(w.name, w.first, w.last, w.trigger) for w in windows]
    merged: list[Event] = []
    for event in found:
        same = [
            other
            for other in rest
            if event.name in ("spike", "escape")
            and other.name == "spike"
            and other.first <= event.last
            and event.first <= other.last
        ]
        rest = [other for other in rest if other not in same]
        triggers = "; ".join([*(other.trigger for other in same), event.trigger])
        first = min([event.first, *(other.first for other in same)])
        last = max([event.last, *(other.last for other in same)])
        merged.append(Event(event.name, first, last, triggers))
    return sorted([*merged, *rest], key=lambda event: (event.first, event.last, event.name))


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
        if loss[at] <= best + share * (constant - best):
            best = min(best, float(loss[at]))
            at += 1
            continue
        limits = thresholds(best, constant, residuals[:at], share)
        end = at
        while end < len(loss) and loss[end] > limits.level:
            end += 1
        above = np.flatnonzero(loss[at:end] > limits.onset)
        onset = at + int(above[0]) if len(above) else None
        found.append(Excursion(at, end, onset, limits, best))
        at = end
    return found


def _excursions(
    step: NDArray[np.int64], loss: NDArray[np.float64], constant: float, epoch: int
) -> list[Event]:
    start = learned(step, loss, constant, epoch)
    if start is None:
        return []
    found: list[Event] = []
    longest = 0
    for excursion in excursions(loss, constant, since=start, residuals=residuals(loss)):
        found += _excursion(step, loss, excursion, longest)
        longest = max(longest, excursion.rows)
    return found


def _excursion(
    step: NDArray[np.int64], loss: NDArray[np.float64], excursion: Excursion, longest: int
) -> list[Event]:
    if excursion.onset is None:
        return []
    onset, end, limits = excursion.onset, excursion.end, excursion.limits
    trigger = f"train_loss {loss[onset]:.4g} > {limits.onset:.4g} at step {step[onset]}"
    first, last = int(step[onset]), int(step[end - 1])
    if end == len(loss):
        lasting = excursion.rows >= ROWS and excursion.rows >= TIMES * longest
        return [Event("escape" if lasting else "spike", first, last, trigger)]
    peak = excursion.first + int(loss[excursion.first : end].argmax())
    back = f"train_loss {loss[end]:.4g} <= {limits.level:.4g} at step {step[end]}"
    return [
        Event("spike", first, last, trigger),
        Event("recovery", int(step[peak]), int(step[end]), back),
    ]


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
                f"train_loss within {FLAT:.0%} of the constant output's {constant:.4g} "
                f"from step {step[at]}"
            )
            found.append(Event("plateau", int(step[at]), int(step[end - 1]), trigger))
        at = max(end, at + 1)
    return found

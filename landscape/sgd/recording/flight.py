"""The flight recorder: the last steps' weights in memory, written when something happens."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.sgd.recording.options import Options
from landscape.store.trajectories.trajectory import BATCH_SPIKE, OPTIMIZER, Event, event

Arrays = Mapping[str, NDArray[Any]]
MomentsAt = tuple[int, Arrays]
"""A step, and what the optimizer keeps there, by the name in files."""

FIRST = 16
"""Losses needed before a range is known; their median is the starting loss."""
SEVERAL = 8
"""Losses whose median is looked at too: a lasting rise may be smaller than the batches' noise."""
BACK = 16
"""Losses in the range, one after the other, that end an event."""
VELOCITIES = 4
"""So many states of the optimizer are kept in the time of a ring, and one more: the oldest is from
before an onset."""
ROOM = 10
"""Vectors that are left for them where a ring's memory is short, at most half of all."""


@dataclass
class FlightWindow:
    """One event seen by the flight recorder."""

    name: str
    first: int
    last: int
    trigger: str
    rise: float
    """How far the batch loss rose above its median at most."""
    start: int = 0
    end: int = -1
    """The rows written for it, first and last step; end < start: none."""


class Range:
    """Running median and MAD of the batch loss."""

    def __init__(self, length: int) -> None:
        self.values: deque[float] = deque(maxlen=length)
        self.residuals: deque[float] = deque(maxlen=length)
        """Of these values, from the median of those before each."""
        self.start: list[float] = []
        self.starting = math.nan
        """Median of the first losses."""
        self._sorted: list[float] = []

    def add(self, value: float) -> None:
        """Take in a finite loss."""
        self.residuals.append(value - self.median if self._sorted else 0.0)
        if len(self.values) == self.values.maxlen:
            del self._sorted[bisect_left(self._sorted, self.values[0])]
        self.values.append(value)
        insort(self._sorted, value)
        if len(self.start) < FIRST:
            self.start.append(value)
            self.starting = sorted(self.start)[len(self.start) // 2]

    @property
    def known(self) -> bool:
        """Whether there are enough losses to judge by."""
        return len(self.start) >= FIRST

    @property
    def median(self) -> float:
        """Of the last losses."""
        return self._sorted[len(self._sorted) // 2]

    def mad(self) -> float:
        """Median of the absolute residuals; a loss that falls steadily leaves it small."""
        return float(np.median(np.abs(np.array(self.residuals))))

    def limit(self, mads: float, rise: float, *, losses: int = 1) -> float:
        """What the median of so many losses must not exceed to be in the range."""
        noise = mads * self.mad() / math.sqrt(losses) if mads else 0.0
        return self.median + max(noise, rise * abs(self.starting))


class Flight:
    """Keeps the last steps, watches the batch loss, says when to write.

    Its state, for resuming, is ``info`` (JSON) and ``arrays``.
    """

    def __init__(self, options: Options, like: Tensor) -> None:
        """Keep rows like ``like``, the recorded part of the weights.

        ``options.flight_memory`` holds them and the optimizer's states together.
        """
        self.options = options
        self.steps = steps_that_fit(options, len(like))
        self.range = Range(options.flight_range)
        self.windows: list[FlightWindow] = []
        self.open: FlightWindow | None = None
        self.until = -1
        """The last step to be written after a trigger."""
        self._back = 0
        self._latest: deque[float] = deque(maxlen=SEVERAL)
        self._rows = torch.empty((self.steps, len(like)), dtype=torch.float32)
        self._at: list[int] = [-1] * self.steps
        self._buffers: list[Arrays] = [{}] * self.steps
        self._moments: deque[MomentsAt] = deque()
        self._state_bytes = 0
        """Of one state of the optimizer, once it was seen."""

    def push(
        self,
        step: int,
        row: Tensor,
        buffers: Callable[[], Arrays],
        moments: Callable[[], Arrays],
    ) -> None:
        """Keep one step's weights in place of the oldest ones'."""
        if not self.steps:
            return
        place = step % self.steps
        self._rows[place].copy_(row)
        self._at[place] = step
        self._buffers[place] = buffers()
        states = self._states()
        if step % max(1, self.steps // VELOCITIES, -(-self.steps // max(1, states))):
            return
        # Before there is another one: not even for a moment there are too many.
        while len(self._moments) >= max(1, states):
            self._moments.popleft()
        if states and (now := moments()):
            self._state_bytes = _bytes(now)
            if self._states():
                self._moments.append((step, now))

    def _states(self) -> int:
        """How many states of the optimizer are kept at most."""
        left = self.options.flight_memory - self._rows.nbytes
        if not self._state_bytes:
            return VELOCITIES + 1
        return min(VELOCITIES + 1, left // self._state_bytes)

    @property
    def held(self) -> list[int]:
        """The steps in memory, in order."""
        return sorted(step for step in self._at if step >= 0)

    def kept(self) -> Iterator[tuple[int, NDArray[np.float32], Arrays]]:
        """The steps in memory, oldest first; copies, made as they are asked for."""
        for step in self.held:
            place = step % self.steps
            yield step, self._rows[place].numpy().copy(), self._buffers[place]

    def row(self, step: int) -> tuple[NDArray[np.float32], Arrays] | None:
        """One step's weights and buffers, if they are in memory; not copied."""
        if not self.steps or self._at[step % self.steps] != step:
            return None
        place = step % self.steps
        return self._rows[place].numpy(), self._buffers[place]

    def before(self) -> MomentsAt | None:
        """The oldest step in memory with the optimizer's state."""
        oldest = min((step for step in self._at if step >= 0), default=0)
        return next((found for found in self._moments if found[0] >= oldest), None)

    def observe(self, step: int, loss: float, finite: bool) -> FlightWindow | None:
        """Look at the batch loss of the step from w_t, t = ``step``; a new event, if it is one."""
        if not (finite and math.isfinite(loss)):
            if self.open is not None and self.open.name == "non-finite":
                self.open.last = step
                return None
            text = f"batch_loss {loss:.4g}" if not math.isfinite(loss) else "overflowing weights"
            return self._begin("non-finite", step, f"{text} at step {step}", math.inf)
        self._latest.append(loss)
        trigger = self._trigger(step, loss) if self.range.known else ""
        if not trigger:
            self._add(loss)
            return None
        rise = loss - self.range.median
        self._back = 0
        if self.open is not None:
            self.open.last, self.open.rise = step, max(self.open.rise, rise)
            return None
        return self._begin("spike", step, trigger, rise)

    def _trigger(self, step: int, loss: float) -> str:
        """How the losses have left their range, in words; empty if they haven't."""
        mads, share = self.options.flight_mads, self.options.flight_rise
        lowest = self.range.limit(0, share)
        if max(self._latest) <= lowest:  # the rest takes longer
            return ""
        several = sorted(self._latest)[len(self._latest) // 2]
        if max(loss, several) <= lowest:
            return ""
        if loss > (limit := self.range.limit(mads, share)):
            return f"batch_loss {loss:.4g} > {limit:.4g} at step {step}"
        if several > (limit := self.range.limit(mads, share, losses=SEVERAL)):
            return f"median of {SEVERAL} batch losses {several:.4g} > {limit:.4g} at step {step}"
        return ""

    def _begin(self, name: str, step: int, trigger: str, rise: float) -> FlightWindow:
        self.open = FlightWindow(name, step, step, trigger, rise)
        self.windows.append(self.open)
        self._back = 0
        return self.open

    def _add(self, loss: float) -> None:
        # While an event lasts the range stays what it was before, or it would soon be normal.
        if self.open is None:
            self.range.add(loss)
            return
        self._back += 1
        if self._back >= BACK:
            self.open = None

    def info(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "windows": [asdict(window) for window in self.windows],
            "open": self.open is not None,
            "until": self.until,
            "back": self._back,
            "values": list(self.range.values),
            "residuals": list(self.range.residuals),
            "latest": list(self._latest),
            "start": self.range.start,
            "starting": self.range.starting,
            "at": self._at,
            "velocities": [step for step, _ in self._moments],
        }

    def arrays(self, *, most: int) -> dict[str, NDArray[Any]]:
        """The weights in memory, if they take no more than ``most`` bytes."""
        found = {f"{name}/{s}": value for s, held in self._moments for name, value in held.items()}
        if not self.steps or self._rows.nbytes > most:
            return found
        found["rows"] = self._rows.numpy()
        for place, buffers in enumerate(self._buffers):
            found |= {f"buffers/{place}/{name}": value for name, value in buffers.items()}
        return found

    def restore(self, info: Mapping[str, Any], arrays: Arrays) -> None:
        """Go on from a state."""
        self.windows = [FlightWindow(**window) for window in info["windows"]]
        self.open = self.windows[-1] if info["open"] else None
        self.until, self._back = info["until"], info["back"]
        for value in info["values"]:
            self.range.add(value)
        self.range.start, self.range.starting = list(info["start"]), info["starting"]
        self.range.residuals.clear()  # `add` made others, of values without those before them
        self.range.residuals.extend(info["residuals"])
        self._latest.extend(info["latest"])
        for step in info["velocities"]:
            end = f"/{step}"
            names = [name.removesuffix(end) for name in arrays if name.endswith(end)]
            own = [n for n in names if n == "velocity" or n.startswith(f"{OPTIMIZER}/")]
            self._moments.append((step, {name: arrays[name + end] for name in own}))
            self._state_bytes = _bytes(self._moments[-1][1])
        if "rows" not in arrays or len(info["at"]) != self.steps:
            return
        self._rows.copy_(torch.from_numpy(arrays["rows"]))
        self._at = list(info["at"])
        for place in range(self.steps):
            prefix = f"buffers/{place}/"
            self._buffers[place] = {
                name.removeprefix(prefix): value
                for name, value in arrays.items()
                if name.startswith(prefix)
            }


def steps_that_fit(options: Options, columns: int) -> int:
    """How many rows of so many weights a ring has: those asked for, or what its memory holds."""
    vectors = options.flight_memory // (4 * max(1, columns))
    return min(options.flight, vectors - min(ROOM, vectors // 2))


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())


def joined(found: Sequence[Event], windows: Sequence[FlightWindow]) -> list[Event]:
    """Events of the losses and those of the flight recorder, which knows the onset to the step.

    One that both saw has the name from the losses and the flight recorder's first step; a spike
    that the losses don't show is one of batches.
    """
    rest = [event(w.name, w.first, w.last, w.trigger) for w in windows]
    merged: list[Event] = []
    for one in found:
        same = [
            other
            for other in rest
            if one.name in ("spike", "escape")
            and other.name == BATCH_SPIKE
            and other.first <= one.last
            and one.first <= other.last
        ]
        rest = [other for other in rest if other not in same]
        triggers = "; ".join([*(other.trigger for other in same), one.trigger])
        first = min([one.first, *(other.first for other in same)])
        last = max([one.last, *(other.last for other in same)])
        merged.append(Event(one.name, first, last, triggers))
    return sorted([*merged, *rest], key=lambda one: (one.first, one.last, one.name))

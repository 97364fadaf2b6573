"""What goes into a trajectory: rows within the disk limit, moments, and event windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.sgd.recording.flight import Arrays, Flight, FlightWindow, MomentsAt
from landscape.sgd.recording.ledger import Ledger, is_extra, row_bytes
from landscape.sgd.recording.options import Options
from landscape.store.trajectories.scalars import storage
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import EVENT, FLIGHT, MEASURES

MOST_ONSETS = 8
"""States of the optimizer kept from before onsets that the full-data losses show: the latest."""
PENDING_BYTES = 64 * 2**20
"""Rows that may wait in memory for a flush, or a single one."""
UNMEASURED = dict.fromkeys(MEASURES, math.nan)


class Tape:
    """Adds to a trajectory and keeps count of what is in it."""

    def __init__(self, writer: Writer, options: Options, columns: int) -> None:
        """Write rows of ``columns`` weights."""
        self.writer, self.options = writer, options
        limit = options.disk_limit
        self.ledger = Ledger(
            row_bytes=row_bytes(columns),
            step_bytes=sum(d.itemsize for d in storage().values()) + 4 * options.sketch,
            limit=None if limit is None else max(0, limit - writer.constant_bytes),
        )
        self._measures: dict[int, Mapping[str, float]] = {}

    def add(
        self,
        step: int,
        kind: int,
        weights: NDArray[np.float32],
        buffers: Arrays,
        measures: Mapping[str, float] = UNMEASURED,
        *,
        always: bool = False,
    ) -> bool:
        """Add a row if there is room for it; an event's, the best and the ``always`` ones anyway.

        A row that is there already keeps its kinds and measures.
        """
        loss = measures["train_loss"]
        ledger = self.ledger
        better = math.isfinite(loss) and (ledger.best is None or loss < ledger.losses[ledger.best])
        if step not in ledger.kinds:
            fits, dropped = ledger.room_for(1, partly=True)
            if dropped:
                self.writer.drop(dropped)
            if not (fits or always or better or kind & (FLIGHT | EVENT)):
                ledger.refused += 1
                ledger.losses[step] = loss
                return False
        if measures is UNMEASURED:
            measures = self._measures.get(step, UNMEASURED)
        ledger.add(step, kind, loss)
        self.writer.add_row(step, ledger.kinds[step], weights, buffers, measures)
        if measures is not UNMEASURED:
            self._measures[step] = measures
            for old in [s for s in self._measures if s < step - 2 * self.options.flight - 1]:
                del self._measures[old]
        return True

    @property
    def full(self) -> bool:
        """Whether another row would be more than may wait in memory."""
        pending = self.writer.pending_bytes
        return pending > 0 and pending + self.ledger.row_bytes > PENDING_BYTES

    def add_step(self, scalars: Mapping[str, float], sketch: NDArray[np.float32] | None) -> None:
        """Add an SGD step's scalars and sketch."""
        self.writer.add_step(scalars, sketch)
        self.ledger.steps += 1

    def add_moments(self, found: MomentsAt | None) -> None:
        """Keep what the optimizer keeps at a step, if it is a row's."""
        if found is None or found[0] in self.ledger.velocities or found[0] not in self.ledger.kinds:
            return
        self.writer.add_moments(*found)
        self.ledger.per_state = sum(array.ndim > 0 for array in found[1].values())
        self.ledger.velocities.append(found[0])

    def add_onset(self, found: MomentsAt | None) -> None:
        """Keep the moments before an onset, and let go of the oldest such if there are many."""
        if found is None or found[0] in self.ledger.velocities:
            return
        self.add_moments(found)
        onsets = self.ledger.onsets
        onsets.append(found[0])
        if len(onsets) > MOST_ONSETS:
            oldest = onsets.pop(0)
            self.writer.drop_velocities([oldest])
            self.ledger.velocities = [s for s in self.ledger.velocities if s != oldest]

    def add_window(self, flight: Flight, window: FlightWindow, step: int) -> None:
        """Write the steps that the flight recorder has, and see to it that as many follow."""
        kept = flight.held
        if not kept:
            return
        if not self._make_room(flight, window):
            window.trigger += " (weights not kept)"
            return
        for at, weights, buffers in flight.kept():
            self.add(at, FLIGHT | EVENT, weights, buffers)
            if self.full:  # a copy of the whole ring would take its memory again
                self.writer.flush()
        window.start, window.end = kept[0], step + flight.steps
        flight.until = max(flight.until, window.end)
        self.add_moments(flight.before())

    def _make_room(self, flight: Flight, window: FlightWindow) -> bool:
        fits, dropped = self.ledger.room_for(2 * flight.steps)
        if dropped:
            self.writer.drop(dropped)
        held = [other for other in flight.windows if other.end >= other.start]
        if len(held) < self.options.flight_windows:
            return fits
        smallest = min(held, key=lambda other: other.rise)
        if smallest.rise >= window.rise:
            return False
        held.remove(smallest)
        self._drop_window(smallest, held)
        return self.ledger.room_for(2 * flight.steps)[0]

    def _drop_window(self, window: FlightWindow, others: list[FlightWindow]) -> None:
        steps = [
            step
            for step, kind in self.ledger.kinds.items()
            if window.start <= step <= window.end
            and is_extra(kind)
            and not any(other.start <= step <= other.end for other in others)
        ]
        self.ledger.forget(steps)
        self.writer.drop(steps)
        window.end = window.start - 1
        window.trigger += " (weights not kept)"

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `restore` needs, as arrays and JSON."""
        measures = {str(step): dict(found) for step, found in self._measures.items()}
        return self.ledger.arrays(), {"ledger": self.ledger.info(), "measures": measures}

    def restore(self, arrays: Arrays, info: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.ledger.restore(info["ledger"], arrays)
        self._measures = {int(step): found for step, found in info["measures"].items()}

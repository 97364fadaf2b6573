"""Writing a trajectory: closed, immutable shards, and one file that shows them as a whole.

A file that is appended to is unreadable after some kills, so nothing is ever appended to: each
flush writes a new shard, then a new ``trajectory.h5`` of virtual datasets over all of them, both
complete and renamed. A kill at any moment loses what came since the last flush.

Rows may come late: the flight recorder hands in steps that lie before rows already written. A
shard keeps them as they came, and the virtual datasets put all rows in order; a row of a step
that was there already replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store import stream
from landscape.store.hdf5 import open_file
from landscape.store.trajectories import constants as constants_of
from landscape.store.trajectories import index, parts
from landscape.store.trajectories.parts import ROWS, STEPS, VELOCITIES, LiveShard, Shard
from landscape.store.trajectories.scalars import fill_value, storage
from landscape.store.trajectories.trajectory import MEASURES, Event

MOST_SHARDS = 32
"""HDF5 opens every shard of a virtual dataset, and reads zeros beyond the limit on open files."""
MOST_DEAD = 0.1
"""A shard of which more than this was replaced or dropped is written anew without it."""


Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class Writer:
    """Collects rows and steps in memory; `flush` makes them permanent.

    In memory are the rows since the last flush; shards are written and merged a few megabytes at
    a time.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Sequence[Mapping[str, Any]],
        *,
        recorded: Sequence[Mapping[str, Any]] | None = None,
        sketching: index.Sketching | None = None,
        scalars: Mapping[str, np.dtype[Any]] | None = None,
        constants: Arrays = MappingProxyType({}),
        still: Arrays = MappingProxyType({}),
    ) -> None:
        """Write into a run's folder.

        Args:
            folder: the run's; nothing is written before the first flush.
            parameters: name, shape and offset of all tensors.
            recorded: those that rows hold, with their offset in a row; None for all.
            sketching: how the sketches given to `add_step` are made; None where there are none.
            scalars: the type of each scalar given to `add_step`; None for those of SCALARS.
            constants: frozen tensors and whatever else never changes, by name.
            still: buffers as they are at the start; rows hold one only once it has changed.
        """
        self.folder = folder
        types = storage() if scalars is None else scalars
        names = frozenset(still)
        self.about = index.About(tuple(parameters), recorded, sketching, types, still=names)
        self._constants: Arrays = {**constants, **still}
        self._still = dict(still)
        self._stirred: dict[str, NDArray[Any]] = {}
        self.parts: list[LiveShard] = []
        self.events: Sequence[Event] | None = None
        self._rows: dict[int, dict[str, Any]] = {}
        self._velocities: dict[int, Mapping[str, NDArray[Any]]] = {}
        self._steps: list[tuple[Mapping[str, float], NDArray[np.float32] | None]] = []
        self._next_step = 0
        self._written = 0
        self._indexed: tuple[Any, ...] = ()
        self._obsolete: list[str] = []
        self._changed = False

    @property
    def shards(self) -> list[Shard]:
        """The files written so far, in order."""
        return [part.shard for part in self.parts]

    @property
    def pending_bytes(self) -> int:
        """Weights that wait in memory for the next flush."""
        held = [row["weights"] for row in self._rows.values()]
        held += [array for moments in self._velocities.values() for array in moments.values()]
        return sum(array.nbytes for array in held if not isinstance(array, stream.InPieces))

    def add_row(
        self,
        step: int,
        kind: int,
        weights: NDArray[np.float32],
        buffers: Mapping[str, NDArray[Any]],
        measures: Mapping[str, float],
    ) -> None:
        """Add the weights of one step, with buffers and full-data measures.

        A row of that step that is there already is replaced. ``weights`` are those of the
        recorded parameters: all of them, (P,), or a part.
        """
        row = {"step": np.int64(step), "kind": np.int64(kind), "weights": weights}
        row |= {f"buffers/{name}": value for name, value in self._moving(buffers).items()}
        self._rows[step] = row | {name: np.float64(measures[name]) for name in MEASURES}

    @property
    def constant_bytes(self) -> int:
        """What is stored once, on the disk or on its way there."""
        written = self.about.constants
        waiting = sum(value.nbytes for value in self._constants.values())
        return waiting if written is None else written.bytes

    @property
    def still(self) -> Arrays:
        """The buffers that no row has changed, as they are since the start."""
        return self._still

    def _moving(self, buffers: Arrays) -> Arrays:
        """Those of a row's buffers that rows hold; one that has never changed may be left out."""
        changed = [
            name
            for name, value in self._still.items()
            if name in buffers and not np.array_equal(buffers[name], value)
        ]
        for name in changed:
            value = self._stirred[f"buffers/{name}"] = self._still.pop(name)
            for row in self._rows.values():
                row[f"buffers/{name}"] = value
        before = {name.removeprefix("buffers/"): value for name, value in self._stirred.items()}
        return before | {name: v for name, v in buffers.items() if name not in self._still}

    def add_step(
        self, scalars: Mapping[str, float], sketch: NDArray[np.float32] | None = None
    ) -> None:
        """Add one SGD step's scalars by name, and the sketch of the weights that it starts from.

        A scalar that isn't given is stored as missing.
        """
        self._steps.append((scalars, sketch))

    def add_moments(self, step: int, moments: Mapping[str, NDArray[Any]]) -> None:
        """Add what the optimizer keeps at a step, of the recorded parameters.

        By name: ``velocity``, or ``optimizer/NAME`` each.
        """
        self._velocities[step] = moments

    def drop(self, steps: Sequence[int]) -> None:
        """Let go of these rows and their moments; the next flush frees their space."""
        for step in steps:
            self._rows.pop(step, None)
        for part in self.parts:
            part.drop(ROWS, steps)
        self.drop_velocities(steps)

    def drop_velocities(self, steps: Sequence[int]) -> None:
        """Let go of these velocities."""
        for step in steps:
            self._velocities.pop(step, None)
        for part in self.parts:
            part.drop(VELOCITIES, steps)
        self._changed = True

    def flush(self) -> None:
        """Write what was added since the last flush.

        Raises:
            LandscapeError: the disk is full; everything up to the last flush stays readable.
        """
        with stream.uninterrupted():
            if self._constants:
                self._write_constants()
            self._complete()
            if self._rows or self._steps or self._velocities:
                self._write_added()
            self._tidy()
            # After a full disk there may be more than one too many, and shards no index shows.
            while len(self.parts) > MOST_SHARDS:
                at = pair_to_merge([part.shard.bytes for part in self.parts])
                self._rewrite(at, at + 2)
            state = (self.shards, self.events)
            if not self.parts or (state == self._indexed and not self._changed):
                return
            index.write(self.folder, self.parts, self.about, self.events)
            self._indexed, self._changed = state, False
            # Only now does nothing refer to them any more.
            while self._obsolete:
                (self.folder / self._obsolete.pop()).unlink(missing_ok=True)

    def _write_constants(self) -> None:
        held = self._constants
        part = self._write_part(
            lambda file: constants_of.fill(file, held, self.about.still),
            {name: np.empty(0, np.int64) for name in (ROWS, STEPS, VELOCITIES)},
        )
        self._constants = {}
        self.about = replace(self.about, constants=part.shard)

    def _complete(self) -> None:
        """Give shards whose rows lack a buffer that has changed since then its first value."""
        if self.about.still == self._still.keys():
            return
        self.about = replace(self.about, still=frozenset(self._still))
        for at in range(len(self.parts)):
            self._rewrite(at, at + 1)

    def _write_added(self) -> None:
        rows = [self._rows[step] for step in sorted(self._rows)]
        velocities = sorted(self._velocities)
        numbers = np.arange(self._next_step, self._next_step + len(self._steps))
        keys = {
            ROWS: np.array([row["step"] for row in rows], np.int64),
            VELOCITIES: np.array(velocities, np.int64),
            STEPS: numbers,
        }

        def fill(file: h5py.File) -> None:
            for name in rows[0] if rows else ():
                like = np.asarray(rows[0][name])
                data = stream.create(file, name, (len(rows), *like.shape), like.dtype)
                for place, row in enumerate(rows):
                    data[place] = row[name]
            for name, values in self._step_arrays().items():
                stream.create(file, name, values.shape, values.dtype)[:] = values
            if velocities:
                self._fill_moments(file, velocities)
                file["velocity_step"] = keys[VELOCITIES]

        part = self._write_part(fill, keys)
        for older in self.parts:
            older.drop(ROWS, keys[ROWS])
            older.drop(VELOCITIES, keys[VELOCITIES])
        self._rows, self._steps, self._velocities = {}, [], {}
        self.parts.append(part)
        self._next_step += len(numbers)

    def _fill_moments(self, file: h5py.File, steps: Sequence[int]) -> None:
        held = [self._velocities[step] for step in steps]
        # Several optimizers needn't all have begun.
        like = {name: array for moments in held for name, array in moments.items()}
        for name, one in like.items():
            data = stream.create(file, name, (len(steps), *one.shape), one.dtype)
            for place, moments in enumerate(held):
                stream.put(data, moments.get(name, np.nan), place)

    def _step_arrays(self) -> dict[str, NDArray[Any]]:
        if not self._steps:
            return {}
        content: dict[str, NDArray[Any]] = {
            f"steps/{name}": np.array(
                [scalars.get(name, fill_value(dtype)) for scalars, _ in self._steps], dtype
            )
            for name, dtype in self.about.scalars.items()
        }
        if self.about.sketching is not None:
            empty = np.full(self.about.sketching.size, np.nan, np.float32)
            content["steps/sketch"] = np.stack(
                [empty if sketch is None else sketch for _, sketch in self._steps]
            )
        return content

    def _write_part(self, fill: Any, keys: Mapping[str, NDArray[np.int64]]) -> LiveShard:
        name = f"shards/{self._written:08d}.h5"
        self._written += 1
        size, sha256 = stream.write(self.folder / name, fill)
        counts = {axis: len(keys[axis]) for axis in (ROWS, STEPS, VELOCITIES)}
        return LiveShard(Shard(name, **counts, bytes=size, sha256=sha256), dict(keys))

    def _tidy(self) -> None:
        at = 0
        while at < len(self.parts):
            part = self.parts[at]
            if not any(live.any() for live in part.live.values()):
                self._obsolete.append(part.shard.file)
                del self.parts[at]
            elif part.dead_share > MOST_DEAD:
                self._rewrite(at, at + 1)
            else:
                at += 1

    def _rewrite(self, start: int, stop: int) -> None:
        """Write some neighbouring shards anew as one, of what is live in them."""
        old = self.parts[start:stop]
        keys = {
            name: np.sort(np.concatenate([part.keys[name][part.live[name]] for part in old]))
            for name in (ROWS, VELOCITIES, STEPS)
        }
        new = self._write_part(lambda file: parts.copy(self.folder, old, file, self._stirred), keys)
        self.parts[start:stop] = [new]
        self._obsolete += [part.shard.file for part in old]

    @classmethod
    def reopen(cls, folder: Path, *, rows: int, steps: int, velocities: Sequence[int]) -> Writer:
        """Go on writing a trajectory from some point of it; the first flush changes what is there.

        Args:
            folder: the run's.
            rows: the last row's step to keep.
            steps: how many SGD steps to keep.
            velocities: of which steps to keep the velocities.

        Raises:
            LandscapeError: the trajectory is damaged, or holds fewer SGD steps than that.
        """
        about, found, events = index.read(folder)
        writer = cls(
            folder,
            about.parameters,
            recorded=about.recorded,
            sketching=about.sketching,
            scalars=about.scalars,
        )
        writer.parts, writer.events = found, events
        writer._take_up(about)
        held = sum(int(part.live[STEPS].sum()) for part in found)
        if held < steps:
            raise LandscapeError(
                f"{folder / 'trajectory.h5'} must hold the {steps} steps that resume.h5 goes on "
                f"from, got {held}; put it back from a copy, or train anew with --overwrite"
            )
        for part in found:
            part.live[ROWS] &= part.keys[ROWS] <= rows
            part.live[STEPS] &= part.keys[STEPS] < steps
            part.live[VELOCITIES] &= np.isin(part.keys[VELOCITIES], np.array(velocities, np.int64))
        writer._next_step = steps
        # Names already used, whether the index knows them or a kill left them behind.
        used = [path.stem for path in (folder / "shards").glob("*.h5") if path.stem.isdecimal()]
        writer._written = max([-1, *map(int, used)]) + 1
        known = {part.shard.file for part in found}
        if about.constants is not None:
            known.add(about.constants.file)
        writer._obsolete = [
            f"shards/{name}.h5" for name in used if f"shards/{name}.h5" not in known
        ]
        writer._changed = True
        writer._cut()
        return writer

    def _take_up(self, about: index.About) -> None:
        """Know which buffers have changed, and what they were at first."""
        self.about = about
        if about.constants is None:
            return
        with open_file(self.folder / about.constants.file) as file:
            first = constants_of.buffers(file)
        self._still = {name: value for name, value in first.items() if name in about.still}
        self._stirred = {
            f"buffers/{name}": value for name, value in first.items() if name not in about.still
        }

    def _cut(self) -> None:
        """Steps that don't count any more would lie in the way of those that come."""
        self._tidy()
        for at, part in enumerate(self.parts):
            if not part.live[STEPS].all():
                self._rewrite(at, at + 1)


def pair_to_merge(sizes: Sequence[int]) -> int:
    """Which shard is best merged with its successor: the smallest pair of about equal ones.

    The smallest pair alone would often be a grown shard and the newest, and each flush would copy
    the former: 42 times everything in 3600 flushes, against 8 times (the logarithm grows slowly).
    """
    pairs = list(pairwise(sizes))
    equal = [at for at, pair in enumerate(pairs) if max(pair) <= 2 * min(pair)]
    return min(equal or range(len(pairs)), key=lambda at: sum(pairs[at]))

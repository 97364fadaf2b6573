"""Reading a trajectory: everything recorded of a training, weights row by row when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store import names
from landscape.store.hdf5 import (
    MOST_REPLACEMENTS,
    Vetted,
    check_own,
    check_sources,
    declared,
    identity,
    reading,
    replaced,
)
from landscape.store.stream import PIECE
from landscape.store.trajectories import constants
from landscape.store.trajectories.rules import INDEX_RULES, SHARD_RULES
from landscape.store.trajectories.scalars import SCALARS
from landscape.store.vetting import gate, registry
from landscape.store.vetting.rules import check_datasets
from landscape.store.vetting.shapes import parsed

FORMAT = "landscape-trajectory"
VERSION = 1
CADENCE, DENSE, FLIGHT, EVENT = 1, 2, 4, 8
"""Bits of ``kind``: why a row was recorded."""
OPTIMIZER = "optimizer"
"""The group with what an optimizer other than SGD keeps between steps."""
BATCH_SPIKE = "batch spike"
"""A jump of batches' losses that the logged loss over all data doesn't show."""
MEASURES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


@dataclass(frozen=True)
class Event:
    """A stretch of steps with a name."""

    name: str
    """spike, escape, plateau, recovery, non-finite, or `BATCH_SPIKE`."""
    first: int
    last: int
    trigger: str
    """What was seen, in words: ``batch_loss 2.9 > 1.1 at step 480``."""


def event(name: str, first: int, last: int, trigger: str) -> Event:
    """What was seen, by its name: a spike of batches alone is no `spike`, as in earlier files.

    >>> event("spike", 480, 482, "batch_loss 2.9 > 1.1 at step 480").name
    'batch spike'
    """
    alone = name == "spike" and "batch" in trigger and "train_loss" not in trigger
    return Event(BATCH_SPIKE if alone else name, first, last, trigger)


@dataclass(frozen=True, repr=False)
class Trajectory:
    """The weights w_t at T recorded steps, with what was measured there.

    Arrays of losses are read at once, weights row by row when they are asked for: a long run's
    don't fit into memory.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> recorded.step[:5].tolist(), recorded.size
    ([0, 1, 2, 3, 4], 42)
    >>> recorded.row_weights(recorded.row("best")).shape
    (42,)
    >>> recorded.measures["train_loss"].shape == recorded.step.shape
    True
    >>> len(recorded.scalars()["batch_loss"])  # one a step
    40
    """

    path: Path
    step: NDArray[np.int64]
    """(T,) strictly increasing; row 0 is the initialization."""
    kind: NDArray[np.int64]
    """(T,) bit mask of CADENCE, DENSE, FLIGHT, EVENT."""
    measures: Mapping[str, NDArray[np.float64]]
    """(T,) each of MEASURES over the full data; NaN where not evaluated."""
    parameters: Sequence[Mapping[str, Any]]
    """name, shape and offset of each tensor in the flat vector."""
    recorded: Sequence[Mapping[str, Any]] = ()
    """Those of them that rows hold, with their offset in a row."""
    events: tuple[Event, ...] = ()
    velocity_step: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """The steps at which what the optimizer keeps was recorded."""
    index: tuple[int, ...] = field(default=(), repr=False, compare=False)
    """Which file lay at ``path`` when these were read: a training that goes on replaces it."""

    @classmethod
    def open(cls, path: Path) -> Trajectory:
        """Read all but weights, buffers and scalars.

        Raises:
            LandscapeError: no such file, no trajectory, or one of its shards is missing or short.
        """

        def take(file: Vetted) -> Trajectory:
            recorded = json.loads(file.attrs["parameters"])
            everything = file.attrs.get("all_parameters")
            return cls(
                path,
                file["step"][:],
                file["kind"][:],
                {name: file[name][:] for name in MEASURES},
                json.loads(everything) if everything is not None else recorded,
                recorded,
                events_of(file),
                file["velocity_step"][:] if "velocity_step" in file else np.empty(0, np.int64),
                file.identity,
            )

        return taken(path, take)

    def __repr__(self) -> str:
        """Which steps are recorded, of how many parameters."""
        steps = f"steps {self.step[0]:,} to {self.step[-1]:,}"
        rows = f"{len(self.step):,} row{'' if len(self.step) == 1 else 's'}"
        return f"<trajectory: {rows}, {steps}, {self.size:,} parameters>"

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum(int(np.prod(parameter["shape"])) for parameter in self.parameters)

    @property
    def partial(self) -> bool:
        """Whether rows hold some of the parameters only."""
        return bool(self.recorded) and len(self.recorded) < len(self.parameters)

    def weights(
        self, rows: slice = slice(None), columns: slice = slice(None)
    ) -> NDArray[np.float32]:
        """The weights (T, P) in float32, of some rows or columns; only these are read.

        Raises:
            LandscapeError: rows hold some of the parameters only; `part` reads these.
        """
        if self.partial:
            raise LandscapeError(
                f"all weights are needed, {self.path} holds {len(self.recorded)} of "
                f"{len(self.parameters)} tensors; train again without --record-parameters"
            )
        return self.part(rows, columns)

    def part(self, rows: slice, columns: slice = slice(None)) -> NDArray[np.float32]:
        """Some rows' weights of the recorded parameters, or some of their columns."""

        def take(file: Vetted) -> NDArray[np.float32]:
            block: NDArray[np.float32] = self._of_rows(
                file, rows, lambda at: file["weights"][at, columns]
            )
            return block

        return taken(self.path, take)

    def row_weights(self, row: int) -> NDArray[np.float32]:
        """One row's weights, (P,)."""
        weights: NDArray[np.float32] = self.weights(slice(row, row + 1))[0]
        return weights

    def pieces(self, row: int) -> Iterator[NDArray[np.float32]]:
        """One row's weights (P,) in order, a few megabytes at a time.

        Raises:
            LandscapeError: as `weights`.
        """
        for start in range(0, self.size, PIECE):
            yield self.weights(slice(row, row + 1), slice(start, start + PIECE))[0]

    def buffers(self, row: int) -> dict[str, NDArray[Any]]:
        """One row's buffers by name, those that never change among them."""

        def take(file: Vetted) -> dict[str, NDArray[Any]]:
            one = slice(row, row + 1)
            changing = {
                name: np.asarray(self._of_rows(file, one, data.__getitem__)[0])
                for name, data in file["buffers"].items()
            }
            return constants.buffers(file) | changing

        return taken(self.path, take)

    def constants(self) -> dict[str, NDArray[Any]]:
        """Frozen tensors, and buffers that no step has changed, by name.

        A complex tensor has shape (..., 2); of a sparse buffer there are ``NAME:indices`` and
        ``NAME:values``.
        """
        return taken(self.path, lambda file: constants.read(file)[0])

    def velocity(self, step: int) -> NDArray[np.float32] | None:
        """The optimizer's velocity at a step, of the recorded parameters; None where it has none.

        It is v in w = w - lr v, as torch.optim.SGD keeps it.
        """
        found: NDArray[np.float32] | None = self.moments(step).get("velocity")
        return found

    def moments(self, step: int) -> dict[str, NDArray[Any]]:
        """What the optimizer kept at a step, of the recorded parameters; empty where unknown.

        ``velocity`` of SGD, ``optimizer/NAME`` of others: vectors like a row, or a number.
        """
        if step not in self.velocity_step:
            return {}

        def take(file: Vetted) -> dict[str, NDArray[Any]]:
            steps = file["velocity_step"][:] if "velocity_step" in file else np.empty(0)
            places = np.flatnonzero(steps == step)
            if len(places) == 0:
                raise self._dropped(step)
            return {name: np.asarray(file[name][places[0]]) for name in moment_names(file)}

        return taken(self.path, take)

    def sketches(self, steps: slice = slice(None)) -> NDArray[np.float32]:
        """(S, m) sketches of w_t - w_0, one an SGD step; (0, 0) where none were recorded."""

        def take(file: Vetted) -> NDArray[np.float32]:
            if "sketch" not in file["steps"]:
                return np.empty((0, 0), np.float32)
            block: NDArray[np.float32] = file["steps/sketch"][steps]
            return block

        return taken(self.path, take)

    def sketch_seed(self) -> tuple[int, str] | None:
        """Seed and method of the sketches; None where there are none."""

        def take(file: Vetted) -> tuple[int, str] | None:
            if "sketch" not in file["steps"]:
                return None
            attributes = file["steps/sketch"].attrs
            return int(attributes["seed"]), str(attributes["method"])

        return taken(self.path, take)

    def scalars(self) -> dict[str, NDArray[np.float64]]:
        """(S,) each that was recorded; row t is the step from w_t to w_{t+1}."""
        return taken(
            self.path,
            lambda file: {name: file["steps"][name][:] for name in scalar_names(file)},
        )

    def row(self, where: str | int) -> int:
        """The row of ``final``, ``best`` or a recorded step.

        ``final`` is the last row with finite weights, ``best`` the one with the lowest recorded
        full-data training loss.

        Raises:
            LandscapeError: no such row; the message names the nearest recorded steps.
        """
        if where == "final":
            return self._last_finite
        if where == "best":
            losses = self.measures["train_loss"]
            if np.isnan(losses).all():
                raise LandscapeError(f"best needs a recorded training loss, {self.path} has none")
            return int(np.nanargmin(losses))
        try:
            step = int(where)
        except ValueError:
            raise LandscapeError(f"weights must be final, best or a step, got {where}") from None
        rows = np.flatnonzero(self.step == step)
        if len(rows) == 0:
            if step > (last := int(self.step[-1])):
                raise LandscapeError(
                    f"step {step} must be a recorded one, the recording ends at step {last}"
                )
            nearest = self.step[np.argsort(np.abs(self.step - step), kind="stable")[:2]]
            raise LandscapeError(
                f"step {step} must be a recorded one, the nearest are "
                f"{' and '.join(map(str, sorted(nearest.tolist())))}"
            )
        return int(rows[0])

    @cached_property
    def _last_finite(self) -> int:
        for row in range(len(self.step) - 1, -1, -1):
            if all(np.isfinite(part).all() for part in self._parts(row)):
                return row
        raise LandscapeError(
            f"{self.path} must hold finite weights, all {len(self.step)} rows aren't"
        )

    def _parts(self, row: int) -> Iterator[NDArray[np.float32]]:
        """`pieces` of the recorded parameters, be they some of all."""
        size = sum(int(np.prod(one["shape"])) for one in self.recorded or self.parameters)
        for start in range(0, size, PIECE):
            yield self.part(slice(row, row + 1), slice(start, start + PIECE))[0]

    def _of_rows(
        self, file: Vetted, rows: slice, read: Callable[[Any], NDArray[Any]]
    ) -> NDArray[Any]:
        """What is read of these rows, wherever the file that lies there now has them.

        A flight recorder hands in rows that lie before others, and lets go of some.
        """
        if file.identity == self.index:
            return read(rows)
        steps, wanted = file["step"][:], self.step[rows]
        places = np.searchsorted(steps, wanted)
        for step, place in zip(wanted.tolist(), places.tolist(), strict=True):
            if place == len(steps) or steps[place] != step:
                raise self._dropped(step)
        if len(places) == 0:
            return read(slice(0, 0))
        first = int(places.min())
        return read(slice(first, int(places.max()) + 1))[places - first]

    def _dropped(self, step: int) -> LandscapeError:
        return LandscapeError(
            f"step {step} must be recorded in {self.path} as it was when that was opened, a "
            "training that goes on has dropped it since; try again, or wait until it has ended"
        )


T = TypeVar("T")


def taken(path: Path, take: Callable[[Vetted], T]) -> T:
    """What is taken from trajectory.h5 while all shards that it lists are there.

    A training puts a new file in its place and then removes the shards that it has merged, of which
    HDF5 would read fill values, without a word. Then all is done again with the new file.

    Raises:
        LandscapeError: it is damaged or not there, or is replaced all the time.
    """
    for _ in range(MOST_REPLACEMENTS):
        before = identity(path)
        try:
            with opened(path) as file:
                shards = {one: identity(one) for one in _places(path, file)}
                found = take(file)
        except LandscapeError:
            if identity(path) == before:
                raise
            continue
        stayed = (of is not None and identity(one) == of for one, of in shards.items())
        if identity(path) == before or all(stayed):
            return found
    raise replaced(path, "read")


def _places(path: Path, file: Vetted) -> list[Path]:
    return [path.parent / shard["file"] for shard in parsed(file.attrs["shards"])]


@contextmanager
def opened(path: Path) -> Iterator[Vetted]:
    """trajectory.h5, open for reading, its shards all there.

    Raises:
        LandscapeError: it isn't, or what is read inside is damaged.
    """
    with reading(path, FORMAT, VERSION, rules=INDEX_RULES, shows=True) as file:
        _check_shards(path, listed(path, file))
        try:
            yield file
        except OSError as error:
            raise LandscapeError(
                f"{path} must be whole, a part of it can't be read: {error}; "
                f"`landscape info {path.parent} --check` says which"
            ) from error


def listed(path: Path, file: Vetted) -> list[dict[str, Any]]:
    """The shards that trajectory.h5 lists, each in the run's folder, and no others shown.

    Raises:
        LandscapeError: it names or shows other files.
    """
    shards: list[dict[str, Any]] = parsed(file.attrs["shards"])
    known = [names.shard(shard["file"], path) for shard in shards]
    check_sources(path, file.declared.sources, known)
    return shards


def moment_names(file: h5py.Group) -> list[str]:
    """The data sets of a trajectory or a shard that hold what the optimizer kept."""
    return [
        *(["velocity"] if "velocity" in file else []),
        *(f"{OPTIMIZER}/{name}" for name in file.get(OPTIMIZER, ())),
    ]


def scalar_names(file: h5py.Group) -> list[str]:
    """The scalars of SGD steps that a trajectory or a shard holds, in the order of SCALARS."""
    there = [name for name in file.get("steps", ()) if name != "sketch"]
    order = list(SCALARS)
    return sorted(there, key=lambda name: order.index(name) if name in order else len(order))


def events_of(file: h5py.Group) -> tuple[Event, ...]:
    """The events, which an index holds itself, as does a path of a scan."""
    if "events" not in file or len(file["events/name"]) == 0:
        return ()
    group = file["events"]
    names, triggers = (group[key].asstr()[:] for key in ("name", "trigger"))
    return tuple(
        event(str(name), int(first), int(last), str(trigger))
        for name, first, last, trigger in zip(
            names, group["first"][:], group["last"][:], triggers, strict=True
        )
    )


def _check_shards(path: Path, shards: Sequence[Mapping[str, Any]]) -> None:
    # A virtual dataset whose source is missing silently reads fill values.
    remedy = (
        "put it back from a copy, or save the rest with "
        f"`landscape info {path.parent} --salvage FOLDER`"
    )
    places = [path.parent / shard["file"] for shard in shards]
    for place, shard in zip(places, shards, strict=True):
        if not place.is_file():
            raise LandscapeError(f"{path} needs its shard {place}, which is missing; {remedy}")
        if place.stat().st_size != shard["bytes"]:
            raise LandscapeError(
                f"{path} needs its shard {place} whole, {shard['bytes']} bytes, "
                f"got {place.stat().st_size}; {remedy}"
            )
    gate.admit(*places)
    for place in places:
        try:
            _check_shard(place, *registry.identity(place))
        except OSError as error:
            raise LandscapeError(
                f"{path} needs its shard {place} whole, it can't be read: {error}; {remedy}"
            ) from error


@lru_cache(maxsize=1024)
def _check_shard(place: Path, *_identity: int) -> None:
    """Look at a shard once for as long as it stays as it is."""
    check_own(place)
    check_datasets(place, declared(place), SHARD_RULES)

"""trajectory.h5: virtual datasets that show all shards as one, in the order of the steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.store import stream
from landscape.store.hdf5 import open_file
from landscape.store.trajectories import constants
from landscape.store.trajectories import parts as shard_parts
from landscape.store.trajectories.parts import ROWS, STEPS, VELOCITIES, LiveShard, Shard
from landscape.store.trajectories.scalars import fill_value
from landscape.store.trajectories.trajectory import (
    FORMAT,
    VERSION,
    Event,
    Trajectory,
    listed,
    opened,
    scalar_names,
)

NAME = "trajectory.h5"


@dataclass(frozen=True)
class Sketching:
    """How ``steps/sketch`` was made: numbers a step, seed, method."""

    size: int
    seed: int
    method: str


@dataclass(frozen=True)
class About:
    """What holds for the whole trajectory."""

    parameters: tuple[Mapping[str, Any], ...]
    recorded: Sequence[Mapping[str, Any]] | None
    """The tensors that rows hold; None for all."""
    sketching: Sketching | None
    scalars: Mapping[str, np.dtype[Any]]
    """The type of each scalar of an SGD step."""
    constants: Shard | None = None
    """What holds frozen tensors and buffers as they were at the start; None: there are none."""
    still: frozenset[str] = frozenset()
    """The buffers that no step has changed: rows don't hold them."""


def write(
    folder: Path, parts: Sequence[LiveShard], about: About, events: Sequence[Event] | None
) -> None:
    """Write trajectory.h5 over the shards as they are."""
    stream.write(folder / NAME, lambda file: _fill(file, folder, parts, about, events))


def read(folder: Path) -> tuple[About, list[LiveShard], tuple[Event, ...]]:
    """What trajectory.h5 shows: its shards, and which of their entries.

    Raises:
        LandscapeError: it is missing or damaged.
    """
    trajectory = Trajectory.open(folder / NAME)
    with opened(folder / NAME) as file:
        every = [Shard(**entry) for entry in listed(folder / NAME, file)]
        shards = [shard for shard in every if not shard.is_constant]
        _, still = constants.read(file)
        shown = {ROWS: file["step"][:], VELOCITIES: trajectory.velocity_step}
        scalars = {name: file["steps"][name].dtype for name in scalar_names(file)}
        sketch = file.get("steps/sketch")
        sketching = (
            Sketching(sketch.shape[1], int(sketch.attrs["seed"]), str(sketch.attrs["method"]))
            if sketch is not None
            else None
        )
    found: list[LiveShard] = []
    first_step = 0
    for shard in shards:
        with open_file(folder / shard.file) as file:
            keys = shard_parts.read_keys(file, first_step)
        first_step += shard.steps
        part = LiveShard(shard, keys)
        for name, steps in shown.items():
            part.live[name] &= np.isin(keys[name], steps)
            for older in found:
                older.drop(name, keys[name])
        found.append(part)
    recorded = trajectory.recorded if trajectory.partial else None
    constant = next((shard for shard in every if shard.is_constant), None)
    about = About(tuple(trajectory.parameters), recorded, sketching, scalars, constant, still)
    return about, found, trajectory.events


def _fill(
    file: h5py.File,
    folder: Path,
    parts: Sequence[LiveShard],
    about: About,
    events: Sequence[Event] | None,
) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["version"] = VERSION
    columns = about.parameters if about.recorded is None else about.recorded
    file.attrs["parameters"] = json.dumps(list(columns))
    if about.recorded is not None:
        file.attrs["all_parameters"] = json.dumps(list(about.parameters))
    shards = [part.shard for part in parts]
    if about.constants is not None:
        shards.insert(0, about.constants)
        constants.show(file, folder, about.constants.file, about.still)
    file.attrs["shards"] = json.dumps([asdict(shard) for shard in shards])
    file.create_group("buffers")
    sequences = {name: list(shard_parts.runs(parts, name)) for name in (ROWS, VELOCITIES, STEPS)}
    for name, (shape, dtype) in _shapes(folder, parts, about).items():
        axis = shard_parts.axis(name)
        sequence = [(parts[at], first, length) for at, first, length in sequences[axis]]
        _create(file, name, shape, dtype, sequence)
    if about.sketching is not None:
        attributes = file["steps/sketch"].attrs
        attributes.update({"seed": about.sketching.seed, "method": about.sketching.method})
    if events is not None:
        write_events(file, events)


def _create(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    sequence: Sequence[tuple[LiveShard, int, int]],
) -> None:
    """A virtual dataset of these stretches of the shards: (part, first place, how many).

    By h5py's lower level: ``VirtualLayout`` takes a hundred times as long.
    """
    here, zeros = name.encode(), (0,) * len(shape)
    count = sum(length for _, _, length in sequence)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_fill_value(np.array(fill_value(dtype)))
    space = h5py.h5s.create_simple((count, *shape))
    done = 0
    for part, first, length in sequence:
        source = h5py.h5s.create_simple((len(part.keys[shard_parts.axis(name)]), *shape))
        source.select_hyperslab((first, *zeros), (length, *shape))
        space.select_hyperslab((done, *zeros), (length, *shape))
        properties.set_virtual(space, part.shard.file.encode(), here, source)
        done += length
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    space = h5py.h5s.create_simple((count, *shape))
    kind = h5py.h5t.py_create(dtype, logical=True)
    h5py.h5d.create(file.id, here, kind, space, properties, links)


def _shapes(
    folder: Path, parts: Sequence[LiveShard], about: About
) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    shapes: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    wanted = {ROWS, VELOCITIES}
    for part in parts:
        gives = {name for name in wanted if part.live[name].any()}
        if not gives:
            continue
        with open_file(folder / part.shard.file) as sample:
            for name in shard_parts.datasets(sample):
                if shard_parts.axis(name) in gives:
                    shapes[name] = sample[name].shape[1:], sample[name].dtype
        wanted -= gives
    # The first flush may come before the first step.
    shapes |= {f"steps/{name}": ((), dtype) for name, dtype in about.scalars.items()}
    if about.sketching is not None:
        shapes["steps/sketch"] = (about.sketching.size,), np.dtype(np.float32)
    return shapes


def write_events(file: h5py.Group, events: Sequence[Event]) -> None:
    """Write events into a group of their own; ``trajectory.events_of`` reads them."""
    group = file.create_group("events")
    text = h5py.string_dtype()
    for name in ("name", "trigger"):
        group.create_dataset(name, data=[getattr(event, name) for event in events], dtype=text)
    for name in ("first", "last"):
        group[name] = np.array([getattr(event, name) for event in events], np.int64)

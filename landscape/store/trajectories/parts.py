"""A shard and what is live in it, and its content copied in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.store import stream
from landscape.store.hdf5 import open_file
from landscape.store.trajectories.trajectory import OPTIMIZER

COPY_BYTES = 16 * 2**20
"""What is copied at a time where shards are merged."""
ROWS, VELOCITIES, STEPS = "rows", "velocities", "steps"

Steps = NDArray[np.int64]


def axis(name: str) -> str:
    """Along which axis a dataset runs: recorded rows, optimizer states, or SGD steps."""
    if name.startswith("steps/"):
        return STEPS
    is_state = name in ("velocity", "velocity_step") or name.startswith(f"{OPTIMIZER}/")
    return VELOCITIES if is_state else ROWS


@dataclass(frozen=True)
class Shard:
    """One closed file, as the attribute ``shards`` of trajectory.h5 lists it."""

    file: str
    """Relative to the run's folder."""
    rows: int
    steps: int
    bytes: int
    velocities: int = 0
    sha256: str = ""
    """Of everything after the first 512 bytes."""

    @property
    def is_constant(self) -> bool:
        """Whether it holds what is stored once, instead of rows and steps."""
        return not (self.rows or self.steps or self.velocities)


@dataclass
class LiveShard:
    """A shard, with which SGD steps its entries belong to and which of them still count."""

    shard: Shard
    keys: dict[str, Steps]
    """Of rows and velocities, their steps in the file's order; of STEPS, their numbers."""
    live: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, keys in self.keys.items():
            self.live.setdefault(name, np.ones(len(keys), bool))

    def drop(self, name: str, keys: Sequence[int] | Steps) -> None:
        """Let entries of these steps count no longer."""
        self.live[name] &= ~np.isin(self.keys[name], np.asarray(keys, np.int64))

    @property
    def dead_share(self) -> float:
        """Share of the rows and velocities that nothing shows any more."""
        live = np.concatenate([self.live[ROWS], self.live[VELOCITIES]])
        return 1 - float(live.mean()) if len(live) else 0.0


def runs(parts: Sequence[LiveShard], name: str) -> Iterator[tuple[int, int, int]]:
    """The live entries along an axis by step: (part, first place in it, how many) at a time."""
    places = [part.live[name].nonzero()[0] for part in parts]
    owners = np.repeat(np.arange(len(parts)), [len(found) for found in places])
    keys = [part.keys[name][found] for part, found in zip(parts, places, strict=True)]
    order = np.argsort(np.concatenate([np.empty(0, np.int64), *keys]), kind="stable")
    sequence = np.stack([owners, np.concatenate([np.empty(0, np.int64), *places])], 1)[order]
    breaks = np.flatnonzero((np.diff(sequence[:, 0]) != 0) | (np.diff(sequence[:, 1]) != 1)) + 1
    for block in np.split(sequence, breaks):
        if len(block):
            yield int(block[0, 0]), int(block[0, 1]), len(block)


def datasets(file: h5py.File) -> list[str]:
    """The names of all datasets."""
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return names


def read_keys(file: h5py.File, first_step: int) -> dict[str, Steps]:
    """The steps of a shard's entries, from the shard; its first SGD step is known to the index."""
    none = np.empty(0, np.int64)
    steps = next((len(values) for values in file.get("steps", {}).values()), 0)
    return {
        ROWS: file["step"][:] if "step" in file else none,
        VELOCITIES: file["velocity_step"][:] if "velocity_step" in file else none,
        STEPS: np.arange(first_step, first_step + steps),
    }


def copy(
    folder: Path,
    parts: Sequence[LiveShard],
    target: h5py.File,
    missing: Mapping[str, NDArray[Any]],
) -> None:
    """Write the live entries of some shards, in order, a few megabytes at a time.

    ``missing``: data sets by name that some shards may lack, and what their rows have there.
    """
    files = [open_file(folder / part.shard.file) for part in parts]
    try:
        shapes = {name: (value.shape, value.dtype) for name, value in missing.items()}
        for file in files:
            shapes |= {name: (file[name].shape[1:], file[name].dtype) for name in datasets(file)}
        for name, (shape, dtype) in shapes.items():
            sequence = list(runs(parts, axis(name)))
            count = sum(length for _, _, length in sequence)
            if not count:
                continue
            into = stream.create(target, name, (count, *shape), dtype)
            block = max(1, COPY_BYTES // max(1, int(np.prod(shape)) * dtype.itemsize))
            done = 0
            for at, first, length in sequence:
                for start in range(first, first + length, block):
                    stop = min(start + block, first + length)
                    there = name in files[at] or name not in missing
                    values = files[at][name][start:stop] if there else missing[name]
                    into[done : done + stop - start] = values
                    done += stop - start
    finally:
        for file in files:
            file.close()

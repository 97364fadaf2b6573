"""Writing a trajectory: closed, immutable shards, and one file that shows them as a whole.

A file that is appended to is unreadable after some kills, so nothing is ever appended to: each
flush writes a new shard, then a new ``trajectory.h5`` of virtual datasets over all of them, both
complete and renamed. A kill at any moment loses what came since the last flush.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.store.hdf5 import write
from landscape.store.trajectory import FORMAT, MEASURES, SCALARS, VERSION

MOST_SHARDS = 32
"""HDF5 opens every shard of a virtual dataset, and reads zeros beyond the limit on open files."""


@dataclass(frozen=True)
class Shard:
    """One closed file: some rows, some steps."""

    file: str
    """Relative to the run's folder."""
    rows: int
    steps: int
    bytes: int


class Writer:
    """Collects rows and steps in memory; `flush` makes them permanent.

    In memory are the rows since the last flush, and for a moment the shard as HDF5; where shards
    are merged, two small neighbours (a tenth of the whole or so).
    """

    def __init__(self, folder: Path, parameters: Sequence[Mapping[str, Any]]) -> None:
        self.folder = folder
        self.parameters = json.dumps(list(parameters))
        self.shards: list[Shard] = []
        self._rows: list[dict[str, Any]] = []
        self._steps: list[Mapping[str, float]] = []
        self._written = 0
        self._indexed: list[Shard] = []
        self._obsolete: list[Shard] = []

    def add_row(
        self,
        step: int,
        kind: int,
        weights: NDArray[np.float32],
        buffers: Mapping[str, NDArray[Any]],
        measures: Mapping[str, float],
    ) -> None:
        """Add the weights (P,) of one step, with buffers and full-data measures."""
        row = {"step": np.int64(step), "kind": np.int64(kind), "weights": weights}
        row |= {f"buffers/{name}": value for name, value in buffers.items()}
        self._rows.append(row | {name: np.float64(measures[name]) for name in MEASURES})

    def add_step(self, scalars: Mapping[str, float]) -> None:
        """Add one SGD step's SCALARS."""
        self._steps.append(scalars)

    def flush(self) -> None:
        """Write what was added since the last flush.

        Raises:
            LandscapeError: the disk is full; everything up to the last flush stays readable.
        """
        if self._rows or self._steps:
            self._write_added()
        # After a full disk there may be more than one too many, and shards that no index shows.
        while len(self.shards) > MOST_SHARDS:
            self._merge_two()
        if self.shards == self._indexed:
            return
        write(self.folder / "trajectory.h5", self._index)
        self._indexed = list(self.shards)
        # Only now does nothing refer to them any more.
        while self._obsolete:
            (self.folder / self._obsolete.pop().file).unlink()

    def _write_added(self) -> None:
        content = {
            name: np.stack([row[name] for row in self._rows])
            for name in (self._rows[0] if self._rows else ())
        }
        if self._steps:
            content |= {
                f"steps/{name}": np.array([step[name] for step in self._steps], np.float64)
                for name in SCALARS
            }
        self.shards.append(self._write_shard(content, len(self._rows), len(self._steps)))
        self._rows, self._steps = [], []

    def _write_shard(self, content: Mapping[str, NDArray[Any]], rows: int, steps: int) -> Shard:
        name = f"shards/{self._written:08d}.h5"
        self._written += 1

        def fill(file: h5py.File) -> None:
            for key, values in content.items():
                file[key] = values

        write(self.folder / name, fill)
        return Shard(name, rows, steps, (self.folder / name).stat().st_size)

    def _merge_two(self) -> None:
        at = pair_to_merge([shard.bytes for shard in self.shards])
        first, second = self.shards[at : at + 2]
        parts = [_content(self.folder / shard.file) for shard in (first, second)]
        content = {
            key: np.concatenate([part[key] for part in parts if key in part])
            for key in parts[0] | parts[1]
        }
        rows, steps = first.rows + second.rows, first.steps + second.steps
        self.shards[at : at + 2] = [self._write_shard(content, rows, steps)]
        self._obsolete += first, second

    def _index(self, file: h5py.File) -> None:
        file.attrs["format"] = FORMAT
        file.attrs["version"] = VERSION
        file.attrs["parameters"] = self.parameters
        file.attrs["shards"] = json.dumps([asdict(shard) for shard in self.shards])
        file.create_group("buffers")
        with h5py.File(self.folder / self.shards[0].file, "r") as sample:
            shapes = {key: (sample[key].shape[1:], sample[key].dtype) for key in _datasets(sample)}
        # The first flush may come before the first step.
        shapes |= {f"steps/{name}": ((), np.dtype(np.float64)) for name in SCALARS}
        for key, (shape, dtype) in shapes.items():
            counts = [s.steps if key.startswith("steps/") else s.rows for s in self.shards]
            layout = h5py.VirtualLayout((sum(counts), *shape), dtype)
            start = 0
            for shard, count in zip(self.shards, counts, strict=True):
                if count:
                    source = h5py.VirtualSource(shard.file, key, (count, *shape))
                    layout[start : start + count] = source
                start += count
            fill = np.nan if dtype.kind == "f" else -1 if dtype.kind == "i" else None
            file.create_virtual_dataset(key, layout, fillvalue=fill)


def pair_to_merge(sizes: Sequence[int]) -> int:
    """Which shard is best merged with its successor: the smallest pair of about equal ones.

    The smallest pair alone would often be a grown shard and the newest, and each flush would copy
    the former: 42 times everything in 3600 flushes, against 8 times (the logarithm grows slowly).
    """
    pairs = list(pairwise(sizes))
    equal = [at for at, pair in enumerate(pairs) if max(pair) <= 2 * min(pair)]
    return min(equal or range(len(pairs)), key=lambda at: sum(pairs[at]))


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return names


def _content(path: Path) -> dict[str, NDArray[Any]]:
    with h5py.File(path, "r") as file:
        return {name: file[name][:] for name in _datasets(file)}

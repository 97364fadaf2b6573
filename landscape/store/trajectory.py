"""Reading a trajectory: everything recorded of a training, weights row by row when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.hdf5 import reading

FORMAT = "landscape-trajectory"
VERSION = 1
CADENCE, DENSE, FLIGHT, EVENT = 1, 2, 4, 8
"""Bits of ``kind``: why a row was recorded."""
MEASURES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
SCALARS = (
    "batch_loss",
    "learning_rate",
    "gradient_norm",
    "update_norm",
    "weight_norm",
    "weight_dot_gradient",
    "gradient_cosine",
    "update_cosine",
)


@dataclass(frozen=True)
class Trajectory:
    """The weights w_t at T recorded steps, with what was measured there."""

    path: Path
    step: NDArray[np.int64]
    """(T,) strictly increasing; row 0 is the initialization."""
    kind: NDArray[np.int64]
    """(T,) bit mask of CADENCE, DENSE, FLIGHT, EVENT."""
    measures: Mapping[str, NDArray[np.float64]]
    """(T,) each of MEASURES over the full data; NaN where not evaluated."""
    parameters: Sequence[Mapping[str, Any]]
    """name, shape and offset of each tensor in the flat vector."""

    @classmethod
    def open(cls, path: Path) -> Trajectory:
        """Read all but weights, buffers and scalars.

        Raises:
            LandscapeError: no such file, no trajectory, or one of its shards is missing or short.
        """
        with _opened(path) as file:
            return cls(
                path,
                file["step"][:],
                file["kind"][:],
                {name: file[name][:] for name in MEASURES},
                json.loads(file.attrs["parameters"]),
            )

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum(int(np.prod(parameter["shape"])) for parameter in self.parameters)

    def weights(self, rows: slice, columns: slice = slice(None)) -> NDArray[np.float32]:
        """Some rows' weights, or some of their columns; only these are read."""
        with self._file() as file:
            block: NDArray[np.float32] = file["weights"][rows, columns]
        return block

    def row_weights(self, row: int) -> NDArray[np.float32]:
        """One row's weights, (P,)."""
        weights: NDArray[np.float32] = self.weights(slice(row, row + 1))[0]
        return weights

    def buffers(self, row: int) -> dict[str, NDArray[Any]]:
        """One row's buffers by name."""
        with self._file() as file:
            return {name: np.asarray(data[row]) for name, data in file["buffers"].items()}

    def scalars(self) -> dict[str, NDArray[np.float64]]:
        """(S,) each of SCALARS; row t is the step from w_t to w_{t+1}."""
        with self._file() as file:
            return {name: file["steps"][name][:] for name in SCALARS}

    def row(self, where: str | int) -> int:
        """The row of ``final``, ``best`` or a recorded step.

        ``final`` is the last row with finite weights, ``best`` the one with the lowest recorded
        full-data training loss.

        Raises:
            LandscapeError: no such row; the message names the nearest recorded steps.
        """
        if where == "final":
            return self._last_finite()
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
            nearest = self.step[np.argsort(np.abs(self.step - step), kind="stable")[:2]]
            raise LandscapeError(
                f"step {step} must be a recorded one, the nearest are "
                f"{' and '.join(map(str, sorted(nearest.tolist())))}"
            )
        return int(rows[0])

    def _last_finite(self) -> int:
        for row in range(len(self.step) - 1, -1, -1):
            if np.isfinite(self.row_weights(row)).all():
                return row
        raise LandscapeError(
            f"{self.path} must hold finite weights, all {len(self.step)} rows aren't"
        )

    def _file(self) -> AbstractContextManager[h5py.File]:
        return _opened(self.path)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with reading(path, FORMAT, VERSION) as file:
        _check_shards(path, json.loads(file.attrs["shards"]))
        yield file


def _check_shards(path: Path, shards: Sequence[Mapping[str, Any]]) -> None:
    # A virtual dataset whose source is missing silently reads fill values.
    for shard in shards:
        place = path.parent / shard["file"]
        if not place.is_file():
            raise LandscapeError(f"{path} needs its shard {place}, which is missing; put it back")
        if place.stat().st_size != shard["bytes"]:
            raise LandscapeError(
                f"{path} needs its shard {place} whole, {shard['bytes']} bytes, "
                f"got {place.stat().st_size}; put it back from a copy"
            )

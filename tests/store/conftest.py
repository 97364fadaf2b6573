from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import MEASURES, SCALARS

PARAMETERS = [
    {"name": "0.weight", "shape": [2, 3], "offset": 0},
    {"name": "0.bias", "shape": [1], "offset": 6},
]
SIZE = 7


class Recording:
    """A run's folder and a writer; every value of row t is told by t."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.path = folder / "trajectory.h5"
        (folder / "shards").mkdir(parents=True)
        self.writer = Writer(folder, PARAMETERS)

    def row(self, step: int, *, kind: int = 1, weights=None, **measures: float) -> None:
        self.writer.add_row(
            step,
            kind,
            weights_at(step) if weights is None else weights,
            {
                "bn.running_mean": np.full(3, step, np.float32),
                "bn.num_batches_tracked": np.array(10 * step),
            },
            {name: step + i / 10 for i, name in enumerate(MEASURES)} | measures,
        )

    def step(self, step: int) -> None:
        self.writer.add_step({name: step + i / 100 for i, name in enumerate(SCALARS)})

    def flushes(self, count: int, *, every: int = 1) -> None:
        """Row 0, then ``count`` flushes of ``every`` steps, the last of them with a row."""
        self.row(0)
        self.writer.flush()
        for last in range(every, (count - 1) * every + 1, every):
            for step in range(last - every, last):
                self.step(step)
            self.row(last)
            self.writer.flush()


def weights_at(step: int) -> np.ndarray:
    return (step + np.arange(SIZE) / 8).astype(np.float32)


@pytest.fixture
def recording(tmp_path) -> Recording:
    return Recording(tmp_path / "run")


@pytest.fixture
def full_disk(monkeypatch):
    """A context in which no file of a folder (None: no file at all) can be brought to the disk."""

    def fails(descriptor: int, folder: Path | None) -> bool:
        written = os.fstat(descriptor)
        places = folder.glob(".*") if folder else ()
        return folder is None or any(os.path.samestat(written, place.stat()) for place in places)

    @contextmanager
    def full(folder: Path | None = None) -> Iterator[None]:
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if fails(descriptor, folder):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            yield

    return full

"""resume.h5: what a training goes on from, arrays and JSON in plain HDF5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.store import stream
from landscape.store.hdf5 import reading
from landscape.store.trajectories.parts import datasets
from landscape.store.trajectories.rules import RESUME_RULES
from landscape.store.vetting.shapes import parsed

FORMAT = "landscape-resume"
VERSION = 1
NAME = "resume.h5"


def save(
    folder: Path, step: int, arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any]
) -> None:
    """Write the state after ``step`` steps, in place of the one before.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; what was there stays.
    """

    def fill(file: h5py.File) -> None:
        file.attrs.update({"format": FORMAT, "version": VERSION, "step": step})
        # An attribute holds 64 KB; a string in a dataset, anything.
        file["info"] = json.dumps(info)
        for name, value in arrays.items():
            into = file.create_dataset(f"arrays/{name}", np.shape(value), value.dtype)
            stream.put(into, value)

    stream.write(folder / NAME, fill)


def load(folder: Path) -> tuple[int, dict[str, NDArray[Any]], dict[str, Any]]:
    """The step, the arrays by name, and the JSON.

    Raises:
        LandscapeError: no such file, or it is damaged.
    """
    path = folder / NAME
    with reading(path, FORMAT, VERSION, rules=RESUME_RULES) as file:
        group = file.get("arrays")
        names = datasets(group) if group is not None else []
        arrays = {name: np.asarray(group[name][()]) for name in names}
        return int(file.attrs["step"]), arrays, parsed(file["info"].asstr()[()])


def tidy(folder: Path) -> None:
    """Remove the unfinished files that a kill left in a run's folder."""
    for name in ("run.json", "trajectory.h5", NAME, "shards/*.h5"):
        place, pattern = (folder / name).parent, (folder / name).name
        for path in place.glob(f".{pattern}.*"):
            path.unlink(missing_ok=True)

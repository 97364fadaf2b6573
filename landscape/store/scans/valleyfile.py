"""A valley on disk: an HDF5 file of the scans' format, of a version that knows its kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.errors import LandscapeError
from landscape.store.hdf5 import reading, write
from landscape.store.scans import certificates
from landscape.store.scans.records import FORMAT
from landscape.store.scans.rules import SCAN_RULES
from landscape.store.scans.valleys import Slices, Valley, WalkedPath
from landscape.store.trajectories.index import write_events
from landscape.store.trajectories.trajectory import events_of

KIND = "valley"
VERSION = 2
"""Readers of version 1 would look for a plane."""
ATTRIBUTES = (
    *("across", "unit", "seed", "normalization", "ignored", "batchnorm", "normalizes"),
    *("constant_loss", "run_id", "run_name", "parameters", "tolerance", "held_out", "begun"),
    *("evaluation_seconds", "choosing_seconds", "samples_evaluated"),
)
JSON_ATTRIBUTES = ("samples", "strategy", "provenance", "settings")
SLICES = (
    *("step", "travelled", "moved", "distances", "length", "turned", "cosine", "overlap"),
    "curvature",
)
ROWS = ("walls", "critical_step", "bounds")
PATH = ("step", "travelled", "loss")
ERROR = "_error"


def save(path: Path, valley: Valley) -> None:
    """Write a valley, complete or in progress.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; what was there stays.
    """
    write(path, lambda file: _fill(file, valley))


def load(path: Path) -> Valley:
    """Read a valley.

    Raises:
        LandscapeError: no such file, not HDF5, no valley, or a part of it is missing.
    """
    with reading(path, FORMAT, VERSION, rules=SCAN_RULES) as file:
        if not is_valley(file):
            raise LandscapeError(
                f"{path} must be a valley, got a scan of kind {file.attrs.get('kind')}"
            )
        try:
            return _valley(file)
        except KeyError as error:
            raise LandscapeError(
                f"{path} must be a whole valley, a part is missing: {error}"
            ) from error


def is_valley(file: h5py.File) -> bool:
    """Whether an open file is one."""
    return bool(file.attrs.get("kind") == KIND)


def _fill(file: h5py.File, valley: Valley) -> None:
    file.attrs.update({"format": FORMAT, "version": VERSION, "kind": KIND})
    file.attrs["complete"] = valley.complete
    file.attrs.update({name: getattr(valley, name) for name in ATTRIBUTES})
    file.attrs.update({name: json.dumps(dict(getattr(valley, name))) for name in JSON_ATTRIBUTES})
    grid = file.create_group("grid")
    grid["x"] = np.arange(len(valley.slices.step), dtype=np.float64)
    grid["y"] = valley.y
    grid["measured"] = valley.measured
    for name, values in valley.measures.items():
        grid[name] = values
    for name, values in valley.errors.items():
        grid[name + ERROR] = values
    if valley.certificate is not None:
        certificates.fill(file.create_group("certificate"), valley.certificate)
    if valley.subset:
        subset = file.create_group("subset")
        for name, values in valley.subset.items():
            subset[name] = values
    rows = file.create_group("valley")
    for name in SLICES:
        rows[name] = getattr(valley.slices, name)
    rows["hash"] = list(valley.slices.hashes)
    for name in ROWS:
        rows[name] = getattr(valley, name)
    rows["tracked"] = valley.tracked
    path = file.create_group("path")
    for name in PATH:
        path[name] = getattr(valley.path, name)
    if valley.events:
        write_events(path, valley.events)


def _valley(file: h5py.File) -> Valley:
    grid, rows, path = file["grid"], file["valley"], file["path"]
    fixed = {"x", "y", "measured"}
    named = [name for name in grid if name not in fixed]
    return Valley(
        slices=Slices(
            hashes=tuple(map(str, rows["hash"].asstr()[:])),
            **{name: rows[name][:] for name in SLICES},
        ),
        y=grid["y"][:],
        measures={name: grid[name][:] for name in named if not name.endswith(ERROR)},
        errors={name.removesuffix(ERROR): grid[name][:] for name in named if name.endswith(ERROR)},
        measured=grid["measured"][:],
        certificate=certificates.read(file["certificate"]) if "certificate" in file else None,
        subset={name: values[:] for name, values in file.get("subset", {}).items()},
        path=WalkedPath(**{name: path[name][:] for name in PATH}),
        events=events_of(path),
        tracked=rows["tracked"][:],
        **{name: rows[name][:] for name in ROWS},
        **{name: _plain(file.attrs[name]) for name in ATTRIBUTES},
        **{name: json.loads(file.attrs[name]) for name in JSON_ATTRIBUTES},
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

"""A scan on disk: one HDF5 file, written complete and renamed."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import h5py
import numpy as np

from landscape.errors import LandscapeError
from landscape.store.hdf5 import reading, write
from landscape.store.records import FORMAT, VERSION, Path, Plane, Point, Scan

PLANE_ATTRIBUTES = (
    "kind",
    "unit",
    "seed",
    "normalization",
    "ignored",
    "origin_step",
    "origin_name",
    "batchnorm",
)
SCAN_ATTRIBUTES = (
    "run_id",
    "run_name",
    "constant_loss",
    "evaluation_seconds",
    "choosing_seconds",
    "samples_evaluated",
)
JSON_ATTRIBUTES = ("samples", "strategy", "provenance")
PATH_ATTRIBUTES = ("name", "run_id", "share_in_plane", "chance")
PATH_DATASETS = ("step", "xy", "distance_from_plane", "true_loss", "plane_loss")


def save(path: FilePath, scan: Scan) -> None:
    """Write a scan, complete or in progress.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; what was there stays.
    """
    write(path, lambda file: _fill(file, scan))


def load(path: FilePath) -> Scan:
    """Read a scan.

    Raises:
        LandscapeError: no such file, not HDF5, no scan, or a part of it is missing.
    """
    with reading(path, FORMAT, VERSION) as file:
        try:
            return _scan(file)
        except KeyError as error:
            raise LandscapeError(
                f"{path} must be a whole scan, a part is missing: {error}"
            ) from error


def _fill(file: h5py.File, scan: Scan) -> None:
    file.attrs.update({"format": FORMAT, "version": VERSION, "complete": scan.complete})
    # No interpolation: every value is exact.
    file.attrs.update({"cosine": scan.plane.cosine, "tolerance": 0.0})
    file.attrs.update({name: getattr(scan.plane, name) for name in PLANE_ATTRIBUTES})
    file.attrs.update({name: getattr(scan, name) for name in SCAN_ATTRIBUTES})
    file.attrs.update({name: json.dumps(dict(getattr(scan, name))) for name in JSON_ATTRIBUTES})
    plane = file.create_group("plane")
    plane["origin"] = scan.plane.origin
    plane["directions"] = scan.plane.directions
    plane.attrs["labels"] = list(scan.plane.labels)
    buffers = plane.create_group("buffers")
    for name, value in scan.plane.buffers.items():
        buffers[name] = value
    grid = file.create_group("grid")
    grid["x"] = scan.x
    grid["y"] = scan.y
    grid["measured"] = scan.measured
    for name, values in scan.measures.items():
        grid[name] = values
    points = file.create_group("points")
    points["name"] = [point.name for point in scan.points]
    points["step"] = np.array([point.step for point in scan.points], np.int64)
    for axis, letter in enumerate("xy"[: len(scan.plane.directions)]):
        points[letter] = np.array([point.xy[axis] for point in scan.points], np.float64)
    for number, path in enumerate(scan.paths):
        group = file.create_group(f"path/{number}")
        group.attrs.update({name: getattr(path, name) for name in PATH_ATTRIBUTES})
        for name in PATH_DATASETS:
            group[name] = getattr(path, name)


def _scan(file: h5py.File) -> Scan:
    grid = file["grid"]
    fixed = {"x", "y", "measured"}
    return Scan(
        plane=_plane(file),
        x=grid["x"][:],
        y=grid["y"][:],
        measures={name: grid[name][:] for name in grid if name not in fixed},
        measured=grid["measured"][:],
        points=_points(file["points"]),
        # HDF5 lists them by name: 10 before 2.
        paths=tuple(_path(file["path"][name]) for name in sorted(file.get("path", ()), key=int)),
        **{name: _plain(file.attrs[name]) for name in SCAN_ATTRIBUTES},
        **{name: json.loads(file.attrs[name]) for name in JSON_ATTRIBUTES},
    )


def _plane(file: h5py.File) -> Plane:
    group = file["plane"]
    return Plane(
        origin=group["origin"][:],
        directions=group["directions"][:],
        labels=tuple(group.attrs["labels"]),
        buffers={name: np.asarray(value[()]) for name, value in group["buffers"].items()},
        **{name: _plain(file.attrs[name]) for name in PLANE_ATTRIBUTES},
    )


def _points(group: h5py.Group) -> tuple[Point, ...]:
    names = group["name"].asstr()[:] if len(group["name"]) else ()
    axes = [group[letter][:] for letter in "xy" if letter in group]
    return tuple(
        Point(str(name), tuple(float(axis[i]) for axis in axes), int(group["step"][i]))
        for i, name in enumerate(names)
    )


def _path(group: h5py.Group) -> Path:
    return Path(
        **{name: _plain(group.attrs[name]) for name in PATH_ATTRIBUTES},
        **{name: group[name][:] for name in PATH_DATASETS},
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

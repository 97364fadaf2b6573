"""A scan on disk: one HDF5 file, written complete and renamed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path as FilePath
from typing import Any

import h5py
import numpy as np

from landscape.errors import LandscapeError
from landscape.store import stream
from landscape.store.hdf5 import reading, write
from landscape.store.scans import certificates, valleyfile
from landscape.store.scans.attributes import MeasureInfo
from landscape.store.scans.records import (
    FORMAT,
    VERSION,
    Anchor,
    Moved,
    Path,
    Plane,
    Point,
    Scan,
    Spread,
)
from landscape.store.scans.rules import SCAN_RULES
from landscape.store.trajectories.index import write_events
from landscape.store.trajectories.trajectory import events_of
from landscape.store.typed import rebuilt

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
LATER_JSON_ATTRIBUTES = ("settings", "findings")
"""Absent from the first files."""
PATH_ATTRIBUTES = ("name", "run_id", "share_in_plane", "chance")
LATER_PATH_ATTRIBUTES = ("walk", "arc")
LARGE = 2**24
"""Bytes of directions from which on a file is written piece by piece."""
ERROR = "_error"
ERROR_OF = "error_of"
"""Attribute of a dataset of errors: which measure's; the first files say it by the name alone."""
GRID_DATASETS = ("x", "y", "measured")
SPREAD_DATASETS = ("seeds", "measured", "lengths")
PATH_DATASETS = ("step", "xy", "distance_from_plane", "true_loss", "plane_loss")
INTERPOLATED = "interpolated"
"""Absent where no loss on the plane is."""


def save(path: FilePath, scan: Scan) -> None:
    """Write a scan, complete or in progress.

    Raises:
        LandscapeError: the disk is full or the folder can't be written; what was there stays.
    """
    # What `write` makes is in memory three times.
    if scan.plane.directions.nbytes > LARGE:
        stream.write(path, lambda file: _fill(file, scan))
    else:
        write(path, lambda file: _fill(file, scan))


def load(path: FilePath) -> Scan:
    """Read a scan.

    Raises:
        LandscapeError: no such file, not HDF5, no scan, or a part of it is missing.
    """
    with reading(path, FORMAT, valleyfile.VERSION, rules=SCAN_RULES) as file:
        if valleyfile.is_valley(file):
            raise LandscapeError(
                f"{path} must be a scan of a plane or a line, got a valley, slices across a path"
            )
        try:
            return _scan(file)
        except KeyError as error:
            raise LandscapeError(
                f"{path} must be a whole scan, a part is missing: {error}"
            ) from error


def findings(path: FilePath) -> dict[str, Any]:
    """What was found in a scan, such as its width; only this is read.

    Raises:
        LandscapeError: no such file, not HDF5, or no scan.
    """
    with reading(path, FORMAT, valleyfile.VERSION, rules=SCAN_RULES) as file:
        found: dict[str, Any] = json.loads(file.attrs.get("findings", "{}"))
        return found


def command(path: FilePath) -> str:
    """The command that made a scan or a valley, empty where none is known; only this is read.

    Raises:
        LandscapeError: no such file, not HDF5, or no scan.
    """
    with reading(path, FORMAT, valleyfile.VERSION, rules=SCAN_RULES) as file:
        return str(json.loads(file.attrs.get("provenance", "{}")).get("command") or "")


def origin_step(path: FilePath) -> int:
    """The step of the weights that a scan is around; only this is read.

    Raises:
        LandscapeError: no such file, not HDF5, or no scan of a plane.
    """
    with reading(path, FORMAT, valleyfile.VERSION, rules=SCAN_RULES) as file:
        try:
            return int(file.attrs["origin_step"])
        except KeyError as error:
            raise LandscapeError(f"{path} must be a scan around weights, got none") from error


def _fill(file: h5py.File, scan: Scan) -> None:
    file.attrs.update({"format": FORMAT, "version": VERSION, "complete": scan.complete})
    file.attrs.update({"cosine": scan.plane.cosine, "tolerance": scan.tolerance})
    file.attrs.update({name: getattr(scan.plane, name) for name in PLANE_ATTRIBUTES})
    file.attrs.update({name: getattr(scan, name) for name in SCAN_ATTRIBUTES})
    file.attrs.update(
        {
            name: json.dumps(dict(getattr(scan, name)))
            for name in (*JSON_ATTRIBUTES, *LATER_JSON_ATTRIBUTES)
        }
    )
    file.attrs["remarks"] = list(scan.remarks)
    if scan.weights is not None:
        file["weights"] = json.dumps(asdict(scan.weights))
    plane = file.create_group("plane")
    plane["origin"] = scan.plane.origin
    plane["directions"] = scan.plane.directions
    plane.attrs["labels"] = list(scan.plane.labels)
    _fill_buffers(plane, scan.plane.buffers)
    for number, anchor in enumerate(scan.plane.anchors):
        group = plane.create_group(f"anchors/{number}")
        group["xy"] = np.array(anchor.xy, np.float64)
        _fill_buffers(group, anchor.buffers)
    _fill_grid(file, scan)
    _fill_paths(file, scan)
    if scan.spread is not None:
        _fill_spread(file.create_group("spread"), scan.spread)


def _fill_grid(file: h5py.File, scan: Scan) -> None:
    grid = file.create_group("grid")
    grid["x"] = scan.x
    grid["y"] = scan.y
    grid["measured"] = scan.measured
    for name, values in scan.measures.items():
        grid[name] = values
        if name in scan.attributes:
            grid[name].attrs.update(asdict(scan.attributes[name]))
    for name, values in scan.errors.items():
        grid[name + ERROR] = values
        grid[name + ERROR].attrs[ERROR_OF] = name
    if scan.certificate is not None:
        certificates.fill(file.create_group("certificate"), scan.certificate)
    for name, values in scan.subset.items():
        file[f"subset/{name}"] = values


def _fill_paths(file: h5py.File, scan: Scan) -> None:
    points = file.create_group("points")
    points["name"] = [point.name for point in scan.points]
    points["step"] = np.array([point.step for point in scan.points], np.int64)
    for axis, letter in enumerate("xy"[: len(scan.plane.directions)]):
        points[letter] = np.array([point.xy[axis] for point in scan.points], np.float64)
    for number, path in enumerate(scan.paths):
        group = file.create_group(f"path/{number}")
        group.attrs.update(
            {name: getattr(path, name) for name in (*PATH_ATTRIBUTES, *LATER_PATH_ATTRIBUTES)}
        )
        for name in PATH_DATASETS:
            group[name] = getattr(path, name)
        if path.interpolated.any():
            group[INTERPOLATED] = path.interpolated
        if path.events:
            write_events(group, path.events)


def _fill_buffers(group: h5py.Group, buffers: Mapping[str, Any]) -> None:
    inner = group.create_group("buffers")
    for name, value in buffers.items():
        inner[name] = value


def _fill_spread(group: h5py.Group, spread: Spread) -> None:
    for name in SPREAD_DATASETS:
        group[name] = getattr(spread, name)
    for name, values in spread.measures.items():
        group[name] = values


def _scan(file: h5py.File) -> Scan:
    grid = file["grid"]
    values = {name: grid[name] for name in grid if name not in GRID_DATASETS}
    errors = {name: of for name, data in values.items() if (of := _error_of(name, data))}
    measures = {name: data for name, data in values.items() if name not in errors}
    return Scan(
        plane=_plane(file),
        x=grid["x"][:],
        y=grid["y"][:],
        measures={name: data[:] for name, data in measures.items()},
        attributes={
            name: _attributes(data) for name, data in measures.items() if "kind" in data.attrs
        },
        errors={of: values[name][:] for name, of in errors.items()},
        tolerance=float(file.attrs.get("tolerance", 0.0)),
        certificate=certificates.read(file["certificate"]) if "certificate" in file else None,
        subset={name: values[:] for name, values in file.get("subset", {}).items()},
        measured=grid["measured"][:],
        points=_points(file["points"], len(file["plane/directions"])),
        # HDF5 lists them by name: 10 before 2.
        paths=tuple(_path(file["path"][name]) for name in sorted(file.get("path", ()), key=int)),
        **{name: _plain(file.attrs[name]) for name in SCAN_ATTRIBUTES},
        **{name: json.loads(file.attrs[name]) for name in JSON_ATTRIBUTES},
        **{name: json.loads(file.attrs.get(name, "{}")) for name in LATER_JSON_ATTRIBUTES},
        weights=(
            rebuilt(Moved, json.loads(file["weights"].asstr()[()])) if "weights" in file else None
        ),
        spread=_spread(file["spread"]) if "spread" in file else None,
        remarks=tuple(map(str, file.attrs.get("remarks", ()))),
    )


def _error_of(name: str, data: h5py.Dataset) -> str:
    """The measure whose errors a dataset of the grid holds; empty if it holds none."""
    if "kind" in data.attrs or ERROR_OF in data.attrs:
        return str(data.attrs.get(ERROR_OF, ""))
    return name.removesuffix(ERROR) if name.endswith(ERROR) else ""


def _attributes(data: h5py.Dataset) -> MeasureInfo:
    names = [one.name for one in fields(MeasureInfo)]
    return MeasureInfo(**{name: str(data.attrs[name]) for name in names if name in data.attrs})


def _plane(file: h5py.File) -> Plane:
    group = file["plane"]
    return Plane(
        origin=group["origin"][:],
        directions=group["directions"][:],
        labels=tuple(group.attrs["labels"]),
        buffers=_buffers(group),
        anchors=tuple(
            Anchor(tuple(map(float, anchor["xy"])), _buffers(anchor))
            for _, anchor in sorted(group.get("anchors", {}).items())
        ),
        **{name: _plain(file.attrs[name]) for name in PLANE_ATTRIBUTES},
    )


def _points(group: h5py.Group, dimensions: int) -> tuple[Point, ...]:
    names = group["name"].asstr()[:] if len(group["name"]) else ()
    axes = [group[letter][:] for letter in "xy"[:dimensions]]
    return tuple(
        Point(str(name), tuple(float(axis[i]) for axis in axes), int(group["step"][i]))
        for i, name in enumerate(names)
    )


def _path(group: h5py.Group) -> Path:
    return Path(
        **{name: _plain(group.attrs[name]) for name in PATH_ATTRIBUTES},
        **{
            name: _plain(group.attrs[name]) for name in LATER_PATH_ATTRIBUTES if name in group.attrs
        },
        **{name: group[name][:] for name in (*PATH_DATASETS, INTERPOLATED) if name in group},
        events=events_of(group),
    )


def _buffers(group: h5py.Group) -> dict[str, Any]:
    return {name: np.asarray(value[()]) for name, value in group["buffers"].items()}


def _spread(group: h5py.Group) -> Spread:
    measures = {name: group[name][:] for name in group if name not in SPREAD_DATASETS}
    return Spread(measures=measures, **{name: group[name][:] for name in SPREAD_DATASETS})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

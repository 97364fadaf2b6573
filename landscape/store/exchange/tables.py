"""Scans and trajectories as CSV and npz: what a spreadsheet and plain NumPy read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.certificates import MEASURED, PREDICTED, Certificate
from landscape.store.scans.records import Scan
from landscape.store.scans.scanfile import (
    JSON_ATTRIBUTES,
    LATER_JSON_ATTRIBUTES,
    LATER_PATH_ATTRIBUTES,
    PATH_ATTRIBUTES,
    PATH_DATASETS,
    PLANE_ATTRIBUTES,
    SCAN_ATTRIBUTES,
    SPREAD_DATASETS,
)
from landscape.store.trajectories.trajectory import Trajectory


def grid(scan: Scan) -> bytes:
    """A long table of x, y, measured (1 or 0), measures and their errors; a line's without y."""
    axes = [scan.x] if scan.is_line else [scan.x, scan.y]
    columns: dict[str, NDArray[Any]] = {
        name: values.ravel()
        for name, values in zip("xy", np.meshgrid(*axes, indexing="ij"), strict=False)
    }
    columns["measured"] = scan.measured.astype(int).ravel()
    grids = {**scan.measures, **scan.estimates}
    columns |= {name: values.ravel() for name, values in grids.items()}
    return csv_of(
        list(columns), zip(*(column.tolist() for column in columns.values()), strict=True)
    )


def paths(scan: Scan) -> bytes:
    """A row for each recorded step of each path; ``path`` counts them from 0.

    ``interpolated`` (1 or 0) is said of ``plane_loss``.
    """
    letters = "xy"[: len(scan.plane.directions)]
    names = ("distance_from_plane", "true_loss", "plane_loss", "interpolated")
    rows = (
        (number, path.name, step, *xy, *values)
        for number, path in enumerate(scan.paths)
        for step, xy, *values in zip(
            path.step.tolist(),
            path.xy.tolist(),
            *(getattr(path, name).tolist() for name in names[:-1]),
            path.interpolated.astype(int).tolist(),
            strict=True,
        )
    )
    return csv_of(["path", "name", "step", *letters, *names], rows)


def points(scan: Scan) -> bytes:
    """The marked points."""
    letters = "xy"[: len(scan.plane.directions)]
    rows = ((point.name, point.step, *point.xy) for point in scan.points)
    return csv_of(["name", "step", *letters], rows)


def certificate(found: Certificate) -> bytes:
    """The held-out points: each measure as interpolated without it, and as measured."""
    columns = held_out(found)
    return csv_of(
        list(columns), zip(*(column.tolist() for column in columns.values()), strict=True)
    )


def held_out(found: Certificate) -> dict[str, NDArray[Any]]:
    """The same by column."""
    columns = dict(zip("xy", found.xy.T, strict=False))
    columns |= {f"{name}{PREDICTED}": values for name, values in found.predicted.items()}
    return columns | {f"{name}{MEASURED}": values for name, values in found.measured.items()}


def trajectory(recorded: Trajectory) -> bytes:
    """The recorded steps with their full-data measures; weights are in trajectory.h5."""
    columns = {"step": recorded.step, "kind": recorded.kind, **recorded.measures}
    return csv_of(
        list(columns), zip(*(column.tolist() for column in columns.values()), strict=True)
    )


def steps(recorded: Trajectory) -> bytes:
    """The scalars of every SGD step; row t is the step from w_t to w_{t+1}."""
    scalars = recorded.scalars()
    columns = [range(len(next(iter(scalars.values())))), *(v.tolist() for v in scalars.values())]
    return csv_of(["step", *scalars], zip(*columns, strict=True))


def scan_arrays(scan: Scan) -> bytes:
    """A whole scan as npz; ``about`` is JSON, as text."""
    arrays: dict[str, Any] = {"x": scan.x, "y": scan.y, "measured": scan.measured, **scan.measures}
    arrays |= scan.estimates
    if scan.certificate is not None:
        tested = held_out(scan.certificate)
        arrays |= {f"certificate_{name}": values for name, values in tested.items()}
    arrays |= {"origin": scan.plane.origin, "directions": scan.plane.directions}
    arrays["points_name"] = np.array([point.name for point in scan.points], np.str_)
    arrays["points_step"] = np.array([point.step for point in scan.points], np.int64)
    arrays["points_xy"] = np.array([point.xy for point in scan.points], np.float64).reshape(
        len(scan.points), len(scan.plane.directions)
    )
    for number, path in enumerate(scan.paths):
        for name in PATH_DATASETS:
            arrays[f"path_{number}_{name}"] = getattr(path, name)
    if scan.spread is not None:
        arrays |= {f"spread_{name}": getattr(scan.spread, name) for name in SPREAD_DATASETS}
        arrays |= {f"spread_{name}": values for name, values in scan.spread.measures.items()}
    return _npz(arrays, _about(scan))


def trajectory_arrays(recorded: Trajectory) -> bytes:
    """The recorded steps and every step's scalars as npz; weights are in trajectory.h5."""
    scalars = {f"steps_{name}": values for name, values in recorded.scalars().items()}
    arrays = {"step": recorded.step, "kind": recorded.kind, **recorded.measures, **scalars}
    return _npz(arrays, {"parameters": list(recorded.parameters)})


def _about(scan: Scan) -> dict[str, Any]:
    plane = {name: getattr(scan.plane, name) for name in (*PLANE_ATTRIBUTES, "labels", "cosine")}
    further = ("remarks", "tolerance", "complete")
    whole = {name: getattr(scan, name) for name in (*SCAN_ATTRIBUTES, *further)}
    others = {
        name: dict(getattr(scan, name)) for name in (*JSON_ATTRIBUTES, *LATER_JSON_ATTRIBUTES)
    }
    paths = [
        {name: getattr(path, name) for name in (*PATH_ATTRIBUTES, *LATER_PATH_ATTRIBUTES)}
        for path in scan.paths
    ]
    return {**plane, **whole, **others, "paths": paths}


def _npz(arrays: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, about=np.array(json.dumps(strict(about))), **arrays)
    return stream.getvalue()


def strict(value: Any) -> Any:
    """What JSON can hold: NaN becomes null, infinity text."""
    if isinstance(value, Mapping):
        return {name: strict(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [strict(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value


def csv_of(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table with a header, as UTF-8."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    # Python writes the shortest decimals that read back as the same number.
    writer.writerows(rows)
    return stream.getvalue().encode()

"""Scans and runs as files of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from landscape.errors import LandscapeError
from landscape.store.exchange import li, tables, valley_tables, vtk
from landscape.store.files import make_folder, write_bytes
from landscape.store.run import read, scans_in
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley
from landscape.store.sources import home_of, load_scanned, no_scan
from landscape.store.trajectories.trajectory import Trajectory

Layout = Sequence[Mapping[str, Any]]
"""Name, shape and offset of each tensor of the flat weight vector."""
Files = Mapping[str, Callable[[], bytes]]
"""What makes each file's content, by its name."""


@dataclass(frozen=True)
class Export:
    """What an export wrote."""

    files: tuple[FilePath, ...]
    notes: tuple[str, ...]
    """What could not be written, and why."""


def _li(scan: Scan, name: str, layout: Layout | None) -> Files:
    theirs = str(scan.provenance.get("directions", ""))
    directions = f"{name}-directions.h5" if layout is not None else theirs
    files = {f"{name}-surface.h5": partial(li.surface, scan, directions=directions)}
    if layout is not None:
        first = scan.paths[0] if scan.paths else None
        files[directions] = partial(li.directions, scan.plane, layout, first)
    # Their projections are onto planes: there are none along a line.
    for number, path in enumerate(() if scan.is_line else scan.paths):
        ending = f"-{number}" if number else ""
        files[f"{name}-projection{ending}.h5"] = partial(li.projection, path)
    return files


def _vtk(scan: Scan, name: str) -> Files:
    files = {f"{name}.vts": partial(vtk.surface, scan)}
    if scan.paths:
        files[f"{name}-path.vtp"] = partial(vtk.paths, scan)
    return files


def _csv(scan: Scan, name: str) -> Files:
    files = {f"{name}-grid.csv": partial(tables.grid, scan)}
    if scan.paths:
        files[f"{name}-path.csv"] = partial(tables.paths, scan)
    if scan.points:
        files[f"{name}-points.csv"] = partial(tables.points, scan)
    return {**files, **_certificate(scan, name)}


def _npz(scan: Scan, name: str) -> Files:
    return {f"{name}.npz": partial(tables.scan_arrays, scan)}


def _valley_csv(valley: Valley, name: str) -> Files:
    files = {
        f"{name}-grid.csv": partial(valley_tables.grid, valley),
        f"{name}-rows.csv": partial(valley_tables.rows, valley),
    }
    return {**files, **_certificate(valley, name)}


def _certificate(scanned: Scan | Valley, name: str) -> Files:
    if scanned.certificate is None or not len(scanned.certificate.xy):
        return {}
    return {f"{name}-certificate.csv": partial(tables.certificate, scanned.certificate)}


VALLEYS: Mapping[str, Callable[[Valley, str], Files]] = {
    "csv": _valley_csv,
    "npz": lambda valley, name: {f"{name}.npz": partial(valley_tables.arrays, valley)},
}
"""The files of a valley by the formats that can hold one: the others are of surfaces."""
FORMATS: Mapping[str, Callable[[Scan, str, Layout | None], Files]] = {
    "li": _li,
    "vtk": lambda scan, name, layout: _vtk(scan, name),
    "csv": lambda scan, name, layout: _csv(scan, name),
    "npz": lambda scan, name, layout: _npz(scan, name),
}
"""The files of a scan by that name; the layout of its weights is None where nobody knows it."""
TRAJECTORIES: Mapping[str, Callable[[Trajectory], Files]] = {
    "csv": lambda recorded: {
        "trajectory.csv": partial(tables.trajectory, recorded),
        "steps.csv": partial(tables.steps, recorded),
    },
    "npz": lambda recorded: {"trajectory.npz": partial(tables.trajectory_arrays, recorded)},
}
"""The files of a run beside those of its scans."""


def export(
    source: FilePath,
    *,
    to: str | Sequence[str],
    folder: FilePath | None = None,
    overwrite: bool = False,
) -> Export:
    """Write a scan, or a run's scans and what else it recorded, in one or several of FORMATS.

    Into ``folder``, which is made if it isn't there; None: into ``exports`` in the run's folder or
    beside a file of no run.

    Raises:
        LandscapeError: no such format, nothing to export, or a file is there already and
            ``overwrite`` isn't set: then nothing is written.
    """
    formats = [to] if isinstance(to, str) else list(to)
    for unknown in (each for each in formats if each not in FORMATS):
        raise LandscapeError(
            f"the format to export to must be one of {', '.join(FORMATS)}, got {unknown}"
        )
    target = folder or home_of(source) / "exports"
    recorded = _trajectory(source)
    scans = scans_in(source) if source.is_dir() else [source]
    notes: list[str] = []
    for each in formats:  # all are made twice: planes of many weights needn't be there together
        further = _of_run(source, each, recorded)
        if not scans and not further:
            raise no_scan(f"an export to {each}", source)
        for path in scans:
            files, note = _of_file(path, each, recorded)
            _check(target, files, overwrite)
            if not files and not source.is_dir():
                raise LandscapeError(note)
            notes += [note] if note else []
        _check(target, further, overwrite)
    written: list[FilePath] = []
    for each in formats:
        for path in scans:
            written += _write(target, _of_file(path, each, recorded)[0])
        written += _write(target, _of_run(source, each, recorded))
    return Export(tuple(written), tuple(notes))


def _of_run(source: FilePath, to: str, recorded: Trajectory | None) -> Files:
    """The files of a run beside those of its scans; none of a single scan."""
    if not source.is_dir() or recorded is None or to not in TRAJECTORIES:
        return {}
    return TRAJECTORIES[to](recorded)


def _of_file(path: FilePath, to: str, recorded: Trajectory | None) -> tuple[Files, str]:
    """A scan's or a valley's files in a format, and what can't be written, in words."""
    scan = load_scanned(path)
    if isinstance(scan, Valley):
        if to in VALLEYS:
            return VALLEYS[to](scan, path.stem), ""
        return {}, (
            f"a valley is slices, no surface, {to} holds surfaces: {path} can be exported to "
            f"{' or '.join(VALLEYS)}"
        )
    layout = _layout(scan, recorded)
    note = (
        f"no direction file for {path}: the shapes of its weights' tensors aren't known, "
        "only a scan in its run's folder has them beside it"
    )
    return FORMATS[to](scan, path.stem, layout), note if to == "li" and layout is None else ""


def _trajectory(source: FilePath) -> Trajectory | None:
    if source.is_dir():
        return read(source).trajectory
    path = home_of(source) / "trajectory.h5"
    return Trajectory.open(path) if path.is_file() else None


def _layout(scan: Scan, recorded: Trajectory | None) -> Layout | None:
    if recorded is None or recorded.size != scan.plane.directions.shape[1]:
        return None
    return recorded.parameters


def _check(folder: FilePath, names: Iterable[str], overwrite: bool) -> None:
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise LandscapeError(
            f"an export needs new files, {there[0]} exists; "
            "replace it with --overwrite, or give another folder with --output"
        )


def _write(folder: FilePath, files: Files) -> list[FilePath]:
    make_folder(folder)
    for name, make in files.items():
        write_bytes(folder / name, make())
    return [folder / name for name in files]

"""Checking a run's files against their checksums: what is damaged, and what can still be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store import run as run_folder
from landscape.store.exchange import li
from landscape.store.hdf5 import (
    DAMAGED,
    MOST_REPLACEMENTS,
    check_own,
    identity,
    open_file,
    opened,
    replaced,
    whole,
)
from landscape.store.names import check_regular
from landscape.store.scans import scanfile
from landscape.store.scans.records import FORMAT as SCAN_FORMAT
from landscape.store.trajectories import constants, resumefile
from landscape.store.trajectories.trajectory import FORMAT, Trajectory, listed
from landscape.store.vetting import child
from landscape.store.vetting.block import PIECE, digest, promised

BROKEN = (*DAMAGED, LandscapeError)
"""What is raised where bytes aren't what they were, or lead out of their file."""


UNREADABLE = "nothing of it can be read"


def verify(folder: Path) -> list[str]:
    """Read every file of a run and say what is damaged, a line each; empty if it is whole.

    Reads everything once. Of a damaged shard it tells which recorded steps are lost; the others
    can be read as before.
    """
    findings: list[str] = []
    imported = False
    try:
        # A run of checkpoints begins with the first of them.
        imported = run_folder.read(folder).record.get("record") == "imported"
    except LandscapeError as error:
        findings.append(str(error))
    trajectory = folder / "trajectory.h5"
    if trajectory.is_file():
        findings += _settled(trajectory, from_zero=not imported)
    else:
        findings.append(f"{trajectory} is missing")
    others = [folder / "resume.h5", folder / analysis.NAME, *run_folder.scans_in(folder)]
    return findings + [line for path in others if path.exists() for line in _single(path)]


def _settled(path: Path, *, from_zero: bool) -> list[str]:
    """What is found in a trajectory that no training changed meanwhile."""
    for _ in range(MOST_REPLACEMENTS):
        before = identity(path)
        findings = _trajectory(path, from_zero=from_zero)
        if not findings or identity(path) == before:
            return findings
    raise replaced(path, "checked")


def _trajectory(path: Path, *, from_zero: bool) -> list[str]:
    if problem := _checksum(path):
        return [f"{path} {problem}; its shards are checked one by one", *_loose(path.parent)]
    try:
        with open_file(path, shows=True) as file:
            if file.attrs.get("format") != FORMAT:
                return [f"{path} must be of format {FORMAT}, got {file.attrs.get('format')}"]
            shards = listed(path, file)
    except BROKEN as error:
        return [f"{path} can't be read: {error}", *_loose(path.parent)]
    findings = [line for shard in shards for line in _shard(path.parent, shard)]
    if findings:
        return findings
    try:
        with open_file(path, shows=True) as file:
            steps = file["step"][:]
    except BROKEN as error:
        return [f"{path} can't be read: {error}"]
    starts = len(steps) > 0 and (steps[0] == 0 or not from_zero)
    if not (starts and (np.diff(steps) > 0).all()):
        findings.append(f"{path} must have steps that increase from 0, got others")
    return findings


def _shard(folder: Path, shard: Mapping[str, Any]) -> list[str]:
    path = folder / shard["file"]
    held = f"it held {shard['rows']} snapshots and {shard['steps']} steps"
    if not shard["rows"] + shard["steps"] + shard.get("velocities", 0):
        held = "it held frozen tensors and buffers that never change"
    if not path.is_file():
        return [f"{path} is missing; {held}"]
    if path.stat().st_size != shard["bytes"]:
        return [f"{path} must have {shard['bytes']} bytes, got {path.stat().st_size}; {held}"]
    if problem := _checksum(path, shard.get("sha256", "")):
        return [f"{path} {problem}; {_lost(path)}"]
    try:
        check_own(path)
    except BROKEN as error:
        return [f"{path} can't be read: {error}; {held}"]
    return []


def _single(path: Path) -> list[str]:
    """A file that stands for itself."""
    try:
        check_regular(path)
        if problem := _checksum(path):
            return [f"{path} {problem}"]
        read_whole(path)
    except BROKEN as error:
        return [f"{path} can't be read: {error}"]
    return []


def read_whole(path: Path) -> None:
    """Read everything that an HDF5 file holds, and as its format wants it.

    Raises:
        LandscapeError: something is damaged, or isn't as the format wants it.
        OSError: as for `open_file`.
    """
    with opened(path, shows=True) as file:
        found, kind = (file.attrs.get(name) for name in ("format", "kind"))
        names = set(file)
    loader = LOADERS.get(found) if isinstance(found, str) else None
    others = [OTHERS[name] for name in OTHERS if found is None and name in names]
    if loader is not None and kind not in KINDS_ALONE:
        loader(path)
    for other in others:
        other(path)
    with open_file(path, shows=found == FORMAT) as file, whole(path):
        _read_all(file)


def _read_index(path: Path) -> None:
    trajectory = Trajectory.open(path)
    trajectory.scalars()
    trajectory.sketch_seed()


def _read_analysis(path: Path) -> None:
    for name in analysis.names(path.parent):
        analysis.load(path.parent, name)


KINDS_ALONE = ("valley",)
"""Scans that `scanfile.load` doesn't read."""
LOADERS: Mapping[str, Callable[[Path], object]] = {
    SCAN_FORMAT: scanfile.load,
    FORMAT: _read_index,
    resumefile.FORMAT: lambda path: resumefile.load(path.parent),
    analysis.FORMAT: _read_analysis,
}
"""By format."""
OTHERS: Mapping[str, Callable[[Path], object]] = {
    li.COORDINATES[0]: li.read_surface,
    li.DIRECTIONS[0]: li.read_directions,
}
"""Other programs' files, by what is in them."""


def _loose(folder: Path) -> list[str]:
    """Shards without an index to compare them with."""
    return [line for path in sorted((folder / "shards").glob("*.h5")) for line in _single(path)]


def _checksum(path: Path, expected: str = "") -> str:
    """What is wrong with a file's bytes, in words; empty if nothing is."""
    found = promised(path)
    if not found and not expected:
        return ""  # a file without a checksum
    if digest(path) != (found or expected):
        return "isn't as it was written: its checksum differs"
    if expected and found != expected:
        return "isn't the one that was written: its checksum is another"
    return ""


def _lost(path: Path) -> str:
    """Which of a damaged shard's rows can't be read; a child tries."""
    answer = child.ask("lost", path=str(path))
    return str(answer["value"]) if "value" in answer else UNREADABLE


def lost(path: Path) -> str:
    """Which of a damaged shard's rows can't be read, in words."""
    try:
        with open_file(path) as file:
            if constants.GROUP in file:
                return f"of what never changes, {_unreadable(file[constants.GROUP])}"
            if "step" not in file:
                return f"of its steps' scalars, {_unreadable(file['steps'])}"
            steps = file["step"][:]
            bad = [int(step) for row, step in enumerate(steps) if not _readable(file, row)]
            if bad:
                return (
                    f"{len(bad)} of its {len(steps)} snapshots can't be read, "
                    f"{_listed(bad)}; the others can"
                )
            scalars = _unreadable(file["steps"]) if "steps" in file else ""
            return f"all its {len(steps)} snapshots can be read" + (
                f"; of its steps' scalars, {scalars}" if scalars else ""
            )
    except BROKEN as error:
        return f"{UNREADABLE}: {error}"


def _readable(file: h5py.File, row: int) -> bool:
    try:
        for name in ("weights", "kind", "train_loss"):
            file[name][row]
        for data in file.get("buffers", {}).values():
            data[row]
    except BROKEN:
        return False
    return True


def _unreadable(group: h5py.Group) -> str:
    bad = []
    for name, data in group.items():
        try:
            data[()]
        except BROKEN:
            bad.append(name)
    return f"{', '.join(bad)} can't be read" if bad else ""


def _listed(steps: Sequence[int]) -> str:
    shown = ", ".join(map(str, steps[:5]))
    return f"steps {shown}" + (f" and {len(steps) - 5} more" if len(steps) > 5 else "")


def _read_all(group: h5py.Group) -> None:
    def read(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            if item.ndim == 0:
                item[()]
                return
            step = max(1, PIECE // max(1, item.dtype.itemsize * int(np.prod(item.shape[1:]))))
            for start in range(0, item.shape[0], step):
                item[start : start + step]

    group.visititems(read)

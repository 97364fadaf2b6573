"""A damaged run's readable rest, written as a run of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store import run as run_folder
from landscape.store.check import BROKEN, UNREADABLE, verify
from landscape.store.hdf5 import check_own, open_file
from landscape.store.trajectories import constants
from landscape.store.trajectories import parts as shard_parts
from landscape.store.trajectories.index import About, Sketching
from landscape.store.trajectories.parts import ROWS, VELOCITIES
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import (
    FORMAT,
    MEASURES,
    Event,
    events_of,
    listed,
    moment_names,
    scalar_names,
)
from landscape.store.vetting import child

PENDING_BYTES = 64 * 2**20
"""Weights that are held before they are written."""


@dataclass(frozen=True)
class Salvaged:
    """What came over."""

    rows: int
    lost_rows: int
    steps: int
    lost_steps: int
    """SGD steps whose scalars and sketches are NaN now."""
    lost_velocities: int


def salvage(folder: Path, into: Path) -> Salvaged:
    """Copy what can be read of a run's trajectory into a new run's folder.

    Snapshots that can't be read are left out; scalars that can't be are NaN. Scans, figures and
    analyses aren't copied: they can be made again. The damaged run is left as it is.

    Raises:
        LandscapeError: nothing is damaged, run.json or trajectory.h5 itself can't be read, or
            ``into`` isn't free.
    """
    damages = verify(folder)
    if not damages:
        raise LandscapeError(
            f"a run must be damaged to be salvaged, nothing of {folder} is; use it as it is"
        )
    run_folder.check_free(into, overwrite=False)
    # What can't even be tried is left out.
    answer = child.ask("salvage", folder=str(folder), into=str(into), damages=damages)
    if "value" not in answer:
        died = f"{folder} can't be salvaged, reading it {answer.get('died')}"
        raise LandscapeError(str(answer.get("error", died)))
    return Salvaged(**answer["value"])


def copied(folder: Path, into: Path, damages: Sequence[str]) -> Salvaged:
    """Do what `salvage` does in a child: reading what is damaged may crash it."""
    run = run_folder.read(folder)
    index = _Index.read(folder / "trajectory.h5")
    if not any((folder / entry["file"]).is_file() for entry in index.shards):
        raise LandscapeError(
            f"{folder} must have a shard left to be salvaged, none of its {len(index.shards)} is "
            "there; put them back from a copy"
        )
    dropped = ("format", "version", "id")
    record = {name: value for name, value in run.record.items() if name not in dropped}
    status = run.record["status"]
    # A kill meanwhile must not leave what looks like a whole run.
    salvaged = {"from": run.id, "damages": damages}
    made = run_folder.create(into, {**record, "status": "running", "salvaged": salvaged})
    about = index.about
    writer = Writer(
        made.folder,
        about.parameters,
        recorded=about.recorded,
        sketching=about.sketching,
        scalars=about.scalars,
        **_constants(folder, index.shards),
    )
    # Where a child found nothing to read it may not have survived trying.
    given_up = [line for line in damages if UNREADABLE in line]
    counts = [
        _lost(entry, writer)
        if any(line.startswith(str(folder / entry["file"])) for line in given_up)
        else _copy(folder, entry, index, writer)
        for entry in index.shards
    ]
    writer.events = index.events
    writer.flush()
    made.update(status="interrupted" if status == "running" else status)
    return Salvaged(*(sum(count) for count in zip(*counts, strict=True)))


def _constants(folder: Path, shards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What never changes, for the writer; nothing where it can't be read."""
    for entry in shards:
        if entry["rows"] or entry["steps"] or entry["velocities"]:
            continue
        with suppress(*BROKEN), open_file(folder / entry["file"]) as file:
            values, still = constants.read(file)
            return {
                "constants": {name: v for name, v in values.items() if name not in still},
                "still": {name: values[name] for name in still},
            }
    return {}


@dataclass(frozen=True)
class _Index:
    """What trajectory.h5 says by itself, without its shards."""

    shards: list[dict[str, Any]]
    about: About
    events: tuple[Event, ...]
    shown: dict[str, NDArray[np.int64] | None]
    """The steps of rows and velocities that count; None where that can't be told."""

    @classmethod
    def read(cls, path: Path) -> _Index:
        try:
            with open_file(path, shows=True) as file:
                if file.attrs.get("format") != FORMAT:
                    raise ValueError(f"its format is {file.attrs.get('format')}")
                shards = listed(path, file)
                _check_readable(path.parent, shards)
                recorded = json.loads(file.attrs["parameters"])
                everything = file.attrs.get("all_parameters")
                sketch = file.get("steps/sketch")
                about = About(
                    tuple(recorded if everything is None else json.loads(everything)),
                    None if everything is None else recorded,
                    None
                    if sketch is None
                    else Sketching(
                        sketch.shape[1], int(sketch.attrs["seed"]), str(sketch.attrs["method"])
                    ),
                    {name: file["steps"][name].dtype for name in scalar_names(file)},
                )
                return cls(
                    shards,
                    about,
                    events_of(file),
                    {ROWS: _shown(file, "step"), VELOCITIES: _shown(file, "velocity_step")},
                )
        except BROKEN as error:
            raise LandscapeError(
                f"{path} must be readable to salvage its shards, got: {error}; "
                "put it back from a copy"
            ) from error


def _check_readable(folder: Path, shards: Sequence[Mapping[str, Any]]) -> None:
    """Refuse shards that lead out of themselves: what trajectory.h5 shows is read through them."""
    for shard in shards:
        with suppress(OSError):  # missing or damaged: nothing is read through it
            check_own(folder / shard["file"])


def _shown(file: h5py.File, name: str) -> NDArray[np.int64] | None:
    if name not in file:
        return np.empty(0, np.int64)
    try:
        steps: NDArray[np.int64] = file[name][:]
    except BROKEN:
        return None
    return steps


def _copy(
    folder: Path, entry: Mapping[str, Any], index: _Index, writer: Writer
) -> tuple[int, int, int, int, int]:
    """Hand a shard's content to a writer; the counts of `Salvaged`."""
    try:
        file = open_file(folder / entry["file"])
        keys = shard_parts.read_keys(file, 0)
    except BROKEN:
        return _lost(entry, writer)
    with file:
        wanted = _live(keys[ROWS], index.shown[ROWS])
        rows = 0
        for place in wanted:
            rows += _copy_row(file, place, int(keys[ROWS][place]), writer)
            if writer.pending_bytes > PENDING_BYTES:
                writer.flush()
        velocities = _live(keys[VELOCITIES], index.shown[VELOCITIES])
        kept = sum(
            _copy_moments(file, place, int(keys[VELOCITIES][place]), writer) for place in velocities
        )
        steps = _copy_steps(file, entry["steps"], writer)
    writer.flush()
    return rows, len(wanted) - rows, steps, entry["steps"] - steps, len(velocities) - kept


def _lost(entry: Mapping[str, Any], writer: Writer) -> tuple[int, int, int, int, int]:
    for _ in range(entry["steps"]):
        writer.add_step({}, None)
    return 0, entry["rows"], 0, entry["steps"], entry["velocities"]


def _live(keys: NDArray[np.int64], shown: NDArray[np.int64] | None) -> list[int]:
    live = np.ones(len(keys), bool) if shown is None else np.isin(keys, shown)
    return [int(place) for place in live.nonzero()[0]]


def _copy_row(file: h5py.File, place: int, step: int, writer: Writer) -> bool:
    try:
        buffers = {name: data[place] for name, data in file.get("buffers", {}).items()}
        measures = {name: float(file[name][place]) for name in MEASURES}
        writer.add_row(step, int(file["kind"][place]), file["weights"][place], buffers, measures)
    except BROKEN:
        return False
    return True


def _copy_moments(file: h5py.File, place: int, step: int, writer: Writer) -> bool:
    try:
        moments = {name: np.asarray(file[name][place]) for name in moment_names(file)}
        writer.add_moments(step, moments)
    except BROKEN:
        return False
    return True


def _copy_steps(file: h5py.File, count: int, writer: Writer) -> int:
    """How many steps' scalars came over whole."""
    columns = {name: _column(file, f"steps/{name}", count) for name in writer.about.scalars}
    sketches = _column(file, "steps/sketch", count)
    for place in range(count):
        scalars = {name: values[place] for name, values in columns.items() if values is not None}
        writer.add_step(scalars, None if sketches is None else sketches[place])
    lost = any(values is None for values in columns.values())
    return 0 if lost else count


def _column(file: h5py.File, name: str, count: int) -> NDArray[Any] | None:
    try:
        values: NDArray[Any] = file[name][:]
    except BROKEN:
        return None
    return values if len(values) == count else None

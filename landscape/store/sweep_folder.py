"""A sweep's folder: sweep.json and a run's folder for each combination of values."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.store import names, provenance
from landscape.store import run as run_folder
from landscape.store.files import write_bytes
from landscape.store.json_shapes import SWEEP
from landscape.store.names import read_text
from landscape.store.run import Run
from landscape.store.vetting.shapes import check_version, misfit, parsed

FORMAT = "landscape-sweep"
VERSION = 1
FILE = "sweep.json"


@dataclass(frozen=True)
class Sweep:
    """Runs that differ in a few settings; ``record`` is what sweep.json holds."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def runs(self) -> Sequence[Mapping[str, Any]]:
        """name, values and error (null if there was none) of each run."""
        runs: Sequence[Mapping[str, Any]] = self.record["runs"]
        return runs

    def opened(self) -> tuple[list[Run], dict[str, str]]:
        """The runs that are there, and of those that can't be read, by name, why.

        One that is damaged says nothing about the others.
        """
        found: list[Run] = []
        damaged: dict[str, str] = {}
        for name in (str(entry["name"]) for entry in self.runs):
            if not (self.folder / name / "run.json").is_file():
                continue
            try:
                found.append(run_folder.read(self.folder / name))
            except LandscapeError as error:
                damaged[name] = str(error)
        return found, damaged

    def with_error(self, name: str, error: str | None) -> Sweep:
        """The sweep with what went wrong in a run, written."""
        runs = [{**run, "error": error} if run["name"] == name else run for run in self.runs]
        return _write(Sweep(self.folder, {**self.record, "runs": runs}))


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Sweep:
    """Open a sweep's folder.

    Raises:
        LandscapeError: sweep.json isn't there, isn't a sweep's, is newer than this, or names a run
            outside the folder.
    """
    place = folder / FILE
    try:
        record = parsed(read_text(place))
        found, version = record["format"], record["version"]
    except OSError as error:
        raise LandscapeError(f"{place} must be readable, got: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LandscapeError(f"{place} must be a sweep's JSON, got: {error}") from error
    if found != FORMAT:
        raise LandscapeError(f"{place} must be of format {FORMAT}, got {found}")
    check_version(place, version, VERSION)
    if wrong := misfit(record, SWEEP):
        raise LandscapeError(f"{place} must be a sweep's JSON, {wrong}; put it back from a copy")
    for name in (run["name"] for run in record["runs"]):
        names.plain(name, what="a run's name", place=place, remedy="put it back from a copy")
    return Sweep(folder, record)


def create(
    folder: Path,
    *,
    varied: Sequence[str],
    arguments: Sequence[str],
    threads: int,
    runs: Sequence[Mapping[str, Any]],
    overwrite: bool = False,
) -> Sweep:
    """Make a sweep's folder, or take up the one that is there and add the runs it lacks.

    Args:
        folder: where.
        varied: the names of the settings in which the runs differ.
        arguments: the command line that they share.
        threads: of each run; a sweep that is there keeps its own.
        runs: ``name`` and ``values`` of each.
        overwrite: take away the runs of a sweep that is there, and nothing else.

    Raises:
        LandscapeError: the folder holds something else, or a sweep with other settings.
    """
    if is_sweep(folder):
        old = read(folder)
        _check_links(folder, [run["name"] for run in (*old.runs, *runs)])
        if not overwrite:
            return _joined(old, varied, arguments, runs)
        for run in old.runs:
            if (folder / run["name"] / "run.json").is_file():
                shutil.rmtree(folder / run["name"])
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a run already" if (folder / "run.json").is_file() else "something else"
        raise LandscapeError(
            f"a new sweep needs a new folder, {folder} holds {what}; give another one with --output"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandscapeError(f"{folder} must be writable, got: {error.strerror}") from error
    record = {
        "format": FORMAT,
        "version": VERSION,
        "id": uuid.uuid4().hex,
        "created": provenance.now(),
        "command": provenance.command(),
        "versions": provenance.versions(),
        "varied": list(varied),
        "arguments": list(arguments),
        "threads": threads,
        "runs": [{**run, "error": None} for run in runs],
    }
    return _write(Sweep(folder, record))


def _check_links(folder: Path, names_there: Iterable[str]) -> None:
    # Before anything is trained or deleted: it would be so wherever a link leads.
    for place in (folder / name for name in names_there):
        if place.is_symlink():
            raise LandscapeError(
                f"a sweep's runs must lie in it to be trained, {place} is a link to "
                f"{place.readlink()}; remove the link, or give another folder with --output"
            )


def _joined(
    old: Sweep, varied: Sequence[str], arguments: Sequence[str], runs: Sequence[Mapping[str, Any]]
) -> Sweep:
    for name, was, is_now in (
        ("varied settings", old.record["varied"], list(varied)),
        ("shared options", old.record["arguments"], list(arguments)),
    ):
        if was != is_now:
            raise LandscapeError(
                f"a sweep goes on with the settings that {old.folder} was started with, its "
                f"{name} are {' '.join(was) or 'none'}, got {' '.join(is_now) or 'none'}; "
                "give another folder with --output, or replace it with --overwrite"
            )
    there = {run["name"] for run in old.runs}
    added = [{**run, "error": None} for run in runs if run["name"] not in there]
    if not added:
        return old
    return _write(Sweep(old.folder, {**old.record, "runs": [*old.runs, *added]}))


def _write(sweep: Sweep) -> Sweep:
    write_bytes(sweep.folder / FILE, (json.dumps(sweep.record, indent=2) + "\n").encode())
    return sweep

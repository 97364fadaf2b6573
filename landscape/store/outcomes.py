"""outcomes.json: what became of a sweep's runs, one by one and by their settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.store.hdf5 import write_bytes
from landscape.store.strict import dumps

FORMAT = "landscape-outcomes"
VERSION = 1
NAME = "outcomes.json"


@dataclass(frozen=True)
class Outcomes:
    """A sweep's outcomes, as figures show them."""

    name: str
    """Of the sweep's folder."""
    run_id: str
    """The sweep's."""
    groups: Sequence[Mapping[str, Any]]
    """As in outcomes.json: a line for each combination of settings but the seed."""
    runs: Sequence[Mapping[str, Any]]
    """A line a run."""


def save(folder: Path, record: Mapping[str, Any]) -> None:
    """Write it into a sweep's folder.

    Raises:
        LandscapeError: the disk is full or the folder can't be written.
    """
    content = dumps({"format": FORMAT, "version": VERSION, **record})
    write_bytes(folder / NAME, f"{content}\n".encode())


def load(folder: Path) -> dict[str, Any]:
    """Read it; infinite losses come as text, as they were written.

    Raises:
        LandscapeError: it isn't there, isn't JSON of ours, or is newer than this.
    """
    place = folder / NAME
    try:
        record: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        found, version = record["format"], record["version"]
    except OSError as error:
        raise LandscapeError(
            f"{place} must be readable, got: {error.strerror}; "
            f"make it with `landscape diagnose {folder}`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LandscapeError(f"{place} must be a sweep's outcomes, got: {error}") from error
    if found != FORMAT or version > VERSION:
        raise LandscapeError(
            f"{place} must be of format {FORMAT} and version {VERSION} or older, "
            f"got {found} and {version}; install a newer landscape"
        )
    return record


def of(folder: Path) -> Outcomes:
    """Read them as a record.

    Raises:
        LandscapeError: as `load` does.
    """
    record = load(folder)
    name = folder.resolve().name
    return Outcomes(name, str(record["sweep"]), record["groups"], record["runs"])

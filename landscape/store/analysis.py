"""analysis.h5: what was measured of a run, a group a part, each with a fingerprint of its input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.errors import LandscapeError
from landscape.store import provenance
from landscape.store.hdf5 import reading, write
from landscape.store.vetting.rules import FileRules, InJson
from landscape.store.vetting.shapes import COUNT

FORMAT = "landscape-analysis"
VERSION = 1
NAME = "analysis.h5"
KIND = "kind"
"""Attribute of a group (mapping, list) and of a text's data set: what to read it back as."""
RULES = FileRules(
    attributes={
        "": {"version": COUNT},
        "*": {
            "fingerprint": str,
            "seconds": float,
            "created": str,
            "command": str,
            "absent": InJson({str: str}),
        },
    }
)


@dataclass(frozen=True)
class StoredPart:
    """One part of an analysis as it was measured."""

    name: str
    fingerprint: str
    """Of everything that the values depend on: where it differs, they are out of date."""
    seconds: float
    """Wall time of measuring it."""
    values: Mapping[str, Any]
    """Names to arrays, numbers, text, None, lists, and mappings of such."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """What of it could not be measured, and why."""
    command: str = ""
    """By which it was measured; empty where its values come from elsewhere, as from runs that say
    so themselves, and in files of earlier versions."""


def values(record: Any) -> dict[str, Any]:
    """The fields of a part's record, as `save` takes them."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def fingerprint(*inputs: Any) -> str:
    """SHA-256 of plain values: JSON's, tuples, and arrays by their bytes."""
    digest = hashlib.sha256()
    for value in inputs:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def save(folder: Path, part: StoredPart) -> None:
    """Write a part into a run's analysis.h5, in place of what it held of that name.

    The file is written anew, complete, with its other parts; memory is the file's size.

    Raises:
        LandscapeError: a value can't be stored, the disk is full, or the file there is damaged.
    """
    path, known = folder / NAME, names(folder)

    def fill(file: h5py.File) -> None:
        file.attrs.update({"format": FORMAT, "version": VERSION})
        if known:
            with reading(path, FORMAT, VERSION, rules=RULES) as old:
                for name in known:
                    if name != part.name:
                        old.copy(old[name], file, name)
        _put(file, part.name, dict(part.values), part.name)
        group = file[part.name]
        group.attrs.update({"fingerprint": part.fingerprint, "seconds": part.seconds})
        group.attrs["created"] = provenance.now()
        if part.command:
            group.attrs["command"] = part.command
        if part.absent:
            group.attrs["absent"] = json.dumps(dict(part.absent))

    write(path, fill)


def names(folder: Path) -> tuple[str, ...]:
    """The parts that a run's analysis.h5 holds; none where there is no file."""
    if not (folder / NAME).is_file():
        return ()
    with reading(folder / NAME, FORMAT, VERSION, rules=RULES) as file:
        return tuple(file)


def load(folder: Path, name: str) -> StoredPart | None:
    """A part as plain values: NumPy arrays, numbers, text, None, lists and dicts of them.

    None where it was not measured.

    Raises:
        LandscapeError: the file is damaged or newer than this.
    """
    if not (folder / NAME).is_file():
        return None
    with reading(folder / NAME, FORMAT, VERSION, rules=RULES) as file:
        if name not in file:
            return None
        group = file[name]
        mark, seconds = str(group.attrs["fingerprint"]), float(group.attrs["seconds"])
        absent = json.loads(group.attrs.get("absent", "{}"))
        command = str(group.attrs.get("command", ""))
        return StoredPart(name, mark, seconds, _get(group), absent, command)


def measured_at(folder: Path) -> dict[str, str]:
    """When the parts were measured, ISO 8601 in UTC, by name.

    Raises:
        LandscapeError: the file is damaged or newer than this.
    """
    if not (folder / NAME).is_file():
        return {}
    with reading(folder / NAME, FORMAT, VERSION, rules=RULES) as file:
        return {name: str(group.attrs["created"]) for name, group in file.items()}


def commands(folder: Path) -> dict[str, tuple[str, str]]:
    """When and by which command the parts were measured that say so, by name.

    Raises:
        LandscapeError: the file is damaged or newer than this.
    """
    if not (folder / NAME).is_file():
        return {}
    with reading(folder / NAME, FORMAT, VERSION, rules=RULES) as file:
        return {
            name: (str(group.attrs["created"]), str(group.attrs["command"]))
            for name, group in file.items()
            if "command" in group.attrs
        }


def _put(group: h5py.Group, name: str, value: Any, place: str) -> None:
    key = name.replace("%", "%25").replace("/", "%2F")
    if is_dataclass(value) and not isinstance(value, type):
        value = values(value)
    if value is None:
        group[key] = h5py.Empty("f8")
    elif isinstance(value, str):
        group[key] = value
    elif isinstance(value, Mapping):
        _put_all(group, key, value.items(), "mapping", place)
    elif isinstance(value, list | tuple) and not _plain(value):
        numbered = ((str(index), item) for index, item in enumerate(value))
        _put_all(group, key, numbered, "list", place)
    else:
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise LandscapeError(
                f"a part's values must be numbers, text, arrays, lists or mappings of them, "
                f"got {type(value).__name__} at {place}"
            )
        group[key] = array
        if isinstance(value, list | tuple):
            group[key].attrs[KIND] = "list"


def _put_all(group: h5py.Group, key: str, items: Any, kind: str, place: str) -> None:
    inside = group.create_group(key, track_order=True)
    inside.attrs[KIND] = kind
    for name, item in items:
        _put(inside, str(name), item, f"{place}.{name}")


def _plain(value: Sequence[Any]) -> bool:
    """Whether a list is one of numbers of one kind, which an array holds as well."""
    kinds = {type(item) for item in value}
    return len(kinds) == 1 and kinds <= {int, float, bool}


def _get(item: h5py.Group | h5py.Dataset) -> Any:
    if isinstance(item, h5py.Group):
        found = {name.replace("%2F", "/").replace("%25", "%"): _get(item[name]) for name in item}
        return list(found.values()) if item.attrs.get(KIND) == "list" else found
    if item.shape is None:
        return None
    if h5py.check_string_dtype(item.dtype):
        return item.asstr()[()]
    value = item[()]
    if item.attrs.get(KIND) == "list":
        return value.tolist()
    return value.item() if item.shape == () else value

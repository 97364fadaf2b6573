"""What an HDF5 file declares, found without reading any of its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from landscape.errors import LandscapeError

MOST_OBJECTS = 100_000
MOST_ATTRIBUTES = 1000
LARGEST_CHUNK = 2**27
"""Bytes of a dataset's smallest part that can be read; ours are of 2**17."""
COMPRESSED = 16
"""A dataset that is compressed may declare so many times the file's size."""
PLAIN_FILTERS = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
FILTERS = (*PLAIN_FILTERS, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SZIP, h5py.h5z.FILTER_NBIT)
NUMBERS, TEXT = "biufc", "SO"
GROUP = "group"


class Declared(NamedTuple):
    """What a file says of one of its objects."""

    kind: str
    """NumPy's letter for a dataset's type (text: S or O); `GROUP`."""
    shape: tuple[int, ...] | None
    """None: empty, or a group."""


@dataclass(frozen=True)
class Surveyed:
    """A file's objects by name, and other files that its virtual datasets show."""

    objects: Mapping[str, Declared]
    sources: frozenset[str]


def survey(path: Path, file: h5py.File) -> Surveyed:
    """Look at every object's links, storage, type and size, and at no data.

    Refused are ways out of the file (links, external storage), a group at two places, types and
    filters that nothing of ours has, and sizes that the file's bytes can't hold.

    Raises:
        LandscapeError: something is so.
        RuntimeError, KeyError, ValueError, TypeError, OSError: something is damaged.
    """
    objects: dict[str, Declared] = {}
    sources: set[str] = set()
    root = h5py.h5g.open(file.id, b"/")
    # Groups are told by their address: one that is within itself has no end.
    groups, seen = [("", root)], {h5py.h5o.get_info(root).addr}
    _check_attributes(path, root, "the file")
    while groups:
        place, group = groups.pop()
        for name, item in _items(path, group):
            full = f"{place}/{_text(name)}".removeprefix("/")
            if len(objects) == MOST_OBJECTS:
                raise _unfit(path, f"at most {MOST_OBJECTS} objects", "more")
            if isinstance(item, h5py.h5d.DatasetID):
                sources |= _sources(path, item.get_create_plist())
                objects[full] = _dataset(path, full, item)
            elif isinstance(item, h5py.h5g.GroupID):
                address = h5py.h5o.get_info(item).addr
                if address in seen:
                    raise leads_out(path, f"a group at two places, {_text(name)!r}")
                seen.add(address)
                groups.append((full, item))
                objects[full] = Declared(GROUP, None)
            _check_attributes(path, item, full)
    return Surveyed(objects, frozenset(sources))


def leads_out(path: Path, what: str) -> LandscapeError:
    """The error of a file that has other files read with it."""
    return LandscapeError(
        f"{path} must hold its data itself, got {what}; ask for the file as landscape wrote it"
    )


def _unfit(path: Path, rule: str, got: str) -> LandscapeError:
    return LandscapeError(f"{path} must have {rule}, got {got}; ask for another copy of it")


def _items(path: Path, group: Any) -> Iterator[tuple[bytes, Any]]:
    for name in group:
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise leads_out(path, f"a link, {_text(name)!r}")
        try:
            item = h5py.h5o.open(group, name)
        except (OSError, RuntimeError, KeyError, ValueError):
            continue  # so damaged that nobody will open it either; the rest may be salvaged
        yield name, item


def _sources(path: Path, storage: Any) -> set[str]:
    if storage.get_external_count():
        raise leads_out(path, f"data in another file, {_text(storage.get_external(0)[0])!r}")
    if storage.get_layout() != h5py.h5d.VIRTUAL:
        return set()
    return {storage.get_virtual_filename(at) for at in range(storage.get_virtual_count())}


def _dataset(path: Path, name: str, item: Any) -> Declared:
    dtype = item.dtype
    kind = dtype.kind
    is_text = h5py.check_string_dtype(dtype) is not None
    if kind not in NUMBERS and not (kind in TEXT and is_text):
        raise _unfit(path, f"numbers or text in {name}", f"{dtype}")
    space = item.get_space()
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        return Declared(kind, None)
    shape = space.get_simple_extent_dims()
    storage = item.get_create_plist()
    most = path.stat().st_size
    if storage.get_layout() == h5py.h5d.VIRTUAL:
        shown = [path.parent / one for one in _sources(path, storage)]
        if not all(one.is_file() for one in shown):
            return Declared(kind, shape)  # nobody reads it: whoever would asks for them first
        most = sum(one.stat().st_size for one in shown)
    elif storage.get_layout() == h5py.h5d.CHUNKED:
        most *= _check_filters(path, name, storage)
        chunk = int(np.prod(storage.get_chunk(), dtype=object)) * dtype.itemsize
        if chunk > LARGEST_CHUNK:
            raise _unfit(path, f"chunks of at most {LARGEST_CHUNK} bytes in {name}", f"{chunk}")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if max((size, *shape)) > most:
        raise _unfit(
            path, f"in {name} no more than its {most} bytes can hold", f"shape {shape} of {dtype}"
        )
    return Declared(kind, shape)


def _check_filters(path: Path, name: str, storage: Any) -> int:
    """How many times its size in the file a dataset may have."""
    found = [storage.get_filter(at)[0] for at in range(storage.get_nfilters())]
    if not set(found) <= set(FILTERS):
        raise _unfit(path, f"no filters but HDF5's own in {name}", f"number {found}")
    return 1 if set(found) <= set(PLAIN_FILTERS) else COMPRESSED


def _check_attributes(path: Path, item: Any, name: str) -> None:
    count = h5py.h5a.get_num_attrs(item)
    if count > MOST_ATTRIBUTES:
        raise _unfit(path, f"at most {MOST_ATTRIBUTES} attributes at {name}", f"{count}")
    for at in range(count):
        attribute = h5py.h5a.open(item, index=at)
        size = int(np.prod(attribute.shape, dtype=object)) * attribute.dtype.itemsize
        if size > path.stat().st_size:
            raise _unfit(
                path, f"no attribute larger than itself at {name}", f"{_text(attribute.name)}"
            )


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")

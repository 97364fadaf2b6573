"""What a trajectory holds once: frozen tensors, and buffers that no step has changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.store import stream
from landscape.store.hdf5 import open_file

GROUP = "constants"
BUFFERS = "buffers"
"""The group's attribute that names those of them that are buffers."""

Constants = Mapping[str, NDArray[Any]]


def fill(file: h5py.File, values: Constants, still: Collection[str]) -> None:
    """Write them into a shard, each under ``constants/NAME``; ``still`` names the buffers."""
    file.create_group(GROUP).attrs[BUFFERS] = json.dumps(sorted(still))
    for name, value in values.items():
        place = f"{GROUP}/{name}"
        if value.size and value.ndim:
            stream.create(file, place, value.shape, value.dtype)[:] = value
        else:
            file[place] = value


def show(index: h5py.File, folder: Path, shard: str, still: Collection[str]) -> None:
    """Show a shard's constants in trajectory.h5; of the buffers only those that are ``still``."""
    group = index.create_group(GROUP)
    group.attrs[BUFFERS] = json.dumps(sorted(still))
    with open_file(folder / shard) as file:
        for name, data in _datasets(file[GROUP]).items():
            if name in json.loads(file[GROUP].attrs[BUFFERS]) and name not in still:
                continue  # it changed later: rows hold it
            if data.size and data.ndim:
                _show(group, name, shard, data)
            else:
                group[name] = data[()]


def _show(group: h5py.Group, name: str, shard: str, data: h5py.Dataset) -> None:
    """A virtual dataset over all of another, by h5py's lower level as in `index`."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple(data.shape)
    properties.set_virtual(space, shard.encode(), data.name.encode(), space)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    kind = h5py.h5t.py_create(data.dtype, logical=True)
    h5py.h5d.create(group.id, name.encode(), kind, space, properties, links)


def read(file: h5py.File) -> tuple[dict[str, NDArray[Any]], frozenset[str]]:
    """A trajectory's or a shard's constants by name, and which of them are buffers."""
    if GROUP not in file:
        return {}, frozenset()
    group = file[GROUP]
    values = {name: np.asarray(data[()]) for name, data in _datasets(group).items()}
    return values, frozenset(json.loads(group.attrs[BUFFERS]))


def buffers(file: h5py.File) -> dict[str, NDArray[Any]]:
    """Those of a trajectory's constants that are buffers, by name."""
    if GROUP not in file:
        return {}
    group = file[GROUP]
    return {name: np.asarray(group[name][()]) for name in json.loads(group.attrs[BUFFERS])}


def _datasets(group: h5py.Group) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    group.visititems(
        lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None
    )
    return found

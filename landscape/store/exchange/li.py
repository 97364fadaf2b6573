"""The files of Li et al.'s scripts (2018): surfaces, directions and projected paths.

Their surface files declare measures of shape (nx, ny) but fill them in flat order with x running
fastest, as if they were (ny, nx). Flat order is what is read here, so either shape will do, and
(ny, nx) is what is written: their scripts plot it and go on with it, while their own shape fails
in their plots unless nx = ny. Accuracies are in per cent. -1 stands for what isn't computed yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.hdf5 import image, opened
from landscape.store.scans.records import Floats, Path, Plane, Scan

NAMES: Mapping[str, str] = {
    "train_loss": "train_loss",
    "train_acc": "train_accuracy",
    "test_loss": "validation_loss",
    "test_acc": "validation_accuracy",
}
"""Their measures and ours; any other one keeps its name."""
COORDINATES = ("xcoordinates", "ycoordinates")
DIRECTIONS = ("xdirection", "ydirection")
TO_DO = -1.0
TO_DO_OTHERWISE = {"min_eig": 1.0}
"""What their script of eigenvalues fills the lower one with."""
UNKNOWN = "unknown"
ERROR, ERROR_OF, MASK, TOLERANCE = "_error", "error_of", "measured", "tolerance"
"""What is ours in a surface: errors, whose they are, which points were measured, what was
interpolated to."""

Direction = tuple[NDArray[Any], ...]
"""A direction as a list of tensors, in the order of the network's parameters or of its state."""


def is_surface(file: h5py.File) -> bool:
    """Whether an HDF5 file is laid out as a surface of theirs."""
    return COORDINATES[0] in file


def read_surface(path: FilePath) -> Scan:
    """Their surface as a scan of kind ``imported``; coordinates in ascending order.

    The plane has no weights: origin of shape (0,), directions of shape (2, 0), a line's (1, 0).
    A point is measured where its training loss is, whatever the other measures are.

    Raises:
        LandscapeError: no HDF5, no surface, or a measure that doesn't fit the coordinates.
    """
    with opened(path) as file:
        if not is_surface(file):
            raise LandscapeError(
                f"{path} must be a scan or, with xcoordinates, a surface file of Li et al., "
                f"got {_contents(file)}"
            )
        axes = [_axis(path, file, name) for name in COORDINATES if name in file]
        found = _measures(path, file, tuple(len(axis) for axis in axes))
        directions = _text(file.get("dir_file"))
        tolerance = float(file.attrs.get(TOLERANCE, 0.0))
        ours = TOLERANCE in file.attrs
        wrong = _errors(file) if ours else []
    mask = found.pop(MASK) if ours and MASK in found else None
    errors = {name: found.pop(name) for name in wrong if name in found}
    todo = _to_do(found)
    # They and the measures are turned together.
    todo |= {name: np.zeros(values.shape, bool) for name, values in errors.items()}
    found |= errors
    if mask is not None:
        found[MASK], todo[MASK] = mask, np.zeros(mask.shape, bool)
    for axis, coordinates in enumerate(axes):
        order = np.argsort(coordinates, kind="stable")
        found = {name: values.take(order, axis) for name, values in found.items()}
        todo = {name: values.take(order, axis) for name, values in todo.items()}
    mask = found.pop(MASK) if mask is not None else None
    errors = {name.removesuffix(ERROR): found.pop(name) for name in errors}
    measures = {
        NAMES.get(name, name): np.where(todo[name], np.nan, _unit(name, values))
        for name, values in found.items()
    }
    axes = [np.sort(coordinates) for coordinates in axes]
    return Scan(
        plane=_plane(len(axes)),
        x=axes[0],
        y=axes[1] if len(axes) > 1 else np.empty(0),
        measures=measures,
        measured=~todo["train_loss"] if mask is None else mask > 0,
        errors={NAMES.get(name, name): _unit(name, values) for name, values in errors.items()},
        tolerance=tolerance,
        run_name="",
        provenance={"imported": path.name, "directions": directions},
    )


def _plane(dimensions: int) -> Plane:
    return Plane(
        kind="imported",
        origin=np.empty(0, np.float32),
        directions=np.empty((dimensions, 0), np.float32),
        labels=("x direction", "y direction")[:dimensions],
        unit="unknown unit",
        normalization=UNKNOWN,
        ignored=UNKNOWN,
        origin_name=UNKNOWN,
        batchnorm=UNKNOWN,
    )


def _axis(path: FilePath, file: h5py.File, name: str) -> Floats:
    data = file[name]
    if not _numeric(data) or data.ndim != 1 or not data.size:
        raise LandscapeError(
            f"{path} must have {name} as a list of numbers, got {_description(data)}"
        )
    values = np.asarray(data[()], np.float64)
    if not np.isfinite(values).all():
        raise LandscapeError(f"{path} must have finite {name}, got {values.tolist()}")
    return values


def _measures(path: FilePath, file: h5py.File, shape: tuple[int, ...]) -> dict[str, Floats]:
    """All measures by their names, indexed [i, j] as ours; a training loss there always is."""
    found = {"train_loss": np.full(shape, TO_DO)}
    for name in file:
        data = file[name]
        fits = _numeric(data) and data.size == np.prod(shape)
        if name in NAMES and not fits:
            raise LandscapeError(
                f"{path} must have {name} at each of {' x '.join(map(str, shape))} points, "
                f"got {_description(data)}"
            )
        if fits and name not in COORDINATES:
            # x runs fastest, whatever shape the file declares.
            found[name] = np.asarray(data[()], np.float64).reshape(shape[::-1]).T
    return found


def _errors(file: h5py.File) -> list[str]:
    """Which measures are another one's errors; our first files say it by their names alone."""
    said = [name for name in file if ERROR_OF in file[name].attrs]
    return said or [name for name in file if name.endswith(ERROR)]


def _numeric(data: Any) -> bool:
    return isinstance(data, h5py.Dataset) and data.dtype.kind in "fiu"


def _description(data: Any) -> str:
    if not isinstance(data, h5py.Dataset):
        return "a group"
    return f"shape {data.shape}" if _numeric(data) else f"type {data.dtype}"


def _to_do(measures: Mapping[str, Floats]) -> dict[str, NDArray[np.bool_]]:
    """Where each measure is a placeholder: it and its partner, since -1 may be a value of one."""
    alone = {name: values == TO_DO_OTHERWISE.get(name, TO_DO) for name, values in measures.items()}
    pairs = [("train_loss", "train_acc"), ("test_loss", "test_acc"), ("min_eig", "max_eig")]
    both = {
        name: alone[first] & alone[second]
        for first, second in pairs
        if first in alone and second in alone
        for name in (first, second)
    }
    # An accuracy can't be negative; a loss that is stored before its accuracy is a loss.
    return alone | both | {name: alone[name] for name in alone if name.endswith("_acc")}


def _unit(name: str, values: Floats) -> Floats:
    return values / 100 if name.endswith("_acc") else values


def surface(scan: Scan, *, directions: str) -> bytes:
    """Our scan as a surface file of theirs; ``directions`` is its direction file's name."""

    def fill(file: h5py.File) -> None:
        file["dir_file"] = directions
        for name, values in zip(COORDINATES, (scan.x, scan.y), strict=True):
            if len(values):
                file[name] = values
        theirs = {ours: name for name, ours in NAMES.items()}
        for ours, values in scan.measures.items():
            name = theirs.get(ours, ours)
            todo = ~scan.measured & np.isnan(values)
            per_cent = values * 100 if name.endswith("_acc") else values
            file[name] = np.where(todo, TO_DO_OTHERWISE.get(name, TO_DO), per_cent).T
        for ours, values in scan.errors.items():
            name = theirs.get(ours, ours)
            file[name + ERROR] = (values * 100 if name.endswith("_acc") else values).T
            file[name + ERROR].attrs[ERROR_OF] = name
        if scan.tolerance or scan.errors:
            file[MASK] = scan.measured.astype(np.uint8).T
            file.attrs[TOLERANCE] = scan.tolerance

    return image("surface.h5", fill)


def read_directions(path: FilePath) -> tuple[Direction, ...]:
    """The one or two directions of their direction file, each a list of tensors.

    Raises:
        LandscapeError: no HDF5, no directions, or the list of tensors has a gap.
    """
    with opened(path) as file:
        if DIRECTIONS[0] not in file:
            raise LandscapeError(
                f"{path} must be a direction file of Li et al., with xdirection, "
                f"got {_contents(file)}"
            )
        return tuple(_tensors(path, file[name]) for name in DIRECTIONS if name in file)


def _tensors(path: FilePath, group: Any) -> Direction:
    names = set(group) if isinstance(group, h5py.Group) else set()
    count = len(names)
    if not names or names != {str(number) for number in range(count)}:
        raise LandscapeError(
            f"{path} must list the tensors of {group.name[1:]} as 0, 1, 2, ..., "
            f"got {', '.join(sorted(names)) or 'none'}"
        )
    return tuple(np.asarray(group[str(number)][()]) for number in range(count))


def directions(plane: Plane, parameters: Sequence[Mapping[str, Any]], path: Path | None) -> bytes:
    """A plane's directions as their direction file of type ``weights``, tensor by tensor.

    With a path, ``explained_variance_ratio_`` is the share of its variance along each direction:
    their plots of paths ask for it.
    """

    def fill(file: h5py.File) -> None:
        for name, direction in zip(DIRECTIONS, plane.directions, strict=False):
            group = file.create_group(name)
            for number, parameter in enumerate(parameters):
                shape = tuple(parameter["shape"])
                start = int(parameter["offset"])
                part = direction[start : start + int(np.prod(shape))]
                group[str(number)] = part.reshape(shape)
        if path is not None:
            file["explained_variance_ratio_"] = _shares(plane, path)

    return image("directions.h5", fill)


def _shares(plane: Plane, path: Path) -> Floats:
    basis = plane.directions.astype(np.float64)
    gram = basis @ basis.T
    xy = path.xy[np.isfinite(path.xy).all(1)]
    centred = xy - xy.mean(0)
    inside = float(np.einsum("td,de,te->", centred, gram, centred))
    along = ((centred @ gram) ** 2).sum(0) / np.diag(gram)
    if not inside > 0:
        return np.full(len(basis), np.nan)
    shares: Floats = along / inside * path.share_in_plane
    return shares


def projection(path: Path) -> bytes:
    """A path on a plane as their projection file: least-squares coordinates, and the steps."""

    def fill(file: h5py.File) -> None:
        file["proj_xcoord"] = path.xy[:, 0]
        file["proj_ycoord"] = path.xy[:, 1]
        file["step"] = path.step

    return image("projection.h5", fill)


def _contents(file: h5py.File) -> str:
    if DIRECTIONS[0] in file:
        return "a direction file: use it with `landscape scan RUN --directions`"
    if COORDINATES[0] in file:
        return "a surface file: draw it with `landscape render`"
    if file.attrs.get("format"):
        return f"format {file.attrs['format']}"
    return ", ".join(file) or "an empty file"


def _text(data: Any) -> str:
    if not isinstance(data, h5py.Dataset):
        return ""
    value = data[()]
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.replace("\\", "/").rpartition("/")[2]

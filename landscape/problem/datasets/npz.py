"""Data in a NumPy archive: a user's own arrays, or one of Keras' files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import LandscapeError, one_line
from landscape.problem import archives
from landscape.problem.samples import Pair

Array: TypeAlias = NDArray[Any]

NAMES = ("train_inputs", "train_targets", "validation_inputs", "validation_targets")
KERAS = ("x_train", "y_train", "x_test", "y_test")

# Years or identifiers taken for classes would make a last layer that fills the memory.
MOST_CLASSES = 65536


def load(path: Path) -> tuple[Pair, Pair | None]:
    """Training and validation data of ``path``; the latter None where the file has none.

    The arrays are called as in ``NAMES`` or as in ``KERAS``; images are (N, channels, height,
    width), under Keras' names also (N, height, width) and (N, height, width, channels). Inputs in
    uint8 are divided by 255; targets are integer classes, (N,) or (N, 1).

    Raises:
        LandscapeError: no such file, another format, arrays missing or unfit.
    """
    arrays = _read(path)
    names = KERAS if KERAS[0] in arrays and NAMES[0] not in arrays else NAMES
    parts = [arrays.get(name) for name in names]
    missing = [name for name, part in zip(names, parts, strict=True) if part is None]
    if missing and missing != list(names[2:]):
        raise LandscapeError(
            f"an npz file must hold the arrays {', '.join(NAMES[:2])} and, optionally, "
            f"{', '.join(NAMES[2:])}, or Keras' {', '.join(KERAS)}; "
            f"{', '.join(missing)} missing in {path}, which holds {', '.join(arrays) or 'nothing'}"
        )
    train = _pair(parts[0], parts[1], names[:2], path)
    if missing:
        return train, None
    validation = _pair(parts[2], parts[3], names[2:], path)
    if validation[0].shape[1:] != train[0].shape[1:]:
        raise LandscapeError(
            f"{names[2]} must have the shape of {names[0]}, "
            f"got {tuple(validation[0].shape[1:])} and {tuple(train[0].shape[1:])} in {path}"
        )
    return train, validation


def _read(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise LandscapeError(f"npz:FILE must name an existing file, got {path}")
    try:
        # Others are named in an error message only, and may be of kinds that can't be read.
        found = archives.read(path, lambda name: name in NAMES + KERAS)
        if isinstance(found, np.ndarray):
            raise ValueError("a single array")
        return found
    except archives.UNREADABLE as error:
        raise LandscapeError(
            f"npz:FILE must name an archive of plain arrays, written by numpy.savez, "
            f"got {path} ({one_line(error)})"
        ) from error


def _pair(inputs: Array | None, targets: Array | None, names: tuple[str, ...], path: Path) -> Pair:
    assert inputs is not None
    assert targets is not None
    if inputs.ndim == 0 or targets.ndim == 0 or len(inputs) != len(targets):
        raise LandscapeError(
            f"{names[0]} and {names[1]} must be of equal length, "
            f"got shapes {inputs.shape} and {targets.shape} in {path}"
        )
    if len(inputs) == 0:
        raise LandscapeError(f"{names[0]} must hold at least one sample, got 0 in {path}")
    if names[0] in KERAS:
        inputs = _channels_first(inputs)
    return _inputs(inputs, names[0], path), _classes(targets, names[1], path)


def _channels_first(images: Array) -> Array:
    """Keras' (N, H, W) and (N, H, W, C) as (N, C, H, W)."""
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[-1] in (1, 3, 4):
        return np.moveaxis(images, -1, 1)
    return images


def _inputs(array: Array, name: str, path: Path) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise LandscapeError(f"{name} must be real numbers, got {array.dtype} in {path}")
    # astype copies into the machine's byte order and plain strides, which torch needs.
    inputs = torch.from_numpy(array.astype(np.float32, order="C"))
    if array.dtype == np.uint8:
        return inputs.div_(255)
    if not torch.isfinite(inputs).all():
        raise LandscapeError(
            f"{name} must be finite numbers, got NaN or infinity in {path}; remove those samples"
        )
    return inputs


def _classes(array: Array, name: str, path: Path) -> Tensor:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise LandscapeError(
            f"{name} must be one integer class a sample, "
            f"got {array.dtype} of shape {array.shape} in {path}; "
            f"for other targets write a problem of your own (--problem)"
        )
    targets = torch.from_numpy(array.astype(np.int64))
    least, largest = int(targets.min()), int(targets.max())
    if least < 0 or largest >= MOST_CLASSES:
        raise LandscapeError(
            f"{name} must be classes between 0 and {MOST_CLASSES - 1}, "
            f"got {least} to {largest} in {path}; number them from 0"
        )
    return targets

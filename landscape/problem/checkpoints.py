"""Other programs' checkpoints: files of tensors, read without running any code of theirs."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from landscape.errors import LandscapeError
from landscape.problem.downloads import one_line

Tree: TypeAlias = Mapping[str, Any]
"""What a file holds: tensors by name, perhaps nested, perhaps with other things beside them."""

IN_A_FOLDER = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors")
FLAT = "weights"
"""The name under which a lone vector of all parameters is handed on."""


def read(path: Path) -> Tree:
    """What a checkpoint holds; tensors on the CPU, as they were saved.

    ``.pt``, ``.pth``, ``.ckpt`` and ``.bin`` are read by ``torch.load(weights_only=True)``, which
    runs no code; ``.safetensors``; ``.npz`` (arrays by name) and ``.npy`` (all parameters as one
    vector). A folder stands for the file of that kind in it.

    Raises:
        LandscapeError: no such file, another format, a broken one, or one that only code could
            unpickle.
    """
    path = _file(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise LandscapeError(
            f"a checkpoint must be one of {', '.join(READERS)}, got {path}; "
            "save its state_dict as one of these"
        )
    return reader(path)


def _file(path: Path) -> Path:
    if path.is_dir():
        for name in IN_A_FOLDER:
            if (path / name).is_file():
                return path / name
        raise LandscapeError(
            f"a checkpoint's folder must hold one of {', '.join(IN_A_FOLDER)}, {path} doesn't; "
            "give the file itself"
        )
    if not path.is_file():
        raise LandscapeError(f"a checkpoint must be an existing file, got {path}")
    return path


def _torch(path: Path) -> Tree:
    try:
        with warnings.catch_warnings():  # what they say the errors below say
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise LandscapeError(_refused(path, str(error))) from error
    except Exception as error:  # a file that isn't a pickle at all can fail in any way
        if "TorchScript" in str(error):
            raise LandscapeError(
                f"a checkpoint must hold tensors alone, {path} is a TorchScript program, which is "
                "code; save its weights with torch.save(model.state_dict(), FILE)"
            ) from error
        raise LandscapeError(
            f"a checkpoint must be what torch.save wrote, got {path} ({one_line(error)})"
        ) from error
    if isinstance(found, Tensor):
        return {FLAT: found}
    if not isinstance(found, Mapping):
        raise LandscapeError(
            f"a checkpoint must hold a state_dict, got {type(found).__name__} in {path}; "
            "save it with torch.save(model.state_dict(), FILE)"
        )
    return found


def _refused(path: Path, reason: str) -> str:
    """Why a pickle isn't loaded, with the name of what it asks for."""
    if "invalid load key" in reason or "truncated" in reason:
        said = one_line(pickle.UnpicklingError(reason.strip().split("\n")[-1]))
        return f"a checkpoint must be what torch.save wrote, got {path} ({said})"
    wanted = re.search(r"GLOBAL ([\w.]*\w)|Unsupported (\w+ \w+)", reason)
    what = (wanted.group(1) or wanted.group(2)) if wanted else "not said"
    return (
        f"a checkpoint must hold tensors and plain values alone, {path} needs code to be unpickled "
        f"({what}), which could do anything, so it wasn't loaded; if you trust it, load it "
        "yourself and save its weights with torch.save(model.state_dict(), FILE)"
    )


def _safetensors(path: Path) -> Tree:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: Tree = load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        raise LandscapeError(
            f"a checkpoint must be whole, got {path} ({one_line(error)})"
        ) from error
    return tensors


def _numpy(path: Path) -> Tree:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {FLAT: _tensor(found)}
        with found:
            return {name.replace("/", "."): _tensor(found[name]) for name in found.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise LandscapeError(
            "a checkpoint of NumPy must hold plain arrays, written by numpy.save or numpy.savez, "
            f"got {path} ({one_line(error)})"
        ) from error


def _tensor(array: Any) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"an array of {array.dtype}")
    # Another byte order or a view's strides are nothing torch can take.
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))


READERS: Mapping[str, Callable[[Path], Tree]] = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), _torch),
    ".safetensors": _safetensors,
    **dict.fromkeys((".npz", ".npy"), _numpy),
}
"""How a file of each kind is read."""

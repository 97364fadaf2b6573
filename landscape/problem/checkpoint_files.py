"""Checkpoints of other programs, read by what they hold, without running any code of theirs."""

from __future__ import annotations

import json
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
from torch.serialization import safe_globals

from landscape.errors import LandscapeError, one_line
from landscape.problem import archives

Tree: TypeAlias = Mapping[str, Any]
"""What a file holds: tensors by name, perhaps nested, perhaps with other things beside them."""

IN_A_FOLDER = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors")
INDEX = ".index.json"
"""The end of a file that says which of several holds which tensor."""
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
FLAT = "weights"
"""The name under which a lone vector of all parameters is handed on."""
HEAD = 16
"""So many bytes tell what a file is."""


def read(path: Path) -> Tree:
    """What a checkpoint holds; tensors on the CPU, as they were saved.

    What it is, its first bytes tell, whatever it is called: what ``torch.save`` wrote is read by
    ``torch.load(weights_only=True)``, which runs no code; safetensors; npz (arrays by name) and npy
    (all parameters as one vector). A folder stands for the file in it, an index (of a model in
    several files) for all the files that it names.

    Raises:
        LandscapeError: no such file, another format, a broken one, or one that only code could
            unpickle.
    """
    path = _file(path)
    if path.name.endswith(INDEX):
        return _sharded(path)
    reader = _told(path) or READERS.get(path.suffix.lower())
    if reader is None:
        raise LandscapeError(
            f"a checkpoint must be what torch.save, safetensors or NumPy wrote, got {path}, which "
            "begins otherwise; save its state_dict by one of these"
        )
    return reader(path)


def _file(path: Path) -> Path:
    if path.is_dir():
        for name in IN_A_FOLDER:
            for there in (name, name + INDEX):
                if (path / there).is_file():
                    return path / there
        for name in ADAPTERS:
            if (path / name).is_file():
                raise LandscapeError(_adapter(path, name))
        raise LandscapeError(
            f"a checkpoint's folder must hold one of {', '.join(IN_A_FOLDER)}, {path} doesn't; "
            "give the file itself"
        )
    if not path.is_file():
        raise LandscapeError(f"a checkpoint must be an existing file, got {path}")
    return path


def _adapter(folder: Path, name: str) -> str:
    """Why a folder with an adapter isn't read."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base = f" ({config['base_model_name_or_path']})"
    except (OSError, ValueError, KeyError, TypeError):  # it is only said where it is known
        base = ""
    return (
        f"a checkpoint must hold all weights, {folder} holds an adapter alone ({name}), which "
        f"needs its base weights{base}; put it onto its model and save all of them with "
        "torch.save(model.state_dict(), FILE)"
    )


def _told(path: Path) -> Callable[[Path], Tree] | None:
    """How to read a file, by its first bytes; None where these say nothing."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"\x93NUMPY"):
        return _numpy
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        # Damaged, with names that are no text, or of a version that nobody has written yet.
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return None
        is_numpy = bool(names) and all(name.endswith(".npy") for name in names)
        return _numpy if is_numpy else _torch
    # Eight bytes with the length of a JSON object, and this.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return _safetensors
    return _torch if head.startswith(b"\x80") else None


def _sharded(index: Path) -> Tree:
    """All tensors of a model in several files, which lie beside their index."""
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
        files: dict[str, str] = dict(found["weight_map"])
        names = sorted({str(file) for file in files.values()})
    except (ValueError, KeyError, TypeError) as error:
        raise LandscapeError(
            f"a checkpoint's index must be JSON with a weight_map, got {index} ({one_line(error)})"
        ) from error
    tensors: dict[str, Any] = {}
    for name in names:
        if Path(name).name != name:
            raise LandscapeError(f"a checkpoint's files must lie beside {index}, it names {name}")
        shard = read(index.parent / name)
        tensors |= {key: value for key, value in shard.items() if files.get(key) == name}
    if lacking := [key for key in files if key not in tensors]:
        raise LandscapeError(
            f"a checkpoint must be whole, {index} names {lacking[0]} in {files[lacking[0]]}, which "
            "doesn't hold it"
        )
    return tensors


class PickledType:
    """A NumPy type in a pickle: numbers of one kind, or nothing."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch(r"[biuf]\d{1,2}", code):
            raise pickle.UnpicklingError(f"Unsupported type numpy.dtype({code})")
        self._code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take in the order of the bytes."""
        order = state[1]
        self._code = (order if order in ("<", ">") else "") + self._code

    def number(self, content: bytes) -> bool | int | float:
        """The number that bytes of this type are."""
        found: bool | int | float = np.frombuffer(content, self._code, 1)[0].item()
        return found


class PickledFields(dict[str, Any]):
    """An argparse.Namespace in a pickle: its fields by name."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take in the fields."""
        self.update(state)


def _number(kind: PickledType, content: bytes) -> bool | int | float:
    return kind.number(content)


HARMLESS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
    (PickledType, "numpy.dtype"),
    (PickledFields, "argparse.Namespace"),
]
"""What a pickle may name beside tensors, and what is made of it instead: NumPy's numbers and the
fields of a namespace, as data. None of NumPy's or argparse's own code runs."""


def _torch(path: Path) -> Tree:
    try:
        # What they warn of the errors below say.
        with warnings.catch_warnings(), safe_globals(HARMLESS):
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
    wanted = re.search(r"GLOBAL ([\w.]*\w)|Unsupported (?:type )?(\w+ \w+|[\w.]+\(.*\))", reason)
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
        found = archives.read(path)
        if isinstance(found, np.ndarray):
            return {FLAT: _tensor(found)}
        return {name.replace("/", "."): _tensor(array) for name, array in found.items()}
    except archives.UNREADABLE as error:
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
"""Whose message says what is broken, where a file's first bytes don't say what it is."""

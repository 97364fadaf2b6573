"""A model's weights from another program's checkpoint.

Files of tensors are read without running any code of theirs, and the model's weights found in them:
nested, under a prefix, or as a vector.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.errors import LandscapeError, one_line
from landscape.problem import archives
from landscape.problem.weights import Layout

Tree: TypeAlias = Mapping[str, Any]
"""What a file holds: tensors by name, perhaps nested, perhaps with other things beside them."""

IN_A_FOLDER = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors")
FLAT = "weights"
"""The name under which a lone vector of all parameters is handed on."""
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile and others put into the names."""
PREFERRED = ("", "state_dict", "model_state_dict", "model", "module", "net", "network")
"""Where several mappings hold the model, such as its moving average, the first of these."""
DEEPEST = 3
NAMED = 5
"""So many tensors are named in a message; of the others there is the number."""
OPTIONAL = "num_batches_tracked"
"""A counter that old checkpoints lack and evaluation doesn't use."""


@dataclass(frozen=True)
class FoundWeights:
    """A model's parameters as one vector (P,) in float32, and its buffers by name."""

    weights: NDArray[np.float32]
    buffers: Mapping[str, NDArray[Any]]
    found_in: str
    """Where in the file: the key and the prefix of the names, such as ``state_dict/model.``"""


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


def find(tree: Tree, model: nn.Module, place: str, *, key: str | None = None) -> FoundWeights:
    """A model's weights in what a checkpoint holds.

    Looked for in the file itself and in the mappings inside it, under any prefix (``module.``,
    ``model.``); the place where most of the model's tensors are is taken. ``key`` names the
    mapping instead, as in ``ema`` or ``checkpoint.model``.

    Args:
        place: what the checkpoint is called in messages.

    Raises:
        LandscapeError: a tensor of the model is missing or of another shape, or there are others
            beside them; all are named.
    """
    candidates = dict(_mappings(tree, ""))
    if key is not None:
        if key not in candidates:
            known = ", ".join(name for name in candidates if name) or "none"
            raise LandscapeError(f"key must be a mapping in {place}, got {key}; there are {known}")
        candidates = {key: candidates[key]}
    if not any(candidates.values()):
        raise LandscapeError(f"a checkpoint must hold tensors by name, {place} holds none")
    layout = Layout.of(model)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for tensors in candidates.values():
        if len(tensors) == 1 and not set(tensors) & set(expected) and key in (None, ""):
            [vector] = tensors.values()
            if FLAT in tensors or tuple(vector.shape) == (layout.size,):
                return _from_vector(vector, layout, model, place)
    best = max(
        (
            (_agreement(tensors, expected, old, new), _rank(where), where, old, new)
            for where, tensors in candidates.items()
            for old, new in dict.fromkeys(_renamings(tensors, expected))
        ),
        key=lambda candidate: candidate[:2],
    )
    _, _, where, old, new = best
    tensors = _unshared(_renamed(candidates[where], old, new), model)
    _check(tensors, expected, layout, set(_state_buffers(model)), place)
    return FoundWeights(
        weights=np.concatenate(
            [_numbers(tensors[p.name], p.name, place).reshape(-1) for p in layout.parameters]
        ),
        buffers=_buffers(model, tensors, place),
        found_in="/".join(part for part in (where, old) if part),
    )


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


def _mappings(tree: Tree, path: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every mapping in a file, with the tensors directly in it."""
    tensors = {}
    for name, value in tree.items():
        if isinstance(value, Tensor) and not value.is_nested:  # those have no shape
            for wrapper in WRAPPERS:
                name = str(name).replace(wrapper, "")
            tensors[str(name)] = value
    yield path, tensors
    for name, value in tree.items():
        if isinstance(value, Mapping) and path.count(".") + 1 < DEEPEST:
            yield from _mappings(value, f"{path}.{name}" if path else str(name))


def _renamings(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Prefixes (theirs, the model's) that may stand for each other: the shortest ones first."""
    first = min(expected, key=lambda name: name.count("."))
    shared = first.split(".")[:-1]
    yield "", ""
    for count in range(len(shared) + 1):
        mine = "".join(f"{part}." for part in shared[:count])
        if not all(name.startswith(mine) for name in expected):
            return
        rest = first[len(mine) :]
        for name in tensors:
            if name == rest or name.endswith(f".{rest}"):
                yield name[: len(name) - len(rest)], mine


def _rank(where: str) -> int:
    known = PREFERRED.index(where) if where in PREFERRED else len(PREFERRED) + len(where)
    return -known


def _unshared(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A tensor shared by two modules under the name it has among the parameters, once."""
    names = {id(tensor): name for name, tensor in model.named_parameters()}
    state = model.state_dict(keep_vars=True)
    for name, tensor in state.items():
        first = names.get(id(tensor), name)
        if first != name and name in tensors:
            shared = tensors.pop(name)
            tensors.setdefault(first, shared)
    return tensors


def _renamed(tensors: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {new + k[len(old) :]: tensor for k, tensor in tensors.items() if k.startswith(old)}


def _agreement(
    tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], old: str, new: str
) -> int:
    return sum(
        tuple(tensor.shape) == expected.get(name)
        for name, tensor in _renamed(tensors, old, new).items()
    )


def _check(
    tensors: Mapping[str, Tensor],
    expected: Mapping[str, tuple[int, ...]],
    layout: Layout,
    buffers: set[str],
    place: str,
) -> None:
    names = {parameter.name for parameter in layout.parameters} | buffers
    needed = {name for name in expected if name in names and not name.endswith(OPTIONAL)}
    faults = {
        "missing": [f"{n} {shape}" for n, shape in expected.items() if n in needed - set(tensors)],
        "unexpected": [f"{n} {tuple(t.shape)}" for n, t in tensors.items() if n not in expected],
        "of another shape": [
            f"{name} {tuple(tensor.shape)} instead of {expected[name]}"
            for name, tensor in tensors.items()
            if name in expected and tuple(tensor.shape) != expected[name]
        ],
    }
    said = "; ".join(f"{what}: {_some(names)}" for what, names in faults.items() if names)
    if said:
        raise LandscapeError(f"a checkpoint must hold the model's tensors, {place} has {said}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _from_vector(vector: Tensor, layout: Layout, model: nn.Module, place: str) -> FoundWeights:
    if vector.numel() != layout.size or vector.ndim != 1:
        raise LandscapeError(
            f"a lone array must hold all {layout.size} parameters of the model as one vector, "
            f"got shape {tuple(vector.shape)} in {place}"
        )
    return FoundWeights(_numbers(vector, FLAT, place), _buffers(model, {}, place), FLAT)


def _numbers(tensor: Tensor, name: str, place: str) -> NDArray[np.float32]:
    _check_plain(tensor, name, place)
    if not tensor.is_floating_point():
        raise LandscapeError(f"weights must be real numbers, {name} is {tensor.dtype} in {place}")
    array: NDArray[np.float32] = tensor.detach().to(torch.float32).numpy()
    return array


def _check_plain(tensor: Tensor, name: str, place: str) -> None:
    """Refuse what has other numbers than it shows, or none: sparse, quantized, on no device."""
    kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
    kind = "without data (meta)" if tensor.is_meta else kind
    if kind != "strided":
        raise LandscapeError(
            f"a checkpoint's tensors must be dense, {name} is {kind} in {place}; save it with "
            ".to_dense() or .dequantize()"
        )


def _buffers(
    model: nn.Module, tensors: Mapping[str, Tensor], place: str
) -> dict[str, NDArray[Any]]:
    """The checkpoint's buffers in the model's types; the model's own where it has none."""
    for name in _state_buffers(model):
        if name in tensors:
            _check_plain(tensors[name], name, place)
    return {
        name: np.array(tensors.get(name, buffer).detach().to("cpu", buffer.dtype).numpy())
        for name, buffer in _state_buffers(model).items()
    }


def _state_buffers(model: nn.Module) -> dict[str, Tensor]:
    state = model.state_dict()
    return {name: state[name] for name, _ in model.named_buffers() if name in state}


READERS: Mapping[str, Callable[[Path], Tree]] = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), _torch),
    ".safetensors": _safetensors,
    **dict.fromkeys((".npz", ".npy"), _numpy),
}
"""How a file of each kind is read."""

"""A model's weights in what another program's checkpoint holds: nested, prefixed, or a vector."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.batchnorm import has_statistics
from landscape.problem.checkpoint_files import FLAT, Tree
from landscape.problem.weights import Layout, array_of, frozen_tensors, is_dense, reals

WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile and others put into the names."""
PARALLEL = "module."
"""What DataParallel puts there; some models have a part of that name themselves."""
PREFERRED = ("", "state_dict", "model_state_dict", "model", "module", "net", "network")
"""Where several mappings hold the model, such as its moving average, the first of these."""
DEEPEST = 3
NAMED = 5
"""So many tensors are named in a message; of the others there is the number."""
ANCHORS = 3
"""So many of the model's names are looked for to find a prefix."""
OPTIONAL = "num_batches_tracked"
"""A counter that old checkpoints lack and evaluation doesn't use."""
OBSOLETE = ("*masked_bias", "*rotary_emb.inv_freq", "*position_ids")
"""Constants that older versions of libraries saved and newer ones make anew."""


@dataclass(frozen=True)
class FoundWeights:
    """A model's parameters as one vector (P,) in float32, and its buffers by name."""

    weights: NDArray[np.float32]
    buffers: Mapping[str, NDArray[Any]]
    found_in: str
    """Where in the file: the key and the prefix of the names, such as ``state_dict/model.``"""
    left_out: tuple[str, ...] = ()
    """Tensors that were there and that the model doesn't have: obsolete buffers, ignored ones."""


def find(
    tree: Tree,
    model: nn.Module,
    place: str,
    *,
    key: str | None = None,
    layout: Layout | None = None,
    ignore: Sequence[str] = (),
) -> FoundWeights:
    """A model's weights in what a checkpoint holds.

    Looked for in the file itself and in the mappings inside it, under any prefix (``module.``,
    ``model.``); the place where most of the model's tensors are is taken. ``key`` names the
    mapping instead, as in ``ema`` or ``checkpoint.model``. Names that the model's own
    ``load_state_dict`` translates (of a weight_norm of old) are translated. Buffers that the model
    doesn't have any more are left out: what is no real number, what it has but doesn't save, and
    what the library that made it says.

    Args:
        place: what the checkpoint is called in messages.
        layout: which tensors are weights; None: those that are trained. The others may be left
            out; those that are there must be the model's own.
        ignore: patterns (``*`` and ``?``) of further names to leave out.

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
    layout = layout or Layout.of(model)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for tensors in candidates.values():
        if len(tensors) == 1 and not set(tensors) & set(expected) and key in (None, ""):
            [vector] = tensors.values()
            if FLAT in tensors or tuple(vector.shape) == (layout.size,):
                return _from_vector(vector, layout, model, place)
    where, prefix, tensors = _likeliest(candidates, model, expected)
    tensors, ignored = _without(tensors, prefix, ignore, place)
    tensors = _unshared(_translated(tensors, model), model)
    others = [name for name in tensors if name not in expected]
    obsolete = [name for name in others if _is_obsolete(name, tensors[name], model)]
    for name in obsolete:
        del tensors[name]
    _check(tensors, expected, layout, set(_state_buffers(model)), place)
    _check_constants(tensors, model, layout, place)
    return FoundWeights(
        weights=np.concatenate(
            [_numbers(tensors[p.name], p.name, place) for p in layout.parameters]
        ),
        buffers=_buffers(model, tensors, place),
        found_in="/".join(part for part in (where, prefix) if part),
        left_out=(*obsolete, *ignored),
    )


def _likeliest(
    candidates: Mapping[str, dict[str, Tensor]],
    model: nn.Module,
    expected: Mapping[str, tuple[int, ...]],
) -> tuple[str, str, dict[str, Tensor]]:
    """Where most of the model's tensors are: key, prefix, and all tensors there as it calls them.

    Names as they are come first; then those without what wrappers inside the model put into them.
    """
    own = {_bare(name): name for name in expected}
    anchors = _anchors(model, expected)
    best: tuple[tuple[int, int, int], str, str, dict[str, Tensor]] | None = None
    for where, tensors in candidates.items():
        variants = [(tensors, dict(expected), anchors)]
        if len(own) == len(expected):
            bare = {_bare(name): tensor for name, tensor in tensors.items()}
            if len(bare) == len(tensors):
                plain = {_bare(name): shape for name, shape in expected.items()}
                variants.append((bare, plain, [_bare(name) for name in anchors]))
        for turn, (found, shapes, names) in enumerate(variants):
            for old, new in dict.fromkeys(_renamings(found, shapes, names)):
                renamed = _renamed(found, old, new)
                score = _agreement(renamed, shapes), _rank(where), -turn
                if best is None or score > best[0]:
                    called = {own.get(n, n): t for n, t in renamed.items()} if turn else renamed
                    best = score, where, old, called
    assert best is not None  # the names as they are always are one
    return best[1:]


def _bare(name: str) -> str:
    for wrapper in (*WRAPPERS, PARALLEL):
        name = re.sub(rf"(?<![^.]){re.escape(wrapper)}", "", name)
    return name


def _anchors(model: nn.Module, expected: Mapping[str, Any]) -> list[str]:
    """A few of the model's shortest names, frozen tensors last; of shared ones the first."""
    named = {name: p for name, p in model.named_parameters() if name in expected}
    by_rank = sorted(named, key=lambda name: (not named[name].requires_grad, name.count(".")))
    return by_rank[:ANCHORS] or list(expected)[:1]


def _without(
    tensors: dict[str, Tensor], prefix: str, patterns: Sequence[str], place: str
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors but for those that a pattern matches, with or without the prefix; and these."""
    ignored: list[str] = []
    for pattern in patterns:
        found = [
            name
            for name in tensors
            if fnmatchcase(name, pattern) or fnmatchcase(prefix + name, pattern)
        ]
        if not found:
            raise LandscapeError(
                f"a pattern to ignore must match a tensor of {place}, {pattern} matches none"
            )
        ignored += found
    return {name: t for name, t in tensors.items() if name not in ignored}, ignored


def _translated(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Tensors by the names that the model's ``load_state_dict`` gives them."""
    state = dict(tensors)
    named = [(n, m) for n, m in model.named_modules() if m._load_state_dict_pre_hooks]
    if not named:
        return state
    # A hook may do anything to its model.
    twin = copy.deepcopy(model)
    for name, _ in named:
        start = f"{name}." if name else ""
        for hook in twin.get_submodule(name)._load_state_dict_pre_hooks.values():
            hook(state, start, {}, True, [], [], [])
    return state


def _is_obsolete(name: str, tensor: Tensor, model: nn.Module) -> bool:
    """Whether a tensor that the model doesn't save is no weight, but made anew or of no use."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    if name in dict(model.named_buffers()) or any(fnmatchcase(name, one) for one in OBSOLETE):
        return True
    patterns = [
        pattern
        for module in model.modules()
        for pattern in getattr(module, "_keys_to_ignore_on_load_unexpected", None) or ()
    ]
    return any(re.search(pattern, name) for pattern in patterns)


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
    tensors: Mapping[str, Tensor], expected: Mapping[str, Any], anchors: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Prefixes (theirs, the model's) that may stand for each other: the shortest ones first."""
    yield "", ""
    for anchor in anchors:
        shared = anchor.split(".")[:-1]
        for count in range(len(shared) + 1):
            mine = "".join(f"{part}." for part in shared[:count])
            if not all(name.startswith(mine) for name in expected):
                break
            rest = anchor[len(mine) :]
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


def _agreement(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> int:
    return sum(tuple(tensor.shape) == expected.get(name) for name, tensor in tensors.items())


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
        "of another kind": [
            f"{p.name} {_kind(tensors[p.name])} instead of {p.dtype}"
            for p in layout.parameters
            if p.name in tensors and tensors[p.name].is_complex() != p.dtype.startswith("complex")
        ],
    }
    said = "; ".join(f"{what}: {_some(names)}" for what, names in faults.items() if names)
    if said:
        raise LandscapeError(f"a checkpoint must hold the model's tensors, {place} has {said}")


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _from_vector(vector: Tensor, layout: Layout, model: nn.Module, place: str) -> FoundWeights:
    if vector.numel() != layout.size or vector.ndim != 1 or vector.is_complex():
        raise LandscapeError(
            f"a lone array must hold all {layout.size} parameters of the model as one vector of "
            f"real numbers, got {_kind(vector)} of shape {tuple(vector.shape)} in {place}"
        )
    if has_statistics(model):
        raise LandscapeError(
            f"a model with running statistics (BatchNorm's, or spectral norm's) needs those of its "
            f"weights, {place} holds weights alone; give checkpoints with its state_dict"
        )
    return FoundWeights(_numbers(vector, FLAT, place), _buffers(model, {}, place), FLAT)


def _check_constants(
    tensors: Mapping[str, Tensor], model: nn.Module, layout: Layout, place: str
) -> None:
    """Refuse other frozen tensors than the model's: scans take these."""
    differing = [
        name
        for name, own in frozen_tensors(model, layout).items()
        if name in tensors and not torch.equal(tensors[name].to(own), own)
    ]
    if differing:
        raise LandscapeError(
            f"a checkpoint's frozen tensors must be the model's, {place} has another "
            f"{_some(differing)}; load them in the problem's function, or name them with "
            "--parameters"
        )


def _numbers(tensor: Tensor, name: str, place: str) -> NDArray[np.float32]:
    """A tensor's numbers as a vector; of a complex one real and imaginary parts in turn."""
    _check_plain(tensor, name, place)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise LandscapeError(f"weights must be numbers, {name} is {tensor.dtype} in {place}")
    array: NDArray[np.float32] = reals(tensor.detach()).to(torch.float32).numpy()
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
        name: array_of(tensors.get(name, buffer).detach().to("cpu", buffer.dtype))
        for name, buffer in _state_buffers(model).items()
    }


def _state_buffers(model: nn.Module) -> dict[str, Tensor]:
    state = model.state_dict()
    return {
        name: state[name]
        for name, buffer in model.named_buffers()
        if name in state and is_dense(buffer)
    }

"""Which axes of a model's tensors may be permuted without changing its outputs, by tracing it."""

from __future__ import annotations

import copy
import io
import logging
import operator
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.graph_signature import InputKind
from torch.fx import Node

from landscape.diagnose.symmetry.axes import Axis, expand, fix, free, size
from landscape.diagnose.symmetry.calls import Axes, Call, Unknown, Value, tensors_in, unmoved
from landscape.diagnose.symmetry.recurrent import CELLS
from landscape.diagnose.symmetry.reshapes import MOVES
from landscape.diagnose.symmetry.rules import RULES, Rule

SILENT = ("_assert_tensor_metadata", "_assert_async", "sym_size", "sym_numel", "sym_stride")
"""They look at shapes and types, or stop the program; no result comes of them."""
STATISTICS = ("batch_norm", "instance_norm")
TABLE: Mapping[str, Rule] = {**RULES, **MOVES, **CELLS}


class Untraceable(Exception):  # noqa: N818  (an answer: such models are left alone)
    """Why a model's operations can't be told from its inputs alone."""


def trace(model: nn.Module, inputs: Tensor) -> dict[str, Axes]:
    """The axes of every parameter and BatchNorm statistic, by name, in atoms.

    Atoms that aren't fixed can be permuted, each by any permutation, wherever they occur: the
    outputs stay as they are. A tensor that is shared goes by its first name. Sound, not complete:
    an operation without a rule fixes all that it touches.

    The graph is that of `torch.export`, of a copy in eval mode at this shape of ``inputs``
    (B, ...), which aren't changed. A second or so.

    Raises:
        Untraceable: control flow depends on numbers, or the model isn't plain PyTorch.
    """
    network = _copied(model)
    program = _exported(network, inputs)
    stored = {name: _axes_of(tensor) for name, tensor in _tensors(network)}
    known = _given(program, network, stored)
    for node in program.graph.nodes:
        if node.op == "call_function":
            _follow(node, known)
        elif node.op == "output":
            _fix_all(node, known)
    return _settled(stored)


def _given(
    program: torch.export.ExportedProgram, network: nn.Module, stored: Mapping[str, Axes]
) -> dict[Node, Value]:
    """The axes of a program's inputs; those of parameters and statistics can be permuted."""
    first = _first_names(network)
    kinds = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    known: dict[Node, Value] = {}
    unused = set(stored)
    for node in program.graph.find_nodes(op="placeholder"):
        spec = kinds[node.name]
        name = first.get(spec.target or "")
        permutable = spec.kind is InputKind.PARAMETER or (
            spec.kind is InputKind.BUFFER and _only_statistics(node)
        )
        if permutable and name is not None and node.users:
            known[node] = stored[name]
            unused.discard(name)
        elif isinstance(node.meta.get("val"), Tensor):
            known[node] = unmoved(node.meta["val"].shape)
    for name in unused:  # its rows could be permuted any way, to no avail
        for axis in stored[name]:
            fix(axis)
    return known


def _follow(node: Node, known: dict[Node, Value]) -> None:
    """Tie and fix axes as one operation asks for, and note those of its result."""
    if node.target is operator.getitem:
        several = known.get(node.args[0])  # type: ignore[arg-type]
        if isinstance(several, list):
            known[node] = several[node.args[1]]  # type: ignore[index]
        return
    shapes = [tuple(value.shape) for value in tensors_in(node.meta.get("val"))]
    several_given = not isinstance(node.meta.get("val"), Tensor)
    try:
        call = Call.of(node, known)
        if call.name in SILENT:
            return
        rule = TABLE.get(call.full_name) or TABLE.get(call.name)
        if rule is None:
            raise Unknown
        value = rule(call)
        if [tuple(map(size, axes)) for axes in _each(value)] != shapes:
            raise Unknown
    except Unknown:
        _fix_all(node, known)
        fixed = [unmoved(shape) for shape in shapes]
        value = fixed if several_given else fixed[0]
    known[node] = value


def _each(value: Value) -> list[Axes]:
    return value if isinstance(value, list) else [value]


def _fix_all(node: Node, known: Mapping[Node, Value]) -> None:
    for given in node.all_input_nodes:
        for axes in _each(known.get(given, ())):
            for axis in axes:
                fix(axis)


def _settled(stored: Mapping[str, Axes]) -> dict[str, Axes]:
    """All axes in their final atoms: to expand some may fix others, so it is done twice."""
    for _ in range(2):
        found = {name: tuple(expand(axis) for axis in axes) for name, axes in stored.items()}
    return found


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model).cpu().eval()
    except (RuntimeError, TypeError) as error:
        raise Untraceable(f"it can't be copied: {_line(error)}") from error


def _exported(network: nn.Module, inputs: Tensor) -> torch.export.ExportedProgram:
    try:
        with _quiet(), torch.enable_grad():
            return torch.export.export(network, (inputs,), strict=False)
    # Whatever a model's own code may raise, run on tensors that hold no numbers.
    except Exception as error:
        raise Untraceable(_line(error)) from error


def _line(error: Exception) -> str:
    [line, *_] = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {line}"[:200]  # torch's reasons may be pages


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _first_names(network: nn.Module) -> dict[str, str]:
    """The name in the layout of every name that a parameter or buffer goes by."""
    first = {id(tensor): name for name, tensor in _tensors(network)}
    every: list[tuple[str, Tensor]] = list(network.named_parameters(remove_duplicate=False))
    every += network.named_buffers(remove_duplicate=False)
    return {name: first[id(tensor)] for name, tensor in every}


def _axes_of(tensor: Tensor) -> tuple[Axis, ...]:
    return tuple(free(count) for count in tensor.shape)


def _only_statistics(node: Node) -> bool:
    """Whether a buffer is used as a layer's running mean or variance and for nothing else."""
    names = [getattr(user.target, "_overloadpacket", None) for user in node.users]
    return all(packet is not None and packet.__name__ in STATISTICS for packet in names)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports to developers what `Untraceable` says to users."""
    loggers: list[Any] = [logging.getLogger(name) for name in ("torch.fx", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

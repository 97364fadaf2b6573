"""A function of tensors whose operations are recorded once and done again, without its Python.

Walking through a model's modules, and through `torch.func.vmap` around them, takes longer than
small layers compute; and of several threads only one at a time can do it.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map_only

Function = Callable[[list[Tensor], list[Tensor]], Tensor]
"""``function(fixed, moving)``."""
LIMIT = 2**26
"""Bytes of results at most: where there are more, Python isn't what takes the time."""
UNKNOWABLE = {
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
    torch.Tag.nondeterministic_seeded,
}
"""What such an operation gave for these values it doesn't give for others."""
UNTAGGED = {torch.ops.aten.where.default, torch.ops.aten.nonzero_numpy.default}
"""Others of that kind; so are those that give numbers instead of tensors."""
COMPARED = 1000
"""So many batches of a shape at most."""
_ONE_AT_A_TIME = threading.Lock()
"""Entering a dispatch mode changes flags of all threads, which are put back at its end."""
ATEN = torch.ops.aten
NARROW = 16
"""Outputs at most of a last layer that is done class by class."""
ROUNDING = 1e-5
"""Of the largest value: what sums in another order may change."""
IN_PLACE = {ATEN.relu.default: ATEN.relu_.default, ATEN.add.Tensor: ATEN.add_.Tensor}
"""Elementwise operations that may overwrite an argument which nothing else needs."""


class Recorded:
    """``function(fixed, moving)``, called again and again with the same ``fixed``.

    It is recorded for each set of shapes at the first call with them, and the recording compared
    with it then and once for each batch (to `ROUNDING`), which is told by the address of the last
    of ``moving``. What depends on ``fixed`` alone is computed once after `fix`. Where the function
    can't be recorded it is called itself. The first ``owned`` tensors of ``moving`` may be
    overwritten.
    """

    def __init__(self, function: Function, owned: int = 0) -> None:
        self._function, self._owned = function, owned
        self._fixed: list[Tensor] = []
        self._tapes: dict[Any, _Tape | None] = {}

    def fix(self, tensors: list[Tensor]) -> None:
        """Take other fixed tensors."""
        self._fixed = tensors
        for tape in self._tapes.values():
            if tape is not None:
                tape.kept = None

    def __call__(self, moving: list[Tensor]) -> Tensor:
        """The function's value."""
        key = tuple(_form(t) for t in (*self._fixed, *moving))
        batch = moving[-1].data_ptr()
        if key not in self._tapes:
            with _ONE_AT_A_TIME, _Log() as log:
                wanted = self._function(self._fixed, moving)
            tape = self._tapes[key] = _tape(log, self._fixed, moving, self._owned, wanted)
        else:
            tape = self._tapes[key]
            if tape is not None and (batch in tape.compared or len(tape.compared) == COMPARED):
                return tape(self._fixed, moving)
            wanted = self._function(self._fixed, moving)
            if tape is not None:
                tape.compared.add(batch)
        if tape is None:
            return wanted
        found = tape.like(wanted, self._fixed, moving)
        if found is None:
            self._tapes[key] = None
        # The recording's, as ever after: its sums may be in another order.
        return wanted if found is None else found


@dataclass
class _Tape:
    before: Callable[..., Any]
    """What ``fixed`` alone decides, as far as `each` takes it."""
    each: Callable[..., Tensor]
    kept: Any = None
    compared: set[int] = field(default_factory=set)
    """Addresses of batches."""

    def __call__(self, fixed: list[Tensor], moving: list[Tensor]) -> Tensor:
        if self.kept is None:
            self.kept = self.before(*fixed)
        return self.each(*self.kept, *moving)

    def like(self, wanted: Tensor, fixed: list[Tensor], moving: list[Tensor]) -> Tensor | None:
        """Its value, if that is the function's, which may depend on values unseen by operations."""
        try:
            found = self(fixed, moving)
        except (RuntimeError, IndexError, TypeError, ValueError):  # such as other shapes within
            return None
        if found.shape != wanted.shape:
            return None
        finite = wanted[wanted.isfinite()].abs()
        off = ROUNDING * float(finite.max()) if finite.numel() else 0.0
        return found if torch.allclose(found, wanted, 1e-6, off + 1e-9, equal_nan=True) else None


@dataclass
class _Step:
    operation: Any
    args: Any
    kwargs: Any
    found: Any
    """A tensor, or a tuple or list with tensors."""

    @property
    def given(self) -> list[Tensor]:
        return _tensors((self.args, self.kwargs))

    @property
    def results(self) -> list[Tensor]:
        return _tensors(self.found)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_iter(tree) if isinstance(leaf, Tensor)]


class _Log(TorchDispatchMode):
    """All operations in their order; their tensors are kept, so that each has its own address."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[_Step] = []
        self.complete = True
        self._bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the only use of torch._dynamo, whose import takes two seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        step = _Step(func, args, kwargs, found)
        leaves = [leaf for leaf in tree_iter(found) if leaf is not None]
        known = UNKNOWABLE.isdisjoint(func.tags) and func not in UNTAGGED
        self._bytes += sum(t.nbytes for t in step.results)
        pure = len(leaves) == len(step.results) and not func._schema.is_mutable
        self.complete &= known and pure and self._bytes <= LIMIT
        if self.complete:
            self.steps.append(step)
        else:
            self.steps.clear()
        return found


def _tape(
    log: _Log, fixed: list[Tensor], moving: list[Tensor], owned: int, found: Tensor
) -> _Tape | None:
    """The log as two graphs, without what the result doesn't need; None if that can't be."""
    steps = _needed(log.steps, found)
    moved = {id(t) for t in moving}
    early, late = [], []
    for step in steps:
        if any(id(t) in moved for t in step.given):
            moved.update(id(t) for t in step.results)
            late.append(step)
        else:
            early.append(step)
    if not log.complete or id(found) not in moved:
        return None
    kept = {id(t): t for step in late for t in step.given if id(t) not in moved}
    _by_class(late, found)
    _overwrite(late, {_place(t) for t in moving[:owned]} - {_place(t) for t in moving[owned:]})
    before = _function(early, fixed, list(kept.values()))
    each = _function(late, [*kept.values(), *moving], found)
    return _Tape(before, each)


def _needed(steps: list[_Step], found: Tensor) -> list[_Step]:
    wanted, chosen = {id(found)}, []
    for step in reversed(steps):
        if any(id(t) in wanted for t in step.results):
            chosen.append(step)
            wanted.update(id(t) for t in step.given)
    return chosen[::-1]


def _by_class(steps: list[_Step], found: Tensor) -> None:
    """Let a last layer with few outputs, over several points, multiply with sides exchanged.

    A product with ten columns takes three times as long as one with ten rows; and losses are
    computed class by class.
    """
    makers = {id(step.found): step for step in steps}
    last = makers.get(id(found))
    if last is not None and last.operation is ATEN.add.Tensor and not last.kwargs:  # its bias
        last = next((makers[id(t)] for t in last.given if id(t) in makers), None)
    if last is None or last.operation is not ATEN.matmul.default:
        return
    uses = sum(id(t) == id(last.found) for step in steps for t in step.given)
    left, right = last.args
    if uses <= 1 and left.ndim == right.ndim == 3 and right.shape[-1] <= NARROW:
        last.operation = _with_sides_exchanged


def _with_sides_exchanged(left: Tensor, right: Tensor) -> Tensor:
    return torch.bmm(right.mT, left.mT).mT


def in_rows(found: Tensor) -> Tensor:
    """Outputs (K·B, ...) of K points' (K, B, ...), those of one class side by side if they were."""
    if found.ndim == 3 and found.stride(1) == 1:
        return found.permute(2, 0, 1).flatten(1).t()
    return found.flatten(0, 1)


def _overwrite(steps: list[_Step], spare: set[int]) -> None:
    """Let elementwise operations work in place, in memory that is new or ``spare``.

    Only where nothing after them looks at it, as itself or through a view.
    """
    last = {_place(t): number for number, step in enumerate(steps) for t in step.given}
    for number, step in enumerate(steps):
        places = [_place(t) for t in step.given]
        if step.operation in IN_PLACE and not step.kwargs:
            for t in step.given:
                free = _place(t) in spare and last[_place(t)] == number
                alike = _form(t) == _form(step.found)
                if free and alike and places.count(_place(t)) == 1:
                    others = [other for other in step.args if other is not t]
                    step.operation, step.args = IN_PLACE[step.operation], (t, *others)
                    break
        spare |= {_place(t) for t in step.results} - set(places)


def _form(t: Tensor) -> tuple[torch.Size, tuple[int, ...], torch.dtype]:
    return t.shape, t.stride(), t.dtype


def _place(t: Tensor) -> int:
    """The memory it is in; views are in their base's."""
    return int(t.untyped_storage()._cdata)


def _function(steps: list[_Step], given: list[Tensor], found: Any) -> Callable[..., Any]:
    """The steps as a function of the tensors ``given`` that returns ``found``."""
    graph, root = fx.Graph(), nn.Module()
    nodes = {id(t): graph.placeholder(f"given{number}") for number, t in enumerate(given)}

    def node(t: Tensor) -> fx.Node:
        if id(t) not in nodes:  # a constant of the model, such as a buffer
            name = f"constant{len(nodes)}"
            root.register_buffer(name, t)
            nodes[id(t)] = graph.get_attr(name)
        return nodes[id(t)]

    for step in steps:
        args, kwargs = tree_map_only(Tensor, node, (step.args, step.kwargs))
        done = graph.call_function(step.operation, args, kwargs)
        if isinstance(step.found, Tensor):
            nodes[id(step.found)] = done
            continue
        for number, part in enumerate(step.found):
            if isinstance(part, Tensor):
                nodes[id(part)] = graph.call_function(operator.getitem, (done, number))
    graph.output(tree_map_only(Tensor, node, found))
    return fx.GraphModule(root, graph).forward

"""One operation of an exported graph, as its rule sees it: arguments by name, tensors by axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch.fx import Node

from landscape.diagnose.symmetry.axes import Axis, free, size, still, unify

Axes: TypeAlias = tuple[Axis, ...]
"""A tensor's axes."""
Value: TypeAlias = Axes | list[Axes]
"""What an operation gives: a tensor or several."""


class Unknown(Exception):  # noqa: N818  (not an error: such an operation fixes what it touches)
    """No rule says what the operation does to permuted inputs."""


@dataclass(frozen=True)
class Call:
    """An operation's arguments by the names of its schema, with the defaults filled in."""

    node: Node
    name: str
    """ATen's, without the underscore of those that work in place: ``max_pool2d``."""
    given: Mapping[str, Any]
    known: Mapping[Node, Value]

    @classmethod
    def of(cls, node: Node, known: Mapping[Node, Value]) -> Call:
        """A call of one of ATen's operations.

        Raises:
            Unknown: it is something else.
        """
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
            raise Unknown
        declared = node.target._schema.arguments
        given = {argument.name: argument.default_value for argument in declared}
        given |= dict(zip(given, node.args, strict=False))
        name = node.target._overloadpacket.__name__
        # Those that start with one are other operations: _softmax, _unsafe_view.
        return cls(node, name.rstrip("_"), {**given, **node.kwargs}, known)

    @property
    def full_name(self) -> str:
        """With the overload: ``max.dim``."""
        return f"{self.name}.{self.node.target._overloadname}"  # type: ignore[union-attr]

    def __getitem__(self, name: str) -> Any:
        if name not in self.given:
            raise Unknown
        return self.given[name]

    def tensor(self, name: str) -> Axes | None:
        """An argument's axes; None where it isn't given."""
        value = self.given.get(name)
        return self._axes(value) if isinstance(value, Node) else None

    def needed(self, name: str) -> Axes:
        """An argument's axes, of one that can't be left out."""
        found = self.tensor(name)
        if found is None:
            raise Unknown
        return found

    @property
    def first(self) -> Axes:
        """The axes of the first argument."""
        return self.needed(next(iter(self.given)))

    def tensors(self) -> list[Axes]:
        """The axes of all tensors among the arguments, those in lists included."""
        return [self._axes(node) for node in self.node.all_input_nodes if node in self.known]

    def listed(self, name: str) -> list[Axes]:
        """The axes of the tensors in a list."""
        return [self._axes(node) for node in self[name]]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor that it gives."""
        return tuple(self.node.meta["val"].shape)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the tensors that it gives, in their order."""
        return [tuple(value.shape) for value in tensors_in(self.node.meta.get("val"))]

    def _axes(self, node: Node) -> Axes:
        value = self.known.get(node)
        if not isinstance(value, tuple):
            raise Unknown
        return value


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of what a node stands for."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_in(part)


def broadcast(tensors: Iterable[Axes], shape: Sequence[int]) -> Axes:
    """The axes of a result to which every unit of the tensors contributes at its own place."""
    found: list[Axis | None] = [None] * len(shape)
    for axes in tensors:
        for k, axis in enumerate(reversed(axes), 1):
            if size(axis) == 1 or k > len(found):
                continue
            mine = found[-k]
            if mine is None:
                found[-k] = axis
            else:
                unify(mine, axis)
    # Along an axis that nothing varies along, any permutation does.
    return tuple(free(n) if axis is None else axis for axis, n in zip(found, shape, strict=True))


def unmoved(shape: Sequence[int]) -> Axes:
    """Axes that aren't permuted."""
    return tuple(still(count) for count in shape)

"""A model's buffers at each step, without those that no step has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from landscape.problem.weights import array_of, buffers, is_dense

Shapes: TypeAlias = dict[str, tuple[int, ...]]


class MovingBuffers:
    """Copies of those buffers that change; masks and tables, which don't, are stored once.

    Running statistics count as changing from the start.
    """

    def __init__(self, still: Mapping[str, NDArray[Any]]) -> None:
        """``still``: those that no step has changed so far, as they are since the start."""
        self.still = dict(still)
        self._seen: dict[str, tuple[Tensor, int]] = {}
        self._all: Shapes = {}
        self._kept: Shapes | None = None

    def change(self, model: nn.Module) -> str:
        """Which buffer has another shape than at first, in words; or nothing.

        Those of a run's rows are all alike.
        """
        now = {n: tuple(b.shape) for n, b in model.named_buffers() if is_dense(b)}
        if self._kept is not None and now == self._all:
            return ""
        state = model.state_dict()
        kept = {name: shape for name, shape in now.items() if name in state}
        first = kept if self._kept is None else self._kept
        for name in sorted({*first, *kept}):
            if first.get(name) != kept.get(name):
                return f"{name} was {first.get(name, 'none')} and is {kept.get(name, 'none')}"
        self._all, self._kept = now, kept
        return ""

    def of(self, model: nn.Module) -> dict[str, NDArray[Any]]:
        """A copy of the buffers that have changed by now, by name."""
        if not self.still:
            return buffers(model)
        state = model.state_dict()
        found = {}
        for name, buffer in model.named_buffers():
            if name in state and is_dense(buffer) and not self._unchanged(name, buffer):
                self.still.pop(name, None)
                found[name] = array_of(state[name])
        return found

    def _unchanged(self, name: str, buffer: Tensor) -> bool:
        if name not in self.still:
            return False
        seen = self._seen.get(name)
        if seen is not None and seen[0] is buffer and seen[1] == buffer._version:
            return True
        if not np.array_equal(array_of(buffer), self.still[name]):
            return False
        self._seen[name] = buffer, buffer._version
        return True


def still_buffers(model: nn.Module) -> dict[str, NDArray[Any]]:
    """A copy of the buffers that may never change, by name: all but running statistics."""
    statistics = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        if isinstance(module, _NormBase)
        for name, _ in module.named_buffers(recurse=False)
    }
    return {name: value for name, value in buffers(model).items() if name not in statistics}

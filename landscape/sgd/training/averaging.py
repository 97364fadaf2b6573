"""A running average of the weights: what a training's last weights often are replaced by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.problem.problem import Problem
from landscape.problem.weights import is_dense, tied
from landscape.sgd.training.state import from_array, to_array


class Average:
    """w̄_0 = w_0, w̄_{t+1} = decay w̄_t + (1 - decay) w_{t+1}; buffers of real numbers likewise."""

    def __init__(self, problem: Problem, device: torch.device, decay: float) -> None:
        """Begin at the model's weights."""
        self._copy = tied(problem.model, device, layout=problem.layout)
        self.model, self.weights = self._copy.model, self._copy.vector
        self.model.train()
        self._decay = decay

    @torch.no_grad()
    def follow(self, model: nn.Module, weights: Tensor) -> None:
        """Take in the weights (P,) and buffers after a step."""
        self.weights.lerp_(weights, 1 - self._decay)
        self._copy.settle()
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            if not is_dense(mine):
                continue
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - self._decay)
            else:
                mine.copy_(theirs)

    def arrays(self, *, copy: bool = True) -> dict[str, NDArray[Any]]:
        """Weights and buffers, by their names in a training's state; ``copy`` as in `to_array`."""
        held = {"weights": self.weights}
        held |= {f"buffers/{name}": buffer for name, buffer in self._buffers()}
        return {f"average/{name}": to_array(tensor, copy=copy) for name, tensor in held.items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Be where `arrays` was."""
        from_array(self.weights, arrays["weights"])
        self._copy.settle()
        for name, buffer in self._buffers():
            from_array(buffer, arrays[f"buffers/{name}"])

    def _buffers(self) -> list[tuple[str, Tensor]]:
        return [(name, one) for name, one in self.model.named_buffers() if is_dense(one)]

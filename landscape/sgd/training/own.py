"""An optimizer that somebody's function makes, so that a loop of one's own can be gone on with.

The function gets a model and gives the optimizer of its parameters and the batch size::

    def again(model):
        return torch.optim.AdamW(model.parameters(), lr=1e-3), 64
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.weights import Tied, tied
from landscape.sgd.training.moments import OTHERS, FlatMoments
from landscape.sgd.training.optimizers import ByTorch, Optimizer

Remaker: TypeAlias = Callable[[nn.Module], tuple[torch.optim.Optimizer, int]]
"""The optimizer of a model and the batch size."""


class OwnOptimizer(ByTorch):
    """Steps of the optimizer that a function makes, on a copy of the model.

    The first group has the learning rate that is asked for, the others as many times that as the
    function gave them.
    """

    def __init__(self, copy: Tied, remaker: Remaker) -> None:
        """Begin with nothing kept."""
        Optimizer.__init__(self, copy)
        there = tied(copy.model, copy.vector.device, layout=copy.layout)
        if {p.dtype for p in there.parameters} != {there.vector.dtype}:
            raise LandscapeError(
                "a run of your own loop is trained again only if all of its parameters are of one "
                "real dtype, got several"
            )
        self._moved = there.vector
        self._tensors = [p for p in there.parameters if p.requires_grad]
        self._optimizer = made(remaker, there.model)[0]
        held = [p for group in self._optimizer.param_groups for p in group["params"]]
        if {id(p) for p in held} != {id(p) for p in self._tensors}:
            raise LandscapeError(
                "the optimizer of --again must hold all trainable parameters of the model that its "
                f"function is given and no others, got {len(held)} for {len(self._tensors)}"
            )
        rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        self._shares = [rate / rates[0] if rates[0] else 1.0 for rate in rates]

    def set_rate(self, lr: float) -> None:
        """Set the groups' learning rates."""
        for group, share in zip(self._optimizer.param_groups, self._shares, strict=True):
            group["lr"] = share * lr

    def moments(self) -> FlatMoments:
        """As a loop's are recorded: SGD's momentum is ``velocity``."""
        found = super().moments()
        return found.as_velocity() if type(self._optimizer) is torch.optim.SGD else found

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Keep what `moments` gave."""
        names = {"velocity": f"{OTHERS}momentum_buffer"}
        super().restore({names.get(name, name): value for name, value in moments.items()})


def made(remaker: Remaker, model: nn.Module) -> tuple[torch.optim.Optimizer, int]:
    """What the function gives.

    Raises:
        LandscapeError: no optimizer and batch size.
    """
    given: Any = remaker(model)
    match given:
        case (torch.optim.Optimizer() as optimizer, int(size)) if size >= 1:
            return optimizer, size
    raise LandscapeError(
        "the function of --again must give an optimizer of torch's and the batch size, got "
        f"{type(given).__name__}; return torch.optim.SGD(model.parameters(), lr=0.1), 32"
    )

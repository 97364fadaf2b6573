"""The optimizers that `landscape train` has: what each makes of a gradient, and what it keeps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.weights import Tied
from landscape.sgd.training.moments import OTHERS, FlatMoments, flat_moments

Values: TypeAlias = Mapping[str, Any]
"""Settings by name."""
UNSET: Values = {"momentum": 0.0, "nesterov": False}
"""Settings that nobody gave, where that isn't None."""


class Optimizer(ABC):
    """Makes updates of gradients; begins with nothing kept."""

    def __init__(self, copy: Tied) -> None:
        """Move the vector of a copy, of those of its tensors that are trained."""
        pairs = zip(copy.layout.parameters, copy.parameters, strict=True)
        self.weights = copy.vector
        self.places = [place for place, tensor in pairs if tensor.requires_grad]
        self.update = torch.zeros_like(copy.vector)
        """(P,) w_{t+1} - w_t, live."""

    @abstractmethod
    def propose(self, gradient: Tensor, lr: float) -> None:
        """Set `update`, given g_t (P,)."""

    @abstractmethod
    def take(self) -> None:
        """Move the weights, in place."""

    @abstractmethod
    def moments(self) -> Mapping[str, Tensor]:
        """What it keeps between steps, by the name in files: (P,) each, or a number."""

    @abstractmethod
    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Keep what `moments` gave."""


class PlainSGD(Optimizer):
    """v = momentum v + g, w = w - lr v (Nesterov: w - lr (g + momentum v)).

    What ``torch.optim.SGD`` does, on the flat vector. g has the weight decay in it.
    """

    def __init__(self, copy: Tied, values: Values) -> None:
        """Begin with a velocity of zero."""
        super().__init__(copy)
        self._momentum, self._nesterov = values["momentum"], values["nesterov"]
        self._velocity = torch.zeros_like(self.weights)

    def propose(self, gradient: Tensor, lr: float) -> None:
        """Set `update`, given g_t (P,)."""
        self._velocity.mul_(self._momentum).add_(gradient)
        if self._nesterov:
            direction = gradient.add(self._velocity, alpha=self._momentum)
        else:
            direction = self._velocity
        torch.mul(direction, -lr, out=self.update)

    def take(self) -> None:
        """Move the weights, in place."""
        self.weights.add_(self.update)

    def moments(self) -> Mapping[str, Tensor]:
        """``velocity`` (P,), live."""
        return {"velocity": self._velocity}

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Keep what `moments` gave."""
        self._velocity.copy_(moments["velocity"])


class ByTorch(Optimizer):
    """An optimizer of torch's, on a copy of the weights: a step that overflows isn't taken."""

    def __init__(
        self,
        copy: Tied,
        values: Values,
        *,
        made: Callable[[list[nn.Parameter], Values], torch.optim.Optimizer],
    ) -> None:
        """Begin with nothing kept."""
        super().__init__(copy)
        self._moved = self.weights.clone()
        self._tensors = [
            nn.Parameter(self._moved[place.slice].view(place.shape)) for place in self.places
        ]
        self._optimizer = made(self._tensors, values)

    def propose(self, gradient: Tensor, lr: float) -> None:
        """Set `update`, given g_t (P,)."""
        self._moved.copy_(self.weights)
        for place, tensor in zip(self.places, self._tensors, strict=True):
            tensor.grad = gradient[place.slice].view(place.shape)
        self.set_rate(lr)
        self._optimizer.step()
        torch.sub(self._moved, self.weights, out=self.update)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the next step."""
        for group in self._optimizer.param_groups:
            group["lr"] = lr

    def take(self) -> None:
        """Move the weights, in place, to where torch has them, to the bit."""
        self.weights.copy_(self._moved)

    def moments(self) -> FlatMoments:
        """The state that torch keeps, ``optimizer/exp_avg`` and so on; empty before a step."""
        states = [self._optimizer.state.get(tensor, {}) for tensor in self._tensors]
        places = [place.slice for place in self.places]
        return flat_moments(states, places, len(self.update), self.update)

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Keep what `moments` gave."""
        for place, tensor in zip(self.places, self._tensors, strict=True):
            self._optimizer.state[tensor] = {
                name.removeprefix(OTHERS): value[place.slice].view(place.shape).to(tensor).clone()
                if value.ndim
                else value.clone()  # a count of steps stays where torch keeps it
                for name, value in moments.items()
            }


def _adam(
    kind: type[torch.optim.Adam], tensors: list[nn.Parameter], values: Values
) -> torch.optim.Optimizer:
    return kind(
        tensors,
        betas=(values["beta1"], values["beta2"]),
        eps=values["eps"],
        weight_decay=values["weight_decay"],
    )


def _rmsprop(tensors: list[nn.Parameter], values: Values) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(
        tensors,
        alpha=values["alpha"],
        eps=values["eps"],
        momentum=values["momentum"],
        weight_decay=values["weight_decay"],
    )


@dataclass(frozen=True)
class OptimizerKind:
    """What there is to know of an optimizer."""

    name: str
    """As torch's class is called."""
    lr: float
    """The learning rate unless another one is given."""
    make: Callable[[Tied, Values], Optimizer]
    """From the copy that is trained and the settings."""
    options: Values
    """The settings that not every optimizer has, with their values unless others are given."""
    weight_decay: float = 0.0
    """So is this: torch's."""
    decays_gradient: bool = False
    """Whether weight decay is part of the gradient that is recorded, and handed to `Optimizer`."""


_ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
OPTIMIZERS: dict[str, OptimizerKind] = {
    "sgd": OptimizerKind(
        "SGD", 0.05, PlainSGD, {"momentum": 0.0, "nesterov": False}, decays_gradient=True
    ),
    "adam": OptimizerKind(
        "Adam", 0.001, partial(ByTorch, made=partial(_adam, torch.optim.Adam)), _ADAM
    ),
    "adamw": OptimizerKind(
        "AdamW",
        0.001,
        partial(ByTorch, made=partial(_adam, torch.optim.AdamW)),
        _ADAM,
        weight_decay=0.01,
    ),
    "rmsprop": OptimizerKind(
        "RMSprop",
        0.01,
        partial(ByTorch, made=_rmsprop),
        {"momentum": 0.0, "alpha": 0.99, "eps": 1e-8},
    ),
}
"""Every optimizer that trains here, by the name that the command line has for it."""
OWN = "own"
"""One that somebody's function makes: see `own`. Settings don't say which."""


def kind_of(name: str) -> OptimizerKind:
    """What there is to know of an optimizer of `OPTIMIZERS`, or of somebody's own."""
    return OptimizerKind("an own one", math.nan, _unknown, {}) if name == OWN else OPTIMIZERS[name]


def _unknown(_copy: Tied, _values: Values) -> Optimizer:
    raise LandscapeError(
        "a training by an optimizer of your own needs the function that makes it, got none; give "
        "it with --again FILE.py:function"
    )


def chosen(optimizer: str, values: Values) -> dict[str, Any]:
    """The optimizer's own settings of ``values`` and, where they are None, what it has by itself.

    Raises:
        LandscapeError: a setting that the optimizer hasn't is there.
    """
    kind = kind_of(optimizer)
    for name, value in values.items():
        if name not in kind.options and value != UNSET.get(name):
            having = ", ".join(key for key, row in OPTIMIZERS.items() if name in row.options)
            raise LandscapeError(
                f"{name} must be left out with the optimizer {optimizer}, got {value}; "
                f"it is an option of {having}"
            )
    return {
        name: default if values.get(name) is None else values[name]
        for name, default in kind.options.items()
    }


def clip(gradient: Tensor, norm: float) -> bool:
    """Shorten a gradient (P,) in place, as ``torch.nn.utils.clip_grad_norm_``; whether it was."""
    found = torch.linalg.vector_norm(gradient)
    share = norm / (found + 1e-6)
    gradient.mul_(torch.clamp(share, max=1.0))
    return bool(share < 1)

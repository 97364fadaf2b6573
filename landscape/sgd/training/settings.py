"""How to train: the optimizer's settings, checked when they are made."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import Field, dataclass, fields, replace
from typing import Any, Self

from landscape.errors import LandscapeError, meant
from landscape.problem.device import DEVICES
from landscape.problem.examine import STEP
from landscape.problem.problem import Problem
from landscape.sgd.training.optimizers import OPTIMIZERS, OWN, chosen, kind_of


def _cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def _step(done: float) -> float:
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "step": _step,
    "cosine": _cosine,
}
"""Factor on the learning rate, given the share of the training that is done, 0 to 1.

``step`` divides by ten at one half and at three quarters; ``cosine`` falls to zero.
"""


@dataclass(frozen=True)
class Settings:
    """The settings of a training; the defaults, SGD's, train every built-in model.

    Raises:
        LandscapeError: a value is out of its range, or not one of the optimizer's.

    >>> settings = Settings(lr=0.1, batch_size=32, epochs=2, schedule="step")
    >>> settings.total_steps(samples=100)
    8
    >>> [round(settings.learning_rate(step, 8), 4) for step in (0, 3, 4, 6)]
    [0.1, 0.1, 0.01, 0.001]
    >>> adamw = Settings(optimizer="adamw")
    >>> adamw.lr, adamw.weight_decay  # the optimizer's own
    (0.001, 0.01)
    """

    lr: float = None  # type: ignore[assignment]  # filled in below: nobody sees it None
    """Learning rate; None: the optimizer's own (`OptimizerKind.lr`)."""
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = None  # type: ignore[assignment]  # filled in below, too
    """Of every parameter; added to the gradient times the weights, but for AdamW's. None: the
    optimizer's own (`OptimizerKind.weight_decay`)."""
    batch_size: int | None = None
    """Samples a step; None: the problem's, such as its DataLoader's, else 32 (`on`)."""
    epochs: int = 40
    steps: int | None = None
    """Number of SGD steps, instead of ``epochs``."""
    seed: int = 0
    schedule: str = "constant"
    device: str = "auto"
    order_from: int | None = None
    """Batches are those that a training takes from this step on; for one that branches off it."""
    optimizer: str = "sgd"
    """By its name in `OPTIMIZERS`, which says which of the options here are its own."""
    beta1: float | None = None
    """Adam's average of gradients keeps this share a step; None, as below: torch's default."""
    beta2: float | None = None
    """Adam's average of squared gradients keeps this share a step."""
    alpha: float | None = None
    """So does RMSprop's."""
    eps: float | None = None
    """Added to the root that Adam and RMSprop divide by."""
    clip: float | None = None
    """The batch gradient, before weight decay, is shortened to this norm where it is longer."""
    ema: float | None = None
    """Share of the running average of the weights that each step leaves; it is recorded too."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if str(each.type).split(" ")[0] in ("int", "float"):
                object.__setattr__(self, each.name, _plain(each, getattr(self, each.name)))
        if self.optimizer not in (*OPTIMIZERS, OWN):
            raise LandscapeError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer}"
                f"{meant(self.optimizer, OPTIMIZERS)}"
            )
        kind = kind_of(self.optimizer)
        for name in [one for one in ("lr", "weight_decay") if getattr(self, one) is None]:
            object.__setattr__(self, name, getattr(kind, name))
        _ask(0 < self.lr < math.inf, "lr must be above 0 and finite", self.lr)
        _ask(0 <= self.momentum < 1, "momentum must be at least 0 and below 1", self.momentum)
        decay = self.weight_decay
        _ask(0 <= decay < math.inf, "weight decay must be at least 0 and finite", decay)
        size = self.batch_size
        _ask(size is None or size >= 1, "batch size must be at least 1", size)
        _ask(self.epochs >= 1, "epochs must be at least 1", self.epochs)
        _ask(self.steps is None or self.steps >= 1, "steps must be at least 1", self.steps)
        _ask(0 <= self.seed < 2**63, "seed must be between 0 and 2**63 - 1", self.seed)
        begin = self.order_from
        _ask(begin is None or begin >= 0, "order_from must be at least 0 steps", begin)
        choices = ", ".join(SCHEDULES)
        _ask(self.schedule in SCHEDULES, f"schedule must be one of {choices}", self.schedule)
        _ask(self.device in DEVICES, f"device must be one of {', '.join(DEVICES)}", self.device)
        ema = self.ema
        _ask(ema is None or 0 < ema < 1, "ema must be above 0 and below 1", ema)
        for name in ("beta1", "beta2", "alpha"):
            value = getattr(self, name)
            _ask(value is None or 0 <= value < 1, f"{name} must be at least 0 and below 1", value)
        for name in ("eps", "clip"):
            value = getattr(self, name)
            _ask(value is None or 0 < value < math.inf, f"{name} must be above 0 and finite", value)
        for each in fields(self):
            value = getattr(self, each.name)
            if str(each.type).startswith("int"):
                fits = value is None or value < 2**63
                _ask(fits, f"{each.name.replace('_', ' ')} must be at most 2**63 - 1", value)
        self.of_optimizer()
        if self.nesterov and self.momentum == 0:
            raise LandscapeError("nesterov needs a momentum above 0, got 0.0; set --momentum 0.9")

    @property
    def batch(self) -> int:
        """B, how many samples a step has.

        Raises:
            LandscapeError: that is the problem's to say: see `on`.
        """
        if self.batch_size is None:
            raise LandscapeError(
                "how many steps an epoch has depends on the batch size, got none; give "
                "batch_size=, or take Settings.on(problem), which has the problem's"
            )
        return self.batch_size

    def on(self, problem: Problem) -> Self:
        """The settings with the batch size that a problem is trained with."""
        if self.batch_size is not None:
            return self
        return replace(self, batch_size=problem.batch_size or STEP)

    def of_optimizer(self) -> dict[str, Any]:
        """The optimizer's own settings, those that aren't given filled in, and weight decay.

        Raises:
            LandscapeError: one of another optimizer is set.
        """
        names = ("momentum", "nesterov", "beta1", "beta2", "alpha", "eps")
        own = chosen(self.optimizer, {name: getattr(self, name) for name in names})
        return own | {"weight_decay": self.weight_decay}

    @property
    def remembers(self) -> bool:
        """Whether a step depends on earlier gradients: by momentum, or Adam's averages."""
        return self.optimizer != "sgd" or self.momentum > 0

    def total_steps(self, samples: int) -> int:
        """How many steps the training takes on that many samples."""
        return self.steps if self.steps is not None else self.epochs * self.steps_per_epoch(samples)

    def steps_per_epoch(self, samples: int) -> int:
        """How many steps go through all samples once; the last batch may be smaller."""
        return math.ceil(samples / self.batch)

    def learning_rate(self, step: int, total: int) -> float:
        """The learning rate of the step from w_t to w_{t+1}, t = ``step``."""
        return self.lr * SCHEDULES[self.schedule](step / total)


def _plain(setting: Field[Any], value: Any) -> int | float | None:
    """A number as files keep it: NumPy's and tensors of one element are numbers too."""
    kind = int if str(setting.type).startswith("int") else float
    if value is None or type(value) is kind or (kind is float and type(value) is int):
        found: int | float | None = value
        return found
    name = setting.name.replace("_", " ")
    try:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        return operator.index(value) if kind is int else float(value)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's own, of many elements
        whole = "whole " if kind is int else ""
        raise LandscapeError(f"{name} must be a {whole}number, got {value!r}") from error


def _ask(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise LandscapeError(f"{rule}, got {value}")

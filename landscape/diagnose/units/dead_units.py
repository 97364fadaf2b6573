"""Watching a model's activations for units that do the same on all data, whatever its code is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

DEAD, SATURATED = "dead", "saturated"
NEAR = 1e-3
"""How near its bounds an output counts as saturated."""
SMOOTH = 1e-6
"""How near 0 the output of a smooth relative of ReLU counts as zero."""
SELU = 1.7580993408473766
"""scale times alpha: minus the lower bound of SELU."""
BEFORE_AXIS = ("conv", "batch_norm")
"""Functions with these in their names put features on axis 1, others on the last."""


@dataclass(frozen=True)
class Rule:
    """When an output counts as stuck: within ``margin`` of one of ``levels``."""

    kind: str
    levels: tuple[float, ...]
    margin: float

    def stuck(self, outputs: Tensor) -> Tensor:
        """A bool for each output."""
        near = torch.zeros_like(outputs, dtype=torch.bool)
        for level in self.levels:
            near |= (outputs - level).abs() <= self.margin
        return near


Found = Callable[[tuple[Any, ...], Mapping[str, Any]], Rule | None]
"""The rule for a call with some arguments."""


def _layer(name: str) -> str:
    """``conv1`` of ``conv1.weight``, also where the weight is made from ``parametrizations``."""
    return name.partition(".parametrizations.")[0].removesuffix(".weight")


def _always(rule: Rule) -> Found:
    return lambda args, options: rule


def _given(
    args: tuple[Any, ...], options: Mapping[str, Any], at: int, name: str, other: Any
) -> Any:
    return args[at] if len(args) > at else options.get(name, other)


def _clamped(args: tuple[Any, ...], options: Mapping[str, Any]) -> Rule | None:
    """clamp(min=0) is a ReLU, with or without an upper bound; other bounds are none of a unit's."""
    least = _given(args, options, 1, "min", None)
    return ZERO if isinstance(least, (int, float)) and least == 0 else None


def _hardtanh(args: tuple[Any, ...], options: Mapping[str, Any]) -> Rule:
    low = _given(args, options, 1, "min_val", -1.0)
    high = _given(args, options, 2, "max_val", 1.0)
    return ZERO if low == 0 else Rule(SATURATED, (float(low), float(high)), NEAR)


def _elu(args: tuple[Any, ...], options: Mapping[str, Any]) -> Rule:
    return Rule(SATURATED, (-float(_given(args, options, 1, "alpha", 1.0)),), NEAR)


ZERO = Rule(DEAD, (0.0,), 0.0)
_SMOOTH = _always(Rule(DEAD, (0.0,), SMOOTH))
_UNIT = _always(Rule(SATURATED, (0.0, 1.0), NEAR))
_SIGNED = _always(Rule(SATURATED, (-1.0, 1.0), NEAR))
NAMES: Mapping[str, Found] = {
    "relu": _always(ZERO),
    "relu6": _always(ZERO),
    "clamp": _clamped,
    "clip": _clamped,
    "clamp_min": _clamped,
    "gelu": _SMOOTH,
    "silu": _SMOOTH,
    "mish": _SMOOTH,
    "hardswish": _SMOOTH,
    "sigmoid": _UNIT,
    "hardsigmoid": _UNIT,
    "tanh": _SIGNED,
    "softsign": _SIGNED,
    "hardtanh": _hardtanh,
    "elu": _elu,
    "celu": _elu,
    "selu": _always(Rule(SATURATED, (-SELU,), NEAR)),
}
"""By the function's name; one with an underscore behind it is the same in place."""


def _table() -> dict[Any, Found]:
    places = (functional, torch, Tensor, torch.special)
    found: dict[Any, Found] = {}
    for name, rule in NAMES.items():
        for place in places:
            for spelled in (name, f"{name}_"):
                if callable(function := getattr(place, spelled, None)):
                    found[function] = rule
    found[torch.special.expit] = _UNIT
    return found


FUNCTIONS = _table()


@dataclass
class Layer:
    """One layer's units: which of them were stuck in everything seen so far."""

    name: str
    """Of the layer whose weights were used last before the activation."""
    kind: str
    """dead or saturated."""
    stuck: Tensor
    """(units,) bool."""


class UnitWatch(TorchFunctionMode):
    """Sees every activation function that a model calls, as a module or in its own code.

    A context manager around forward passes. A unit is an output feature of a layer, of a
    convolution a channel: stuck where it is so at every position, in every sample, in every use of
    the layer. ReLU and its relatives, sigmoid, tanh and theirs are known, and clamp(min=0);
    activations inside of fused recurrent layers or compiled code aren't seen, nor are maxima and
    comparisons written out.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._names = {
            id(tensor): _layer(name)
            for name, tensor in model.named_parameters()
            if tensor.ndim >= 2
        }
        self._name, self._axis = "inputs", -1
        self._layers: dict[tuple[str, str, int], Layer] = {}

    @property
    def layers(self) -> list[Layer]:
        """The layers seen so far, in the order of the first pass."""
        return list(self._layers.values())

    def begin(self) -> None:
        """Say that a new forward pass begins."""
        self._name, self._axis = "inputs", -1

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        outputs = func(*args, **options)
        for argument in (*args, *options.values()):
            if (name := self._names.get(id(argument))) is not None:
                self._name = name
                called = getattr(func, "__name__", "")
                self._axis = 1 if any(part in called for part in BEFORE_AXIS) else -1
        found = FUNCTIONS.get(func)
        if found is not None and isinstance(outputs, Tensor) and outputs.ndim >= 2:
            rule = found(args, options)
            if rule is not None:
                self._note(rule, outputs.detach())
        return outputs

    def _note(self, rule: Rule, outputs: Tensor) -> None:
        units = outputs.movedim(self._axis, 0).flatten(1)
        stuck = rule.stuck(units).all(1)
        key = (self._name, rule.kind, len(stuck))
        if (layer := self._layers.get(key)) is None:
            self._layers[key] = Layer(self._name, rule.kind, stuck)
        else:
            layer.stuck &= stuck

"""An initialization in the middle of a plateau: the last hidden layer dead on every sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from landscape.diagnose.trainings.trials import Start, starting_at
from landscape.problem.examine import objective
from landscape.problem.modes import evaluating
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.weights import flat

DOUBLINGS = 8
BATCH = 256


@dataclass(frozen=True)
class Placed:
    """Weights on the plateau, or why there are none."""

    start: Start | None
    layer: str = ""
    """Whose biases were moved."""
    reason: str = ""


def place(problem: Problem, start: Start) -> Placed:
    """Lower the last hidden layer's biases until the output is the same for every sample.

    Each unit's bias falls by its largest value over the training data and as much again as its
    values spread, further if need be: a ReLU then gives zero, with zero slope, on every sample,
    and the gradient of everything but the output's bias is zero. Where no bias can do that (the
    output reads other layers too), the reason is given instead.
    """
    model = starting_at(problem, start).model
    if why := objective(problem).rich:
        return Placed(None, reason=why)
    samples = Samples(problem.train, channels_last=True)
    with evaluating(model), torch.no_grad():
        weights = problem.layout.tensors(model)
        layer, values = _last_hidden(model, samples, {id(tensor) for tensor in weights})
        if layer is None:
            return Placed(None, reason="no hidden layer with a bias comes before the output")
        name, bias = layer
        largest, margin = values
        for _ in range(DOUBLINGS):
            bias -= largest + margin
            if _constant(model, samples):
                found = flat(model, problem.layout).float().numpy().astype(np.float32)
                return Placed(replace(start, weights=found, moments={}), name)
            largest, margin = torch.zeros_like(largest), 2 * margin
    return Placed(None, reason=f"the output depends on the input however low {name} is put")


def is_constant(problem: Problem, start: Start) -> bool:
    """Whether the output at these weights is the same, to the bit, for every training sample."""
    if objective(problem).rich:
        return False  # nothing is known of outputs that aren't one tensor
    model = starting_at(problem, start).model
    with evaluating(model), torch.no_grad():
        return _constant(model, Samples(problem.train, channels_last=True))


def _last_hidden(
    model: nn.Module, samples: Samples, weights: Set[int]
) -> tuple[tuple[str, Tensor] | None, tuple[Tensor, Tensor]]:
    """Name and bias of the module before the output's, and its units' largest value and spread.

    ``weights``: the tensors that aren't frozen.
    """
    order: list[str] = []
    biased: dict[str, Tensor] = {}
    named = {
        name: module
        for name, module in model.named_modules()
        if next(iter(module.parameters(recurse=False)), None) is not None
    }

    def note(name: str, output: object) -> None:
        order.append(name)
        bias = getattr(named[name], "bias", None)
        # Of an LSTM it is a bool; of somebody's own module it may be anything.
        if id(bias) in weights and isinstance(bias, Tensor) and _axis(output, bias) is not None:
            biased[name] = bias

    first = torch.zeros(1, dtype=torch.int64)
    with _hooked(named, note):
        model(samples.take(first)[0])
    # A module that calls others ends after them, the output's among these.
    order = [name for name in order if not _calls(name, order)]
    hidden = [name for name in order if name != order[-1] and name in biased]
    if not hidden:
        return None, (torch.zeros(0), torch.zeros(0))
    name = hidden[-1]
    bias = biased[name]
    extremes: list[Tensor] = []

    def see(_: str, output: object) -> None:
        axis = _axis(output, bias)
        if isinstance(output, Tensor) and axis is not None:
            units = output.movedim(axis, 0).flatten(1)
            extremes.append(torch.stack([units.amax(1), units.amin(1)]))

    with _hooked({name: named[name]}, see):
        for inputs, _ in samples.batches(BATCH):
            model(inputs)
    largest = torch.stack([high for high, _ in extremes]).amax(0)
    smallest = torch.stack([low for _, low in extremes]).amin(0)
    return (name, bias.data), (largest, (largest - smallest).clamp(min=1e-3))


def _calls(name: str, others: Sequence[str]) -> bool:
    """Whether some of the others lie in this module."""
    inside = f"{name}." if name else ""
    return any(other != name and other.startswith(inside) for other in others)


def _axis(output: object, bias: Tensor) -> int | None:
    """Where a layer's units are, one a bias: channels of images, else the last axis; or None."""
    if not isinstance(output, Tensor) or bias.ndim != 1 or output.ndim < 2:
        return None
    if output.ndim > 2 and output.shape[1] == len(bias):
        return 1
    return output.ndim - 1 if output.shape[-1] == len(bias) else None


@contextmanager
def _hooked(
    modules: Mapping[str, nn.Module], see: Callable[[str, object], object]
) -> Iterator[None]:
    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: see(name, output))
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _constant(model: nn.Module, samples: Samples) -> bool:
    """Whether the output is the same, to the bit, for every sample."""
    first: Tensor | None = None
    for inputs, _ in samples.batches(BATCH):
        outputs = model(inputs)
        first = outputs[:1] if first is None else first
        if not bool((outputs == first).all()):
            return False
    return True

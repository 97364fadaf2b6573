"""An initialization in the middle of a plateau: the last hidden layer dead on every sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from landscape.diagnose.trials import Start, at
from landscape.problem.evaluate import evaluating
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
    model = at(problem, start).model
    samples = Samples(problem.train, channels_last=True)
    with evaluating(model), torch.no_grad():
        layer, values = _last_hidden(model, samples)
        if layer is None:
            return Placed(None, reason="no hidden layer with a bias comes before the output")
        name, bias = layer
        largest, margin = values
        for _ in range(DOUBLINGS):
            bias -= largest + margin
            if _constant(model, samples):
                weights = flat(model).float().numpy().astype(np.float32)
                return Placed(replace(start, weights=weights, velocity=None), name)
            largest, margin = torch.zeros_like(largest), 2 * margin
    return Placed(None, reason=f"the output depends on the input however low {name} is put")


def is_constant(problem: Problem, start: Start) -> bool:
    """Whether the output at these weights is the same, to the bit, for every training sample."""
    model = at(problem, start).model
    with evaluating(model), torch.no_grad():
        return _constant(model, Samples(problem.train, channels_last=True))


def _last_hidden(
    model: nn.Module, samples: Samples
) -> tuple[tuple[str, Tensor] | None, tuple[Tensor, Tensor]]:
    """Name and bias of the module before the output's, and its units' largest value and spread."""
    order: list[str] = []
    named = {
        name: module
        for name, module in model.named_modules()
        if isinstance(next(iter(module.parameters(recurse=False)), None), Tensor)
    }
    first = torch.zeros(1, dtype=torch.int64)
    with _hooked(named, lambda name, _: order.append(name)):
        model(samples.take(first)[0])
    nothing = torch.zeros(0), torch.zeros(0)
    if not order:
        return None, nothing
    hidden = [n for n in order if n != order[-1] and getattr(named[n], "bias", None) is not None]
    if not hidden:
        return None, nothing
    name = hidden[-1]
    bias = named[name].bias
    assert isinstance(bias, Tensor)
    extremes: list[Tensor] = []

    def see(_: str, output: Tensor) -> None:
        units = output.movedim(_axis(output, len(bias)), 0).flatten(1)
        extremes.append(torch.stack([units.amax(1), units.amin(1)]))

    with _hooked({name: named[name]}, see):
        for inputs, _ in samples.batches(BATCH):
            model(inputs)
    largest = torch.stack([high for high, _ in extremes]).amax(0)
    smallest = torch.stack([low for _, low in extremes]).amin(0)
    return (name, bias.data), (largest, (largest - smallest).clamp(min=1e-3))


def _axis(output: Tensor, units: int) -> int:
    """Where a layer's units are: channels of images, else the last axis."""
    return 1 if output.ndim > 2 and output.shape[1] == units else output.ndim - 1


@contextmanager
def _hooked(
    modules: Mapping[str, nn.Module], see: Callable[[str, Tensor], object]
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

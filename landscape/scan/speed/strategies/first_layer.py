"""Layers whose input no weight has touched: their response is linear in their own weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from landscape.scan.speed.evaluator import PART, PointEvaluator

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
DRAWS = 3
"""So many random weights are tried to see what a layer's input depends on."""


def find_first_layers(evaluator: PointEvaluator, inputs: Tensor) -> list[str]:
    """Names of the layers that see the same input whatever the weights, called once a pass.

    Found by trying weights that have nothing to do with the model's, not by tracing: whatever code
    leads to the layer (flattening, scaling by constants) is fine. To shake the model's own wouldn't
    do: behind a layer that is dead, the input of the next one is the same for all weights
    around. The model's weights are left at random ones.
    """
    model = evaluator.model
    names = {name for name, module in model.named_modules() if _suits(module)}
    generator = torch.Generator().manual_seed(0)
    seen = inputs_of(model, names, inputs)
    for _ in range(DRAWS):
        _draw(evaluator, generator)
        again = inputs_of(model, names, inputs)
        seen = {
            name: found
            for name, found in seen.items()
            if len(found) == 1
            and len(again.get(name, ())) == 1
            and torch.equal(found[0], again[name][0])
        }
    return list(seen)


def _draw(evaluator: PointEvaluator, generator: torch.Generator) -> None:
    """Put the model at random weights, of a size at which signals neither die out nor grow."""
    for place in evaluator.tied.layout.parameters:
        inputs = math.prod(place.shape[1:]) if len(place.shape) > 1 else 1
        for part in torch.split(evaluator.vector[place.slice], PART):
            noise = torch.randn(len(part), generator=generator).to(part)
            part.copy_(noise.mul_(math.sqrt(2 / max(1, inputs))))
    evaluator.tied.settle()


def inputs_of(model: nn.Module, names: set[str], inputs: Tensor) -> dict[str, list[Tensor]]:
    """What goes into the named layers in one forward pass, call by call."""
    found: dict[str, list[Tensor]] = {}

    def note(name: str, _: nn.Module, given: tuple[Any, ...]) -> None:
        found.setdefault(name, []).extend(value for value in given if isinstance(value, Tensor))

    handles = [
        module.register_forward_pre_hook(partial(note, name))
        for name, module in model.named_modules()
        if name in names
    ]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


class Responses:
    """Responses of the shared layers: W0·x, D0·x and D1·x serve every point of a plane.

    The response at (x, y) is W0·x + x D0·x + y D1·x, biases included.
    """

    def __init__(self, evaluator: PointEvaluator, names: Sequence[str]) -> None:
        modules = dict(evaluator.model.named_modules())
        self.layers = {name: modules[name] for name in names}
        self._model = evaluator.model
        # By identity: a tensor shared by two modules has the name of the first.
        pairs = zip(evaluator.tied.parameters, evaluator.tied.layout.parameters, strict=True)
        places = {id(tensor): part for tensor, part in pairs}
        rows = (evaluator.origin, *evaluator.directions)

        def values(tensor: Tensor, row: Tensor) -> Tensor:
            part = places.get(id(tensor))
            if part is None:  # frozen: no direction moves it
                return tensor.detach() if row is evaluator.origin else torch.zeros_like(tensor)
            return row[part.slice].view(part.shape).to(evaluator.vector.dtype)

        self._weights = {
            name: [{key: values(t, row) for key, t in layer.named_parameters()} for row in rows]
            for name, layer in self.layers.items()
        }

    def parameters(self) -> list[str]:
        """Names of the parameters that only these layers use: nobody needs their values."""
        used = Counter(
            id(tensor) for module in self._model.modules() for tensor in module.parameters(False)
        )
        return [
            f"{name}.{key}"
            for name, layer in self.layers.items()
            for key, tensor in layer.named_parameters()
            if used[id(tensor)] == 1
        ]

    def of(self, inputs: Tensor) -> list[Tensor]:
        """For each layer (1 + D, B, ...): the responses to a batch."""
        given = inputs_of(self._model, set(self.layers), inputs)
        found = []
        for name, layer in self.layers.items():
            responses = [
                _placed(layer, functional_call(layer, weights, (given[name][0],)))
                for weights in self._weights[name]
            ]
            found.append(torch.stack(responses))
        return found

    def at(self, coordinates: Tensor, responses: list[Tensor]) -> list[Tensor]:
        """For each layer (K, B, ...), at the points (1, x, y) of ``coordinates`` (K, 1 + D)."""
        found = []
        for layer, parts in zip(self.layers.values(), responses, strict=True):
            mixed = torch.mm(coordinates, parts.flatten(1)).view(-1, *parts.shape[1:])
            found.append(mixed.movedim(-1, 2) if _is_image(layer, mixed) else mixed)
        return found


@contextmanager
def answering(layers: Mapping[str, nn.Module], responses: Sequence[Tensor]) -> Iterator[None]:
    """Let layers answer with given responses instead of computing them."""
    for layer, response in zip(layers.values(), responses, strict=True):
        layer.__dict__["forward"] = partial(_answer, response)
    try:
        yield
    finally:
        for layer in layers.values():
            del layer.__dict__["forward"]


def _answer(response: Tensor, _: Tensor) -> Tensor:
    return response


def _suits(module: nn.Module) -> bool:
    if type(module) not in LINEAR or "forward" in module.__dict__:
        return False
    if isinstance(module, nn.Embedding) and module.max_norm is not None:
        return False  # it rescales its weights when it is used
    hooked = module._forward_hooks or module._forward_pre_hooks  # weight_norm, for one
    return not hooked and {key for key, _ in module.named_parameters()} >= {"weight"}


def _placed(layer: nn.Module, response: Tensor) -> Tensor:
    """Images (B, C, H, W) as contiguous (B, H, W, C): convolutions go on in channels_last."""
    return response.movedim(1, -1).contiguous() if _is_image(layer, response) else response


def _is_image(layer: nn.Module, response: Tensor) -> bool:
    return isinstance(layer, nn.Conv2d) and response.ndim >= 4

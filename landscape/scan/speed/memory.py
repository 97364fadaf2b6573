"""How much memory evaluating a tile takes, and how much it may."""

from __future__ import annotations

from torch import Tensor, nn

from landscape.quantities import parse_size

DEFAULT = 2**30
ALIVE = 3
"""So many of the largest layer's outputs are there at once: its input, itself, another summand."""


def most(text: str | None) -> int:
    """The bytes that a user allows; unless they say so, 1 GiB."""
    return DEFAULT if text is None else parse_size(text, "memory")


def per_sample(model: nn.Module, inputs: Tensor) -> int:
    """Bytes that one sample takes while the model evaluates it, about."""
    largest = inputs.numel() * inputs.element_size()

    def note(_: nn.Module, __: object, outputs: object) -> None:
        nonlocal largest
        if isinstance(outputs, Tensor):
            largest = max(largest, outputs.numel() * outputs.element_size())

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return max(1, ALIVE * largest // len(inputs))

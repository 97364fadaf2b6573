"""How much memory evaluating a tile takes, and how much it may."""

from __future__ import annotations

import re

from torch import Tensor, nn

from landscape.errors import LandscapeError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
DEFAULT = 2**30
ALIVE = 3
"""So many of the largest layer's outputs are there at once: its input, itself, another summand."""


def parse(text: str) -> int:
    """Bytes from ``500MB``, ``2GB`` or ``1.5GiB``.

    Raises:
        LandscapeError: anything else.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmg]i?)?b?\s*", text.lower())
    size = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    if size < 1:
        raise LandscapeError(f"memory must be a size such as 500MB or 2GB, got {text}")
    return size


def most(text: str | None) -> int:
    """The bytes that a user allows; unless they say so, 1 GiB."""
    return DEFAULT if text is None else parse(text)


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

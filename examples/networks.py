"""Small networks on digits beside the built-in ones: tanh, BatchNorm, a transformer.

landscape train --problem examples/networks.py:transformer --set width=32 --lr 0.1 -o runs/vit
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem import Problem, builtin

SIDE, CLASSES = 8, 10
"""Of a digit: pixels a side, and how many there are."""


def multilayer(
    width: int, depth: int, *, activation: Callable[[], nn.Module], normalized: bool = False
) -> nn.Sequential:
    """Hidden layers of so many units, with BatchNorm before the activation or without."""
    layers: list[nn.Module] = [nn.Flatten()]
    features = SIDE * SIDE
    for _ in range(depth):
        layers.append(nn.Linear(features, width))
        layers += [nn.BatchNorm1d(width)] if normalized else []
        layers.append(activation())
        features = width
    return nn.Sequential(*layers, nn.Linear(features, CLASSES))


class Block(nn.Module):
    """Attention over rows and a hidden layer with GELU, each normalized before and added."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.query, self.key, self.value, self.mixed = (nn.Linear(width, width) for _ in range(4))
        self.between = nn.LayerNorm(width)
        self.hidden, self.back = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.gelu = nn.GELU()

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T, width) to the same."""
        normed = self.before(tokens)
        query, key, value = (
            layer(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.mixed(seen.transpose(1, 2).flatten(-2))
        changed: Tensor = tokens + self.back(self.gelu(self.hidden(self.between(tokens))))
        return changed


class Transformer(nn.Module):
    """A digit's rows are its tokens; their mean is classified."""

    def __init__(self, width: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.embedded = nn.Linear(SIDE, width)
        self.places = nn.Parameter(0.02 * torch.randn(SIDE, width))
        self.blocks = nn.Sequential(*(Block(width, heads, hidden) for _ in range(depth)))
        self.last = nn.LayerNorm(width)
        self.output = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 1, 8, 8) to logits (B, 10)."""
        tokens = self.blocks(self.embedded(images.squeeze(1)) + self.places)
        logits: Tensor = self.output(self.last(tokens).mean(1))
        return logits


def tanh(width: int = 64, depth: int = 2) -> Problem:
    """Hidden layers with tanh."""
    return on_digits(multilayer(width, depth, activation=nn.Tanh))


def normalized(width: int = 64, depth: int = 2) -> Problem:
    """Hidden layers with BatchNorm and ReLU."""
    return on_digits(multilayer(width, depth, activation=nn.ReLU, normalized=True))


def transformer(width: int = 32, depth: int = 2, heads: int = 4) -> Problem:
    """So many blocks of attention and a hidden layer of twice the width."""
    return on_digits(Transformer(width, depth, heads, 2 * width))


def on_digits(model: nn.Module) -> Problem:
    """Trained and judged by the digits."""
    digits = builtin("mlp", "digits")
    return Problem(model, digits.train, digits.validation)

"""Networks as users write them, with what is known of their symmetry."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem import Problem


class Residual(nn.Module):
    """Two blocks of a user's own, the first with a projection, normalized each another way."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.inner = nn.Conv2d(6, 5, 3, padding=1)
        self.outer = nn.Conv2d(5, 8, 3, padding=1, stride=2)
        self.project = nn.Conv2d(6, 8, 1, stride=2)
        self.group = nn.GroupNorm(1, 8)
        self.last = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.norm(self.stem(inputs)).relu_()
        x = self.group(self.outer(functional.gelu(self.inner(x))) + self.project(x))
        x = x + self.last(torch.relu(x))
        return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Dense(nn.Module):
    """Concatenated features, flattened: two stretches of the last layer's columns."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(12)
        self.head = nn.Linear(12 * 4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        x = torch.tanh(self.first(inputs))
        x = torch.cat([inputs, x, self.second(x)], 1)
        return self.head(functional.max_pool2d(self.norm(x), 2).reshape(len(x), -1))


class Mobile(nn.Module):
    """Depthwise, then in groups of channels, then shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 1)
        self.depthwise = nn.Conv2d(4, 8, 3, padding=1, groups=4)
        self.grouped = nn.Conv2d(8, 12, 1, groups=2)
        self.norm = nn.GroupNorm(3, 12)
        self.shuffle = nn.ChannelShuffle(3)
        self.head = nn.Linear(12, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.grouped(functional.silu(self.depthwise(self.stem(inputs))))
        return self.head(self.shuffle(self.norm(x)).mean((2, 3)))


class Attention(nn.Module):
    """Queries, keys and values from one layer, by slices; positions are learned."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 12)
        self.positions = nn.Parameter(torch.randn(1, 4, 12))
        self.qkv = nn.Linear(12, 36)
        self.out = nn.Linear(12, 12, bias=False)
        self.norm = nn.LayerNorm(12)
        self.wide = nn.Linear(12, 7)
        self.narrow = nn.Linear(7, 12)
        self.head = nn.Linear(12, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.embed(inputs.flatten(1).unflatten(1, (4, 8))) + self.positions
        q, k, v = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        weights = ((q @ k.mT) / 2).softmax(-1)
        x = self.norm(x + self.out((weights @ v).transpose(1, 2).flatten(2)))
        x = x + self.narrow(functional.gelu(self.wide(x)))
        return self.head(x.mean(1))


class Loop(nn.Module):
    """A recurrent layer written out: its units connect with each other."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(6, 6) / 2)
        self.outer = nn.Linear(8, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs.new_zeros(len(inputs), 6)
        for part in inputs.flatten(1).unflatten(1, (4, 8)).unbind(1):
            hidden = torch.tanh(torch.einsum("bi,ji->bj", hidden, self.inner) + self.outer(part))
        return self.head(hidden)


class Tied(nn.Module):
    """An encoder whose weights decode too."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(32, 5)
        self.bias = nn.Parameter(torch.randn(32))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.sigmoid(self.encode(inputs.flatten(1)))
        return (hidden @ self.encode.weight + self.bias)[:, :3]


class Gated(nn.Module):
    """Half of the units gate the others; slices are taken, written in place and sorted."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 10)
        self.slope = nn.PReLU(5)
        self.second = nn.Linear(5, 6)
        self.third = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.slope(functional.glu(self.first(inputs.flatten(1))))
        x = self.second(hidden).clone()
        x[:, :2] *= 2
        x[:, 4] = 0
        return self.third(x)


class Sorted(nn.Module):
    """Does what no rule is for: the order of the units counts."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.roll(self.first(inputs.flatten(1)), 1, dims=1)
        return self.head(hidden.cumsum(1))


class Undecided(nn.Module):
    """Which way it goes depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs.flatten(1))
        return self.head(torch.relu(hidden) if hidden.sum() > 0 else hidden)


def perceptron(depth: int = 1, width: int = 6, inputs: int = 32) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), nn.Tanh()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 3))


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1),
        nn.BatchNorm2d(5),
        nn.ReLU(inplace=True),
        nn.Conv2d(5, 7, 3, padding=1),
        nn.LeakyReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(7 * 4, 9),
        nn.LayerNorm(9),
        nn.Linear(9, 3),
    )


ZOO: dict[str, tuple[Callable[[], nn.Module], list[int]]] = {
    "perceptron": (lambda: perceptron(2), [6, 6]),
    "convolutional": (convolutional, [5, 7, 9]),
    "residual": (Residual, [5, 6, 8]),
    "dense": (Dense, [4, 6]),
    # The two channels of a group, and the two copies of a channel; the groups themselves, 2 of 6,
    # are then normalized as 3 of 4.
    "mobile": (Mobile, [2, 2]),
    # Heads, a head's dimensions in queries and keys, in values, the wide layer, features.
    "attention": (Attention, [3, 4, 4, 7, 12]),
    "loop": (Loop, [6]),
    "tied": (Tied, [5]),
    "gated": (Gated, [5]),
    "sorted": (Sorted, []),
}
"""By name: how to make it, and the sizes of its groups in increasing order."""


def problem(model: nn.Module, samples: int = 24) -> Problem:
    """Images of 2 channels and 4 by 4 pixels, three classes."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(samples, 2, 4, 4, generator=generator)
    return Problem(model, (inputs, torch.randint(3, (samples,), generator=generator)))


def made(name: str, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ZOO[name][0]()


class Point(nn.Module):
    """Weights that are the outputs: a loss of them is a landscape given by a formula."""

    def __init__(self, coordinates: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(coordinates))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.position.expand(len(inputs), -1)


def landscape(coordinates: int, loss: Callable[[Tensor], Tensor]) -> Problem:
    """``loss`` takes positions (B, coordinates) to (B,)."""
    data = (torch.zeros(1, 1), torch.zeros(1, 1))
    return Problem(Point(coordinates), data, loss=lambda outputs, targets: loss(outputs))

"""Networks of every kind, and their losses on a plane in float64, one point after the other."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem import Problem, flat
from landscape.problem.models import ResNet
from landscape.problem.weights import buffers
from landscape.store.scans.records import Floats, Plane

CLASSES = 3


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, CLASSES)
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(6, CLASSES),
    )


def residual() -> nn.Module:
    """With running statistics that aren't the initial ones."""
    model = ResNet(1, CLASSES, blocks=1, width=4, shortcut=True)
    model.train()
    with torch.no_grad():
        model(2 * torch.randn(64, 1, 6, 6) + 0.5)
    return model


class Transformer(nn.Module):
    """Tokens and their positions are embedded; the output layer shares the tokens' weights."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.positions = nn.Embedding(6, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.output = nn.Linear(8, 11, bias=False)
        self.output.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        found = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        logits: Tensor = self.output(self.block(found)).transpose(1, 2)
        return logits


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(6, 5, batch_first=True)
        self.output = nn.Linear(5, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.output(self.cells(inputs.flatten(1, 2))[0][:, -1])
        return logits


class Branching(nn.Module):
    """Goes where its weights and its data say: neither traced nor batched."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.tensor([0.05]))
        self.first = nn.Linear(36, 6)
        self.second = nn.Linear(6, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs.flatten(1))
        hidden = torch.tanh(hidden) if float(self.gate) > 0 else torch.relu(hidden)
        logits: Tensor = self.second(hidden)
        return logits


MODELS = {
    "mlp": mlp,
    "cnn": cnn,
    "residual": residual,
    "transformer": Transformer,
    "recurrent": Recurrent,
    "branching": Branching,
}


def problem(name: str, samples: int = 70) -> Problem:
    """The same one every time; 20 samples are for validation."""
    generator = torch.Generator().manual_seed(1)
    if name == "transformer":
        inputs = torch.randint(11, (samples, 6), generator=generator)
        targets = torch.randint(11, (samples, 6), generator=generator)
    else:
        inputs = torch.randn(samples, 1, 6, 6, generator=generator)
        targets = torch.randint(CLASSES, (samples,), generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MODELS[name]()
    return Problem(model, (inputs[20:], targets[20:]), (inputs[:20], targets[:20]))


def plane(made: Problem, **fields: Any) -> Plane:
    """Through the model's weights, along two directions of a third of their length."""
    origin = flat(made.model).numpy()
    draws = np.random.default_rng(0).standard_normal((2, len(origin)))
    draws *= 0.3 * np.linalg.norm(origin) / np.linalg.norm(draws, axis=1, keepdims=True)
    return Plane(
        kind="random",
        origin=origin,
        directions=draws.astype(np.float32),
        labels=("u", "v"),
        unit="",
        buffers=buffers(made.model),
        **fields,
    )


def points(size: int = 5) -> Floats:
    axis = np.linspace(-1, 1, size)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def expected(made: Problem, where: Plane, xy: Floats) -> dict[str, Floats]:
    """All measures by a plain loop in float64."""
    model = copy.deepcopy(made.model).double().eval()
    found: dict[str, list[float]] = {}
    for point in xy:
        weights = where.origin + point @ where.directions.astype(np.float64)
        nn.utils.vector_to_parameters(torch.from_numpy(weights), model.parameters())
        for name, (inputs, targets) in {"train": made.train, "validation": made.validation}.items():
            given = inputs.double() if inputs.is_floating_point() else inputs
            with torch.no_grad():
                outputs = model(given)
            loss = functional.cross_entropy(outputs, targets)
            found.setdefault(f"{name}_loss", []).append(float(loss))
            right = (outputs.argmax(1) == targets).double().mean()
            found.setdefault(f"{name}_accuracy", []).append(float(right))
    return {name: np.array(values) for name, values in found.items()}

"""Problems of many kinds, as anybody might write them: trained, scanned and diagnosed.

A scan's centre is held to a plain loop of PyTorch's, or of the framework's own loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from landscape.problem import Problem

PROBLEMS = Path(__file__).parents[2] / "examples" / "problems"


def bert(problem: Problem) -> float:
    inputs, labels = problem.train
    return float(problem.model(**inputs, labels=labels).loss)


def causal_lm(problem: Problem) -> float:
    return float(problem.model(**problem.train).loss)


def burgers(problem: Problem) -> dict[str, float]:
    terms = {name: term.problem for name, term in problem.terms.items()}
    points = terms["residual"].train.clone().requires_grad_()
    u = problem.model(points)
    first = torch.autograd.grad(u, points, torch.ones_like(u), create_graph=True)[0]
    second = torch.autograd.grad(first[:, 1].sum(), points)[0][:, 1]
    left = first[:, 0] + u[:, 0] * first[:, 1] - 0.1 / math.pi * second
    found = {"residual": float(left.square().mean())}
    for name in ("initial", "boundary"):
        inputs, targets = terms[name].train
        found[name] = float(functional.mse_loss(problem.model(inputs), targets)) / 2
    return found


def gcn(problem: Problem) -> float:
    features, labels = problem.train
    known = labels[0] >= 0
    return float(functional.cross_entropy(problem.model(features)[0].T[known], labels[0, known]))


def unet(problem: Problem) -> float:
    images, labels = problem.train
    return float(functional.cross_entropy(problem.model(images), labels, ignore_index=255))


def lstm(problem: Problem) -> float:
    losses = []
    for line, label in problem.train:
        _, (last, _) = problem.model.lstm(line[None])
        losses.append(functional.cross_entropy(problem.model.head(last[0]), label[None]))
    return float(torch.stack(losses).mean())


def contrastive(problem: Problem) -> float:
    losses = []
    for one, other in zip(*(view.split(64) for view in problem.train), strict=True):
        near = functional.cosine_similarity(problem.model(one)[:, None], problem.model(other), -1)
        losses.append(functional.cross_entropy(near / 0.2, torch.arange(64)))
    return float(torch.stack(losses).mean())


def weighted(problem: Problem) -> float:
    inputs, targets = problem.train
    squares = (problem.model(inputs) - targets["y"]).square() / 2
    return float((squares * targets["weight"]).sum() / targets["weight"].sum())


ORACLES: dict[str, tuple[Callable[[Problem], Any], float]] = {
    "bert": (bert, 0.05),
    "causal_lm": (causal_lm, 0.1),
    "pinn:burgers": (burgers, 0.01),
    "gcn": (gcn, 0.5),
    "unet": (unet, 0.1),
    "lora": (bert, 0.5),
    "lstm": (lstm, 0.5),
    "contrastive": (contrastive, 0.1),
    "weighted": (weighted, 0.1),
}
"""A plain loss over the training data, and a learning rate, by file (and function)."""

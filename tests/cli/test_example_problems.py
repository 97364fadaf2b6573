"""Problems of many kinds, as anybody might write them: trained, scanned and diagnosed.

A scan's centre is held to a plain loop of PyTorch's, or of the framework's own loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from landscape.problem import Problem, load
from landscape.store import read
from landscape.store.scans import scanfile

from .conftest import MEASURE

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


def vae(problem: Problem) -> float:
    """The textbook's loss; the k-th batch of 256 draws its random numbers after seed k."""
    losses = []
    for number, images in enumerate(problem.train.split(256)):
        torch.manual_seed(number)
        pixels, mean, log_variance = problem.model(images)
        off = functional.binary_cross_entropy_with_logits(pixels, images, reduction="sum")
        losses.append(off - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum())
    return float(torch.stack(losses).sum()) / len(problem.train)


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
    "vae": (vae, 0.01),
}
"""A plain loss over the training data, and a learning rate, by file (and function)."""
WEIGHTS = {"residual": 1.0, "initial": 10.0, "boundary": 10.0}
"""Of the terms of burgers."""


@pytest.fixture(scope="module", params=ORACLES)
def example(request, landscape, tmp_path_factory):
    """A run of one of them, trained for an epoch or two by the command."""
    name, _, function = request.param.partition(":")
    if name == "lora":
        pytest.importorskip("peft")
    spec = f"{PROBLEMS / name}.py:{function or name}"
    folder = tmp_path_factory.mktemp(name) / "run"
    oracle, lr = ORACLES[request.param]
    result = landscape(
        *("train", "--problem", spec, "--lr", lr, "--epochs", 2, "--record", "log+4", "-o", folder)
    )
    assert result.code == 0, result.err
    return spec, oracle, folder


def at_the_end(spec: str, folder: Path) -> Problem:
    """The problem with the run's last weights."""
    problem = load(spec, seed=0)
    trajectory = read(folder).trajectory
    row = trajectory.row("final")
    load_weights(problem.model, trajectory, row)
    problem.model.eval()
    return problem


def load_weights(model, trajectory, row) -> None:
    vector = torch.from_numpy(trajectory.row_weights(row))
    named = dict(model.named_parameters())
    with torch.no_grad():
        for parameter in trajectory.parameters:
            start, shape = int(parameter["offset"]), tuple(parameter["shape"])
            part = vector[start : start + math.prod(shape)].reshape(shape)
            named[parameter["name"]].copy_(part)


def test_the_centre_is_the_loss_of_a_plain_loop(example, landscape):
    spec, oracle, folder = example
    result = landscape(*(*MEASURE, folder, "--plane", "random", "--size", 3, "--overwrite"))
    assert result.code == 0, result.err
    [file] = (folder / "scans").glob("random*.h5")
    found = scanfile.load(file)
    expected = oracle(at_the_end(spec, folder))
    if isinstance(expected, dict):
        for name, value in expected.items():
            centre = found.measures[f"train_loss_{name}"][1, 1]
            assert centre == pytest.approx(value, rel=1e-5, abs=1e-7)
        expected = sum(WEIGHTS[name] * value for name, value in expected.items())
    assert found.measures["train_loss"][1, 1] == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(found.measures["train_loss"]).all()


@pytest.mark.slow
def test_it_is_diagnosed(example, landscape):
    _, _, folder = example
    result = landscape("diagnose", folder, "--no-intervene")
    assert result.code == 0, result.err
    assert (folder / "verdict.json").is_file()


@pytest.mark.parametrize("file", sorted(PROBLEMS.glob("*.py")), ids=lambda file: file.stem)
def test_it_is_short(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) < 40

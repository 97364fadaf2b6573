from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import datasets, losses
from landscape.problem.load import load
from landscape.problem.presets import make


def test_the_default_is_the_cnn_on_digits():
    problem = make()
    assert sum(tensor.numel() for tensor in problem.model.parameters()) == 24_218
    inputs = problem.train[0]
    assert inputs.shape == (1437, 1, 8, 8)
    assert problem.validation[0].shape == (360, 1, 8, 8)
    assert problem.augment is None
    assert problem.loss is losses.cross_entropy
    assert problem.model(inputs[:5]).shape == (5, 10)


@pytest.mark.parametrize(
    ("model", "data", "options", "inputs", "classes"),
    [
        ("mlp", "moons", {"depth": 3, "width": 5}, (2,), 2),
        ("mlp", "digits", {}, (1, 8, 8), 10),
        ("resnet20", "digits", {"width": 2, "shortcut": False}, (1, 8, 8), 10),
    ],
)
def test_models_take_their_shape_from_the_data(model, data, options, inputs, classes):
    problem = make(model, data, **options)
    assert problem.train[0].shape[1:] == inputs
    assert problem.model(problem.train[0][:3]).shape == (3, classes)


def test_the_same_door_makes_the_same_problem():
    settings = {"model": "mlp", "data": "moons", "depth": 1}
    first, again, other = (
        load("landscape.problem.presets:make", json.loads(json.dumps(settings)), seed=seed)
        for seed in (3, 3, 4)
    )
    assert torch.equal(first.model.hidden1.weight, again.model.hidden1.weight)
    assert not torch.equal(first.model.hidden1.weight, other.model.hidden1.weight)
    assert torch.equal(first.train[0], other.train[0])


def test_a_class_of_the_validation_data_alone_has_an_output(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(
        path,
        train_inputs=np.zeros((3, 2)),
        train_targets=[0, 1, 0],
        validation_inputs=np.zeros((1, 2)),
        validation_targets=[4],
    )
    problem = make("mlp", f"npz:{path}")
    assert problem.model(problem.train[0]).shape == (3, 5)


def test_the_problem_can_be_learned():
    torch.manual_seed(0)
    problem = make("mlp", "moons")
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.5, momentum=0.9)
    inputs, targets = problem.train
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(problem.model(inputs), targets).backward()
        optimizer.step()
    hits = problem.model(problem.validation[0]).argmax(1) == problem.validation[1]
    assert hits.double().mean() > 0.98


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "vgg"}, "model must be one of mlp, cnn, resnet20, resnet56, got vgg"),
        (
            {"data": "imagenet"},
            "data must be one of digits, moons, mnist, fashion-mnist, cifar10, npz:FILE, "
            "got imagenet",
        ),
        (
            {"data": "moons"},
            "model cnn needs images (channels, height, width), "
            "got inputs of shape (2,) from data moons; use --model mlp",
        ),
        # Before the data, which would be missing.
        (
            {"model": "resnet20", "depth": 2, "data": "cifar10"},
            "model resnet20 has a fixed depth, got depth 2; leave --depth out or use --model cnn",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, settings, message):
    with pytest.raises(LandscapeError) as caught:
        make(**settings, data_root=str(tmp_path))
    assert str(caught.value) == message


def test_a_single_class_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, train_inputs=np.zeros((3, 2)), train_targets=[0, 0, 0])
    with pytest.raises(LandscapeError) as caught:
        make("mlp", f"npz:{path}")
    assert str(caught.value) == f"data must have at least 2 classes, got 1 in npz:{path}"


def test_nothing_is_downloaded_for_an_option_that_is_refused(monkeypatch):
    def fail(*_args: object) -> None:
        raise AssertionError("data loaded")

    monkeypatch.setitem(datasets.DATASETS, "mnist", fail)
    with pytest.raises(LandscapeError):
        make("mlp", "mnist", shortcut=False)

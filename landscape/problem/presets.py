"""The built-in problems: a model and data by name, made as anybody's own problem is."""

from __future__ import annotations

from pathlib import Path

from landscape.errors import LandscapeError
from landscape.problem import datasets, models
from landscape.problem.problem import Problem


def make(
    model: str = "cnn",
    data: str = "digits",
    *,
    depth: int | None = None,
    width: int | None = None,
    shortcut: bool = True,
    data_root: str | Path = "data",
) -> Problem:
    """A built-in model on built-in data, with cross-entropy and no augmentation.

    Args:
        model: A key of ``models.MODELS``.
        data: A key of ``datasets.DATASETS``, or ``npz:FILE``.
        depth: Hidden layers of an mlp (2 if None), convolutions of a cnn (4).
        width: Units of an mlp's hidden layers (64), channels of a cnn's convolutions (16) or of
            a ResNet's first third (16).
        shortcut: False takes the skip connections out of a ResNet.
        data_root: The folder for downloaded datasets.

    Raises:
        LandscapeError: an unknown name, an option that the model doesn't take, data that is
            missing or broken, or inputs that the model can't take.
    """
    # Whatever can be refused without the data is, before anything is downloaded.
    models.check_options(model, depth=depth, width=width, shortcut=shortcut)
    datasets.check_name(data)
    train, validation = datasets.load(data, data_root)
    parts = [train] if validation is None else [train, validation]
    # A class may be among the validation samples only.
    classes = 1 + max(int(targets.max()) for _, targets in parts)
    if classes < 2:
        raise LandscapeError(f"data must have at least 2 classes, got {classes} in {data}")
    network = models.make(
        model,
        tuple(train[0].shape[1:]),
        classes,
        depth=depth,
        width=width,
        shortcut=shortcut,
        data=data,
    )
    return Problem(network, train, validation)

"""The built-in data by name: ``digits`` and ``moons`` at once, others from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.problem.datasets import npz
from landscape.problem.datasets.cifar import cifar10
from landscape.problem.datasets.mnist import fashion_mnist, mnist
from landscape.problem.samples import Pair

DIGITS = Path(__file__).with_name("data") / "digits.npz"


def load(name: str, root: str | Path = "data") -> tuple[Pair, Pair | None]:
    """Training and validation data, inputs in float32 and classes in int64.

    Args:
        name: A key of ``DATASETS``, or ``npz:FILE``, which need not hold validation data.
        root: The folder for downloaded datasets, laid out as torchvision does.

    Raises:
        LandscapeError: no such data; files missing, broken, or not what the name says.

    >>> train, validation = load("moons")
    >>> train[0].shape, train[1].unique().tolist(), len(validation[1])
    (torch.Size([1000, 2]), [0, 1], 500)
    """
    check_name(name)
    kind, _, file = name.partition(":")
    if kind == "npz":
        return npz.load(Path(file).expanduser())
    return DATASETS[name](Path(root).expanduser())


def check_name(name: str) -> None:
    """Refuse a name that no loader has; opens no file.

    Raises:
        LandscapeError: there is none.

    >>> check_name("digits")
    >>> check_name("npz:mine.npz")
    """
    kind, _, file = name.partition(":")
    if name not in DATASETS and not (kind == "npz" and file):
        raise LandscapeError(f"data must be one of {', '.join(DATASETS)}, npz:FILE, got {name}")


def digits(_root: Path) -> tuple[Pair, Pair]:
    """1437 and 360 handwritten digits of 8×8 pixels, between 0 and 1 (see ``data/DIGITS.md``)."""

    def pair(pixels: NDArray[np.uint8], classes: NDArray[np.uint8]) -> Pair:
        inputs = torch.from_numpy(pixels.astype(np.float32)).div_(16)
        return inputs, torch.from_numpy(classes.astype(np.int64))

    with np.load(DIGITS, allow_pickle=False) as arrays:
        return (
            pair(arrays["train_inputs"], arrays["train_targets"]),
            pair(arrays["validation_inputs"], arrays["validation_targets"]),
        )


def moons(_root: Path) -> tuple[Pair, Pair]:
    """1000 and 500 points on two interleaved half circles of radius 1, with noise of 0.1."""
    generator = np.random.Generator(np.random.PCG64(0))
    count = 1500
    classes = np.arange(count) % 2
    angle = generator.uniform(0, np.pi, count)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # The lower one is the upper one turned by half a circle about (0.5, 0.25).
    points = np.where(classes[:, None] == 0, upper, [1.0, 0.5] - upper)
    points += 0.1 * generator.standard_normal((count, 2))
    inputs, targets = torch.from_numpy(points.astype(np.float32)), torch.from_numpy(classes)
    return (inputs[:1000], targets[:1000]), (inputs[1000:], targets[1000:])


DATASETS: dict[str, Callable[[Path], tuple[Pair, Pair]]] = {
    "digits": digits,
    "moons": moons,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
}
"""The built-in data by name, as functions of the data root; ``npz:FILE`` comes beside them."""

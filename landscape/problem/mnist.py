"""MNIST and Fashion-MNIST, from their IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from landscape.errors import LandscapeError
from landscape.problem import idx
from landscape.problem.downloads import Collection, locate
from landscape.problem.samples import Pair


def mnist(root: Path) -> tuple[Pair, Pair]:
    """60,000 and 10,000 handwritten digits of 28×28 pixels, between 0 and 1."""
    return _load(MNIST, root)


def fashion_mnist(root: Path) -> tuple[Pair, Pair]:
    """60,000 and 10,000 pictures of clothing of 28×28 pixels, between 0 and 1."""
    return _load(FASHION_MNIST, root)


def _load(collection: Collection, root: Path) -> tuple[Pair, Pair]:
    paths = locate(collection, root)
    train, validation = _pair(*paths[:2]), _pair(*paths[2:])
    beginning = train[1][:10].tolist()
    for other, labels in FIRST_LABELS.items():
        if other != collection.name and beginning == labels:
            raise LandscapeError(
                f"data {collection.name} must not be {other}, whose files have the same names, "
                f"got {paths[0].parent}; use --data {other} or another --data-root"
            )
    return train, validation


def _pair(images: Path, labels: Path) -> Pair:
    pixels, classes = idx.load(images, dimensions=3), idx.load(labels, dimensions=1)
    if len(pixels) != len(classes):
        raise LandscapeError(
            f"images and labels must be of equal number, "
            f"got {len(pixels)} in {images} and {len(classes)} in {labels}; download them again"
        )
    inputs = torch.from_numpy(pixels[:, None].astype(np.float32)).div_(255)
    return inputs, torch.from_numpy(classes.astype(np.int64))


def _fetch_mnist(root: str) -> None:
    from torchvision import datasets

    datasets.MNIST(root, download=True)


def _fetch_fashion_mnist(root: str) -> None:
    from torchvision import datasets

    datasets.FashionMNIST(root, download=True)


FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

FIRST_LABELS = {
    "mnist": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
    "fashion-mnist": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
}
"""The training labels' beginning: the names of the files don't tell the two apart."""

MNIST = Collection(
    name="mnist",
    files=FILES,
    folder="MNIST/raw",
    home="yann.lecun.com/exdb/mnist",
    fetch=_fetch_mnist,
)

FASHION_MNIST = Collection(
    name="fashion-mnist",
    files=FILES,
    folder="FashionMNIST/raw",
    home="github.com/zalandoresearch/fashion-mnist",
    fetch=_fetch_fashion_mnist,
    elsewhere=(Path("/usr/share/datasets/fashion-mnist"),),
    package="Debian's package dataset-fashion-mnist",
)

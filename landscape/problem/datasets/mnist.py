"""MNIST and Fashion-MNIST, from their IDX files: a magic number, the lengths, then plain bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.problem.datasets.downloads import Collection, locate, read
from landscape.problem.samples import Pair

UNSIGNED_BYTES = 8


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
    pixels, classes = read_idx(images, dimensions=3), read_idx(labels, dimensions=1)
    if len(pixels) != len(classes):
        raise LandscapeError(
            f"images and labels must be of equal number, "
            f"got {len(pixels)} in {images} and {len(classes)} in {labels}; download them again"
        )
    inputs = torch.from_numpy(pixels[:, None].astype(np.float32)).div_(255)
    return inputs, torch.from_numpy(classes.astype(np.int64))


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file, gzipped or not.

    Raises:
        LandscapeError: another format or number of dimensions, or too few or too many bytes.
    """
    content = read(path)
    magic = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if content[:4] != magic:
        raise LandscapeError(
            f"an IDX file of bytes in {dimensions} dimensions must start with {magic.hex(' ')}, "
            f"got {content[:4].hex(' ') or 'nothing'} in {path}; download it again"
        )
    start = 4 + 4 * dimensions
    lengths = np.frombuffer(content[4:start].ljust(4 * dimensions, b"\0"), dtype=">u4")
    shape: tuple[Any, ...] = tuple(lengths.tolist())
    whole = start + math.prod(shape)
    if len(content) != whole:
        raise LandscapeError(
            f"an IDX file must have the length that its header promises, {whole} bytes, "
            f"got {len(content)} in {path}; download it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


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

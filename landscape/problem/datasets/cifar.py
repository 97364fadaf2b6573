"""CIFAR-10, from its binary version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.problem.datasets.downloads import Collection, locate, read
from landscape.problem.samples import Pair

RECORD = 1 + 3 * 32 * 32
"""Bytes of a label and its image: red, green, blue, each row by row."""

# Of the 50,000 training images' pixels between 0 and 1: red, green, blue.
MEAN = torch.tensor([0.4914, 0.4822, 0.4465])
DEVIATION = torch.tensor([0.2470, 0.2435, 0.2616])


def cifar10(root: Path) -> tuple[Pair, Pair]:
    """50,000 and 10,000 colour photographs of 32×32 pixels, each channel standardized.

    Mean 0 and variance 1 over the training images' pixels; 740 MB in memory.
    """
    parts = [_records(path) for path in locate(CIFAR10, root)]
    return _pair(np.concatenate(parts[:-1])), _pair(parts[-1])


def _records(path: Path) -> NDArray[np.uint8]:
    content = np.frombuffer(read(path), dtype=np.uint8)
    if len(content) == 0 or len(content) % RECORD:
        raise LandscapeError(
            f"a CIFAR-10 file must hold records of {RECORD} bytes, "
            f"got {len(content)} bytes in {path}; download it again"
        )
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise LandscapeError(
            f"a CIFAR-10 label must be between 0 and 9, got {records[:, 0].max()} in {path}; "
            f"download the binary version of CIFAR-10"
        )
    return records


def _pair(records: NDArray[np.uint8]) -> Pair:
    inputs = torch.from_numpy(records[:, 1:].astype(np.float32)).view(-1, 3, 32, 32)
    # In place: a copy would take another 600 MB.
    inputs.div_(255).sub_(MEAN.view(3, 1, 1)).div_(DEVIATION.view(3, 1, 1))
    return inputs, torch.from_numpy(records[:, 0].astype(np.int64))


def _fetch(root: str) -> None:
    from torchvision.datasets.utils import download_and_extract_archive

    # torchvision.datasets.CIFAR10 would fetch the version that needs pickle.
    download_and_extract_archive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        root,
        md5="c32a1d4ab5d03f1284b67883e8d87530",
    )


CIFAR10 = Collection(
    name="cifar10",
    files=(*(f"data_batch_{index}.bin" for index in range(1, 6)), "test_batch.bin"),
    folder="cifar-10-batches-bin",
    home="www.cs.toronto.edu/~kriz/cifar.html (binary version)",
    fetch=_fetch,
)

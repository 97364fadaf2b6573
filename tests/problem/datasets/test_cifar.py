from __future__ import annotations

from pathlib import Path

import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem import datasets


def record(label: int, red: int, green: int, blue: int) -> bytes:
    """A label and an image of one colour, but for its first row's second pixel, black."""
    planes = [bytes([value, 0]) + bytes([value]) * 1022 for value in (red, green, blue)]
    return bytes([label]) + b"".join(planes)


def write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(1, 6):
        content = record(index, 255, 0, 51) + record(9, 0, 0, 0)
        (folder / f"data_batch_{index}.bin").write_bytes(content)
    (folder / "test_batch.bin").write_bytes(record(0, 0, 255, 0))
    return folder


@pytest.mark.parametrize("folder", ["cifar-10-batches-bin", "."])
def test_files_are_found_and_read(tmp_path, folder):
    write(tmp_path / folder)
    (inputs, targets), validation = datasets.load("cifar10", tmp_path)
    assert inputs.shape == (10, 3, 32, 32)
    assert inputs.dtype == torch.float32
    assert targets.tolist() == [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]
    # (1 - 0.4914) / 0.2470, (0 - 0.4822) / 0.2435, (0.2 - 0.4465) / 0.2616
    assert inputs[0, :, 0, 0].tolist() == pytest.approx([2.059109, -1.980287, -0.942278], rel=1e-5)
    black = [-1.989474, -1.980287, -1.706804]
    assert inputs[0, :, 0, 1].tolist() == pytest.approx(black, rel=1e-5)
    assert inputs[1, :, 31, 31].tolist() == pytest.approx(black, rel=1e-5)
    assert validation[0].shape == (1, 3, 32, 32)
    assert validation[0][0, 1, 5, 7] == pytest.approx((1 - 0.4822) / 0.2435, rel=1e-5)
    assert validation[1].tolist() == [0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            record(1, 2, 3, 4)[:-1],
            "a CIFAR-10 file must hold records of 3073 bytes, got 3072 bytes in FILE; "
            "download it again",
        ),
        (
            b"",
            "a CIFAR-10 file must hold records of 3073 bytes, got 0 bytes in FILE; "
            "download it again",
        ),
        (
            record(17, 2, 3, 4),
            "a CIFAR-10 label must be between 0 and 9, got 17 in FILE; "
            "download the binary version of CIFAR-10",
        ),
    ],
)
def test_broken_files_are_refused(tmp_path, content, message):
    file = write(tmp_path) / "data_batch_3.bin"
    file.write_bytes(content)
    with pytest.raises(LandscapeError) as caught:
        datasets.load("cifar10", tmp_path)
    assert str(caught.value) == message.replace("FILE", str(file))

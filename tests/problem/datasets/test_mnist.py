from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem import datasets

# Three images of 2×2 pixels, and one for validation, as the format's description has it.
IMAGES = bytes.fromhex("00000803 00000003 00000002 00000002 00ff3380 01020304 05060708")
LABELS = bytes.fromhex("00000801 00000003 070001")
TEST_IMAGES = bytes.fromhex("00000803 00000001 00000002 00000002 ffffffff")
TEST_LABELS = bytes.fromhex("00000801 00000001 09")


def write(folder: Path, *, zipped: bool = False, **changed: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("train-images-idx3-ubyte", changed.get("images", IMAGES)),
        ("train-labels-idx1-ubyte", changed.get("labels", LABELS)),
        ("t10k-images-idx3-ubyte", TEST_IMAGES),
        ("t10k-labels-idx1-ubyte", TEST_LABELS),
    ):
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "MNIST/raw"),
        ("mnist", "."),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("fashion-mnist", "."),
    ],
)
def test_files_are_found_and_read(tmp_path, name, folder, zipped):
    write(tmp_path / folder, zipped=zipped)
    train, validation = datasets.load(name, tmp_path)
    expected = torch.tensor([[0, 255, 51, 128], [1, 2, 3, 4], [5, 6, 7, 8]]) / 255
    assert torch.equal(train[0], expected.view(3, 1, 2, 2))
    assert train[1].tolist() == [7, 0, 1]
    assert torch.equal(validation[0], torch.ones(1, 1, 2, 2))
    assert validation[1].tolist() == [9]
    assert train[0].dtype == torch.float32
    assert train[1].dtype == torch.int64


@pytest.mark.parametrize(
    ("changed", "file", "message"),
    [
        (
            {"images": b"<html>not found</html>"},
            "train-images-idx3-ubyte",
            "an IDX file of bytes in 3 dimensions must start with 00 00 08 03, "
            "got 3c 68 74 6d in FILE; download it again",
        ),
        (
            {"images": LABELS},
            "train-images-idx3-ubyte",
            "an IDX file of bytes in 3 dimensions must start with 00 00 08 03, "
            "got 00 00 08 01 in FILE; download it again",
        ),
        (
            {"labels": b""},
            "train-labels-idx1-ubyte",
            "an IDX file of bytes in 1 dimensions must start with 00 00 08 01, "
            "got nothing in FILE; download it again",
        ),
        (
            {"images": IMAGES[:-1]},
            "train-images-idx3-ubyte",
            "an IDX file must have the length that its header promises, 28 bytes, "
            "got 27 in FILE; download it again",
        ),
        (
            {"images": IMAGES[:10]},
            "train-images-idx3-ubyte",
            "an IDX file must have the length that its header promises, 16 bytes, "
            "got 10 in FILE; download it again",
        ),
        (
            {"labels": LABELS + b"\0"},
            "train-labels-idx1-ubyte",
            "an IDX file must have the length that its header promises, 11 bytes, "
            "got 12 in FILE; download it again",
        ),
    ],
)
def test_broken_files_are_refused(tmp_path, changed, file, message):
    write(tmp_path, **changed)
    with pytest.raises(LandscapeError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(caught.value) == message.replace("FILE", str(tmp_path / file))


def test_broken_gzip_is_refused(tmp_path):
    write(tmp_path, zipped=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LandscapeError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(caught.value) == (
        f"a .gz file must be a whole gzip file, got {path} (EOFError: Compressed file ended "
        "before the end-of-stream marker was reached); download it again"
    )


def test_images_need_labels(tmp_path):
    write(tmp_path, labels=TEST_LABELS)
    with pytest.raises(LandscapeError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(caught.value) == (
        f"images and labels must be of equal number, got 3 in {tmp_path}/train-images-idx3-ubyte "
        f"and 1 in {tmp_path}/train-labels-idx1-ubyte; download them again"
    )


@pytest.mark.parametrize(
    ("asked", "there", "labels"),
    [
        ("mnist", "fashion-mnist", "09000003000207020505"),
        ("fashion-mnist", "mnist", "05000401090201030104"),
    ],
)
def test_one_is_not_taken_for_the_other(tmp_path, asked, there, labels):
    write(
        tmp_path,
        images=bytes.fromhex("00000803 0000000a 00000001 00000001") + bytes(10),
        labels=bytes.fromhex("00000801 0000000a" + labels),
    )
    assert len(datasets.load(there, tmp_path)[0][1]) == 10
    with pytest.raises(LandscapeError) as caught:
        datasets.load(asked, tmp_path)
    assert str(caught.value) == (
        f"data {asked} must not be {there}, whose files have the same names, "
        f"got {tmp_path}; use --data {there} or another --data-root"
    )

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from landscape.errors import LandscapeError
from landscape.problem import datasets
from landscape.problem.datasets import mnist

IDX = {
    "train-images-idx3-ubyte": bytes.fromhex("00000803 00000001 00000001 00000001 ff"),
    "train-labels-idx1-ubyte": bytes.fromhex("00000801 00000001 03"),
    "t10k-images-idx3-ubyte": bytes.fromhex("00000803 00000001 00000001 00000001 00"),
    "t10k-labels-idx1-ubyte": bytes.fromhex("00000801 00000001 04"),
}

SYSTEM_FOLDERS = mnist.FASHION_MNIST.elsewhere


@pytest.fixture(autouse=True)
def _no_system_folders(monkeypatch, tmp_path):
    """This machine may have Debian's package."""
    collection = replace(mnist.FASHION_MNIST, elsewhere=(tmp_path / "system",))
    monkeypatch.setattr(mnist, "FASHION_MNIST", collection)


@pytest.fixture
def no_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.delitem(sys.modules, "torchvision.datasets", raising=False)


def write(folder: Path, names: list[str] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in IDX if names is None else names:
        (folder / name).write_bytes(IDX[name])


class Torchvision:
    """Stands in for torchvision: writes the files that the real one would, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.calls: list[tuple[str, bool]] = []
        package, sets, utils = (
            ModuleType(name)
            for name in ("torchvision", "torchvision.datasets", "torchvision.datasets.utils")
        )
        package.datasets, sets.utils = sets, utils
        sets.MNIST = lambda root, download: self._idx("MNIST", root, download)
        sets.FashionMNIST = lambda root, download: self._idx("FashionMNIST", root, download)
        utils.download_and_extract_archive = self._archive
        for module in (package, sets, utils):
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def _idx(self, name: str, root: str, download: bool) -> None:
        self.calls.append((name, download))
        folder = Path(root) / name / "raw"
        write(folder, list(IDX)[:1])
        if self.error is not None:
            raise self.error
        write(folder)

    def _archive(self, url: str, download_root: str, *, md5: str) -> None:
        assert url == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
        assert md5 == "c32a1d4ab5d03f1284b67883e8d87530"
        folder = Path(download_root) / "cifar-10-batches-bin"
        folder.mkdir()
        for name in (*(f"data_batch_{index}.bin" for index in range(1, 6)), "test_batch.bin"):
            (folder / name).write_bytes(bytes(3073))


@pytest.fixture
def torchvision(monkeypatch):
    return Torchvision(monkeypatch)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "mnist",
            "data mnist needs train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, not found in ROOT/MNIST/raw; "
            "download from yann.lecun.com/exdb/mnist into ROOT/MNIST/raw, "
            "or install the extra [vision], which downloads by itself",
        ),
        (
            "fashion-mnist",
            "data fashion-mnist needs train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, not found in ROOT/FashionMNIST/raw; "
            "download from github.com/zalandoresearch/fashion-mnist into ROOT/FashionMNIST/raw, "
            "install Debian's package dataset-fashion-mnist, "
            "or install the extra [vision], which downloads by itself",
        ),
        (
            "cifar10",
            "data cifar10 needs data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, "
            "data_batch_4.bin, data_batch_5.bin, test_batch.bin, "
            "not found in ROOT/cifar-10-batches-bin; "
            "download from www.cs.toronto.edu/~kriz/cifar.html (binary version) "
            "into ROOT/cifar-10-batches-bin, "
            "or install the extra [vision], which downloads by itself",
        ),
    ],
)
def test_missing_files_are_named_with_the_remedy(tmp_path, no_torchvision, name, message):
    with pytest.raises(LandscapeError) as caught:
        datasets.load(name, tmp_path)
    assert str(caught.value) == message.replace("ROOT", str(tmp_path))
    assert not any(tmp_path.iterdir())


def test_files_of_two_folders_are_not_mixed(tmp_path, no_torchvision):
    write(tmp_path, list(IDX)[:3])
    write(tmp_path / "MNIST/raw", list(IDX)[3:])
    with pytest.raises(LandscapeError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(caught.value) == (
        f"data mnist needs t10k-labels-idx1-ubyte, not found in {tmp_path}; "
        f"download from yann.lecun.com/exdb/mnist into {tmp_path}/MNIST/raw, "
        "or install the extra [vision], which downloads by itself"
    )


def test_fashion_mnist_of_the_system_is_found(tmp_path, no_torchvision):
    write(tmp_path / "system")
    train, validation = datasets.load("fashion-mnist", tmp_path / "data")
    assert (train[1].tolist(), validation[1].tolist()) == ([3], [4])


def test_the_folder_of_debians_package_is_known():
    # As `dpkg -L dataset-fashion-mnist` lists it.
    assert [str(folder) for folder in SYSTEM_FOLDERS] == ["/usr/share/datasets/fashion-mnist"]


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]
)
def test_torchvision_downloads_what_is_missing(tmp_path, torchvision, caplog, name, folder):
    root = tmp_path / "new"
    train, _ = datasets.load(name, root)
    assert train[1].tolist() == [3]
    assert torchvision.calls == [(folder, True)]
    assert caplog.record_tuples == [
        (
            "landscape",
            logging.WARNING,
            f"data {name} is not in {root}: torchvision downloads it",
        )
    ]
    assert sorted(path.name for path in (root / folder / "raw").iterdir()) == sorted(IDX)
    datasets.load(name, root)
    assert len(torchvision.calls) == 1


def test_torchvision_downloads_binary_cifar(tmp_path, torchvision):
    train, validation = datasets.load("cifar10", tmp_path)
    assert train[0].shape == (5, 3, 32, 32)
    assert validation[0].shape == (1, 3, 32, 32)
    assert len(list((tmp_path / "cifar-10-batches-bin").iterdir())) == 6


def test_a_failed_download_leaves_nothing_and_says_why(tmp_path, torchvision):
    torchvision.error = RuntimeError("Error downloading\n  a file")
    with pytest.raises(LandscapeError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(caught.value) == (
        f"torchvision could not download data mnist into {tmp_path} "
        "(RuntimeError: Error downloading a file); "
        f"download from yann.lecun.com/exdb/mnist into {tmp_path}/MNIST/raw"
    )
    assert not any((tmp_path / "MNIST/raw").iterdir())


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (
            "raise RuntimeError('operator torchvision::nms does not exist')",
            "RuntimeError: operator torchvision::nms does not exist",
        ),
        (
            "import package_that_is_not_there",
            "ModuleNotFoundError: No module named 'package_that_is_not_there'",
        ),
    ],
)
def test_a_torchvision_that_cannot_be_imported_is_named(tmp_path, monkeypatch, source, cause):
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "packages/torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(package.parent)
    with pytest.raises(LandscapeError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(caught.value) == (
        "data mnist needs train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        f"t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, not found in {tmp_path}/MNIST/raw; "
        f"download from yann.lecun.com/exdb/mnist into {tmp_path}/MNIST/raw, "
        "or install the extra [vision], which downloads by itself "
        f"(torchvision can't be imported: {cause})"
    )

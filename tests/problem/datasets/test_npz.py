from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem import datasets

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def load(path: Path) -> Any:
    return datasets.load(f"npz:{path}")


def test_own_arrays(tmp_path):
    path = save(
        tmp_path,
        train_inputs=IMAGES,
        train_targets=np.array([[1], [0]], dtype=np.int32),
        validation_inputs=IMAGES[:1],
        validation_targets=np.array([2], dtype=np.uint8),
    )
    train, validation = load(path)
    assert train[0].dtype == torch.float32
    assert train[0].shape == (2, 1, 3, 4)
    np.testing.assert_array_equal(train[0].numpy(), IMAGES / np.float32(255))
    assert train[1].dtype == torch.int64
    assert train[1].tolist() == [1, 0]
    assert validation[1].tolist() == [2]


def test_validation_may_be_absent(tmp_path):
    # Floats stay as they are, in the other byte order and in Fortran's order of axes too.
    table = np.asfortranarray(np.array([[1.5, -2.0, 4.0], [0.0, 1.0, 300.0]], dtype=">f8"))
    path = save(tmp_path, train_inputs=table, train_targets=[0, 1], notes=np.array(["a", None]))
    train, validation = load(path)
    assert train[0].tolist() == table.tolist()
    assert validation is None


@pytest.mark.parametrize(
    "images", [IMAGES[:, 0], IMAGES.transpose(0, 2, 3, 1)], ids=["grey", "channels last"]
)
def test_keras_names_and_order_of_axes(tmp_path, images):
    path = save(tmp_path, x_train=images, y_train=[3, 1], x_test=images[:1], y_test=[3])
    train, validation = load(path)
    np.testing.assert_array_equal(train[0].numpy(), IMAGES / np.float32(255))
    assert train[1].tolist() == [3, 1]
    assert validation[0].shape == (1, 1, 3, 4)


def test_home_folder_is_understood(tmp_path, monkeypatch):
    save(tmp_path, train_inputs=IMAGES, train_targets=[0, 1])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.load("npz:~/data.npz")[0][1].tolist() == [0, 1]


GOOD = {"train_inputs": IMAGES, "train_targets": np.array([0, 1])}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"train_inputs": IMAGES, "labels": [0, 1]},
            "an npz file must hold the arrays train_inputs, train_targets and, optionally, "
            "validation_inputs, validation_targets, or Keras' x_train, y_train, x_test, y_test; "
            "train_targets, validation_inputs, validation_targets missing in PATH, "
            "which holds train_inputs, labels",
        ),
        (
            GOOD | {"validation_inputs": IMAGES},
            "an npz file must hold the arrays train_inputs, train_targets and, optionally, "
            "validation_inputs, validation_targets, or Keras' x_train, y_train, x_test, y_test; "
            "validation_targets missing in PATH, "
            "which holds train_inputs, train_targets, validation_inputs",
        ),
        (
            {},
            "an npz file must hold the arrays train_inputs, train_targets and, optionally, "
            "validation_inputs, validation_targets, or Keras' x_train, y_train, x_test, y_test; "
            "train_inputs, train_targets, validation_inputs, validation_targets missing in PATH, "
            "which holds nothing",
        ),
        (
            GOOD | {"train_targets": [0, 1, 2]},
            "train_inputs and train_targets must be of equal length, "
            "got shapes (2, 1, 3, 4) and (3,) in PATH",
        ),
        (
            {"x_train": IMAGES[:0], "y_train": np.zeros(0, dtype=int)},
            "x_train must hold at least one sample, got 0 in PATH",
        ),
        (
            GOOD | {"validation_inputs": IMAGES[:, :, :2], "validation_targets": [0, 1]},
            "validation_inputs must have the shape of train_inputs, "
            "got (1, 2, 4) and (1, 3, 4) in PATH",
        ),
        (
            GOOD | {"train_inputs": [["a"], ["b"]]},
            "train_inputs must be real numbers, got <U1 in PATH",
        ),
        (
            GOOD | {"train_inputs": [[0.0], [np.nan]]},
            "train_inputs must be finite numbers, got NaN or infinity in PATH; "
            "remove those samples",
        ),
        (
            GOOD | {"train_targets": [0.5, 1.0]},
            "train_targets must be one integer class a sample, got float64 of shape (2,) in PATH; "
            "for other targets write a problem of your own (--problem)",
        ),
        (
            GOOD | {"train_targets": [[0, 1], [1, 0]]},
            "train_targets must be one integer class a sample, got int64 of shape (2, 2) in PATH; "
            "for other targets write a problem of your own (--problem)",
        ),
        (
            GOOD | {"train_targets": [-1, 1]},
            "train_targets must be classes between 0 and 65535, got -1 to 1 in PATH; "
            "number them from 0",
        ),
        (
            GOOD | {"train_targets": np.array([None, 1])},
            "npz:FILE must name an archive of plain arrays, written by numpy.savez, got PATH "
            "(ValueError: Object arrays cannot be loaded when allow_pickle=False)",
        ),
    ],
)
def test_unfit_arrays_are_refused(tmp_path, arrays, message):
    path = save(tmp_path, **arrays)
    with pytest.raises(LandscapeError) as caught:
        load(path)
    assert str(caught.value) == message.replace("PATH", str(path))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(LandscapeError) as caught:
        load(tmp_path / "none.npz")
    assert str(caught.value) == f"npz:FILE must name an existing file, got {tmp_path}/none.npz"


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    whole = save(tmp_path, **GOOD).read_bytes()
    array = tmp_path / "array.npy"
    np.save(array, IMAGES)
    for content, cause in (
        (b"", "BadZipFile: File is not a zip file"),
        (b"class,pixel\n0,1\n", None),
        (whole[:-30], "BadZipFile: File is not a zip file"),
        (whole.replace(IMAGES.tobytes(), IMAGES.tobytes()[::-1]), None),
        (array.read_bytes(), "ValueError: a single array"),
    ):
        path.write_bytes(content)
        with pytest.raises(LandscapeError) as caught:
            load(path)
        # The words in brackets are numpy's or zipfile's.
        start, _, brackets = str(caught.value).partition(" (")
        assert start == (
            f"npz:FILE must name an archive of plain arrays, written by numpy.savez, got {path}"
        )
        assert brackets.endswith(")")
        assert "\n" not in brackets
        assert cause is None or brackets == f"{cause})"

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

X, Y = np.linspace(-1, 1, 7), np.linspace(-0.5, 1, 4)


@pytest.fixture
def theirs(tmp_path):
    """A plane in Li et al.'s layout, unfinished: filled in flat order, x fastest."""
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w") as file:
        file["dir_file"] = "net_weights.h5"
        file["xcoordinates"], file["ycoordinates"] = X, Y
        losses, accuracies = -np.ones((7, 4)), -np.ones((7, 4))
        for at, (x, y) in enumerate(zip(*(m.ravel() for m in np.meshgrid(X, Y)), strict=True)):
            if at < 24:
                losses.ravel()[at] = 0.1 + (x + 0.3) ** 2 + y**2
                accuracies.ravel()[at] = 90 - 10 * x
        file["train_loss"], file["train_acc"] = losses, accuracies
    return path


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_draws_a_foreign_surface(landscape, theirs, tmp_path):
    result = landscape("render", theirs)
    assert result.code == 0, result.err
    figures = tmp_path / "figures"
    endings = ("caption.txt", "pdf", "png")
    expected = [f"theirs-{kind}.{end}" for kind in ("contour", "surface") for end in endings]
    assert names(figures) == expected
    assert result.out.split() == [
        str(figures / f"theirs-{kind}.{end}")
        for kind in ("contour", "surface")
        for end in ("png", "pdf", "caption.txt")
    ]
    assert (figures / "theirs-contour.caption.txt").read_text() == (
        "Mean loss on a plane along the directions of net_weights.h5, imported from theirs.h5: "
        "its weights are not in that file. Axes: x: x direction (unknown unit); y: y direction "
        "(unknown unit). Grid: 7 × 4 points, x −1 to 1, y −0.5 to 1, 24 of 28 of them measured. "
        "Loss at the origin: training 0.19.\n"
    )
    assert np.ptp(imread(figures / "theirs-contour.png")[..., :3]) > 0.9


def test_draws_a_foreign_line(landscape, theirs, tmp_path):
    with h5py.File(theirs, "a") as file:
        for name in ("ycoordinates", "train_loss", "train_acc"):
            del file[name]
        file["train_loss"], file["train_acc"] = 0.1 + X**2, 90 - 10 * X
    assert landscape("render", theirs, "-o", tmp_path / "pictures").code == 0
    assert names(tmp_path / "pictures") == [
        f"theirs-curve.{ending}" for ending in ("caption.txt", "pdf", "png")
    ]


def test_draws_what_has_nothing_measured_yet(landscape, theirs):
    with h5py.File(theirs, "a") as file:
        del file["train_loss"], file["train_acc"]
    assert landscape("render", theirs, "--kind", "contour").code == 0


def test_draws_a_scan_of_ours_again(landscape, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    landscape("scan", run, "--plane", "line", "--size", 5, "--name", "again", "-q")
    scan = run / "scans" / "again.h5"
    before = (run / "figures" / "again-curve.png").read_bytes()
    (run / "figures" / "again-curve.png").unlink()
    assert landscape("render", scan).code == 0
    assert (run / "figures" / "again-curve.png").read_bytes() == before
    assert landscape("render", scan, "-o", tmp_path, "--kind", "curve").code == 0
    assert (tmp_path / "again-curve.png").read_bytes() == before


def test_mistakes(landscape, theirs, tmp_path):
    for arguments, message in {
        ("render", theirs, "--kind", "3d"): (
            "--kind must be one of contour, surface, curve, measures, got 3d"
        ),
        ("render", theirs, "--kind", "curve"): (
            "a curve figure needs a scan along a line, got one of a plane: draw its contour"
        ),
        ("render", tmp_path / "no.h5"): f"file {tmp_path}/no.h5 must exist, found none",
        ("render", __file__): None,
    }.items():
        result = landscape(*arguments)
        assert result.code == 1
        if message is not None:
            assert result.err == f"landscape: error: {message}\n"
        else:
            start = f"landscape: error: {__file__} must be an HDF5 file, got one that can't be read"
            assert result.err.startswith(start)
            assert result.err.count("\n") == 1

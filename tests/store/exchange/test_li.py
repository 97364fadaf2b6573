"""Li et al.'s files, written here in the way their scripts write them."""

from __future__ import annotations

import io
from dataclasses import replace

import h5py
import numpy as np
import pytest

from landscape.store.exchange import li
from landscape.store.scans.records import Path, Plane, Scan

X, Y = np.linspace(-1, 1, 5), np.linspace(-0.5, 0.75, 3)


def loss(x, y=0.0):
    return 1 + x + 10 * y**2


def crunch(path, x, y=None, *, upto=None, names=("train_loss", "train_acc"), f=loss):
    """Fill a surface file point by point, in flat order along a mesh; 50 % + 10 x is right."""
    with h5py.File(path, "a") as file:
        file["dir_file"] = "nets/model_300.t7_weights_xnorm=filter.h5"
        file["xcoordinates"] = x
        shape = x.shape
        places = (x,)
        if y is not None:
            file["ycoordinates"] = y
            shape = (len(x), len(y))
            places = [mesh.ravel() for mesh in np.meshgrid(x, y)]
        values = {name: -np.ones(shape) for name in names}
        for at in range(len(places[0]) if upto is None else upto):
            xy = [place[at] for place in places]
            for name in names:
                values[name].ravel()[at] = f(*xy) if name.endswith("loss") else 50 + 10 * xy[0]
        for name in names:
            file[name] = values[name]
    return path


@pytest.fixture
def theirs(tmp_path):
    return tmp_path / "theirs.h5"


def scan(x=X, y=Y, **more) -> Scan:
    """An asymmetric scan, of a line where y is empty."""
    line = not len(y)
    train = loss(x) if line else loss(x[:, None], y[None, :])
    plane = Plane("random", np.zeros(4, np.float32), np.eye(2, 4, dtype=np.float32), ("a", "b"), "")
    if line:
        plane = replace(plane, directions=plane.directions[:1], labels=("a",))
    measures = {"train_loss": train, "train_accuracy": train / 16, "validation_loss": train + 1}
    measures["validation_accuracy"] = train / 32
    return Scan(plane, x, y, measures, np.ones(train.shape, bool), **more)


def opened(content: bytes) -> h5py.File:
    return h5py.File(io.BytesIO(content), "r")


def test_a_surface_that_is_not_square(theirs):
    found = li.read_surface(crunch(theirs, X, Y))
    assert found.measures["train_loss"].shape == (5, 3)
    np.testing.assert_array_equal(found.measures["train_loss"], loss(X[:, None], Y[None, :]))
    expected = np.broadcast_to((0.5 + 0.1 * X)[:, None], (5, 3))
    np.testing.assert_allclose(found.measures["train_accuracy"], expected, rtol=1e-15)
    assert set(found.measures) == {"train_loss", "train_accuracy"}
    assert found.complete
    assert (found.x.tolist(), found.y.tolist()) == (X.tolist(), Y.tolist())
    assert found.plane.kind == "imported"
    assert found.plane.unit == "unknown unit"
    assert found.plane.origin.shape == (0,)
    assert found.plane.directions.shape == (2, 0)
    assert np.isnan(found.plane.cosine)
    assert found.provenance == {
        "imported": "theirs.h5",
        "directions": "model_300.t7_weights_xnorm=filter.h5",
    }


def test_a_surface_declared_as_it_is_filled(theirs):
    x, y = np.meshgrid(X, Y)
    with h5py.File(theirs, "w") as file:
        file["xcoordinates"], file["ycoordinates"], file["train_loss"] = X, Y, loss(x, y)
    found = li.read_surface(theirs).measures["train_loss"]
    np.testing.assert_array_equal(found, loss(X[:, None], Y[None, :]))


def test_a_line(theirs):
    names = ("train_loss", "train_acc", "test_loss", "test_acc")
    found = li.read_surface(crunch(theirs, X, names=names))
    assert found.is_line
    assert found.y.shape == (0,)
    assert found.plane.directions.shape == (1, 0)
    np.testing.assert_array_equal(found.measures["validation_loss"], loss(X))
    np.testing.assert_allclose(found.measures["validation_accuracy"], 0.5 + 0.1 * X, rtol=1e-15)


def test_an_unfinished_surface(theirs):
    found = li.read_surface(crunch(theirs, X, Y, upto=7))
    expected = np.zeros((5, 3), bool)
    expected[:, 0], expected[:2, 1] = True, True  # A row along x, and two points of the next.
    np.testing.assert_array_equal(found.measured, expected)
    for values in found.measures.values():
        np.testing.assert_array_equal(np.isnan(values), ~expected)


def test_coordinates_alone_are_a_surface_with_nothing_measured(theirs):
    found = li.read_surface(crunch(theirs, X, Y, names=()))
    assert not found.measured.any()
    assert np.isnan(found.measures["train_loss"]).all()


def test_a_loss_of_minus_one_with_an_accuracy_is_measured(theirs):
    found = li.read_surface(crunch(theirs, X, Y, f=lambda x, y: -1.0))
    assert found.complete
    assert (found.measures["train_loss"] == -1).all()


def test_nan_is_measured_and_a_loss_may_wait_for_its_accuracy(theirs):
    crunch(theirs, X, Y, f=lambda x, y: np.nan)
    with h5py.File(theirs, "a") as file:
        file["train_acc"][...] = -1
    found = li.read_surface(theirs)
    assert found.complete
    assert np.isnan(found.measures["train_accuracy"]).all()


def test_axes_that_descend_are_turned(theirs):
    found = li.read_surface(crunch(theirs, X[::-1], Y[::-1], upto=7))
    assert (found.x.tolist(), found.y.tolist()) == (X.tolist(), Y.tolist())
    expected = np.zeros((5, 3), bool)
    expected[:, 2], expected[3:, 1] = True, True
    np.testing.assert_array_equal(found.measured, expected)
    full = loss(X[:, None], Y[None, :])
    np.testing.assert_array_equal(found.measures["train_loss"][expected], full[expected])


def test_eigenvalues_have_placeholders_of_their_own(theirs):
    crunch(theirs, X, Y)
    with h5py.File(theirs, "a") as file:
        low, high = np.ones((5, 3)), -np.ones((5, 3))
        low.ravel()[:2], high.ravel()[:2] = (-1, -3), (-1, 5)
        file["min_eig"], file["max_eig"] = low, high
        file["explained_variance_ratio_"] = [0.5, 0.25]  # Of another size: not a measure.
    found = li.read_surface(theirs).measures
    assert found["min_eig"][:3, 0].tolist()[:2] == [-1, -3]
    assert found["max_eig"][:2, 0].tolist() == [-1, 5]
    assert np.isnan(found["min_eig"]).sum() == np.isnan(found["max_eig"]).sum() == 13
    assert "explained_variance_ratio_" not in found


def test_their_plots_read_what_is_exported():
    with opened(li.surface(scan(), directions="d.h5")) as file:
        x, y = np.meshgrid(file["xcoordinates"][:], file["ycoordinates"][:])
        np.testing.assert_array_equal(file["train_loss"][:], loss(x, y))
        np.testing.assert_array_equal(file["train_acc"][:], loss(x, y) / 16 * 100)
        np.testing.assert_array_equal(file["test_loss"][:], loss(x, y) + 1)
        np.testing.assert_array_equal(file["test_acc"][:], loss(x, y) / 32 * 100)
        assert file["dir_file"].asstr()[()] == "d.h5"
    with opened(li.surface(scan(y=np.empty(0)), directions="")) as file:
        np.testing.assert_array_equal(file["train_loss"][:], loss(X))
        assert "ycoordinates" not in file


def test_their_scheduler_goes_on_with_what_is_exported():
    part = scan()
    part.measured[1, 2] = part.measured[4, 0] = False
    for values in part.measures.values():
        values[~part.measured] = np.nan
    part.measures["train_loss"][2, 0] = np.nan  # Measured.
    with opened(li.surface(part, directions="")) as file:
        values = file["train_loss"][:].ravel()
        x, y = (mesh.ravel() for mesh in np.meshgrid(X, Y))
        left = np.flatnonzero(values <= 0)
        assert {(x[at], y[at]) for at in left} == {(X[1], Y[2]), (X[4], Y[0])}
        assert np.isnan(values[2])


@pytest.mark.parametrize("y", [Y, np.empty(0)], ids=["plane", "line"])
def test_round_trip(tmp_path, y):
    expected = scan(y=y)
    first = (0,) * expected.measured.ndim
    last = (-1,) * expected.measured.ndim
    expected.measured[first] = False
    for values in expected.measures.values():
        values[first], values[last] = np.nan, np.inf
    expected.measures["train_accuracy"][:] = np.nan  # As of a problem without accuracy.
    file = tmp_path / "s.h5"
    file.write_bytes(li.surface(expected, directions="d.h5"))
    found = li.read_surface(file)
    np.testing.assert_array_equal(found.measured, expected.measured)
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)
    assert set(found.measures) == set(expected.measures)
    for name, values in expected.measures.items():
        exact = 0 if name.endswith("loss") else 1e-15
        np.testing.assert_allclose(found.measures[name], values, rtol=exact, err_msg=name)
    with opened(li.surface(found, directions="d.h5")) as again, h5py.File(file) as before:
        assert set(again) == set(before)
        for name in set(again) - {"dir_file"}:
            np.testing.assert_allclose(again[name][()], before[name][()], rtol=1e-15)


PARAMETERS = [
    {"name": "w", "shape": [1, 3], "offset": 0},
    {"name": "b", "shape": [1], "offset": 3},
]


def test_errors_are_told_by_their_attribute_and_not_by_their_name(tmp_path):
    whole = scan()
    off = np.full(whole.measured.shape, 0.25)
    mine = {**whole.measures, "train_word_error": 3 * off}
    file = tmp_path / "surface.h5"
    file.write_bytes(
        li.surface(replace(whole, measures=mine, errors={"train_loss": off}), directions="d.h5")
    )
    found = li.read_surface(file)
    assert set(found.errors) == {"train_loss"}
    np.testing.assert_array_equal(found.errors["train_loss"], off)
    np.testing.assert_array_equal(found.measures["train_word_error"], 3 * off)


def test_directions_tensor_by_tensor(tmp_path):
    plane = replace(scan().plane, directions=np.arange(8, dtype=np.float32).reshape(2, 4))
    path = tmp_path / "d.h5"
    path.write_bytes(li.directions(plane, PARAMETERS, None))
    with h5py.File(path) as file:
        assert set(file) == {"xdirection", "ydirection"}
        assert set(file["xdirection"]) == {"0", "1"}
        assert file["xdirection/0"][:].tolist() == [[0, 1, 2]]
        assert file["ydirection/0"][:].tolist() == [[4, 5, 6]]
        assert file["ydirection/1"][:].tolist() == [7]
    found = li.read_directions(path)
    assert [[tensor.tolist() for tensor in one] for one in found] == [
        [[[0, 1, 2]], [3]],
        [[[4, 5, 6]], [7]],
    ]


def test_the_share_along_each_direction_is_a_pca_s_where_the_directions_are():
    weights = np.random.default_rng(0).normal(size=(20, 4)) * (3, 2, 1, 0.5)
    centred = weights - weights.mean(0)
    _, singular, components = np.linalg.svd(centred, full_matrices=False)
    shares = singular**2 / (singular**2).sum()
    basis = 2 * components[:2]  # Of any length.
    plane = replace(scan().plane, directions=basis.astype(np.float32))
    nothing = np.full(20, np.nan)
    xy = centred @ np.linalg.pinv(basis)
    path = Path("", "", np.arange(20), xy, nothing, nothing, nothing, shares[:2].sum(), 0.5)
    with opened(li.directions(plane, PARAMETERS, path)) as file:
        found = file["explained_variance_ratio_"][:]
    np.testing.assert_allclose(found, shares[:2], rtol=1e-5)
    with opened(li.projection(path)) as file:
        np.testing.assert_array_equal(file["proj_xcoord"][:], xy[:, 0])
        np.testing.assert_array_equal(file["proj_ycoord"][:], xy[:, 1])
        np.testing.assert_array_equal(file["step"][:], np.arange(20))

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from landscape.store.scans import scanfile

from .conftest import MEASURE


@pytest.fixture
def run(trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    return copy


@pytest.fixture(scope="module")
def scanned_once(landscape, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanned") / "run"
    shutil.copytree(trained, folder)
    result = landscape(
        *MEASURE, folder, "--plane", "random", "--size", "5x3", "--name", "mine", "-q"
    )
    assert result.code == 0, result.err
    return folder


@pytest.fixture
def scanned(scanned_once, tmp_path):
    return shutil.copytree(scanned_once, tmp_path / "scanned")


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("li", ["mine-directions.h5", "mine-projection.h5", "mine-surface.h5"]),
        ("vtk", ["mine-path.vtp", "mine.vts"]),
        ("csv", ["mine-grid.csv", "mine-path.csv", "mine-points.csv"]),
        ("npz", ["mine.npz"]),
    ],
)
def test_a_scan(to, expected, landscape, scanned):
    result = landscape("export", scanned / "scans" / "mine.h5", "--to", to)
    assert result.code == 0, result.err
    assert names(scanned / "exports") == expected
    assert sorted(result.out.split()) == [str(scanned / "exports" / name) for name in expected]
    assert result.err == ""


@pytest.mark.parametrize("several", [("csv,npz",), ("csv", "--to", "npz")])
def test_several_formats_have_the_files_of_each(several, landscape, scanned, tmp_path):
    alone = [
        landscape("export", scanned, "--to", to, "-o", tmp_path / "alone") for to in ("csv", "npz")
    ]
    result = landscape("export", scanned, "--to", *several, "-o", tmp_path / "both")
    assert result.code == 0, result.err
    assert {"mine.npz", "mine-grid.csv", "trajectory.npz"} < set(names(tmp_path / "both"))
    said = "".join(one.out for one in alone)
    assert result.out == said.replace(str(tmp_path / "alone"), str(tmp_path / "both"))
    for file in (tmp_path / "alone").iterdir():
        assert (tmp_path / "both" / file.name).read_bytes() == file.read_bytes()


def test_of_several_formats_none_is_written_where_one_is_refused(landscape, scanned):
    assert landscape("export", scanned, "--to", "npz").code == 0
    result = landscape("export", scanned, "--to", "csv,npz")
    assert result.err.startswith("landscape: error: an export needs new files, ")
    assert names(scanned / "exports") == ["mine.npz", "trajectory.npz"]
    result = landscape("export", scanned, "--to", "csv,obj", "--overwrite")
    assert result.err == (
        "landscape: error: the format to export to must be one of li, vtk, csv, npz, got obj\n"
    )
    assert names(scanned / "exports") == ["mine.npz", "trajectory.npz"]


def test_a_run_into_another_folder(landscape, scanned, tmp_path):
    result = landscape("export", scanned, "--to", "csv", "-o", tmp_path / "a" / "b")
    assert result.code == 0, result.err
    assert "trajectory.csv" in names(tmp_path / "a" / "b")


def test_a_scan_along_exported_directions_is_the_scan(landscape, scanned):
    scan = scanned / "scans" / "mine.h5"
    landscape("export", scan, "--to", "li")
    directions = scanned / "exports" / "mine-directions.h5"
    result = landscape(*MEASURE, scanned, "--directions", directions, "--size", "5x3", "-q")
    assert result.code == 0, result.err
    mine = scanfile.load(scan)
    found = scanfile.load(scanned / "scans" / "imported-final-0.h5")
    assert found.plane.kind == "imported"
    np.testing.assert_array_equal(found.plane.directions, mine.plane.directions)
    for name, values in mine.measures.items():
        np.testing.assert_allclose(found.measures[name], values, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.paths[0].xy, mine.paths[0].xy, atol=1e-9)


@pytest.mark.slow
def test_a_line_along_a_direction_of_states(landscape, run, tmp_path):
    """The mlp has no buffers: its state is its parameters."""
    shapes = [(8, 2), (8,), (8, 8), (8,), (2, 8), (2,)]
    path = tmp_path / "d.h5"
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(shapes):
            file[f"xdirection/{number}"] = np.full(shape, number / 10)
    options = ("scan", run, "--directions", path, "--size", 3, "-q")
    result = landscape(*options, "--name", "foreign")
    assert result.code == 0, result.err
    found = scanfile.load(run / "scans" / "foreign.h5")
    assert found.is_line
    assert found.plane.directions[0, -1] == np.float32(0.5)
    assert (run / "figures" / "foreign-curve.png").exists()
    with h5py.File(path, "a") as file:
        file["xdirection/5"][...] = 1
    result = landscape(*options, "--name", "foreign", "--resume")
    assert result.err == (
        f"landscape: error: resume needs the directions that {run}/scans/foreign.h5 was started "
        "with, got others as x direction of d.h5; drop --resume and give another --name\n"
    )


def test_buffers_of_states_are_said_to_be_ignored(landscape, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import torch\n"
        "from torch import nn\n"
        "from landscape.problem import Problem\n"
        "def normed():\n"
        "    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))\n"
        "    x = torch.randn(20, 2)\n"
        "    return Problem(model, (x, (x[:, 0] > 0).long()))\n"
    )
    run = tmp_path / "run"
    problem = ("--problem", f"{own}:normed")
    assert landscape("train", *problem, "--steps", 3, "-o", run, "-q").code == 0
    # Linear, BatchNorm with mean, variance and counter, Linear.
    shapes = [(3, 2), (3,), (3,), (3,), (3,), (3,), (), (2, 3), (2,)]
    with h5py.File(tmp_path / "states.h5", "w") as file:
        for number, shape in enumerate(shapes):
            file[f"xdirection/{number}"] = np.full(shape, 1.0 + number)
    options = ("--directions", tmp_path / "states.h5", "--size", 3, "-q")
    result = landscape(*MEASURE, run, *options)
    assert result.code == 0, result.err
    assert "3 buffers of the direction file ignored: directions move parameters only" in result.out
    [vector] = scanfile.load(run / "scans" / "imported-final-0.h5").plane.directions
    expected = [1.0] * 6 + [2.0] * 3 + [3.0] * 3 + [4.0] * 3 + [8.0] * 6 + [9.0] * 2
    assert vector.tolist() == expected


def test_mistakes(landscape, scanned, tmp_path):
    landscape("export", scanned, "--to", "li")
    directions = scanned / "exports" / "mine-directions.h5"
    other = tmp_path / "other.h5"
    shutil.copy(directions, other)
    with h5py.File(other, "a") as file:
        del file["ydirection/1"]
        file["ydirection/1"] = np.ones(9)
    for arguments, message in {
        ("export", scanned, "--to", "li"): (
            f"an export needs new files, {scanned}/exports/mine-surface.h5 exists; "
            "replace it with --overwrite, or give another folder with --output"
        ),
        ("export", scanned, "--to", "obj"): (
            "the format to export to must be one of li, vtk, csv, npz, got obj"
        ),
        (*MEASURE, scanned, "--directions", other): (
            "ydirection of other.h5 must have the tensors of the run: "
            "number 1 is hidden1.bias (8,), got (9,)"
        ),
        (*MEASURE, scanned, "--directions", scanned / "exports" / "mine-surface.h5"): (
            f"{scanned}/exports/mine-surface.h5 must be a direction file of Li et al., with "
            "xdirection, got a surface file: draw it with `landscape render`"
        ),
        (*MEASURE, scanned, "--directions", directions, "--plane", "line"): (
            "--directions makes the plane, got --plane line too; drop one of them"
        ),
    }.items():
        result = landscape(*arguments)
        assert result.code == 1
        assert result.err == f"landscape: error: {message}\n"
    assert names(scanned / "scans") == ["mine.h5"]
    assert landscape("export", scanned, "--to", "li", "--overwrite").code == 0

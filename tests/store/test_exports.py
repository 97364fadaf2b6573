from __future__ import annotations

import csv
import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import exports
from landscape.store.exchange import li
from landscape.store.scans import scanfile
from landscape.store.sources import load_scan

from ..recorded import record
from .planted import X, Y, scan


@pytest.fixture
def run(recording):
    """A run's folder with a scan of a plane and one along a line."""
    recording.flushes(3)
    record(recording.folder)
    (recording.folder / "scans").mkdir()
    for name, line in (("plane", False), ("line-0.5", True)):
        scanfile.save(recording.folder / "scans" / f"{name}.h5", scan(line=line))
    return recording.folder


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (
            "li",
            [
                *("line-0.5-directions.h5", "line-0.5-surface.h5", "plane-directions.h5"),
                *("plane-projection-1.h5", "plane-projection.h5", "plane-surface.h5"),
            ],
        ),
        ("vtk", ["line-0.5-path.vtp", "line-0.5.vts", "plane-path.vtp", "plane.vts"]),
        (
            "csv",
            [
                *("line-0.5-grid.csv", "line-0.5-path.csv", "line-0.5-points.csv"),
                *("plane-grid.csv", "plane-path.csv", "plane-points.csv"),
                *("steps.csv", "trajectory.csv"),
            ],
        ),
        ("npz", ["line-0.5.npz", "plane.npz", "trajectory.npz"]),
    ],
)
def test_a_run_in_each_format(run, to, expected):
    done = exports.export(run, to=to)
    assert names(run / "exports") == expected
    assert sorted(done.files) == [run / "exports" / name for name in expected]
    assert done.notes == ()


@pytest.mark.parametrize("line", [False, True], ids=["plane", "line"])
def test_csv_holds_the_same_numbers(run, tmp_path, line):
    name, expected = ("line-0.5" if line else "plane"), scan(line=line)
    exports.export(run / "scans" / f"{name}.h5", to="csv", folder=tmp_path)
    grid = rows(tmp_path / f"{name}-grid.csv")
    letters = "x" if line else "xy"
    assert list(grid[0])[: len(letters) + 1] == [*letters, "measured"]
    assert set(grid[0]) == {*letters, "measured", "train_loss", "train_accuracy"}
    assert len(grid) == expected.measured.size
    for row in grid:
        places = zip((X, Y), (float(row[letter]) for letter in letters), strict=False)
        index = tuple(axis.tolist().index(value) for axis, value in places)
        assert row["measured"] == str(int(expected.measured[index]))
        for measure, values in expected.measures.items():
            np.testing.assert_equal(float(row[measure]), values[index])
    path = rows(tmp_path / f"{name}-path.csv")
    assert [row["path"] for row in path] == ["0"] * 4 + ["1"] * 4
    assert [row["name"] for row in path] == ["run"] * 4 + ["twin, other"] * 4
    assert [int(row["step"]) for row in path] == [0, 3, 9, 12, 1, 4, 10, 13]
    for axis, letter in enumerate(letters):
        found = [float(row[letter]) for row in path]
        np.testing.assert_array_equal(
            found, np.concatenate([p.xy[:, axis] for p in expected.paths])
        )
    for column in ("distance_from_plane", "true_loss", "plane_loss"):
        found = [float(row[column]) for row in path]
        values = np.concatenate([getattr(p, column) for p in expected.paths])
        np.testing.assert_array_equal(found, values)
    assert [row["interpolated"] for row in path] == 2 * ["0", "1", "0", "0"]
    [start, end] = rows(tmp_path / f"{name}-points.csv")
    assert (start["name"], end["name"], end["step"], float(end["x"])) == (
        "start",
        "end",
        "12",
        1 / 3,
    )


@pytest.mark.parametrize("line", [False, True], ids=["plane", "line"])
def test_npz_holds_the_whole_scan(run, tmp_path, line):
    name, expected = ("line-0.5" if line else "plane"), scan(line=line)
    exports.export(run / "scans" / f"{name}.h5", to="npz", folder=tmp_path)
    with np.load(tmp_path / f"{name}.npz") as found:  # No pickle.
        pairs = {"x": expected.x, "y": expected.y, "measured": expected.measured}
        pairs |= {"origin": expected.plane.origin, "directions": expected.plane.directions}
        pairs |= expected.measures
        pairs |= {
            "path_1_xy": expected.paths[1].xy,
            "path_0_true_loss": expected.paths[0].true_loss,
        }
        for key, values in pairs.items():
            assert found[key].dtype == values.dtype
            np.testing.assert_array_equal(found[key], values)
        assert found["points_name"].tolist() == ["start", "end"]
        assert found["points_xy"].tolist() == [list(point.xy) for point in expected.points]
        about = json.loads(str(found["about"]), parse_constant=pytest.fail)
    assert about["labels"] == list(expected.plane.labels)
    assert (about["kind"], about["run_name"], about["constant_loss"]) == ("along", "high-lr", None)
    assert about["paths"][1]["name"] == "twin, other"


def test_a_run_s_trajectory(run, tmp_path):
    exports.export(run, to="csv", folder=tmp_path)
    exports.export(run, to="npz", folder=tmp_path)
    recorded = rows(tmp_path / "trajectory.csv")
    steps = rows(tmp_path / "steps.csv")
    with h5py.File(run / "trajectory.h5") as file, np.load(tmp_path / "trajectory.npz") as arrays:
        for name in ("step", "kind", "train_loss", "validation_accuracy"):
            np.testing.assert_array_equal([float(row[name]) for row in recorded], file[name])
            np.testing.assert_array_equal(arrays[name], file[name])
        found = [float(row["gradient_norm"]) for row in steps]
        np.testing.assert_array_equal(found, file["steps/gradient_norm"])
        np.testing.assert_array_equal(arrays["steps_batch_loss"], file["steps/batch_loss"])
    assert [row["step"] for row in steps] == [str(step) for step in range(len(steps))]


@pytest.mark.parametrize("line", [False, True], ids=["plane", "line"])
def test_li_s_layout_and_back(run, tmp_path, line):
    name, expected = ("line-0.5" if line else "plane"), scan(line=line)
    exports.export(run / "scans" / f"{name}.h5", to="li", folder=tmp_path)
    found = load_scan(tmp_path / f"{name}-surface.h5")
    assert found.plane.kind == "imported"
    assert found.provenance["directions"] == f"{name}-directions.h5"
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)
    np.testing.assert_array_equal(found.measured, expected.measured)
    np.testing.assert_array_equal(found.measures["train_loss"], expected.measures["train_loss"])
    directions = li.read_directions(tmp_path / f"{name}-directions.h5")
    for vector, (weight, bias) in zip(expected.plane.directions, directions, strict=True):
        np.testing.assert_array_equal(weight, vector[:6].reshape(2, 3))
        np.testing.assert_array_equal(bias, vector[6:])


def test_a_foreign_surface_in_vtk_and_in_its_own_layout(run, tmp_path):
    exports.export(run / "scans" / "plane.h5", to="li", folder=tmp_path)
    exports.export(tmp_path / "plane-surface.h5", to="vtk")
    assert names(tmp_path / "exports") == ["plane-surface.vts"]
    done = exports.export(tmp_path / "plane-surface.h5", to="li")
    assert done.notes == (
        f"no direction file for {tmp_path}/plane-surface.h5: the shapes of its weights' tensors "
        "aren't known, only a scan in its run's folder has them beside it",
    )
    [again] = done.files
    with h5py.File(again) as file:
        assert file["dir_file"].asstr()[()] == "plane-directions.h5"
        assert file["train_loss"].shape == (3, 5)


def test_files_that_are_there(run):
    exports.export(run, to="csv")
    (run / "exports" / "line-0.5-grid.csv").unlink()
    before = {path: path.stat().st_mtime_ns for path in (run / "exports").iterdir()}
    with pytest.raises(LandscapeError) as caught:
        exports.export(run, to="csv")
    assert str(caught.value) == (
        f"an export needs new files, {run}/exports/line-0.5-path.csv exists; "
        "replace it with --overwrite, or give another folder with --output"
    )
    assert {path: path.stat().st_mtime_ns for path in (run / "exports").iterdir()} == before
    exports.export(run, to="csv", overwrite=True)
    assert (run / "exports" / "line-0.5-grid.csv").exists()


def test_a_full_disk_leaves_nothing_half_written(run, full_disk):
    with full_disk(), pytest.raises(LandscapeError) as caught:
        exports.export(run / "scans" / "plane.h5", to="npz")
    assert str(caught.value) == (
        f"{run}/exports/plane.npz must be writable, got: No space left on device; "
        "nothing was written"
    )
    assert names(run / "exports") == []


def test_what_can_not_be_exported(run, tmp_path):
    for path in (run / "scans").iterdir():
        path.unlink()
    scanfile.save(tmp_path / "s.h5", replace(scan(), paths=(), points=()))
    file = run / "run.json" / "x"
    attempts = {
        "the format to export to must be one of li, vtk, csv, npz, got xml": (run, "xml", None),
        f"an export to vtk needs a scan, {run} has none; make one with `landscape scan {run}`": (
            run,
            "vtk",
            None,
        ),
        f"file {tmp_path}/no.h5 must exist, found none": (tmp_path / "no.h5", "vtk", None),
        f"{run}/trajectory.h5 must be of format landscape-scan, got landscape-trajectory": (
            run / "trajectory.h5",
            "vtk",
            None,
        ),
        f"{file} must be a folder that can be written to, got: Not a directory": (
            tmp_path / "s.h5",
            "csv",
            file,
        ),
    }
    for message, (source, to, folder) in attempts.items():
        with pytest.raises(LandscapeError) as caught:
            exports.export(source, to=to, folder=folder)
        assert str(caught.value) == message

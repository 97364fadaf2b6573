"""VTK's own reader, by way of pyvista, on the files we write."""

from __future__ import annotations

import numpy as np
import pytest
import pyvista

from landscape.store.exchange import vtk
from landscape.store.scans.records import Path, Scan

from ..planted import X, Y, loss, scan


@pytest.fixture
def read(tmp_path):
    """Write a file's content and read it with VTK."""

    def reading(content: bytes, name: str):
        (tmp_path / name).write_bytes(content)
        return pyvista.read(tmp_path / name)

    return reading


def test_the_surface_in_vtk(read):
    grid = read(vtk.surface(scan()), "s.vts")
    expected = scan()
    assert grid.dimensions == (5, 3, 1)
    assert grid.active_scalars_name == "train_loss"
    for point, value, there in zip(grid.points, grid["train_loss"], grid["measured"], strict=True):
        i, j = (int(np.argmin(np.abs(a - c))) for a, c in zip((X, Y), point[:2], strict=True))
        assert tuple(point[:2]) == (X[i], Y[j])
        np.testing.assert_equal(value, expected.measures["train_loss"][i, j])
        assert there == expected.measured[i, j]
        if np.isfinite(value):
            assert point[2] == np.log10(loss(X[i], Y[j]))
    assert np.isfinite(grid.points).all()
    assert grid.points[:, 2].max() == np.log10(loss(X[4], Y[2]))  # Where infinity stands too.
    assert set(grid.point_data) == {"train_loss", "train_accuracy", "measured"}
    assert grid["train_accuracy"].dtype == np.float64
    assert list(grid.field_data["height"]) == ["log10 of train_loss"]


def test_the_paths_in_vtk(read):
    found = read(vtk.paths(scan()), "p.vtp")
    first, second = scan().paths
    kept = [0, 1, 3]  # The row of NaN coordinates is left out.
    assert found.lines.tolist() == [4, 0, 1, 2, 3, 3, 4, 5, 6]
    assert found.cell_data["path"].tolist() == [0, 1]
    np.testing.assert_array_equal(found.points[:, :2], np.concatenate([first.xy, second.xy[kept]]))
    np.testing.assert_array_equal(found["step"], [0, 3, 9, 12, 1, 4, 13])
    for name in ("true_loss", "plane_loss", "distance_from_plane"):
        expected = np.concatenate([getattr(first, name), getattr(second, name)[kept]])
        np.testing.assert_array_equal(found[name], expected)
    assert found["interpolated"].tolist() == [0, 1, 0, 0, 0, 1, 0]
    heights = [np.log10(4), np.log10(4) / 2, 0, np.log10(2)]  # Interpolated where not known.
    np.testing.assert_allclose(found.points[:4, 2], heights, atol=1e-15)


def test_losses_that_are_not_positive_have_linear_heights(read):
    content = scan()
    content.measures["train_loss"][:] = loss(X[:, None], Y[None, :]) - 3
    grid = read(vtk.surface(content), "s.vts")
    np.testing.assert_array_equal(grid.points[:, 2], grid["train_loss"])
    assert list(grid.field_data["height"]) == ["train_loss"]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8])
def test_measures_of_other_types_are_written_as_floats(read, kind):
    content = scan()
    values = np.arange(15).reshape(5, 3).astype(kind)
    content.measures["train_accuracy"] = values
    grid = read(vtk.surface(content), "s.vts")
    assert grid["train_accuracy"].dtype == np.float64
    assert sorted(grid["train_accuracy"]) == list(range(15))


def test_a_line_in_vtk(read):
    grid = read(vtk.surface(scan(line=True)), "s.vts")
    assert grid.dimensions == (5, 1, 1)
    np.testing.assert_array_equal(grid.points[:, 0], X)
    np.testing.assert_array_equal(grid["train_loss"], scan(line=True).measures["train_loss"])
    path = read(vtk.paths(scan(line=True)), "p.vtp")
    np.testing.assert_array_equal(path.points[:4, 0], scan(line=True).paths[0].xy[:, 0])
    assert not path.points[:, 1].any()


def test_names_that_xml_would_take_for_its_own(read):
    content = scan()
    content.measures['a < b & "c"'] = content.measures["train_loss"] + 1
    assert 'a < b & "c"' in read(vtk.surface(content), "s.vts").point_data
    path = content.paths[0]
    few = Path(**{**vars(path), **{n: getattr(path, n)[:1] for n in ROWS}})
    alone = read(vtk.paths(Scan(**{**vars(content), "paths": (few,)})), "p.vtp")
    assert alone["step"].tolist() == [0]


ROWS = ("step", "xy", "distance_from_plane", "true_loss", "plane_loss", "interpolated")

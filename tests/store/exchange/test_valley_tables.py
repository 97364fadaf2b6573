from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import exports
from landscape.store.exchange import valley_tables
from landscape.store.scans import valleyfile
from landscape.store.scans.certificates import Certificate
from landscape.store.sources import load_scanned

from ..compared import same


@pytest.fixture
def valley(planted):
    return replace(
        planted.valley(),
        errors={"train_loss": np.full((24, 21), 0.1)},
        constant_loss=float("nan"),
        tracked=np.arange(3, dtype=np.float32),
        tolerance=0.01,
        certificate=Certificate(
            0.01,
            1,
            np.array([[3.0, -0.5], [7.0, 0.5]]),
            {"train_loss": np.array([0.5, 3.1])},
            {"train_loss": np.array([0.501, 3.0])},
            {"train_loss": 2.0},
            {"train_loss": 0.002},
            np.array([True, False]),
        ),
        subset={"train_loss": np.full((24, 21), 0.7)},
    )


def test_exported_arrays_are_read_back(valley, tmp_path):
    path = tmp_path / "valley-random-0.h5"
    valleyfile.save(path, valley)
    done = exports.export(path, to="npz", folder=tmp_path / "out")
    [file] = done.files
    assert file.name == "valley-random-0.npz"
    same(load_scanned(file), valley)


def test_tables_have_a_line_a_point_and_a_row(valley, tmp_path):
    grid, rows = (
        list(csv.DictReader(io.StringIO(make(valley).decode())))
        for make in (valley_tables.grid, valley_tables.rows)
    )
    assert (len(grid), len(rows)) == (24 * 21, 24)
    one = grid[5 * 21 + 3]
    assert (one["row"], one["step"], float(one["y"])) == ("5", "200", valley.y[3])
    assert float(one["train_loss"]) == valley.measures["train_loss"][5, 3]
    assert float(one["distance"]) == pytest.approx(valley.y[3] * valley.slices.length[5])
    assert float(rows[7]["width_0.5"]) == valley.width(0.5)[7]
    assert float(rows[7]["train_loss"]) == valley.loss[7]


def test_the_held_out_points_are_a_table(valley, tmp_path):
    path = tmp_path / "mine.h5"
    valleyfile.save(path, valley)
    done = exports.export(path, to="csv", folder=tmp_path / "out")
    assert [file.name for file in done.files] == [
        "mine-grid.csv",
        "mine-rows.csv",
        "mine-certificate.csv",
    ]
    assert done.files[-1].read_text().splitlines() == [
        "x,y,train_loss_predicted,train_loss_measured",
        "3.0,-0.5,0.5,0.501",
        "7.0,0.5,3.1,3.0",
    ]


@pytest.mark.parametrize("to", ["li", "vtk"])
def test_formats_of_surfaces_hold_no_slices(valley, tmp_path, to):
    path = tmp_path / "valley.h5"
    valleyfile.save(path, valley)
    with pytest.raises(LandscapeError) as caught:
        exports.export(path, to=to, folder=tmp_path / "out")
    assert str(caught.value) == (
        f"a valley is slices, no surface, {to} holds surfaces: {path} can be exported to csv or npz"
    )
    assert not (tmp_path / "out").exists()


def test_other_arrays_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, about=np.array('{"format": "other"}'))
    with pytest.raises(LandscapeError, match=r"must be a valley as `landscape export --to npz`"):
        load_scanned(path)
    path.write_bytes(b"nothing")
    with pytest.raises(LandscapeError, match=r"must be a valley as `landscape export --to npz`"):
        load_scanned(path)

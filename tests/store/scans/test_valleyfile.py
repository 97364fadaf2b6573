"""A valley's file: what is written is read, others are told apart, old readers refuse it."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.hdf5 import reading
from landscape.store.scans import scanfile, valleyfile
from landscape.store.scans.certificates import Certificate
from landscape.store.scans.records import FORMAT, VERSION
from landscape.store.sources import load_scan, load_scanned

from ...sealing import sealed
from ..compared import same


def test_what_is_written_is_read(planted, tmp_path):
    path = tmp_path / "valley.h5"
    wanted = replace(
        planted.valley(),
        errors={"train_loss": np.full((24, 21), 0.1), "validation_loss": np.zeros((24, 21))},
        tracked=np.arange(5, dtype=np.float32),
        across="sharpest",
        tolerance=0.01,
        held_out=2,
        certificate=Certificate(
            0.01,
            2,
            np.array([[3.0, -0.5], [7.0, 0.5]]),
            {"train_loss": np.array([0.5, 3.1])},
            {"train_loss": np.array([0.501, 3.0])},
            {"train_loss": 2.0},
            {"train_loss": 0.002},
            np.array([True, False]),
        ),
        subset={"train_loss": np.full((24, 21), 0.7)},
        normalizes=True,
        constant_loss=float("nan"),
    )
    valleyfile.save(path, wanted)
    same(valleyfile.load(path), wanted)
    same(load_scanned(path), wanted)


def test_its_layout_is_the_contract(planted, tmp_path):
    path, wanted = tmp_path / "valley.h5", planted.valley()
    valleyfile.save(path, wanted)
    with h5py.File(path) as file:
        assert file.attrs["format"] == "landscape-scan"
        assert (file.attrs["version"], file.attrs["kind"]) == (2, "valley")
        assert bool(file.attrs["complete"])
        assert file["grid/x"][:].tolist() == list(range(24))
        assert 0 in file["grid/y"][:]
        assert file["grid/train_loss"].shape == file["grid/measured"].shape == (24, 21)
        for name in ("step", "travelled", "length"):
            np.testing.assert_array_equal(file["valley"][name][:], getattr(wanted.slices, name))
        assert "plane" not in file


def test_a_reader_of_the_first_version_refuses_it(planted, tmp_path):
    path = tmp_path / "valley.h5"
    valleyfile.save(path, planted.valley())
    with pytest.raises(LandscapeError) as caught, reading(path, FORMAT, VERSION):
        pass
    assert str(caught.value) == (
        f"{path} must be of version 1 or older, got 2; install a newer landscape"
    )


def test_it_is_no_plane_and_a_plane_no_valley(planted, tmp_path):
    path, plane = tmp_path / "valley.h5", tmp_path / "plane.h5"
    valleyfile.save(path, planted.valley())
    scanfile.save(plane, planted.bowl())
    for load in (scanfile.load, load_scan):
        with pytest.raises(LandscapeError) as caught:
            load(path)
        assert str(caught.value) == (
            f"{path} must be a scan of a plane or a line, got a valley, slices across a path"
        )
    assert scanfile.findings(path) == {}
    with pytest.raises(LandscapeError) as caught:
        valleyfile.load(plane)
    assert str(caught.value) == f"{plane} must be a valley, got a scan of kind random"


def test_a_part_that_is_missing(planted, tmp_path):
    path = tmp_path / "valley.h5"
    valleyfile.save(path, planted.valley())
    with h5py.File(path, "a") as file:
        del file["valley/walls"]
    sealed(path)
    with pytest.raises(LandscapeError, match=r"must be a whole valley, a part is missing: .*walls"):
        valleyfile.load(path)

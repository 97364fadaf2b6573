"""What goes with interpolated and sampled losses, in every format and back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import pyvista

from landscape.store import exports
from landscape.store.scans import scanfile
from landscape.store.scans.certificates import Certificate
from landscape.store.scans.records import Scan
from landscape.store.sources import load_scan

from .planted import scan


def interpolated() -> Scan:
    """Points that were measured and others, with errors, a subset's losses and a certificate."""
    whole = scan()
    rng = np.random.default_rng(5)
    measured = np.arange(15).reshape(5, 3) % 3 == 0
    train = 2 + rng.uniform(size=(5, 3))
    measures = {"train_loss": train, "train_accuracy": 1 / train, "validation_loss": 2 * train}
    errors = {name: np.where(measured, 0.0, rng.uniform(0, 0.1, (5, 3))) for name in measures}
    held_out = rng.uniform(size=(4, 2))
    guessed = {"train_loss": rng.uniform(size=4)}
    return replace(
        whole,
        measures=measures,
        measured=measured,
        errors=errors,
        subset={"train_loss": 1.1 * train},
        tolerance=0.02,
        certificate=Certificate(0.02, 1, held_out, guessed, {"train_loss": rng.uniform(size=4)}),
    )


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "s.h5"
    scanfile.save(path, interpolated())
    return path


def test_csv(stored, tmp_path):
    expected = interpolated()
    exports.export(stored, to="csv", folder=tmp_path)
    with (tmp_path / "s-grid.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = {f"{name}_error": values for name, values in expected.errors.items()}
    columns |= {"subset_train_loss": expected.subset["train_loss"], "measured": expected.measured}
    for name, values in columns.items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], values.ravel())
    with (tmp_path / "s-certificate.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = expected.certificate
    columns = {"x": found.xy[:, 0], "y": found.xy[:, 1]}
    columns["train_loss_predicted"] = found.predicted["train_loss"]
    columns["train_loss_measured"] = found.measured["train_loss"]
    assert set(rows[0]) == set(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], values)


def test_npz(stored, tmp_path):
    expected = interpolated()
    exports.export(stored, to="npz", folder=tmp_path)
    with np.load(tmp_path / "s.npz") as found:
        for name, values in expected.errors.items():
            np.testing.assert_array_equal(found[f"{name}_error"], values)
        np.testing.assert_array_equal(found["subset_train_loss"], expected.subset["train_loss"])
        np.testing.assert_array_equal(found["measured"], expected.measured)
        np.testing.assert_array_equal(found["certificate_y"], expected.certificate.xy[:, 1])
        guessed = expected.certificate.predicted["train_loss"]
        np.testing.assert_array_equal(found["certificate_train_loss_predicted"], guessed)
        about = json.loads(str(found["about"]))
    assert (about["tolerance"], about["complete"]) == (0.02, True)


def test_vtk(stored, tmp_path):
    expected = interpolated()
    exports.export(stored, to="vtk", folder=tmp_path)
    found = pyvista.read(tmp_path / "s.vts").point_data
    for name, values in expected.errors.items():
        np.testing.assert_array_equal(found[f"{name}_error"], values.T.ravel())
    np.testing.assert_array_equal(
        found["subset_train_loss"], expected.subset["train_loss"].T.ravel()
    )
    np.testing.assert_array_equal(found["measured"], expected.measured.T.ravel())


def test_li_s_layout_and_back(stored, tmp_path):
    expected = interpolated()
    exports.export(stored, to="li", folder=tmp_path)
    found = load_scan(tmp_path / "s-surface.h5")
    np.testing.assert_array_equal(found.measured, expected.measured)
    assert found.tolerance == expected.tolerance
    assert not found.complete  # the certificate has no place there
    np.testing.assert_array_equal(found.uncertain, expected.uncertain)
    assert set(found.measures) == set(expected.measures)
    assert set(found.errors) == set(expected.errors)
    for name, values in expected.errors.items():
        np.testing.assert_allclose(found.errors[name], values, rtol=1e-15)


def test_standard_errors_of_a_subset(tmp_path):
    few = scan()
    few = replace(few, errors={"train_loss": np.full((5, 3), 0.25)})
    scanfile.save(tmp_path / "few.h5", few)
    for to in ("csv", "li"):
        exports.export(tmp_path / "few.h5", to=to, folder=tmp_path)
    with (tmp_path / "few-grid.csv").open() as file:
        assert {row["train_loss_error"] for row in csv.DictReader(file)} == {"0.25"}
    found = load_scan(tmp_path / "few-surface.h5")
    np.testing.assert_array_equal(found.errors["train_loss"], few.errors["train_loss"])
    np.testing.assert_array_equal(found.measured, few.measured)
    assert found.tolerance == 0

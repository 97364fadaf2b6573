from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from landscape.draw.interactive import explorer_data, explorer_page, explorer_sources
from landscape.draw.interactive.explorer_data import Entry
from landscape.draw.interactive.packing import unpacked
from landscape.draw.solid import view
from landscape.errors import LandscapeError
from landscape.store.scans import scanfile
from landscape.store.scans.records import Spread


def data_in(html):
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', html, re.S)[1])


def test_values_are_those_of_the_scan(planted):
    scan = planted.escape(21, 11)
    found = explorer_data.scan_values(scan)
    assert found["size"] == [21, 11]
    assert found["x"] == scan.x.tolist()
    for measure in found["measures"]:
        grid = unpacked(measure["values"]).reshape(21, 11)
        np.testing.assert_array_equal(grid, scan.measures[measure["name"]].astype(np.float32))
    (path,), (one,) = scan.paths, found["paths"]
    assert one["step"] == path.step.tolist()
    np.testing.assert_array_equal(unpacked(one["xy"]), path.xy.ravel().astype(np.float32))
    np.testing.assert_array_equal(unpacked(one["true"]), path.true_loss.astype(np.float32))
    np.testing.assert_array_equal(unpacked(one["plane"]), path.plane_loss.astype(np.float32))
    np.testing.assert_array_equal(
        unpacked(one["away"]), path.distance_from_plane.astype(np.float32)
    )


def test_what_a_reader_must_know_is_on_the_page(planted):
    found = explorer_data.scan_values(planted.escape(11, 7))
    assert "93 % of its variance lies in this plane (chance 0.0083 %)" in " ".join(found["facts"])
    assert "\n\nMean loss over 1,437 training and 360 validation samples" in found["caption"]
    assert found["constant"] == planted.PLATEAU


def test_odd_values_stay_what_they_are(planted):
    scan = planted.bowl(3, 3)
    losses = np.array([[1e300, 1e-300, np.nan], [np.inf, 0.5, np.nan], [1.0, 2.0, 3.0]])
    measured = np.ones((3, 3), bool)
    measured[0, 2] = False
    odd = planted.with_losses(scan, losses, measured=measured)
    found = explorer_data.scan_values(odd)
    values = unpacked(found["measures"][0]["values"]).reshape(3, 3)
    assert np.isfinite(values[0, 0])
    assert values[0, 1] > 0
    np.testing.assert_array_equal(np.isnan(values), np.isnan(losses))
    np.testing.assert_array_equal(np.isinf(values), np.isinf(losses))
    assert unpacked(found["measured"], np.uint8).tolist() == measured.ravel().astype(int).tolist()


def test_a_fine_grid_is_thinned_and_that_is_said(planted):
    found = explorer_data.scan_values(planted.bowl(401, 31))
    assert found["size"] == [201, 16]
    assert found["caption"].endswith("Shown here: 1 of every 2 grid points along each axis.")


def test_a_line_has_its_bands(planted):
    scan = planted.line(5)
    three = np.stack([scan.measures["train_loss"] * k for k in (1.0, 2.0, 3.0)])
    spread = Spread(np.arange(3), {"train_loss": three}, np.ones((3, 5), bool), np.ones((3, 1)))
    found = explorer_data.scan_values(replace(scan, spread=spread))
    assert found["kind"] == "line"
    train = found["measures"][0]
    np.testing.assert_allclose(unpacked(train["values"]), three[1], rtol=1e-6)
    low, high = (unpacked(side) for side in train["band"])
    np.testing.assert_allclose(low, three[0], rtol=1e-6)
    np.testing.assert_allclose(high, three[2], rtol=1e-6)


def test_the_first_view_is_one_of_those_of_a_printed_surface(planted):
    x, y, z = view.eye(planted.escape(21, 11))
    assert np.hypot(np.hypot(x, y), z) == pytest.approx(1)
    assert np.isclose(np.degrees(np.arcsin(z)), view.ELEVATIONS).any()
    assert np.isclose(np.degrees(np.arctan2(y, x)), view.AZIMUTHS).any()


def test_one_file_of_at_most_6_mb(planted, tmp_path):
    scan = planted.bowl(101, 101)
    many = planted.random(101, 101)
    path = replace(
        many.paths[0],
        **{
            name: getattr(many.paths[0], name)[:200]
            for name in ("step", "xy", "distance_from_plane", "true_loss", "plane_loss")
        },
    )
    file = explorer_page.save(
        [Entry("run", "random", replace(scan, paths=(path,)))], tmp_path / "explorer.html"
    )
    assert file.stat().st_size < 6e6
    assert [one.name for one in tmp_path.iterdir()] == ["explorer.html"]


def test_names_can_not_break_out_of_the_page(planted):
    html = explorer_page.page([Entry("</script><b>", "a & b", planted.bowl(5, 5))])
    assert "</script><b>" not in html
    assert data_in(html)["scans"][0]["run"] == "</script><b>"
    assert "<title>&lt;/script&gt;&lt;b&gt;</title>" in html


def test_nothing_is_loaded_from_anywhere(planted):
    html = explorer_page.page([Entry("run", "bowl", planted.bowl(5, 5))])
    mine = html.replace(explorer_page.plotly(), "")
    assert re.findall(r"https?://", mine) == []
    assert re.findall(r'(?:src|href)="(?!data:)', mine) == []


def test_nothing_to_show():
    with pytest.raises(LandscapeError) as caught:
        explorer_page.page([])
    assert str(caught.value) == "an explorer needs at least one scan, got none"


def test_sources_of_one_name_are_told_apart(planted, tmp_path):
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "same.h5")
        scanfile.save(files[-1], planted.bowl(5, 5))
    entries = explorer_sources.gather(files)
    assert [(one.run, one.name) for one in entries] == [
        ("high-lr", "same"),
        ("high-lr", "same (2)"),
    ]
    assert explorer_sources.place(files) == tmp_path / "a" / "explorer.html"

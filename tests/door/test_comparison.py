from __future__ import annotations

import re
import shutil

import pytest

import landscape as ls
from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store.scans import scanfile


@pytest.fixture
def two(moons, tmp_path):
    shutil.copytree(moons.folder, tmp_path / "measured")
    measured = ls.open(tmp_path / "measured")
    measured.scan("line", size=9)
    measured.diagnose(intervene=False, only=["curvature"])
    return measured, moons


def test_it_is_what_the_files_say(two):
    measured, plain = two
    table = ls.compare(measured, plain.folder).to_pandas()
    assert table.index.tolist() == ["measured", "moons"]
    width = scanfile.findings(measured.scans["line-final-0"].path)["width"]
    curvature = analysis.load(measured.folder, "curvature").values
    row = table.loc["measured"]
    assert row["width"] == (float("inf") if width["median"] is None else width["median"])
    assert row["width's unit"] == "filter-normalized units"
    assert row["top eigenvalue"] == curvature["eigenvalues"][-1, 0]
    assert row["trace"] == curvature["trace"][-1]
    assert row["outcome"] == measured.diagnose(intervene=False, only=["curvature"]).outcome
    assert table["learning rate"].tolist() == [0.3, 0.3]
    assert table.loc["moons"][["width", "top eigenvalue", "outcome"]].isna().all()
    losses = plain.trajectory.measures
    assert table.loc["moons"]["training loss"] == losses["train_loss"][-1]
    assert table.loc["moons"]["lowest logged training loss"] == losses["train_loss"].min()
    assert table.loc["moons"]["validation loss"] == losses["validation_loss"][-1]


def test_it_is_a_table_of_what_is_known(moons):
    found = ls.compare(moons, moons)
    head, *rows = repr(found).splitlines()
    assert re.split(r"  +", head) == list(found.columns)
    assert "width" not in found.columns
    assert rows[0] == rows[1]
    assert re.match(r"moons +finished +64 +0\.3 +0 +0 ", rows[0])
    assert found._repr_html_().count("<tr>") == 3


def test_it_needs_runs():
    message = "compare needs runs, got none; give them or their folders"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        ls.compare()

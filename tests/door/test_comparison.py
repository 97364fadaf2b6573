from __future__ import annotations

import re
import shutil

import pytest
import torch

import landscape as ls
from landscape.errors import LandscapeError
from landscape.report.comparison import ROWS
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
    assert row["width r₀.₁, median"] == (
        float("inf") if width["median"] is None else width["median"]
    )
    assert row["width's unit"] == "filter-normalized units"
    assert row["largest Hessian eigenvalue"] == curvature["eigenvalues"][-1, 0]
    assert row["Hessian trace"] == curvature["trace"][-1]
    assert row["verdict"] == measured.diagnose(intervene=False, only=["curvature"]).outcome
    assert table["learning rate"].tolist() == [0.3, 0.3]
    assert (
        table.loc["moons"][["width r₀.₁, median", "largest Hessian eigenvalue", "verdict"]]
        .isna()
        .all()
    )
    losses = plain.trajectory.measures
    assert table.loc["moons"]["last logged training loss"] == losses["train_loss"][-1]
    assert table.loc["moons"]["lowest logged training loss"] == losses["train_loss"].min()
    assert table.loc["moons"]["last logged validation loss"] == losses["validation_loss"][-1]


def test_it_is_a_table_of_what_is_known(moons):
    found = ls.compare(moons, moons)
    head, *rows = repr(found).splitlines()
    assert head.split() == ["moons", "moons"]
    assert [re.split(r"  +", row)[0] for row in rows] == list(found.columns)[1:]
    for row in rows:
        _, first, second = re.split(r"  +", row)
        assert first == second
    assert re.fullmatch(r"status +finished  finished", rows[0])
    assert re.fullmatch(r"steps +64 +64", rows[1])
    assert found._repr_html_().count("<tr>") == len(found.columns)


def test_its_words_are_those_of_the_command(two):
    found = ls.compare(*two)
    titles = {measure.title for measure in ROWS.values()}
    said = {re.split(r"  +", line)[0] for line in repr(found).splitlines()[1:]}
    settings = {"status", "steps", "learning rate", "momentum", "seed"}
    assert said - settings <= titles
    assert {"width r₀.₁, median (spread)", "Hessian trace", "verdict"} <= said
    assert max(map(len, repr(found).splitlines())) < 120


def test_the_rate_of_a_loop_of_ones_own_is_its_optimizers(tmp_path):
    problem = ls.Problem(torch.nn.Linear(2, 2), (torch.eye(2), torch.tensor([0, 1])))
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.03, momentum=0.7)
    with ls.watch(tmp_path / "own", problem, optimizer, record="1") as loop:
        problem.model(torch.eye(2)).sum().backward()
        optimizer.step()
        loop.record(0.7)
    row = ls.compare(loop.run).to_pandas().loc["own"]
    assert (row["learning rate"], row["momentum"]) == (0.03, 0.7)


def test_it_needs_runs():
    message = "compare needs runs, got none; give them or their folders"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        ls.compare()

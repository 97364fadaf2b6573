from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.report import comparison, comparison_page
from landscape.store import analysis, sweep_folder, sweep_outcomes
from landscape.store.measured.complexity import LearningCoefficient
from landscape.store.sweep_outcomes import LossSpan, Outcomes, OutcomeShare, SweptGroup, SweptRun

from ..diagnose import planted_parts
from .conftest import NAMES

ESCAPED, DRIFTING, _ = NAMES


def found(runs):
    return comparison.gathered([runs / ESCAPED, runs / DRIFTING])


def table(runs):
    return {row.title: cells for row, cells in comparison.rows(found(runs))}


def test_what_was_measured(runs):
    made = table(runs)
    curvature = analysis.load(runs / ESCAPED, "curvature").values
    top, trace = curvature["eigenvalues"][-1, 0], curvature["trace"][-1]
    for title, value in (("largest Hessian eigenvalue", top), ("Hessian trace", trace)):
        shown = made[title][0].value
        found_ = float(shown.split()[0].replace("−", "-").replace(",", ""))
        assert found_ == pytest.approx(value, rel=5e-3)
        assert shown.endswith(f"(step {curvature['step'][-1]:,})")
    assert made["verdict"][0].value.startswith("escaped, on ")
    assert made["verdict"][1].value.startswith("learned ")


def test_an_undetermined_outcome_says_so_once(runs):
    run = found(runs)[0]
    verdict = replace(run.material.verdict, verdict="undetermined", landing=None)
    verdict = replace(verdict, confidence="undetermined")
    run = replace(run, material=replace(run.material, verdict=verdict))
    assert comparison.ROWS["verdict"].value(run) == "undetermined"


def test_a_learning_coefficient_beside_its_null(runs):
    one = np.ones(1)
    known = LearningCoefficient(
        *(np.array([90]), one, one, np.array([51.2]), np.array([0.5]), np.array([47.0])),
        *(np.array([1.6]), ("",), np.ones((1, 4)), one, one, one, np.array([5]), np.array([5])),
        *(100, 0.2, 3.0, 10, 910, "nats", ()),
    )
    row = comparison.ROWS["coefficient"]
    run = found(runs)[0]
    assert row.value(run) is None
    assert row.command(run).endswith(" --only learning-coefficient")

    def said(found):
        return row.value(replace(run, measured=replace(run.measured, learning_coefficient=found)))

    assert said(known) == "51.2 ± 0.5, of a quadratic like it 47 ± 1.6 (step 90)"
    assert said(replace(known, undetermined=("a chain left",))) == (
        "undetermined: a chain left (step 90)"
    )


def test_what_was_not_names_its_command(runs):
    made = table(runs)
    one, other = (shlex.quote(str(runs / name)) for name in (ESCAPED, DRIFTING))
    width = made["width r₀.₁, median (spread)"]
    assert width[1] == comparison.ComparedCell(
        None, f"landscape scan {other} --plane line --planes 10"
    )
    barrier = made["barrier to the first run"]
    assert barrier[0].value == "itself"
    assert barrier[1] == comparison.ComparedCell(
        None, f"landscape compare {one} {other} --barriers"
    )


@pytest.mark.parametrize(
    ("error", "said"), [(3.0, "loss 0.25, 3 error points"), (math.nan, "loss 0.25")]
)
def test_barriers_that_were_measured(runs, error, said):
    straight = planted_parts.barrier(error, 0.5, 0.25)
    between = replace(
        planted_parts.connectivity(2, straight, matched=straight),
        matched=None,
        reason="its units aren't interchangeable",
    )
    made = comparison.gathered([runs / ESCAPED, runs / DRIFTING], between)
    cells = {row.title: [cell.value for cell in cells] for row, cells in comparison.rows(made)}
    assert cells["barrier to the first run"] == ["itself", said]
    assert cells["the same, units matched"] == [
        "itself",
        "nothing to match: its units aren't interchangeable",
    ]


def test_a_spread_over_seeds_as_it_was_counted(runs, tmp_path, monkeypatch):
    row, one = comparison.ROWS["seeds"], found(runs)[0]

    def of(folder):
        run = replace(one.run, folder=folder)
        return replace(one, material=replace(one.material, run=run))

    assert row.value(one) is None
    assert row.command(one) == "landscape train --seeds 3 ... (with this run's options)"
    values = {"lr0.1-seed0": 0, "lr0.1-seed1": 1, "lr0.5-seed0": 0}
    entries = [
        {"name": name, "values": {"lr": float(name[2:5]), "seed": seed}}
        for name, seed in values.items()
    ]
    folder = tmp_path / "sweep"
    sweep_folder.create(folder, varied=["lr", "seed"], arguments=[], threads=1, runs=entries)
    assert row.value(of(folder / "lr0.1-seed0")) is None
    assert row.command(of(folder / "lr0.1-seed0")) == f"landscape diagnose {folder}"
    # Counting brings no spread of a rate that has one seed; and paths stay as they were given.
    alone = "landscape train --seeds 3 ... (with this run's options)"
    assert row.command(of(folder / "lr0.5-seed0")) == alone
    assert row.command(of(folder / "another")) == alone
    monkeypatch.chdir(tmp_path)
    assert row.command(of(Path("sweep/lr0.1-seed0"))) == "landscape diagnose sweep"
    monkeypatch.chdir(folder)
    assert row.command(of(Path("lr0.1-seed0"))) == "landscape diagnose ."
    share, span = OutcomeShare(2, 1.0, 0.16, 1.0), LossSpan(0.25, 0.2, 0.3)
    swept = tuple(
        SweptRun(
            one["name"], one["values"], one["values"]["lr"], "learned", None, "x", "y", 0.2, None
        )
        for one in entries
    )
    groups = (
        SweptGroup({"lr": 0.1}, 0.1, 2, {"learned": share}, span, None),
        SweptGroup({"lr": 0.5}, 0.5, 1, {"learned": share}, span, None),
    )
    sweep_outcomes.save(folder, Outcomes("sweep", "id", groups, swept))
    assert row.value(of(folder / "lr0.1-seed1")) == (
        "2 seeds: 2 learned; training loss 0.25 (0.2 to 0.3)"
    )
    assert row.value(of(folder / "lr0.5-seed0")) is None  # a single one
    assert row.value(of(folder / "another")) is None


@pytest.mark.slow
def test_seeds(runs, sweep):
    places = sorted(path.parent for path in sweep.glob("*/run.json"))
    made = comparison.gathered(places[:2])
    cells = {row.title: cells for row, cells in comparison.rows(made)}["spread over seeds"]
    assert all(cell.value.startswith("2 seeds: ") for cell in cells)


@pytest.mark.parametrize("count", [0, 1])
def test_two_runs_are_needed(runs, count):
    with pytest.raises(LandscapeError) as caught:
        comparison.gathered([runs / ESCAPED] * count)
    assert str(caught.value) == f"a comparison needs two runs or more, got {count}"


def test_the_same_run_twice(runs):
    with pytest.raises(LandscapeError) as caught:
        comparison.gathered([runs / ESCAPED, runs / ESCAPED])
    assert str(caught.value) == f"a comparison needs different runs, got {runs / ESCAPED} twice"


@pytest.mark.slow
def test_the_page_has_the_table(runs):
    html = comparison_page.page(found(runs))
    read = " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
    for title, cells in table(runs).items():
        assert title in read
        for cell in cells:
            assert (cell.value or cell.command or "not evaluated") in read
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert html.count('<svg class="small"') == 2


@pytest.mark.slow
def test_the_page_names_the_commands_that_were_run(runs):
    read = unescape(re.sub(r"<[^>]+>", "", comparison_page.page(found(runs))))
    recipe = read.partition("How this was made")[2] or read
    for one in found(runs):
        assert one.run.record["command"] in recipe
        made = analysis.commands(one.run.folder)
        assert made
        for _, command in made.values():
            assert command in recipe

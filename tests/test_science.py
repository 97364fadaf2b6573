"""The tables of docs/science.md and docs/science/ hold what the runs' own files say."""

from __future__ import annotations

import json
import math
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from landscape import problem, sgd
from landscape.diagnose.session.diagnosis import diagnose
from landscape.store import analysis, read

DOCS = Path(__file__).parent.parent / "docs"
PARTS = ("units", "distances", "permutations", "diffusion", "interventions", "connectivity")


@pytest.fixture(scope="module")
def modules():
    """The science modules of docs/, which scripts there import as neighbours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        names = ("science_cases", "science_tables", "science_pictures", "make_science")
        yield tuple(import_module(name) for name in names)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of a small MLP on moons with weight decay, diagnosed."""
    folder = tmp_path_factory.mktemp("science")
    twin = None
    for seed in range(2):
        moons = problem.builtin("mlp", "moons", width=3, depth=1, seed=seed)
        settings = sgd.Settings(lr=0.2, weight_decay=0.01, epochs=12, seed=seed)
        with sgd.Recorder(folder / "small" / f"seed{seed}", moons, settings) as recorder:
            for step in sgd.steps(moons, settings):
                recorder.record(step)
        diagnose(recorder.run, moons, twin=twin, epochs=2, only=PARTS)
        twin = read(recorder.run.folder)
    return folder


def cells(table):
    """A Markdown table as dictionaries."""
    head, _, *rows = ([c.strip() for c in line.strip("|").split("|")] for line in table.split("\n"))
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.02684, "0.027"),
        (-1.26, "−1.3"),
        (18000, "18000"),
        (7, "7"),
        (7.0, "7.0"),
        (0.998, "1.0"),
        (1437.6, "1438"),
        (3.14e-33, "3.1 × 10⁻³³"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_numbers_are_written_with_two_digits(modules, value, text):
    assert modules[0].number(value) == text


def test_ranges_and_counts(modules):
    assert modules[0].spanned([0.301, None, 0.27, 0.299]) == "0.27 to 0.30"
    assert modules[0].spanned([0.301, 0.299]) == "0.30"
    assert modules[0].spanned([]) == "–"
    assert modules[0].counted(["a", "a"]) == "a"
    assert modules[0].counted(["b", "a", "b"]) == "b 2, a 1"


@pytest.mark.slow
def test_motion_and_distances_of_a_regime(modules, runs):
    _, tables, *_ = modules
    [row] = cells(tables.motion(runs, ["small", "absent"]))
    last = read(runs / "small" / "seed0").trajectory.step[-1]
    window = round(0.5 * last) - round(0.5 * last) // 16
    assert row["W"] == modules[0].number(0.2 * 0.01 * window)
    names = [
        json.loads((runs / "small" / f"seed{seed}" / "verdict.json").read_text())["motion"]
        for seed in range(2)
    ]
    assert row["motion"] == modules[0].counted(names)
    [row] = cells(tables.distances(runs, ["small"]))
    ends = [read(runs / "small" / f"seed{seed}").trajectory for seed in range(2)]
    a, b = (t.row_weights(t.row("final")).astype(float) for t in ends)
    assert row["twin"] == modules[0].number(np.linalg.norm(a - b))


def test_a_trial_has_its_runs_ranges(modules, runs):
    cases, tables, *_ = modules
    [row] = cells(tables.trials(runs, ["small"]))
    found = [read(runs / "small" / f"seed{seed}").trajectory for seed in range(2)]
    best = [np.nanmin(t.measures["train_loss"]) for t in found]
    assert row["best loss"] == cases.spanned(best)
    assert row["k, η, β, B"] == "0, 0.2, 0, 32"
    assert cells(tables.escapes(runs, ["small"])) == []


def test_what_came_of_an_escape(modules, runs, tmp_path):
    copy = tmp_path / "late" / "seed0"
    shutil.copytree(runs / "small" / "seed0", copy)
    best = int(read(copy).trajectory.step[read(copy).trajectory.row("best")])
    again = [{"start": "best", "step": best, "away": 7, "count": 10}]
    again += [{"start": "before-onset", "step": best, "away": 9, "count": 10}]
    ends = {("lower-rate", "best"): [0.02], ("lower-rate", "before-onset"): [0.031]}
    ends |= {("lower-rate", "end"): [2.3], ("rate", "end"): [2.3, 0.1, 0.4]}
    ends |= {("plateau", "plateau"): [2.3, 0.2]}
    branches = [
        {"kind": kind, "start": start, "end_loss": loss}
        for (kind, start), losses in ends.items()
        for loss in losses
    ]
    escape = {"again": again, "level": 0.5, "branches": branches}
    analysis.save(copy, analysis.StoredPart("interventions", "", 0.0, {"escape": escape}))
    table = cells(modules[1].escapes(tmp_path, ["late", "absent"]))
    column = {row[""]: row["late 0"] for row in table}
    assert column["same η from the best weights: left"] == "7 of 10"
    assert column["same η from before the onset: left"] == "9 of 10"
    assert column["η/10 from the best weights: loss"] == "0.020"
    assert column["η/10 from before the onset: loss"] == "0.031"
    assert column["other η from the end: came back"] == "2 of 4"
    assert column["any η from the plateau: stayed"] == "1 of 2"


def test_a_table_takes_the_place_of_the_one_before(modules):
    text, page = "a\n<!-- table: x -->\n| old |\n| --- |\n\n| other |\n", Path("page.md")
    placed = modules[3].placed(text, "x", "| new |", page)
    assert placed == "a\n<!-- table: x -->\n| new |\n\n| other |\n"
    with pytest.raises(SystemExit, match=r"^page.md must have a line <!-- table: y -->$"):
        modules[3].placed(text, "y", "| new |", page)


def test_every_table_stands_on_its_page_with_the_columns_that_are_written(modules, runs):
    """Of escapes a column is an escape; the runs here have none."""
    for name, table in modules[3].TABLES.items():
        page = (DOCS / table.page).read_text(encoding="utf-8")
        head, _, first = page.partition(f"<!-- table: {name} -->\n")[2].split("\n")[:3]
        if name == "escapes":
            assert first.startswith("| same η from the best weights: left | 8 of 10 |")
        else:
            assert head == table.made(runs, ["small"]).split("\n")[0]
            assert first.startswith(f"| {table.trials[0]} |")


def test_half_of_a_tables_runs_are_refused_and_none_are_left_alone(modules, runs):
    there = modules[3].there
    assert there(runs, ["small"], "x")
    assert not there(runs, ["absent", "away"], "x")
    with pytest.raises(
        SystemExit, match=r"^x needs runs of all its trials, .* lacks \['absent'\]$"
    ):
        there(runs, ["small", "absent"], "x")


def test_replicas_part_as_the_diagnosis_says(modules, runs):
    case = modules[0].Case(runs / "small" / "seed0")
    steps, ratios = modules[2].parted(case)
    motion = analysis.load(case.folder, "interventions").values["motion"]
    assert ratios[-1] == pytest.approx(motion["replicas"]["ratio"], rel=1e-5)
    last = read(case.folder / "interventions" / "replica1").trajectory.step[-1]
    assert steps[-1] == last


def test_pictures_are_drawn(modules, runs, tmp_path):
    modules[2].trials(runs, ["small"], tmp_path / "trials.png")
    modules[2].regimes(runs, ["small"], tmp_path / "regimes.png")
    assert all(file.stat().st_size > 10_000 for file in tmp_path.iterdir())

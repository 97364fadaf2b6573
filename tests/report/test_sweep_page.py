from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import escape, unescape

import numpy as np
import pytest

from landscape.draw.diagnosis.by_rate import caption
from landscape.errors import LandscapeError
from landscape.report import sweep_page
from landscape.report.small_pictures import HIGH, MARGIN, WIDE, SmallAxes, axes_of, small
from landscape.store import analysis, read, sweep_folder, sweep_outcomes
from landscape.store.history import History
from landscape.store.sweep_outcomes import OutcomeShare, SweptGroup


def words(html):
    shown = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())


@pytest.fixture(scope="module")
def html(sweep):
    return sweep_page.page(sweep)


def test_the_answer_counts_the_outcomes(html, sweep):
    found = sweep_outcomes.of(sweep)
    [said] = re.findall(r"<h1>(.*?)</h1>", html)
    counts = {name: int(count) for count, name in re.findall(r"(\d+) ([a-z-]+)", said[6:])}
    counts.pop("runs", None)
    assert counts == {
        name: sum(run.verdict == name for run in found.runs)
        for name in {run.verdict for run in found.runs}
    }
    assert said.startswith("Of 4 runs: ")


def test_outcomes_that_are_as_frequent_are_said_to_be():
    def group(rate, **counts):
        shares = {name: OutcomeShare(count, 0.5, 0.1, 0.9) for name, count in counts.items()}
        return SweptGroup({"lr": rate}, rate, sum(counts.values()), shares, None, None)

    groups = [
        group(0.03, learned=2),
        group(0.3, learned=2, escaped=1),
        group(3.0, escaped=1, undetermined=1),
        group(9.0, escaped=2, undetermined=2, diverged=1),
    ]
    assert sweep_page._by_rate(groups) == (
        "Most often, by learning rate: learned at 0.03 to 0.3; escaped and undetermined equally "
        "often at 3 to 9."
    )


def test_a_picture_for_each_run(html, sweep):
    assert html.count('<svg class="small"') == 4
    assert re.findall(r'<th scope="col">(seed \d)</th>', html) == ["seed 0", "seed 1"]
    for run in sweep_outcomes.of(sweep).runs:
        assert f"Training loss of {run.name}: " in html


def test_its_figure_says_what_the_outcomes_are(html, sweep):
    ready, _, details = caption(sweep_outcomes.of(sweep)).partition("\n\n")
    assert ready in words(html)
    assert details.split(". ")[0] in words(html)


def test_the_name_stays_a_name(html):
    assert "<b>rates" not in html
    assert "<b>rates" in words(html)
    assert re.findall(r'(?:src|href|srcset)="(?!data:|#)[^"]*', html) == []


def test_a_sweep_that_was_not_diagnosed_says_how(sweep, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    assert sweep_page.undiagnosed(folder) == []
    (folder / "outcomes.json").unlink()
    assert len(sweep_page.undiagnosed(folder)) == 4
    read = words(sweep_page.page(folder))
    assert f"Find out: landscape diagnose {folder}" in read
    assert read.count(": not diagnosed") == 4


def test_runs_without_a_history_are_named_with_the_reason(sweep, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    failed, damaged, missing, _ = (entry["name"] for entry in sweep_folder.read(sweep).runs)
    sweep_folder.read(folder).with_error(failed, "out of luck")
    (folder / damaged / "run.json").write_text("{")
    shutil.rmtree(folder / missing)
    with pytest.raises(LandscapeError) as caught:
        read(folder / damaged)
    page = sweep_page.page(folder)
    assert page.count('<svg class="small"') == 1
    assert re.findall(r"<li>(.*?)</li>", page)[-3:] == [
        f"{failed}: out of luck",
        f"{damaged}: {escape(str(caught.value))}",
        f"{missing}: not trained yet",
    ]


def test_a_sweep_of_one_seed_has_a_row_for_each_run(sweep, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    record = json.loads((folder / "sweep.json").read_text())
    record["runs"] = [entry for entry in record["runs"] if entry["values"]["seed"] == 1]
    (folder / "sweep.json").write_text(json.dumps(record))
    page = sweep_page.page(folder)
    [grid] = re.findall(r'aria-label="Runs by setting and seed".*?</table>', page, re.S)
    assert re.findall(r'<th scope="col">(.*?)</th>', grid) == ["", "run"]
    assert len(re.findall(r'<th scope="row">', grid)) == grid.count('<svg class="small"') == 2


def test_a_sweep_of_which_no_run_has_begun(sweep, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    shutil.copy(sweep / "sweep.json", folder)
    with pytest.raises(LandscapeError) as caught:
        sweep_page.page(folder)
    assert str(caught.value) == f"a sweep's page needs runs that have begun, {folder} has none"


def history(loss, constant=2.0):
    steps = np.arange(len(loss)) * 10
    return History("a", "1", steps, {"train_loss": np.array(loss)}, np.empty(0), (), constant)


def test_small_pictures_share_their_axes():
    one, other = history([2.0, 0.02]), history([1.0, 200.0, 0.5])
    axes = axes_of([one, other])
    assert axes == SmallAxes(20.0, 0.02, 4.0, log=True)
    assert axes.words == "steps 0 to 20, training loss 0.02 to 4, logarithmic"
    drawn = small(one, axes, "#d55e00")
    [path] = re.findall(r' d="M([^"]*)"', drawn)
    places = [tuple(map(float, place.split())) for place in path.split("L")]
    span = np.log(4.0 / 0.02)
    expected = [
        (MARGIN, MARGIN + (HIGH - 2 * MARGIN) * np.log(4.0 / 2.0) / span),
        (MARGIN + (WIDE - 2 * MARGIN) / 2, HIGH - MARGIN),
    ]
    np.testing.assert_allclose(places, expected, atol=0.051)
    assert (
        'aria-label="Training loss of a: 2 at the start, lowest 0.02, 0.02 at the last step"'
        in drawn
    )


def test_losses_that_are_not_positive_or_not_there():
    assert axes_of([history([-1.0, 3.0], constant=np.nan)]) == SmallAxes(10.0, -1.0, 3.0, log=False)
    nothing = history([np.nan, np.inf], constant=np.nan)
    axes = axes_of([nothing])
    assert axes == SmallAxes(10.0, 0.0, 1.0, log=False)
    assert "lowest unknown, ∞ at the last step" in small(nothing, axes, "#000")
    never = small(history([np.nan, np.nan]), axes, "#000")
    assert 'aria-label="Training loss of a: never evaluated"' in never


@pytest.mark.slow
def test_the_recipe_has_the_commands_that_diagnosed_its_runs(sweep, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    first = sweep_folder.read(folder).runs[0]["name"]
    there = analysis.load(folder / first, "units")
    analysis.save(folder / first, replace(there, command="landscape diagnose x --only units"))
    assert "landscape diagnose x --only units" in words(sweep_page.page(folder))
    for entry in sweep_folder.read(folder).runs:
        (folder / entry["name"] / "analysis.h5").unlink()
    assert f"landscape diagnose {folder} landscape report" in words(sweep_page.page(folder))
    (folder / "outcomes.json").unlink()
    recipe = words(sweep_page.page(folder)).rpartition("How this was made")[2]
    assert "landscape diagnose" not in recipe

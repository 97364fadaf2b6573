from __future__ import annotations

import base64
import gzip
import json
import re
import shlex
import shutil
from dataclasses import replace
from html import unescape
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from landscape.diagnose.items import Item
from landscape.diagnose.session import kept
from landscape.diagnose.verdict.verdict import Verdict
from landscape.diagnose.verdict.wording import headline, too_high
from landscape.draw import open_work
from landscape.draw.interactive.explorer_page import plotly
from landscape.draw.kinds import KINDS, diagnosed
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.quantities import number
from landscape.report import document, run_material, run_page
from landscape.report.pictures import NARROW, shortened
from landscape.sgd import watch
from landscape.store import analysis, provenance, read
from landscape.store.scans import sentences

from .conftest import NAMES

ESCAPED, DRIFTING, DIVERGED = NAMES
pytestmark = pytest.mark.filterwarnings("ignore:overflow")


def words(html):
    """What is read on the page, in one line."""
    shown = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def test_the_answer_comes_first_and_is_the_verdicts(pages, runs):
    verdict = kept.verdict(runs / ESCAPED)
    what, *why = headline(verdict)
    html = pages[ESCAPED]
    assert verdict.verdict == "escaped"
    assert re.search(r"<h1>(.*?)</h1>", html)[1] == what.text
    shown = re.findall(r'<p class="why">(.*?)</p>', html)
    # Behind what is undetermined stands what would tell.
    assert [unescape(one).partition(" <code>")[0].strip() for one in shown] == [
        one.text for one in why
    ]
    assert too_high(verdict) in why
    read = words(html)
    top = [one.text for one in (what, *why)]
    for sentence in (*(one.text for one in verdict.answers), *verdict.caveats):
        # An outcome may be no more than what stands on top already.
        assert read.count(sentence) == 1 + any(sentence in one for one in top), sentence
    for name, item in verdict.evidence.items():
        assert name.endswith("_because") or item.meaning in read


def test_every_picture_says_what_it_shows_in_whole_sentences(pages, runs):
    html = pages[ESCAPED]
    alts = [unescape(alt) for alt in re.findall(r'<img [^>]*alt="([^"]*)"', html)]
    assert len(alts) == html.count("<figure ")
    assert len(alts) >= 8
    for alt in alts:
        assert "Command:" not in alt
        assert 60 < len(alt) < 800
        assert alt.endswith(".")
        assert "…" not in alt
    _, losses = open_work(runs / ESCAPED).subject.evaluated("train_loss")
    for loss in (losses[0], losses[-1]):
        # Of the loss curves, the valley and the plane.
        assert all(f"{number(loss)} at step " in alt for alt in alts[:3])
    assert f"lowest logged {number(losses.min())} at step " in alts[0]
    assert "escape: step" in alts[0]
    assert "narrowest " in alts[1]
    assert " of its variance lies in the plane." in alts[2]
    assert shortened("One. " + "a b " * 120 + "c. Three.") == "One."
    scan = open_work(runs / ESCAPED / "scans" / "event-best-0.h5").subject
    frame = re.search(r'<iframe title="([^"]*)"', html)[1]
    assert sentences.ready(scan) in unescape(frame)


@pytest.mark.parametrize("width", [NARROW, None], ids=["phone", "desk"])
def test_no_picture_has_letters_beyond_its_edge(runs, width):
    folder = runs / ESCAPED
    drawn = []
    for kind in ("loss", *diagnosed(folder)):
        style = Style(width=width, bare=True)
        figure = KINDS[kind](open_work(folder, kind).subject, style=style)
        figure.canvas.draw()
        # Those of ticks that lie outside the axes aren't drawn.
        ticks = {
            label
            for axes in figure.axes
            for axis in (axes.xaxis, axes.yaxis)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
            for label in (tick.label1, tick.label2)
        }
        for text in figure.findobj(Text):
            box = text.get_window_extent()
            if text not in ticks and text.get_visible() and box.width > 0:
                assert box.x0 >= -1, (kind, text)
                assert box.x1 <= figure.bbox.x1 + 1, (kind, text)
        drawn.append(kind)
    assert {"loss", "trainings", "distances", "sharpness", "units"} <= set(drawn)


def test_names_stay_names(pages):
    for name, html in pages.items():
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert name in words(html)
        assert html.count("<script") == html.count("</script>")
        assert re.findall(r"<[^>]*\son\w+=", html.partition("<main>")[0]) == []


def test_nothing_is_loaded_from_anywhere(pages):
    for html in pages.values():
        assert re.findall(r'(?:src|href|srcset)="(?!data:|#)[^"]*', html) == []
        assert re.findall(r"url\(|@import", html) == []


def test_plotly_is_there_once_and_packed(pages):
    html = pages[ESCAPED]
    [packed] = re.findall(r'id="packed-explorer">([^<]*)<', html)
    inside = gzip.decompress(base64.b64decode(packed)).decode()
    assert inside.count(plotly()) == 1
    assert "explorer" not in re.findall(r'id="([^"]*)"', pages[DIVERGED])
    assert len(html) < 0.6 * document.LARGEST


def test_what_is_missing_names_its_command(pages, runs):
    read = words(pages[DRIFTING])
    place = shlex.quote(str(runs / DRIFTING))
    assert f"No valley was scanned. landscape scan {place} --plane valley" in read
    plane = "No plane that shows the path was scanned."
    assert f"{plane} landscape scan {place} --plane drift" in read
    bring = "Bring all of it; how long that takes is said first"
    assert f"valley, drift. {bring}: landscape report {place}" in read
    # A diagnosis is taken as somebody wanted it.
    assert re.search(r"Not in this diagnosis: [a-z, ]*interventions[a-z, ]*\. Bring them:", read)
    assert f"Bring them: landscape diagnose {place}" in read
    assert "What happened here was not diagnosed yet." in words(pages[DIVERGED])
    assert "landscape diagnose" in words(pages[DIVERGED])


def test_the_lowest_logged_and_the_best_loss_are_told_apart(pages, runs):
    read, found = words(pages[ESCAPED]), run_material.gather(runs / ESCAPED)
    logged = np.nanmin(found.history.measures["train_loss"])
    assert f"lowest logged loss {number(logged)} " in read
    assert f"learned to a logged loss of {number(logged)}, then left" in read
    by = f"; scan {found.best.scan}" if found.best.scan else ""
    assert (
        f"best of all recorded {number(found.best.train_loss)} (step {found.best.step:,}{by})"
        in read
    )
    assert run_page.LOGGED_AND_BEST in read
    for shown, lead in ((found.plane, run_page.PLANE), (found.valley, run_page.VALLEY)):
        assert f"{lead} Scan {shown.path.stem} ." in read
    third = replace(found, scans=[*found.scans, "third"])
    assert words(run_page._scan_named(third, found.plane, run_page.PLANE)) == (
        f"{run_page.PLANE} Scan {found.plane.path.stem} ; not on this page: third."
    )
    # Figures and captions have the same.
    plane, valley = found.plane.subject, found.valley.subject
    assert {p.name: p.step for p in plane.points}["best"] == found.best.step
    assert valley.walked().step[valley.walked().landmarks()["best"]] == found.best.step
    assert f"through the best weights (step {found.best.step:,})" in read
    assert found.best.train_loss <= logged
    assert " best loss " not in read.replace("the best loss of a network that ignores", "")
    # A plane whose BatchNorm statistics are its own has other losses, and says so if it shows.
    assert list(run_page._but_for_the_plane(found)) == []
    buffers = {"norm.running_mean": np.zeros(1)}
    own = replace(plane, plane=replace(plane.plane, buffers=buffers, batchnorm="recompute"))
    anew = replace(found, plane=replace(found.plane, subject=own))
    assert list(run_page._but_for_the_plane(anew)) == []
    other = replace(found.best, step=found.best.step + 1)
    [said] = run_page._but_for_the_plane(replace(anew, best=other))
    assert said.startswith(f" Only the plane marks step {found.best.step:,}: ")


@pytest.mark.parametrize(
    ("left_out", "options"),
    [
        ((), ""),
        (("interventions",), " --no-intervene"),
        (("distances", "interventions"), " --only units,learning-coefficient --no-intervene"),
        (("distances",), " --only units,learning-coefficient"),
    ],
)
def test_the_command_of_a_diagnosis_leaves_out_what_it_did(runs, left_out, options):
    found = run_material.gather(runs / ESCAPED)
    found = replace(
        found, left_out=left_out, parts=("units", "learning_coefficient"), diagnosed_by=()
    )
    folder = shlex.quote(str(runs / ESCAPED))
    assert f"landscape diagnose {folder}{options}" in run_page.commands(found)


def test_commands_for_a_problem_made_in_python_name_it(tmp_path):
    inputs = torch.linspace(-1, 1, 24)[:, None].expand(24, 2)
    made = Problem(torch.nn.Linear(2, 2), (inputs, (inputs[:, 0] > 0.3).long()))
    optimizer = torch.optim.SGD(made.model.parameters(), lr=0.1)
    with watch(tmp_path / "own", made, optimizer, record="log") as watching:
        for _ in range(8):
            loss = torch.nn.functional.cross_entropy(made.model(made.train[0]), made.train[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.record(loss)
    codes = map(unescape, re.findall(r"<code>(.*?)</code>", run_page.page(tmp_path / "own"), re.S))
    typed = [line for code in codes for line in code.splitlines() if f"{tmp_path}/own" in line]
    assert {line.split()[1] for line in typed} == {"scan", "diagnose", "report"}
    for line in typed:
        assert line.endswith((" --problem FILE.py:function", " --only-what-is-there"))


def test_what_diagnosed_it_is_as_it_was_typed(runs):
    found = run_material.gather(runs / ESCAPED)
    trained = json.loads(next((runs / ESCAPED).glob("interventions/*/run.json")).read_text())
    assert provenance.runnable(run_material.with_threads(trained["command"], trained)) in (
        found.diagnosed_by
    )
    # The parts were measured by the same command, which stands there once.
    assert len(found.diagnosed_by) == 1
    assert run_page.commands(found).count(found.diagnosed_by[0]) == 1


def test_commands_stand_in_an_order_that_makes_it_again():
    scan, report = "landscape scan runs/a", "landscape report runs/a"
    trained, diagnosed = "OMP_NUM_THREADS=2 landscape train", "landscape diagnose runs/a --orders 5"
    made = [trained, scan, diagnosed, report]
    assert run_material.in_order(trained, [report, scan], [diagnosed]) == made
    # What a script trained and scanned is run once, by Python, with the threads that it had.
    script = run_material.with_threads("mine.py --fast", {"threads": 2})
    assert script == "OMP_NUM_THREADS=2 python mine.py --fast"
    assert run_material.in_order(script, ["mine.py --fast", ""], []) == [script]
    made = run_material.with_threads("in a notebook", {"threads": 2})
    assert run_material.in_order(made, ["in a notebook", scan], []) == ["# in a notebook", scan]


def test_parts_name_the_commands_that_measured_them(tmp_path, runs, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(runs / DRIFTING, folder)
    known = analysis.load(folder, "units")
    assert known.command == provenance.command()
    for name, when, typed in (("units", "2026-02", "measure b"), ("density", "2026-01", "a")):
        monkeypatch.setattr(provenance, "now", lambda when=when: when)
        analysis.save(folder, replace(known, name=name, command=typed))
    assert run_material.diagnosed_by(read(folder), ("units", "density")) == ["a", "measure b"]
    assert run_material.diagnosed_by(read(folder), ("density", "jump")) == ["a"]
    analysis.save(folder, replace(known, command=""))
    assert run_material.diagnosed_by(read(folder), ("units",)) == []


def test_the_command_that_concluded_stands_for_what_an_interrupted_one_measured(runs):
    folder = runs / ESCAPED
    verdict = kept.verdict(folder)
    [typed] = run_material.gather(folder).diagnosed_by
    assert verdict.rests_on.command == provenance.command()
    assert set(verdict.rests_on.parts) <= set(verdict.rests_on.asked)

    def by(command: str, *asked: str) -> list[str]:
        basis = replace(verdict.rests_on, command=command, asked=asked)
        return run_material.diagnosed_by(read(folder), basis.parts, basis)

    # Parts and trainings of another command, which would have gone on to others.
    trained = json.loads(next(folder.glob("interventions/*/run.json")).read_text())
    later = f"OMP_NUM_THREADS={trained['threads']} landscape later"
    assert by("landscape later", *verdict.rests_on.parts) == [later]
    # What it trained, if that wasn't asked for again; it measured the parts too.
    assert by("landscape later", "units") == [typed]
    # An earlier version didn't say.
    assert by("") == [typed]


def test_how_it_was_made(pages, runs):
    read = words(pages[ESCAPED])
    record = json.loads((runs / ESCAPED / "run.json").read_text())
    assert run_material.with_threads(record["command"], record).removeprefix("# ") in read
    for name, version in record["versions"].items():
        assert f"{name} {version}" in read
    assert "training 0 (initialization and batch order); other batch orders 1001 and on" in read
    assert "valley-random-0 0; event-best-0 0" in read
    assert record["problem"]["data"] in read


def test_without_a_twin_the_page_names_what_compares_with_one(pages, runs):
    parts = {name: set(run_material.gather(runs / name).parts) for name in (ESCAPED, DRIFTING)}
    compared = {name for name in parts if {"distances", "permutations"} <= parts[name]}
    assert compared
    for name in parts:
        if name in compared:
            assert open_work(runs / name, "distances").subject.measured.permutations.twin is None
        assert ("--twin OTHER</code>" in pages[name]) is (name in compared)


def test_headings_go_down_one_at_a_time(pages):
    for html in pages.values():
        levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))


def test_a_damaged_verdict_is_refused_with_the_remedy(runs, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(runs / DRIFTING, folder)
    record = json.loads((folder / "verdict.json").read_text())
    del record["evidence"]["best_loss"]
    (folder / "verdict.json").write_text(json.dumps(record))
    with pytest.raises(LandscapeError) as caught:
        run_page.page(folder)
    assert str(caught.value) == (
        f"{folder}/verdict.json must be a verdict of this version, it lacks or differs in "
        f"'best_loss'; make it anew with `landscape diagnose {folder}`"
    )


@pytest.mark.parametrize(
    ("motion", "whose"),
    [
        ("undetermined", ["all this: observation", "that: undetermined"]),
        ("still-descending", ["all this: observation"]),
    ],
)
def test_a_confidence_says_whose_it_is(motion, whose):
    verdict = Verdict("learned", motion, None, (), (), "observation")
    items = {
        "best_loss": Item(0.1, None, ""),
        "motion_undetermined_because": Item("it stands still", None, ""),
    }
    read = words("".join(run_page.answered(replace(verdict, evidence=items))))
    assert re.findall(r"Confidence of ([a-z ]+: [a-z]+)", read) == whose


def test_what_the_valley_measures_above_all_logged_losses_is_said(pages, runs):
    found = run_material.gather(runs / ESCAPED)
    valley = found.valley.subject
    step, logged = found.history.evaluated("train_loss")
    between = np.flatnonzero(~np.isin(valley.path.step, step))

    def said(highest):
        loss = np.full(len(valley.path.loss), logged.min())
        loss[between[3]] = highest
        path = replace(valley.path, loss=loss)
        measures = valley.measures | {"train_loss": 0 * valley.measures["train_loss"]}
        work = replace(found.valley, subject=replace(valley, path=path, measures=measures))
        return list(run_page._higher_between(replace(found, valley=work)))

    assert said(logged.max()) == []
    assert said(3 * logged.max()) == [
        "Between logged steps it may be higher: the valley below measures "
        f"{number(3 * logged.max())} at step {valley.path.step[between[3]]:,}."
    ]
    assert list(run_page._higher_between(replace(found, valley=None))) == []


def test_a_page_without_caveats_has_no_chapter_of_them(runs):
    found = run_material.gather(runs / ESCAPED)
    assert list(run_page._caveats(found))
    bare = replace(found, verdict=replace(found.verdict, caveats=()))
    assert list(run_page._caveats(bare)) == []

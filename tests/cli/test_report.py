from __future__ import annotations

import re
import shlex
import shutil
from html import unescape

import pytest

from landscape.diagnose.session import costs
from landscape.errors import LandscapeError
from landscape.report import document, run_material

from .conftest import MEASURE, SMALL


@pytest.mark.slow
def test_what_is_missing_is_measured_once_and_its_cost_is_told(landscape, tmp_path):
    run = tmp_path / "run"
    assert landscape("train", *SMALL, "-q", "-o", run).code == 0
    lacking = run_material.missing(run_material.gather(run))
    assert [(part.key, part.what, part.command) for part in lacking] == [
        ("valley", "valley", f"landscape scan {run} --plane valley"),
        ("plane", "drift", f"landscape scan {run} --plane drift"),
        ("verdict", "diagnosis", f"landscape diagnose {run}"),
    ]
    first = landscape("report", run, "-q")
    assert first.code == 0, first.err
    told = first.err.splitlines()
    assert told[0] == (
        "missing for the page: valley, drift, diagnosis; --only-what-is-there measures nothing"
    )
    assert ", at most " in told[1]
    assert ", at most " in told[2]
    assert run_material.missing(run_material.gather(run)) == []
    assert {path.stem.split("-")[0] for path in (run / "scans").glob("*.h5")} == {"valley", "drift"}
    assert (run / "verdict.json").is_file()
    drawn = {path.stem for path in (run / "figures").glob("*.png")}
    assert {"valley-random-0-valley", "drift-final-0-contour"} <= drawn
    assert f"{run / 'figures' / 'valley-random-0-valley'}.png" in first.out
    page = run / "report.html"
    assert first.out.splitlines()[-1] == f"open it: python3 -m webbrowser {page.as_uri()}"
    again = landscape("report", run)
    assert again.code == 0, again.err
    assert again.err == ""


@pytest.mark.slow
def test_a_diagnosis_is_taken_as_it_is_there(landscape, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "scans").mkdir(exist_ok=True)
    assert landscape("diagnose", run, "--only", "units", "--no-intervene", "-q").code == 0
    assert landscape(*MEASURE, run, "--plane", "valley,drift", "--size", 3, "-q").code == 0
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    done = landscape("report", run)
    assert done.code == 0, done.err
    left = ", ".join(run_material.gather(run).left_out)
    assert {"interventions", "curvature"} <= set(left.split(", "))
    assert done.err == (
        f"the diagnosis that is there is taken as it is; not in it: {left} "
        f"(`landscape diagnose {run}` brings them)\n"
    )
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert after.keys() - before.keys() == {run / "report.html"}
    assert {path: after[path] for path in before} == before


def test_only_what_is_there_measures_nothing(landscape, trained, tmp_path):
    before = sorted(trained.rglob("*"))
    target = tmp_path / "deep" / "page.html"
    done = landscape("report", trained, "--only-what-is-there", "-o", target)
    assert done.code == 0, done.err
    assert done.err == ""
    assert sorted(trained.rglob("*")) == before
    said = re.findall("<h1>(.*)</h1>", target.read_text())
    assert said == ["What happened here was not diagnosed yet."]


def test_a_page_has_a_pages_name(landscape, trained, tmp_path):
    before = sorted(trained.rglob("*"))
    done = landscape("report", trained, "-o", tmp_path / "page.pdf")
    assert done.code == 1
    assert sorted(trained.rglob("*")) == before  # said before anything is measured
    assert done.err == f"landscape: error: a page must end in .html, got {tmp_path / 'page.pdf'}\n"


def test_a_page_too_large_is_refused(tmp_path):
    with pytest.raises(LandscapeError) as caught:
        document.save("x" * 8_000_001, tmp_path / "page.html")
    assert str(caught.value) == (
        "a page must have at most 8 MB, got 8.0 MB; scan planes of fewer points"
    )
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
def test_a_sweep_is_diagnosed_first_and_its_cost_is_told(landscape, tmp_path, monkeypatch):
    sweep = tmp_path / "sweep"
    made = landscape("train", *SMALL[:-2], "--lr", "0.1,0.3", "-q", "-o", sweep)
    assert made.code == 0, made.err
    bare = landscape("report", sweep, "--only-what-is-there")
    assert bare.code == 0, bare.err
    assert not (sweep / "outcomes.json").exists()
    monkeypatch.setattr(costs, "product", lambda context: 0.06)
    done = landscape("report", sweep, "-q")
    assert done.code == 0, done.err
    trained, told = done.err.splitlines()
    assert trained.startswith(f"interventions are left out; `landscape diagnose {sweep} --interv")
    assert re.match(r"measuring 2 runs: about [\d.]+ (min|h) at this machine's present pace", told)
    assert told.endswith(
        f"; in `landscape diagnose {sweep}`, before this, --only measures some parts; Ctrl-C keeps "
        "what is done"
    )
    assert (sweep / "outcomes.json").is_file()
    [said] = re.findall("<h1>(.*)</h1>", (sweep / "report.html").read_text())
    assert said.startswith("Of 2 runs: ")


def test_the_line_that_opens_it_can_be_typed(landscape, trained, tmp_path):
    folder = tmp_path / "a b's"
    shutil.copytree(trained, folder)
    done = landscape("report", folder, "--only-what-is-there")
    line = done.out.splitlines()[-1].removeprefix("open it: ")
    assert shlex.split(line)[-1] == (folder / "report.html").as_uri()


@pytest.mark.slow
def test_what_can_not_be_measured_says_why(landscape, tmp_path):
    run = tmp_path / "run"
    assert landscape("train", *SMALL[:-2], "--lr", 1e12, "-q", "-o", run).code == 0
    done = landscape("report", run, "-q")
    assert done.code == 0, done.err
    page = (run / "report.html").read_text()
    [said] = re.findall("<h1>(.*)</h1>", page)
    assert re.fullmatch(
        r"It diverged: its loss, a gradient or a weight became NaN or infinite at step \d+\.", said
    )
    noted = re.findall("It can&#x27;t be: (.*?).</p>", page)
    for line in done.err.splitlines():
        what, left_out, why = line.partition(" is left out: ")
        if left_out:
            assert what in ("valley", "drift")
            assert why in map(unescape, noted)

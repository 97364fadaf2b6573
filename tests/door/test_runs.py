from __future__ import annotations

import json
import math
import re
import shutil
import sys

import numpy as np
import pandas
import pytest
import torch
from matplotlib.figure import Figure

import landscape as ls
from landscape.cluster import workers
from landscape.diagnose import diagnose
from landscape.door import progress
from landscape.errors import LandscapeError
from landscape.report import run_page
from landscape.sgd import TrainingSetup, problem_of, sweep
from landscape.store import provenance, read
from landscape.store.scans import scanfile


@pytest.fixture
def copied(moons, tmp_path):
    """A copy of the run on moons that a test may change."""
    shutil.copytree(moons.folder, tmp_path / "copy")
    return ls.open(tmp_path / "copy")


def test_it_says_what_it_is(moons):
    losses = moons.trajectory.measures["train_loss"]
    assert repr(moons) == (
        f"<run moons: finished, 64 steps, 114 parameters; training loss {losses[0]:.3g} at first, "
        f"lowest {losses.min():.3g}, last {losses[-1]:.3g}; no scans>"
    )
    assert (moons.name, moons.status, moons.is_done) == ("moons", "finished", True)
    assert moons.losses["end"]["train_loss"] == losses[-1]
    assert moons.losses["lowest_logged"]["train_loss"] == losses.min()
    assert moons.best is None  # no scan has measured the others


def test_a_run_without_a_finite_loss_says_so(tmp_path):
    inputs = torch.full((8, 2), math.nan)
    problem = ls.Problem(torch.nn.Linear(2, 2), (inputs, torch.zeros(8, dtype=torch.long)))
    run = ls.train(problem, lr=0.1, steps=3, to=tmp_path / "run")
    assert repr(run) == (
        "<run run: non-finite, 0 steps, 6 parameters; no finite training loss; non-finite; "
        "no scans>"
    )


def test_a_notebook_shows_a_table_in_which_names_are_harmless(moons, tmp_path):
    folder = tmp_path / "<script>alert(1)<"
    shutil.copytree(moons.folder, folder)
    html = ls.open(folder)._repr_html_()
    assert "<script>" not in html
    assert html.startswith("<b>run &lt;script&gt;alert(1)&lt;</b><table>")
    assert "sgd, learning rate 0.3, momentum 0, batch size 32" in html


def test_a_scan_is_written_as_the_command_does_and_given_again(copied):
    scan = copied.scan("random", size=5, seed=2)
    assert scan.path == copied.folder / "scans" / "random-final-2.h5"
    written = scan.path.stat().st_mtime_ns
    again = copied.scan("random", size=5, seed=2)
    assert scan.path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(again.loss, scan.loss)
    assert list(copied.scans) == ["random-final-2"]
    np.testing.assert_array_equal(copied.scans["random-final-2"].loss, scan.loss)
    assert scanfile.load(scan.path).run_id == copied.stored.id
    assert "scans random-final-2>" in repr(copied)
    assert " Training: model mlp, data moons, " in scan.caption
    assert ", learning rate 0.3, batch 32, seed 0. " in scan.caption


def test_an_interrupted_scan_goes_on(copied, monkeypatch):
    from landscape.scan.job import Job

    whole = Job.run

    def interrupted(self, *positional, **named):
        for number, scan in enumerate(whole(self, *positional, **named)):
            if number == 7:
                raise KeyboardInterrupt
            yield scan

    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            copied.scan("random", size=5, tolerance=0.0)
    assert "not complete" in repr(copied.scans["random-final-0"])
    made_by = scanfile.load(copied.scans["random-final-0"].path).provenance
    call = f"ls.open({str(copied.folder)!r}).scan('random', size=5, tolerance=0.0)"
    assert provenance.going_on(made_by) == f"go on in Python with: {call}"
    done = copied.scan("random", size=5, tolerance=0.0)
    other = copied.scan("random", size=5, tolerance=0.0, name="anew")
    np.testing.assert_array_equal(done.loss, other.loss)


def test_all_planes_are_on_one_page(copied):
    message = (
        f"view needs a scan, {copied.folder} has none; "
        f"make one with `landscape scan {copied.folder}`"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        copied.view()
    copied.scan("random", size=5)
    copied.scan("line", size=5)
    assert repr(copied.view()).startswith("<page of random-final-0, line-final-0, ")


def test_a_scan_with_other_settings_is_no_other_scan(copied):
    copied.scan("random", size=5)
    with pytest.raises(LandscapeError, match=r"^resume needs the settings that .* was started"):
        copied.scan("random", size=7)
    assert copied.scan("random", size=7, overwrite=True).loss.shape == (7, 7)


@pytest.mark.slow
def test_workers_give_the_same(copied):
    one = copied.scan("random", size=5)
    two = copied.scan("random", size=5, workers=2, name="by-two")
    np.testing.assert_allclose(two.loss, one.loss, rtol=1e-6)


def test_the_problem_is_made_again_and_trains_no_further(moons):
    problem = ls.open(moons.folder).problem
    expected = problem_of(moons.stored)
    assert repr(problem) == repr(expected)


def test_a_problem_made_in_python_is_asked_for(blobs, tmp_path):
    ls.train(blobs, steps=2, to=tmp_path / "own")
    message = (
        f"run {tmp_path / 'own'} was recorded from Python and can't make its problem again; "
        "give it with ls.open(RUN, problem=...)"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        ls.open(tmp_path / "own").scan("random", size=3)
    assert ls.open(tmp_path / "own", blobs).scan("random", size=3).loss.shape == (3, 3)


def test_a_diagnosis_is_that_of_the_stage(copied, moons, tmp_path):
    only = ["units", "distances"]
    verdict = copied.diagnose(intervene=False, only=only)
    shutil.copytree(moons.folder, tmp_path / "other")
    other = read(tmp_path / "other")
    with workers() as pool:
        expected = diagnose(other, problem_of(other), intervene=False, only=only, pool=pool)
    assert verdict.outcome == expected.verdict
    assert verdict.motion == expected.motion
    assert verdict.evidence == expected.evidence
    written = json.loads((copied.folder / "verdict.json").read_text(encoding="utf-8"))
    assert written["verdict"] == verdict.outcome
    assert isinstance(copied.figure("distances"), Figure)


@pytest.mark.slow
def test_the_page_is_the_commands(copied):
    with pytest.raises(LandscapeError, match=r"^a page must end in \.html, got why\.pdf$"):
        copied.report("why.pdf")  # before anything is drawn
    assert not (copied.folder / "report.html").exists()
    assert copied.report() == copied.folder / "report.html"
    page = (copied.folder / "report.html").read_text(encoding="utf-8")
    moment = re.compile(r"\d+T[\d:]+\+00:00")  # when it was made
    assert moment.sub("", page) == moment.sub("", run_page.page(copied.folder))


@pytest.mark.slow
def test_a_long_diagnosis_is_said_beforehand(copied, monkeypatch, caplog):
    copied.diagnose(intervene=False, only=["units"])
    assert caplog.messages == []  # what is quick says nothing
    monkeypatch.setattr(progress, "MOMENT", -1.0)
    copied.diagnose(intervene=False, only=["units", "distances"])
    first, *others = caplog.messages
    assert re.fullmatch(
        r"diagnosing copy: about \S+ s; interrupted, it goes on by the same call", first
    )
    assert all(re.fullmatch(r"diagnosing copy: \S+ %, \S+ s left", said) for said in others)
    caplog.clear()
    copied.diagnose(only=["units", "interventions"])
    assert re.match(
        r"diagnosing copy: about \S+ s; \S+ s of it for trainings from its snapshots "
        r"\(intervene=False leaves them out\); interrupted, it goes on by the same call",
        caplog.messages[0],
    )


def test_a_long_scan_is_said_beforehand(copied, monkeypatch, caplog):
    copied.scan("line", size=3)
    assert caplog.messages == []
    monkeypatch.setattr(progress, "MOMENT", -1.0)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    copied.scan("line", size=3, name="again")
    first, *others = caplog.messages
    assert re.fullmatch(
        r"scanning again: about \S+ s; going by a first trial; interrupted, it goes on by the same "
        r"call",
        first,
    )
    assert others
    assert all(re.fullmatch(r"scanning again: \S+ %, \S+ s left", one) for one in others)


def test_tables_hold_what_was_recorded(moons):
    trajectory, scalars = moons.trajectory, moons.trajectory.scalars()
    rows, steps, labelled = moons.to_pandas(), moons.to_pandas(steps=True), moons.to_xarray()
    np.testing.assert_array_equal(rows.index, trajectory.step)
    np.testing.assert_array_equal(rows.train_loss, trajectory.measures["train_loss"])
    assert isinstance(steps, pandas.DataFrame)
    assert len(steps) == 64
    np.testing.assert_array_equal(steps.batch_loss, scalars["batch_loss"])
    assert float(labelled.train_loss.sel(recorded=64)) == trajectory.measures["train_loss"][-1]
    assert float(labelled.batch_loss.sel(step=5)) == scalars["batch_loss"][5]


def test_curves_are_drawn_into_axes(moons):
    axes = Figure().subplots()
    moons.curves(ax=axes)
    trajectory = moons.trajectory
    drawn = [line.get_ydata() for line in axes.lines]
    losses = trajectory.measures["train_loss"]
    known = losses[~np.isnan(losses)]
    assert any(np.array_equal(line, known) for line in drawn)


def test_a_sweep_is_opened_run_by_run(tmp_path):
    folder = tmp_path / "rates"
    setup = TrainingSetup(problem_settings={"model": "mlp", "data": "moons", "width": 4})
    made = sweep(folder, setup, {"lr": [0.1, 0.2], "steps": [2]})
    names = [str(entry["name"]) for entry in made.runs]
    message = (
        f"a run is opened by its folder, {folder} is a sweep's; "
        f"open one of its runs, as in {folder / names[0]}"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        ls.open(folder)
    assert ls.open(folder / names[0]).status == "finished"


def test_what_is_missing_is_said(tmp_path, moons, monkeypatch):
    with pytest.raises(LandscapeError, match=r"^a run must be a folder, got .*none"):
        ls.open(tmp_path / "none")
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = "to_pandas needs the package pandas, it is not installed: pip install pandas"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        moons.to_pandas()


def test_it_says_what_happened(moons, copied):
    """The outcome once it is diagnosed, what was noticed in training before."""
    assert dict(moons._facts()).get("what happened") is None
    verdict = copied.diagnose(intervene=False, only=("units",))
    assert f"; {verdict.outcome}; no scans>" in repr(copied)
    assert dict(copied._facts())["what happened"] == verdict.outcome

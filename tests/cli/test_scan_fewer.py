"""Options of ``landscape scan`` that make it do less, elsewhere, or show it on the way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from landscape.quantities import percent
from landscape.scan.refine import order, until_tolerance
from landscape.scan.speed.strategies.table import STRATEGIES
from landscape.store.scans import scanfile, sentences
from landscape_cli import scan as scan_command

from .conftest import MEASURE


@pytest.fixture
def run(trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    return copy


def test_a_tolerance_is_printed_and_info_has_its_test(landscape, run):
    options = (*MEASURE, run, "--plane", "random", "--size", 15, "--tolerance", 0.1)
    result = landscape(*options)
    assert result.code == 0
    scan = scanfile.load(run / "scans" / "random-final-0.h5")
    assert 0.05 < scan.measured.mean() < 1
    off = scan.certificate.summary("train_loss")
    assert off["quantile95"] <= 0.1
    assert (
        f"  {percent(scan.measured.mean())} of the points are measured, the others interpolated "
        "to within 10 % of the loss (above the cap, "
    ) in result.out
    assert (
        ", tested at 32 held-out random points: all of them were as near as promised.\n"
        in result.out
    )
    told = landscape("info", run / "scans" / "random-final-0.h5").out
    assert "none of those below the cap was taken to lie above it; " in told
    assert f"training loss was off by {percent(off['mean'])} on average, and by at most" in told
    assert f"(above the cap, {2 * scan.constant_loss:.4g}, to within a factor 1.5)" in told
    assert scan.certificate.caps["train_loss"] == 2 * scan.constant_loss
    assert landscape(*options, "--resume").code == 0


@pytest.mark.slow
def test_an_unfinished_scan_to_a_tolerance_is_drawn_whole(landscape, run):
    options = (*MEASURE, run, "--plane", "random", "--size", 15, "--tolerance", 0.1)
    assert landscape(*options).code == 0
    path = run / "scans" / "random-final-0.h5"
    scan = scanfile.load(path)
    there = np.zeros_like(scan.measured)
    there.flat[order.levels(there.shape, until_tolerance.COARSEST)[0]] = True
    measures = {name: np.where(there, m, np.nan) for name, m in scan.measures.items()}
    cut = replace(scan, measured=there, measures=measures, errors={}, certificate=None)
    scanfile.save(path, cut)
    result = landscape("render", path, "--kind", "contour")
    assert result.code == 0
    said = (
        f"{percent(there.mean())} of the points are measured so far, the others interpolated for "
        "this picture alone, with no estimate of their errors"
    )
    assert f"{path}: {said}; finish it with `landscape scan --resume`" in result.err
    caption = run / "figures" / "random-final-0-contour.caption.txt"
    assert f"Unfinished: {said}." in caption.read_text()
    assert np.isnan(scanfile.load(path).measures["train_loss"][~there]).all()


def test_the_strategy_is_for_info_alone(landscape, run):
    options = (*MEASURE, run, "--plane", "line", "--size", 3, "--strategy", "folded")
    result = landscape(*options)
    path = run / "scans" / "line-final-0.h5"
    strategy = scanfile.load(path).strategy
    assert strategy["name"].startswith("folded")
    assert strategy["name"] not in result.out + result.err
    words = sentences.STRATEGIES[strategy["name"]]
    assert f"Losses evaluated in 0 s: {words} ({strategy['name']}), " in landscape("info", path).out


def test_what_takes_long_is_said_before_and_in_all_after(capsys, monkeypatch):
    class TimedJob:
        path, finished, total, counted = Path("a.h5"), False, 0, ""

        def __init__(self, seconds, tolerance=0.01):
            self.seconds, self.scan = seconds, SimpleNamespace(tolerance=tolerance)

        def run(self, _, *, chosen):
            chosen(None, self.seconds)
            return iter(())

    def said(*job, quiet=False):
        scan_command.evaluate(TimedJob(*job), None, preview=None, quiet=quiet)
        return capsys.readouterr().err

    cost = "a: up to about {}, going by a first trial; Ctrl-C saves, --resume goes on"
    every = "measuring every point takes about {} (`landscape scan --exact`)\n"
    assert f"{cost}\n".format("30 s") in said(30.0)
    assert f"{cost}; {every}".format("12 s", "12 s") in said(12.0)
    assert f"a: {every}".format("2 s") in said(2.0)
    assert "about" not in said(2.0, 0.0)
    assert "about" not in said(2.0, quiet=True)
    monkeypatch.setattr(scan_command, "time", SimpleNamespace(monotonic=lambda: 1076.4))
    scan_command._tell_more([Path("a.h5")], 1000.0, 1006.2, 1056.2)
    assert capsys.readouterr().out == (
        "the command took 76 s in all: 6 s to get ready, 50 s to measure, 20 s to draw\n"
        "how it was measured and how far to trust it: landscape info a.h5\n"
    )


def test_every_strategy_has_words():
    assert sentences.STRATEGIES.keys() == STRATEGIES.keys()


def test_the_default_is_a_tolerance_and_exact_measures_all(landscape, run):
    options = (*MEASURE, run, "--plane", "random", "--size", 15)
    assert landscape(*options).code == 0
    scan = scanfile.load(run / "scans" / "random-final-0.h5")
    assert scan.tolerance == 0.01
    assert landscape(*options, "--exact", "--name", "all").code == 0
    exact = scanfile.load(run / "scans" / "all.h5")
    assert exact.tolerance == 0
    assert exact.measured.all()
    assert exact.certificate is None
    # One that is exact is as good as asked for, and is drawn again.
    again = landscape(*options, "--name", "all", "--resume")
    assert "is complete: only drawn again" in again.err


def test_samples_and_their_standard_error(landscape, run):
    result = landscape(*MEASURE, run, "--plane", "random", "--size", 3, "--samples", 20, "--exact")
    assert result.code == 0
    assert "Losses of 20 random samples, the same ones everywhere: standard error of " in result.out
    scan = scanfile.load(run / "scans" / "random-final-0.h5")
    assert (scan.errors["train_loss"] > 0).all()
    assert scan.samples["train"] == 20


def test_figures_can_be_left_out(landscape, run):
    before = sorted(run.glob("figures/*"))
    options = ("--plane", "random", "--size", 5, "-q", "--no-figures")
    done = landscape("scan", run, *options)
    assert (done.code, done.err) == (0, "")
    assert (run / "scans" / "random-final-0.h5").is_file()
    assert sorted(run.glob("figures/*")) == before
    refused = landscape("scan", run, *options, "--preview")
    assert (refused.code, refused.err) == (
        1,
        "landscape: error: --preview draws, got --no-figures too; drop one of them\n",
    )


@pytest.mark.slow
def test_a_preview_is_drawn_while_the_scan_fills(landscape, run, monkeypatch):
    from landscape.scan.speed.evaluator import PointEvaluator

    figure = run / "figures" / "random-final-0-contour.png"
    seen, original = [], PointEvaluator.at

    def at(self, xy):
        seen.append(figure.exists())
        return original(self, xy)

    monkeypatch.setattr(PointEvaluator, "at", at)
    options = ("--plane", "random", "--size", 9, "--strategy", "sequential", "--quiet")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on one thread it is one point at a time
    try:
        assert landscape("scan", run, *options, "--preview").code == 0
    finally:
        torch.set_num_threads(threads)
    assert figure.exists()
    assert len(seen) == 81
    assert seen[:49] == [False] * 49
    assert all(seen[50:])


@pytest.mark.slow
def test_processes(landscape, run):
    options = (*MEASURE, run, "--plane", "random", "--size", 5, "--quiet")
    assert landscape(*options, "--name", "here").code == 0
    assert landscape(*options, "--workers", 2).code == 0
    here, there = (
        scanfile.load(run / "scans" / f"{name}.h5") for name in ("here", "random-final-0")
    )
    for name, values in here.measures.items():
        np.testing.assert_allclose(there.measures[name], values, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--tolerance", 2),
            "--tolerance must be from 0 (measure every point) to below 1, got 2",
        ),
        (
            ("--samples", 10**6),
            "--samples must be between 2 and the {count} there are for training, got 1000000",
        ),
        (("--workers", 0), "--workers must be at least 1, got 0"),
        (("--save-every", -1), "--save-every must be at least 0, got -1"),
        (
            ("--planes", 3, "--samples", 20),
            "samples are for a single plane, got 3 planes; drop --planes or --samples",
        ),
        (
            ("--exact", "--tolerance", 0.1),
            "--exact measures every point, got --tolerance 0.1 too; drop one of them",
        ),
        (
            ("--cap", "low"),
            "--cap must be auto (twice the loss of ignoring the input), none or a number above 0, "
            "got low",
        ),
    ],
)
def test_what_cannot_be(landscape, run, options, message):
    from landscape.store import read

    count = read(run).record["samples"]
    result = landscape(*MEASURE, run, "--plane", "random", "--size", 3, *options)
    assert result.code == 1
    assert result.err == f"landscape: error: {message.format(count=count)}\n"
    assert not (run / "scans" / "random-final-0.h5").exists()


def test_what_directions_of_curvature_take_is_said_before(landscape, run, monkeypatch):
    monkeypatch.setattr("landscape_cli.scan.MAKING", 0.0)
    said = landscape("scan", run, "--plane", "hessian", "--size", 5, "--no-figures").err
    [line, *_] = said.splitlines()
    assert line.startswith("hessian: directions by some 50 Hessian-vector products, about ")
    assert line.endswith(" before the first point")
    quiet = landscape("scan", run, "--plane", "random", "--size", 5, "--no-figures").err
    assert "products" not in quiet

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landscape.scan.speed import choosing
from landscape.store import read
from landscape.store.scans import scanfile
from landscape_cli.scan import summarize

from .conftest import MEASURE


@pytest.fixture
def run(trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    return copy


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_scans_the_surroundings_the_valley_and_a_plane_that_holds_the_path(landscape, run):
    result = landscape("scan", run, "--size", 5)
    assert result.code == 0
    assert names(run / "scans") == ["drift-final-0.h5", "random-final-0.h5", "valley-random-0.h5"]
    kinds, endings = ("contour", "surface"), ("caption.tex", "caption.txt", "pdf", "png")
    assert names(run / "figures") == [
        *(
            f"{plane}-final-0-{kind}.{ending}"
            for plane in ("drift", "random")
            for kind in kinds
            for ending in endings
        ),
        *(f"valley-random-0-valley.{ending}" for ending in endings),
    ]
    for file in (run / "figures").iterdir():
        also = " (also .pdf, .caption.txt, .caption.tex)"
        assert file.suffix != ".png" or f"  {file}{also}\n" in result.out
    # A line of where it is, what it found, a line a figure: the rest is for `landscape info`.
    assert len(result.out.splitlines()) <= 16
    last = "how it was measured and how far to trust it: landscape info SCAN.h5"
    assert result.out.splitlines()[-1] == last


def test_the_centre_is_the_loss_of_the_saved_weights(landscape, run):
    landscape(*MEASURE, run, "--plane", "random", "--size", "5x3", "--at", "best", "--quiet")
    scan = scanfile.load(run / "scans" / "random-best-0.h5")
    recorded = read(run).trajectory
    row = recorded.row("best")
    assert scan.measures["train_loss"].shape == (5, 3)
    for name, values in scan.measures.items():
        expected = recorded.measures[name][row]
        assert abs(values[2, 1] - expected) <= 1e-5 * abs(expected) + 1e-9, name


def test_a_line(landscape, run):
    result = landscape("scan", run, "--plane", "line", "--size", 7, "--extent", "-1:2")
    assert result.code == 0
    scan = scanfile.load(run / "scans" / "line-final-0.h5")
    assert scan.x.tolist() == [-1, -0.5, 0, 0.5, 1, 1.5, 2]
    assert scan.measures["train_loss"].shape == (7,)
    assert "line-final-0-curve.png" in names(run / "figures")


def test_an_own_problem_that_moved_with_its_run(landscape, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "own.py").write_text(
        "import torch\n"
        "from landscape.problem import Problem, half_square\n"
        "def line():\n"
        "    x = torch.randn(20, 1)\n"
        "    return Problem(torch.nn.Linear(1, 1), (x, x), loss=half_square)\n"
    )
    options = ("--epochs", 1, "-o", tmp_path / "a" / "run")
    assert landscape("train", "--problem", f"{tmp_path}/a/own.py:line", *options).code == 0
    (tmp_path / "a").rename(tmp_path / "b")
    scan = (*MEASURE, tmp_path / "b" / "run", "--plane", "line", "--size", 3)
    # Beside it may lie other modules now.
    refused = landscape(*scan)
    assert refused.code == 1
    assert "if you trust this code, add --trust once" in refused.err
    assert landscape(*scan, "--trust").code == 0
    assert landscape(*scan, "--overwrite").code == 0


def test_an_existing_scan_is_refused_resumed_or_overwritten(landscape, run):
    options = (*MEASURE, run, "--plane", "line", "--size", 3)
    landscape(*options)
    file = run / "scans" / "line-final-0.h5"
    written = file.read_bytes()
    refused = landscape(*options)
    assert refused.code == 1
    assert refused.err == (
        f"landscape: error: a new scan needs a new name, {file} exists; go on with --resume, "
        "replace it with --overwrite, or give another --name\n"
    )
    assert landscape(*options, "--name", "another").code == 0
    resumed = landscape(*options, "--resume")
    assert resumed.code == 0
    assert f"{file} is complete: only drawn again" in resumed.err
    assert file.read_bytes() == written
    assert landscape(*options, "--overwrite").code == 0
    assert names(run / "scans") == ["another.h5", "line-final-0.h5"]


@pytest.mark.parametrize(
    ("options", "lacks"),
    [
        (("--plane", "line", "--size", 5), "rays"),
        (("--plane", "hessian", "--size", 3), "path's losses"),
        (("--plane", "line", "--size", 5, "--planes", 2), "directions"),
    ],
)
def test_a_scan_that_lacks_only_what_comes_after_its_grid_is_incomplete(
    landscape, run, monkeypatch, options, lacks
):
    from landscape.scan import crossings, job, spread

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    typed = (*MEASURE, run, *options, "--name", "one", "--quiet", "--exact")
    with monkeypatch.context() as patch:
        patch.setattr(crossings, "measure", interrupted)
        patch.setattr(job, "trace_all", interrupted)
        patch.setattr(spread, "sheet", interrupted)
        patch.setattr(sys, "argv", ["/bin/landscape", *map(str, typed)])
        assert landscape(*typed).code == 130
    file = run / "scans" / "one.h5"
    first, *_ = landscape("info", file).out.splitlines()
    said = f"not complete, {lacks} missing: --resume measures them; go on with: landscape scan "
    assert said in first
    about = json.loads(landscape("info", file, "--json").out)
    assert (about["complete"], about["missing"]) == (False, lacks)
    assert f"one: {options[1]}" in landscape("info", run).out
    assert ", not complete" in landscape("info", run).out
    assert landscape(*typed, "--resume").code == 0
    assert landscape("info", file).out.splitlines()[0].endswith(", complete")


def test_an_interrupted_scan_resumes_to_the_same_values(landscape, run, monkeypatch):
    from landscape.scan.speed.evaluator import PointEvaluator

    options = (*MEASURE, run, "--plane", "random", "--size", 4, "--quiet")
    options += ("--strategy", "sequential")
    landscape(*options, "--name", "whole")
    whole = scanfile.load(run / "scans" / "whole.h5")

    original, calls = PointEvaluator.at, []

    def interrupted(self, xy):
        calls.append(xy)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(self, xy)

    monkeypatch.setattr(PointEvaluator, "at", interrupted)
    monkeypatch.setattr(sys, "argv", ["/bin/landscape", *map(str, options), "--resume"])
    file = run / "scans" / "random-final-0.h5"
    stopped = landscape(*options)
    assert stopped.code == 130
    on = f"go on with: {shlex.join(['landscape', *map(str, options), '--resume'])}"
    assert stopped.err == f"landscape: interrupted; what was measured is saved in {file}, {on}\n"
    assert landscape("info", file).out.splitlines()[0] == f"{file}: a scan, not complete; {on}"
    part = scanfile.load(file)
    assert part.measured.sum() == 5
    assert landscape(*options, "--resume").code == 0
    assert landscape("info", file).out.splitlines()[0] == f"{file}: a scan, complete"
    resumed = scanfile.load(run / "scans" / "random-final-0.h5")
    assert len(calls) == 6 + 11
    for name, values in resumed.measures.items():
        np.testing.assert_allclose(values, whole.measures[name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("overwritten", [False, True])
def test_a_scan_that_is_interrupted_before_its_first_point(
    landscape, run, monkeypatch, overwritten
):
    def interrupted(*_given, **_options):
        raise KeyboardInterrupt

    options = (*MEASURE, run, "--plane", "line", "--size", 3)
    if overwritten:
        assert landscape(*options).code == 0
        options += ("--overwrite",)
    monkeypatch.setattr(choosing, "engine", interrupted)
    assert landscape(*options).err == (
        "landscape: interrupted; nothing was measured yet, the same command begins again\n"
    )
    assert names(run / "scans") == (["line-final-0.h5"] if overwritten else [])


def test_of_the_planes_by_default_those_that_are_complete_stay(landscape, run):
    small = (*MEASURE, run, "--size", 5, "--quiet")
    assert landscape(*small, "--plane", "valley").code == 0
    valley = run / "scans" / "valley-random-0.h5"
    written = valley.read_bytes()
    others = landscape(*small)
    assert (others.code, others.err) == (0, f"{valley} is complete: only drawn again\n")
    assert valley.read_bytes() == written
    assert names(run / "scans") == ["drift-final-0.h5", "random-final-0.h5", "valley-random-0.h5"]
    # With other settings, or named, it is refused as ever.
    exists = f"a new scan needs a new name, {valley} exists; go on with --resume"
    for more in (("--tolerance", 0.02), ("--plane", "valley")):
        assert exists in landscape(*small, *more).err
    assert valley.read_bytes() == written


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--plane", "pcb"),
            "--plane must be one of random, along, pca, through:A,B,C, hessian, gradient, line, "
            "line:A,B, event, drift, sharpest, valley, got pcb; did you mean pca?",
        ),
        (("--size", "1"), "--size must be at least 2 and at most 501, got 1"),
        (("--size", "502"), "--size must be at least 2 and at most 501, got 502"),
        (("--size", "a"), "--size must be digits or NXxNY, as in 51 or 51x31, got a"),
        (
            ("--extent", "1:-1:0:1"),
            "--extent must have its minimum below its maximum, got 1:-1:0:1",
        ),
        (("--extent", "wide"), "--extent must be a number, xmin:xmax:ymin:ymax or auto, got wide"),
        (("--at", "middle"), "weights must be final, best or a step, got middle"),
        (("--at", "9"), "step 9 must be a recorded one, the nearest are 8 and 11"),
        (("--normalize", "max"), "--normalize must be one of filter, layer, weight, none, got max"),
        (
            ("--name", "x"),
            "name needs a single plane, got random, valley, drift; choose one with --plane",
        ),
    ],
)
def test_a_mistake_is_one_line(options, message, landscape, run):
    result = landscape(*MEASURE, run, *options)
    assert result.code == 1
    assert result.err == f"landscape: error: {message}\n"
    assert names(run / "scans") == []


@pytest.mark.parametrize("command", ["scan", "diagnose"])
def test_a_problem_that_has_to_be_named_is_asked_for_before_torch_is_imported(
    run, tmp_path, command
):
    folder = tmp_path / "own"
    shutil.copytree(run, folder)
    record = json.loads((folder / "run.json").read_text())
    record["problem"]["kind"] = "python"
    (folder / "run.json").write_text(json.dumps(record))
    code = (
        "import sys; sys.modules['torch'] = None; from landscape_cli.main import app; "
        f"app(['{command}', {str(folder)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"landscape: error: run {folder} was recorded from Python and can't make its problem "
        "again; give it with --problem FILE.py:function\n"
    )


def test_a_folder_that_is_no_run(landscape, tmp_path):
    assert landscape(*MEASURE, tmp_path / "nowhere").err == (
        f"landscape: error: a run must be a folder, got {tmp_path}/nowhere, which doesn't exist; "
        "make one with `landscape train -o FOLDER`\n"
    )
    assert landscape(*MEASURE, tmp_path).err == (
        f"landscape: error: a run's folder must hold run.json, {tmp_path} doesn't; "
        "give a folder made by `landscape train`\n"
    )


def test_another_problem_is_refused(landscape, run, tmp_path):
    (tmp_path / "own.py").write_text(
        "import torch\n"
        "from landscape.problem import Problem, half_square\n"
        "def line():\n"
        "    x = torch.randn(20, 1)\n"
        "    return Problem(torch.nn.Linear(1, 1), (x, x), loss=half_square)\n"
    )
    result = landscape(*MEASURE, run, "--problem", f"{tmp_path}/own.py:line")
    assert result.code == 1
    assert result.err == (
        f"landscape: error: the problem must have the parameters that run {run} was trained "
        "with, got weight (1, 1) against hidden1.weight (8, 2); "
        "give that problem with --problem FILE.py:function\n"
    )


@pytest.mark.slow
def test_other_runs_and_several_runs(landscape, run, tmp_path):
    second = tmp_path / "second"
    shutil.copytree(run, second)
    result = landscape(
        "scan", run, "--plane", "pca", "--also", second, "--size", 3, "--measure", "gradient-norm"
    )
    assert result.code == 0, result.err
    scan = scanfile.load(run / "scans" / "pca-final-0.h5")
    assert [path.name for path in scan.paths] == ["run", "second"]
    assert "gradient_norm" in scan.measures
    assert "pca-final-0-measures.png" in names(run / "figures")
    assert "  Path second: " in result.out
    assert result.out.count("of its variance lies in this plane (chance ") == 2

    result = landscape("scan", run, second, "--plane", "line", "--planes", 3, "--size", 5)
    assert result.code == 0, result.err
    first, other = (scanfile.load(f / "scans" / "line-final-0.h5") for f in (run, second))
    np.testing.assert_array_equal(first.x, other.x)
    np.testing.assert_array_equal(first.spread.seeds, other.spread.seeds)
    assert result.out.count("Width r₀.₁") == 2


def test_a_barrier_is_printed(landscape, run):
    result = landscape("scan", run, "--plane", "line:0,final", "--size", 7)
    assert result.code == 0
    assert "Barrier of the training loss along the line:" in result.out
    assert "Barrier of the training loss along the line:" in (
        run / "figures" / "line-0-final-0-curve.caption.txt"
    ).read_text("utf-8")
    mixed = "it isn't that network, and the barrier isn't the one between the two."
    assert mixed not in result.out
    some = (*MEASURE, run, "--plane", "line:0,final", "--parameters", "output.*", "--name", "some")
    assert mixed in landscape(*some, "--size", 7).out


def test_runs_on_other_data_are_refused(landscape, run, tmp_path):
    other = tmp_path / "other"
    options = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 1)
    assert landscape("train", *options, "--train-samples", 100, "-o", other).code == 0
    result = landscape(*MEASURE, run, "--plane", "pca", "--also", other)
    mine, theirs = (read(folder).record["problem"]["data"][:12] for folder in (run, other))
    assert result.err == (
        f"landscape: error: --also needs runs trained on the same data, {other} wasn't "
        f"(fingerprint {theirs} instead of {mine}); accept that with --accept-changes\n"
    )


def test_a_grid_that_holds_none_of_its_widths_is_offered_a_larger_one(capsys, planted):
    valley = planted.valley()
    flat = replace(valley, walls=np.full_like(valley.walls, np.inf))
    line = "  Every width lies beyond the grid; --extent {} looks farther.\n"
    summarize(Path("valley.h5"), flat)
    assert capsys.readouterr().out.endswith(line.format(3))
    one = np.full_like(valley.walls, np.inf)
    one[3] = 0.5
    summarize(Path("valley.h5"), replace(valley, walls=one))
    assert "--extent" not in capsys.readouterr().out
    bowl = planted.bowl(5, 5)
    found = dict.fromkeys(("lower", "median", "upper", "median_distance"))
    found |= {"rise": 0.2, "rays": 4, "planes": 1, "reach": 0.7, "unit": "units"}
    for beyond, offered in ((4, True), (3, False)):
        summarize(Path("plane.h5"), replace(bowl, findings={"width": {**found, "beyond": beyond}}))
        reach = max(np.abs(bowl.x).max(), np.abs(bowl.y).max())
        said = capsys.readouterr().out
        assert said.endswith(line.format(f"{3 * reach:.3g}")) == offered
        assert ("--extent" in said) == offered

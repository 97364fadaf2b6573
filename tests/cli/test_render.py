from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from landscape.draw import KINDS
from landscape.draw.solid import opengl
from landscape.store.scans import scanfile

X, Y = np.linspace(-1, 1, 7), np.linspace(-0.5, 1, 4)


@pytest.fixture
def theirs(tmp_path):
    """A plane in Li et al.'s layout, unfinished: filled in flat order, x fastest."""
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w") as file:
        file["dir_file"] = "net_weights.h5"
        file["xcoordinates"], file["ycoordinates"] = X, Y
        losses, accuracies = -np.ones((7, 4)), -np.ones((7, 4))
        for at, (x, y) in enumerate(zip(*(m.ravel() for m in np.meshgrid(X, Y)), strict=True)):
            if at < 24:
                losses.ravel()[at] = 0.1 + (x + 0.3) ** 2 + y**2
                accuracies.ravel()[at] = 90 - 10 * x
        file["train_loss"], file["train_acc"] = losses, accuracies
    return path


def names(folder):
    return sorted(file.name for file in folder.iterdir())


READY = (
    "Training loss on an imported plane (x: x direction; y: y direction). Colours: the loss, on "
    "the bar's scale; thin lines: equal loss, at the bar's ticks; faint ones: halfway between two "
    "ticks."
)


@pytest.mark.slow
def test_draws_a_foreign_surface(landscape, theirs, tmp_path):
    result = landscape("render", theirs)
    assert result.code == 0, result.err
    figures = tmp_path / "figures"
    endings = ("caption.tex", "caption.txt", "pdf", "png")
    expected = [f"theirs-{kind}.{end}" for kind in ("contour", "surface") for end in endings]
    assert names(figures) == expected
    assert result.out.split() == [
        str(figures / f"theirs-{kind}.{end}")
        for kind in ("contour", "surface")
        for end in ("png", "pdf", "caption.txt", "caption.tex")
    ]
    assert (figures / "theirs-contour.caption.tex").read_text() == (f"\\caption{{{READY}}}\n")
    assert (figures / "theirs-contour.caption.txt").read_text() == (
        f"{READY}\n\n"
        "Mean loss on a plane along the directions of net_weights.h5, imported from theirs.h5: "
        "its weights are not in that file. Axes: x: x direction (unknown unit); y: y direction "
        "(unknown unit). Grid: 7 × 4 points, x −1 to 1, y −0.5 to 1, 24 of 28 of them measured. "
        "Loss at the origin: training 0.19.\n"
    )
    assert np.ptp(imread(figures / "theirs-contour.png")[..., :3]) > 0.9


def test_draws_a_foreign_line(landscape, theirs, tmp_path):
    with h5py.File(theirs, "a") as file:
        for name in ("ycoordinates", "train_loss", "train_acc"):
            del file[name]
        file["train_loss"], file["train_acc"] = 0.1 + X**2, 90 - 10 * X
    assert landscape("render", theirs, "-o", tmp_path / "pictures").code == 0
    assert names(tmp_path / "pictures") == [
        f"theirs-curve.{ending}" for ending in ("caption.tex", "caption.txt", "pdf", "png")
    ]


def test_draws_what_has_nothing_measured_yet(landscape, theirs):
    with h5py.File(theirs, "a") as file:
        del file["train_loss"], file["train_acc"]
    assert landscape("render", theirs, "--kind", "contour").code == 0


@pytest.mark.slow
def test_draws_a_scan_of_ours_again(landscape, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    landscape("scan", run, "--plane", "line", "--size", 5, "--name", "again", "-q")
    scan = run / "scans" / "again.h5"
    before = (run / "figures" / "again-curve.png").read_bytes()
    (run / "figures" / "again-curve.png").unlink()
    assert landscape("render", scan).code == 0
    assert (run / "figures" / "again-curve.png").read_bytes() == before
    assert landscape("render", scan, "-o", tmp_path, "--kind", "curve").code == 0
    assert (tmp_path / "again-curve.png").read_bytes() == before


def test_mistakes(landscape, theirs, tmp_path):
    for arguments, message in {
        ("render", theirs, "--kind", "3d"): (
            f"--kind must be one of {', '.join(KINDS)}, got 3d; did you mean surface?"
        ),
        ("render", theirs, "--kind", "curve"): (
            "a curve figure needs a scan along a line, got one of a plane: draw its contour"
        ),
        ("render", tmp_path / "no.h5"): f"file {tmp_path}/no.h5 must exist, found none",
    }.items():
        result = landscape(*arguments)
        assert result.code == 1
        assert result.err == f"landscape: error: {message}\n"


@pytest.fixture(scope="module")
def scanned(landscape, trained, tmp_path_factory):
    """A run with a plane and a line; tests must not change it."""
    run = shutil.copytree(trained, tmp_path_factory.mktemp("scanned") / "first")
    for plane in ("along", "line"):
        result = landscape("scan", run, "--plane", plane, "--size", 5, "-q")
        assert result.code == 0, result.err
    shutil.rmtree(run / "figures")
    return run


@pytest.mark.slow
def test_a_run_is_drawn_with_all_of_its_scans(landscape, scanned, tmp_path):
    result = landscape("render", scanned, "-o", tmp_path, "--format", "png", "-q")
    assert result.code == 0, result.err
    assert [line for line in result.out.split() if line.endswith(".png")] == [
        str(tmp_path / f"{name}.png")
        for name in (
            *("loss", "along-final-0-contour", "along-final-0-surface"),
            "line-final-0-curve",
        )
    ]
    assert "full data, logged at" in (tmp_path / "loss.caption.txt").read_text()


def test_of_a_run_a_kind_draws_the_scans_that_fit(landscape, scanned, tmp_path):
    assert landscape("render", scanned, "-k", "path", "-o", tmp_path / "a", "-q").code == 0
    assert names(tmp_path / "a") == [
        f"along-final-0-path.{ending}" for ending in ("caption.tex", "caption.txt", "pdf", "png")
    ]
    assert landscape("render", scanned, "-k", "curve", "-o", tmp_path / "b.svg", "-q").code == 0
    assert names(tmp_path) == ["a", "b.caption.tex", "b.caption.txt", "b.svg"]


@pytest.mark.slow
def test_runs_side_by_side(landscape, scanned, tmp_path):
    runs = tmp_path / "runs"
    for name in ("a", "b"):
        shutil.copytree(scanned, runs / name)
    result = landscape("render", runs / "a", runs / "b", "--kind", "map", "-q")
    assert result.code == 0, result.err
    figures = runs / "figures"
    assert names(figures) == [
        f"along-final-0-map.{ending}" for ending in ("caption.tex", "caption.txt", "pdf", "png")
    ]
    again = landscape("render", "--reproduce", figures / "along-final-0-map.png", "-o", tmp_path)
    assert again.code == 0, again.err
    assert again.err == "the same bytes as before\n"


def test_style_reaches_the_picture(landscape, scanned, tmp_path):
    scan = scanned / "scans" / "along-final-0.h5"
    options = ("--width", "3.25in", "--dpi", 100, "--theme", "dark", "--title", "A title")
    scale = ("--linear", "--cap", 5, "--levels", 6, "--cmap", "cividis", "--no-path")
    result = landscape("render", scan, "-o", tmp_path / "a.png", *options, *scale, "-q")
    assert result.code == 0, result.err
    files = (tmp_path / f"a.{ending}" for ending in ("png", "caption.txt", "caption.tex"))
    assert result.out == "".join(f"{file}\n" for file in files)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 325
        assert max(picture.convert("RGB").getpixel((1, 1))) < 40
    before = (tmp_path / "a.png").read_bytes()
    again = landscape("render", scanned, "--reproduce", tmp_path / "a.png")
    assert (again.code, again.err) == (0, "the same bytes as before\n")
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_surface_in_its_own_view(landscape, scanned, tmp_path):
    scan = scanned / "scans" / "along-final-0.h5"
    for name, camera in (("a", "-60,35"), ("b", "40,60")):
        file = tmp_path / f"{name}.png"
        arguments = ("-k", "surface", f"--camera={camera}", "--dpi", 60, "--transparent", "-q")
        result = landscape("render", scan, "-o", file, *arguments, "--renderer", "matplotlib")
        assert result.code == 0, result.err
    a, b = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "ab")
    assert a[0, 0, 3] == 0
    # From higher up the box is seen deeper.
    assert b.shape[0] > a.shape[0]


@pytest.mark.slow
def test_without_opengl_a_line_says_so(landscape, scanned, tmp_path, monkeypatch):
    failed = opengl.Probe(False, "no OpenGL: on Debian or Ubuntu: apt-get install libegl1")
    monkeypatch.setattr(opengl, "probe", lambda: failed)
    out = ("-o", tmp_path / "figures", "--scan", "along-final-0", "--quiet")
    said = landscape("render", scanned, "--kind", "surface", *out)
    assert said.code == 0
    assert said.err == f"{failed.reason}; surfaces are drawn by matplotlib instead\n"
    assert landscape("render", scanned, "--kind", "contour", *out).err == ""


def test_mistakes_with_options(landscape, scanned, trained, theirs, tmp_path):
    plane = scanned / "scans" / "along-final-0.h5"
    for arguments, message in {
        (): (
            "render needs a run or a scan, got none; give RUN, RUN/scans/NAME.h5 "
            "or --reproduce FIGURE"
        ),
        (plane, "--width", "wide"): "a width must be a number with in, cm, mm or pt, got wide",
        (plane, "--theme", "neon"): "--theme must be one of paper, talk, dark, got neon",
        (plane, "--format", "bmp"): "a contour's format must be one of png, pdf, svg, got bmp",
        (plane, "-k", "loss"): f"a loss needs a run, got a scan: {plane}",
        (trained, "-k", "contour"): (
            f"a contour needs a scan of a plane, {trained} has none; "
            f"make one with `landscape scan {trained}`"
        ),
        (scanned, "--scan", "other"): (
            f"render needs a scan called other, {scanned} has along-final-0, line-final-0; "
            f"choose one of them, or make it with `landscape scan {scanned}`"
        ),
        (scanned, "--kind", "loss", "--scan", "along-final-0"): (
            "--scan is for figures of scans, got --kind loss; leave it out"
        ),
        (scanned, "--kind", "curve", "--camera", "20,70"): (
            "--camera is for surface, film, slats, got curve; leave it out"
        ),
        (scanned, "--scan", "line-final-0", "--levels", 5): (
            "--levels is for contour, surface, map, got curve; leave it out"
        ),
        (scanned, "--kind", "path", "--no-path"): (
            "--no-path is for contour, surface, curve, measures, film, valley, slats, map, "
            "got path; leave it out"
        ),
        (scanned, "--kind", "film", "--linear", "--cap", 5): (
            "--cap is for contour, surface, curve, path, valley, slats, map, loss, trainings, "
            "got film; leave it out"
        ),
        (scanned, "-o", tmp_path / "a.png"): (
            f"--output {tmp_path / 'a.png'} holds one figure, got 4; "
            "choose with --kind and --scan, or give a folder"
        ),
        (plane, "-o", tmp_path / "a.png", "--format", "pdf"): (
            f"--format is for folders, got --output {tmp_path / 'a.png'}; drop one of them"
        ),
        (trained, plane, "-k", "map"): (
            f"a map needs a scan of a plane of each run, {trained} has none; "
            f"make one with `landscape scan {trained}`"
        ),
        ("--reproduce", tmp_path / "a.png", "--dpi", 100): (
            "--reproduce takes everything from the figure; leave out other options"
        ),
        ("--reproduce", tmp_path / "a.png", "--format", "pdf"): (
            "--reproduce takes everything from the figure; leave out other options"
        ),
    }.items():
        result = landscape("render", *arguments, "-q")
        assert (result.code, result.err) == (1, f"landscape: error: {message}\n")
    assert list(tmp_path.iterdir()) == [theirs]


def test_an_old_run_takes_the_constant_loss_from_a_scan(landscape, scanned, tmp_path):
    run = shutil.copytree(scanned, tmp_path / "old")
    record = json.loads((run / "run.json").read_text())
    known = record.pop("constant_loss")
    (run / "run.json").write_text(json.dumps(record))
    scan = scanfile.load(run / "scans" / "along-final-0.h5")
    assert known == pytest.approx(scan.constant_loss, rel=1e-12)
    assert landscape("render", run, "-k", "loss", "-q").code == 0
    caption = (run / "figures" / "loss.caption.txt").read_text()
    assert f"Ignoring the input, a network has training loss {known:.4g}" in caption

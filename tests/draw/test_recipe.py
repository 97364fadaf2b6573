from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from landscape import draw
from landscape.draw import recipe
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.store.scans import scanfile


@pytest.fixture
def line(planted, tmp_path):
    """A scan in a run's folder, as far as figures care."""
    path = tmp_path / "run" / "scans" / "best-final.h5"
    path.parent.mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    scanfile.save(path, planted.line(9))
    return path


def made(path, folder=None, kind="curve", formats=("png", "pdf", "svg"), **style):
    stem = (folder or path.parent.parent / "figures") / f"{path.stem}-{kind}"
    return draw.make(kind, [draw.open_work(path)], stem, formats=formats, style=Style(**style))


def test_every_format_carries_it(line):
    *figures, caption, _ = made(line, width=3.25, title="Ridge (here) \\ there", cap=np.inf)
    found = [recipe.read(figure) for figure in figures]
    assert found[0] == found[1] == found[2]
    assert found[0].kind == "curve"
    assert found[0].style == {"width": 3.25, "title": "Ridge (here) \\ there", "cap": "inf"}
    [source] = found[0].sources
    assert (source.file, source.run, source.run_id) == ("scans/best-final.h5", "high-lr", "1f2e")
    assert found[0].versions["landscape"] == draw.recipe.landscape.__version__
    assert caption.read_text().startswith("Training loss on the line through the ")
    # Nothing of the machine goes out with a figure.
    for figure in figures:
        assert str(line.parents[2]).encode() not in figure.read_bytes()


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_a_figure_is_made_again_to_the_byte(line, ending):
    figure = made(line, formats=(ending,), theme="dark", levels=5, log=False)[0]
    before = figure.read_bytes()
    again = draw.reproduce(figure)
    assert again.same
    assert again.versions == ()
    assert figure.read_bytes() == before


def test_in_another_folder_the_first_is_left_alone(line, tmp_path):
    figure = made(line, formats=("png",))[0]
    changed = figure.read_bytes()
    again = draw.reproduce(figure, target=tmp_path / "new")
    assert [file.parent.name for file in again.files] == ["new", "new", "new"]
    assert again.files[0].read_bytes() == changed


def test_a_file_keeps_its_name(line, tmp_path):
    figure = made(line, formats=("png",))[0]
    for name in ("other.png", "best-final-curve.gif"):
        with pytest.raises(LandscapeError) as refused:
            draw.reproduce(figure, target=tmp_path / name)
        assert str(refused.value) == (
            "a figure that is made again keeps its name, which is among its bytes, "
            f"best-final-curve.png, got {tmp_path}/{name}; give a folder"
        )
        assert not (tmp_path / name).exists()
    again = draw.reproduce(figure, target=tmp_path / "new" / figure.name)
    assert again.same
    assert again.files[0] == tmp_path / "new" / figure.name


def test_the_source_is_found_where_it_is_said_to_be(line, tmp_path):
    figure = made(line, tmp_path / "paper" / "figures", formats=("png",))[0]
    with pytest.raises(LandscapeError) as refused:
        draw.reproduce(figure)
    assert str(refused.value) == (
        "best-final-curve.png needs scans/best-final.h5 of run high-lr, found none around it; "
        "say where: landscape render SOURCE --reproduce FIGURE"
    )
    for place in (line, line.parents[1]):
        assert draw.reproduce(figure, [place]).same


def test_a_scan_that_has_changed_is_refused(line, planted):
    figure = made(line, formats=("png",))[0]
    scan = planted.line(9)
    scan.measures["train_loss"][4] *= 1.001
    scanfile.save(line, scan)
    with pytest.raises(LandscapeError) as refused:
        draw.reproduce(figure)
    assert str(refused.value) == (
        f"best-final-curve.png needs scans/best-final.h5 of run high-lr as it was, {line} has "
        "changed since; draw it anew without --reproduce"
    )


def test_what_isn_t_shown_doesn_t_count(planted):
    scan = planted.line(9)
    slower = replace(scan, evaluation_seconds=100.0, strategy={"name": "batched"})
    assert recipe.identity(slower) == recipe.identity(scan)
    for other in (
        replace(scan, run_name="another"),
        replace(scan, remarks=("Mind the gap.",)),
        replace(scan, plane=replace(scan.plane, seed=4)),
        replace(scan, points=scan.points[:1]),
    ):
        assert recipe.identity(other) != recipe.identity(scan)


def test_a_scan_from_a_file_is_the_one_that_was_saved(planted, tmp_path):
    scan = planted.escape(7, 5)
    scanfile.save(tmp_path / "a.h5", scan)
    assert recipe.identity(scanfile.load(tmp_path / "a.h5")) == recipe.identity(scan)


def test_scans_on_one_scale_are_remembered(planted, tmp_path):
    paths = []
    for number, factor in enumerate((1.0, 30.0)):
        scan = planted.line(9)
        losses = {name: factor * values for name, values in scan.measures.items()}
        path = tmp_path / f"{number}.h5"
        scanfile.save(path, replace(scan, measures=losses, constant_loss=np.nan))
        paths.append(path)
    first, second = map(draw.open_work, paths)
    stem = tmp_path / "figures" / "a"
    [figure, *_] = draw.make("curve", [first], stem, formats=("png",), like=[first, second])
    assert len(recipe.read(figure).like) == 1
    assert draw.reproduce(figure).same
    alone = draw.make("curve", [first], tmp_path / "b", formats=("png",))[0]
    assert np.asarray(Image.open(alone)).tobytes() != np.asarray(Image.open(figure)).tobytes()


def test_other_versions_are_named(line, monkeypatch):
    figure = made(line, formats=("png",))[0]
    real = recipe.versions()
    monkeypatch.setattr(recipe, "versions", lambda more: real | {"matplotlib": "9.9"})
    again = draw.reproduce(figure)
    assert not again.same  # the metadata has the version
    assert again.versions == (f"matplotlib 9.9 instead of {real['matplotlib']}",)


def test_what_is_no_figure_of_ours(tmp_path, line):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "c.svg").write_text("<svg")
    (tmp_path / "d.pdf").write_bytes(b"%PDF-1.4")
    none = "must be a figure of landscape's with its metadata, found none in it"
    for name, message in (
        ("a.png", none),
        ("b.png", "must be a picture, got: UnidentifiedImageError: cannot identify image file"),
        ("c.svg", "must be a picture, got: ParseError: unclosed token"),
        ("d.pdf", none),
        ("e.png", "must exist, found none"),
        ("f.txt", "a figure must be one of .png, .pdf, .svg, .mp4, .gif, got f.txt"),
    ):
        with pytest.raises(LandscapeError) as refused:
            draw.reproduce(tmp_path / name)
        assert message in str(refused.value)


def test_a_newer_one_is_refused(line, planted):
    figure = draw.curve(planted.line(5))
    values = json.loads(recipe.read(made(line, formats=("png",))[0]).json())
    newer = json.dumps({**values, "version": 99})
    file = draw.save(figure, line.parent / "a", formats=("png",), caption="c", recipe=newer)[0]
    with pytest.raises(LandscapeError) as refused:
        recipe.read(file)
    assert str(refused.value) == (
        f"{file} must be of version 1 or older, got 99; install a newer landscape"
    )


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"sources": None}, "its recipe.sources must be a list, got None"),
        ({"sources": [{"file": 3}]}, "its recipe.sources[0].file must be text, got 3"),
        ({"style": {"dpi": "x"}}, "its recipe.style.dpi must be a whole number"),
        ({"style": {"camera": [1, "\x1b"]}}, "its recipe.style.camera[1] must be a number, got"),
        ({"versions": {"numpy": []}}, "its recipe.versions.numpy must be text, got []"),
    ],
)
def test_what_a_figure_says_is_looked_at_before_it_is_used(line, planted, changes, wrong):
    values = json.loads(recipe.read(made(line, formats=("png",))[0]).json())
    odd = json.dumps({**values, **changes})
    figure = draw.curve(planted.line(5))
    file = draw.save(figure, line.parent / "a", formats=("png",), caption="c", recipe=odd)[0]
    with pytest.raises(LandscapeError) as refused:
        recipe.read(file)
    assert str(refused.value).startswith(f"{file} must be whole, {wrong}")
    assert str(refused.value).endswith("; draw it anew without --reproduce")


def test_a_figure_that_one_could_wait_for_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(LandscapeError) as refused:
        recipe.read(tmp_path / "a.png")
    assert str(refused.value) == (
        f"{tmp_path / 'a.png'} must be a regular file, got a FIFO; put a copy of one there"
    )

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import get_args

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from landscape import draw
from landscape.draw.files import latex
from landscape.draw.look.style import Style
from landscape.draw.making import caption_of
from landscape.draw.sheet.page import Element
from landscape.errors import LandscapeError
from landscape.store.history import History
from landscape.store.scans import sentences

SMALL = Style(dpi=80)
CAPTION = "Loss at the origin: 0.45 → a caption with “letters” beyond Latin-1."


def test_files_their_names_and_what_they_carry(planted, tmp_path):
    figure = draw.contour(planted.bowl(9, 9))
    files = draw.save(figure, tmp_path / "new" / "random-0.5", caption=CAPTION)
    assert [file.name for file in files] == [
        "random-0.5.png",
        "random-0.5.pdf",
        "random-0.5.caption.txt",
        "random-0.5.caption.tex",
    ]
    assert sorted(files) == sorted((tmp_path / "new").iterdir())
    assert files[2].read_text(encoding="utf-8") == CAPTION + "\n"
    assert files[3].read_text(encoding="utf-8") == (
        "\\caption{Loss at the origin: 0.45 $\\rightarrow$ a caption with “letters” beyond "
        "Latin-1.}\n"
    )
    with Image.open(files[0]) as picture:
        assert picture.info["Description"] == CAPTION
        assert picture.info["Title"] == "random-0.5"
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert picture.width == 975
    pdf = files[1].read_bytes()
    assert b"random-0.5" in pdf
    assert b"CreationDate" not in pdf
    assert b"/FontFile2" in pdf  # TrueType, as journals ask for


def test_letters_with_a_halo_stay_text_too(planted, tmp_path):
    figure = draw.contour(planted.bowl(9, 9))
    [svg] = draw.save(figure, tmp_path / "a", formats=("svg",), caption="c")[:1]
    written = re.findall("<text[^>]*>([^<]*)</text>", svg.read_text("utf-8"))
    assert "end, step 4,500" in written
    # And drawn as before where the figure is shown.
    assert all("draw" not in vars(text) for text in figure.findobj(Text))


@pytest.mark.slow
def test_the_same_scan_gives_the_same_bytes(planted, tmp_path, gl):
    scan = planted.random(9, 9)
    for folder in ("first", "second"):
        for kind in draw.kinds(scan):
            draw.save(
                draw.KINDS[kind](scan, style=SMALL),
                tmp_path / folder / kind,
                caption=draw.caption(scan),
            )
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(files) == 8
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(planted, tmp_path):
    code = (
        "import importlib.util, sys; from pathlib import Path; from landscape import draw\n"
        f"spec = importlib.util.spec_from_file_location('planted', {planted.__file__!r})\n"
        "planted = importlib.util.module_from_spec(spec); spec.loader.exec_module(planted)\n"
        "scan = planted.bowl(9, 9)\n"
        "draw.save(draw.contour(scan), Path(sys.argv[1]), formats=('svg', 'png'), caption='c')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there" / "a")], check=True)
    draw.save(
        draw.contour(planted.bowl(9, 9)),
        tmp_path / "here" / "a",
        formats=("svg", "png"),
        caption="c",
    )
    for name in ("a.svg", "a.png"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_failure_leaves_the_old_file_and_no_litter(planted, tmp_path, monkeypatch):
    figure = draw.curve(planted.line(5))
    (tmp_path / "a.png").write_bytes(b"old")

    def fails(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise ValueError("no more")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(ValueError, match=r"^no more$"):
        draw.save(figure, tmp_path / "a", caption="c")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_an_unknown_format_is_refused_before_anything_is_written(planted, tmp_path):
    with pytest.raises(LandscapeError) as refused:
        draw.save(draw.curve(planted.line(5)), tmp_path / "a", formats=("png", "bmp"), caption="c")
    assert str(refused.value) == "a figure's format must be one of png, pdf, svg, got 'bmp'"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(planted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LandscapeError) as refused:
        draw.save(draw.curve(planted.line(5)), tmp_path / "file" / "a", caption="c")
    assert str(refused.value) == (
        f"figures can't be written to {tmp_path / 'file'}: File exists; choose another folder"
    )


def test_matplotlib_s_settings_are_as_before(planted, tmp_path):
    before = dict(matplotlib.rcParams)
    draw.save(draw.contour(planted.bowl(5, 5), style=SMALL), tmp_path / "a", caption="c")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
def test_threads_draw_at_once(planted, tmp_path):
    def work(name):
        scan = planted.bowl(9, 9)
        draw.save(draw.contour(scan, style=SMALL), tmp_path / name, formats=("png",), caption="c")

    threads = [threading.Thread(target=work, args=(f"{k}/a",)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(tmp_path / f"{k}/a.png").read_bytes() for k in range(3)}) == 1


def test_the_kinds_of_a_scan(planted):
    assert draw.kinds(planted.bowl(3, 3)) == ("contour", "surface")
    assert draw.kinds(planted.line(3)) == ("curve",)


def test_no_control_character_gets_into_a_picture_or_its_caption(tmp_path):
    """Names may come from anybody's files; a caption is printed by ``cat``."""
    figure = Figure()
    figure.suptitle("run \x1b[31mred\x07\u202e, best \N{RIGHTWARDS ARROW} end\nsecond line")
    draw.save(figure, tmp_path / "x", formats=("svg", "png"), caption="run \x1b]0;title\x07")
    assert (tmp_path / "x.caption.txt").read_text() == "run \\x1b]0;title\\x07\n"
    title = "run \\x1b[31mred\\x07\\u202e, best \N{RIGHTWARDS ARROW} end\nsecond line"
    assert figure.get_suptitle() == title
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.text["Description"] == "run \\x1b]0;title\\x07"


def elements(union) -> set[str]:
    """All that may have been drawn."""
    parts = [elements(one) if get_args(one) else {one} for one in get_args(union)]
    return set().union(*parts)


@pytest.mark.parametrize("kind", ["contour", "surface", "curve", "valley", "slats", "loss"])
def test_any_latex_can_set_what_is_ready_of_captions(planted, kind):
    history = History("mine", "1f2e", np.arange(2), {"train_loss": np.ones(2)}, np.ones(1))
    subjects = {"valley": planted.valley(), "slats": planted.valley(), "curve": planted.line()}
    subject = subjects.get(kind, history if kind == "loss" else planted.escape(5, 5))
    ready = latex(caption_of(kind, subject, elements(Element)).rsplit("\n\n", 1)[0])
    assert ready.isascii(), ready
    if kind == "valley":
        assert r"r$_{0.1}$, within which" in ready
        assert r"$\|$d$\|$" in ready


def test_any_latex_can_set_what_is_ready_of_several_planes(planted):
    assert latex(sentences.ready_together([planted.escape(5, 5), planted.bowl(5, 5)])).isascii()

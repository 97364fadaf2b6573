from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from landscape import draw
from landscape.draw.kinds import KINDS, NEEDS, FigureKind
from landscape.errors import LandscapeError
from landscape.store.scans import scanfile


@pytest.fixture
def plane(planted, tmp_path):
    scanfile.save(tmp_path / "a.h5", planted.bowl(5, 5))
    return draw.open_work(tmp_path / "a.h5")


def test_every_kind_says_what_it_needs():
    assert {"contour", "surface", "curve", "measures", "path", "map", "loss"} <= set(KINDS)
    for kind in KINDS.values():
        assert kind.needs in NEEDS
        assert kind.about
        assert set(kind.default) <= set(kind.formats)
        assert (kind.draw is None) != (kind.write is None)


def test_a_kind_that_is_no_figure_writes_its_own_files(plane, tmp_path, monkeypatch):
    """As films do."""
    given = {}

    def write(subject, stem, *, formats, style, caption, recipe, report):
        given.update(subject=subject, style=style, caption=caption, recipe=recipe, report=report)
        return [stem.with_suffix(f".{ending}") for ending in formats]

    flip = FigureKind(
        "plane", None, "a flip book", write=write, formats=("gif", "mp4"), default=("gif",)
    )
    monkeypatch.setitem(KINDS, "flip", flip)
    style, report = draw.Style(theme="dark"), print
    stem = tmp_path / "a-flip"
    files = draw.make("flip", [plane], stem, style=style, report=report)
    assert files == [tmp_path / "a-flip.gif"]
    assert given["report"] is report
    assert given["subject"] is plane.subject
    assert given["style"] is style
    assert given["caption"] == draw.caption(plane.subject)
    assert json.loads(given["recipe"])["style"] == {"theme": "dark"}
    with pytest.raises(LandscapeError) as refused:
        draw.make("flip", [plane], tmp_path / "a", formats=("png",))
    assert str(refused.value) == "a flip's format must be one of gif, mp4, got png"
    with pytest.raises(LandscapeError) as refused:
        flip(plane.subject)
    assert str(refused.value) == "a flip book is no figure but gif or mp4: write it to a file"


@pytest.mark.parametrize(
    ("kind", "count", "message"),
    [
        ("pie", 1, "kind must be one of "),
        ("loss", 1, "a loss needs a run, got a scan: "),
        ("contour", 2, "a contour needs a scan of a plane, got 2"),
        ("map", 1, "a map figure needs 2 to 24 scans of planes, got 1"),
    ],
)
def test_what_a_kind_can_not_show(plane, tmp_path, kind, count, message):
    with pytest.raises(LandscapeError) as refused:
        draw.make(kind, [plane] * count, tmp_path / "x")
    assert str(refused.value).startswith(message)
    assert not list(tmp_path.glob("x*"))


FIGURES = """
import resource, sys
from pathlib import Path
from landscape import draw
from landscape.store.scans import scanfile

scan, style = scanfile.load(Path(sys.argv[1])), draw.Style(dpi=150)
for number in range(40):
    figure = draw.KINDS["contour" if number % 3 == 0 else "surface"](scan, style=style)
    draw.save(figure, Path(sys.argv[2]), formats=("png",), caption="c", style=style)
    print(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
"""


@pytest.mark.slow
def test_memory_stays_flat_over_thirty_figures(planted, tmp_path, gl):
    """In a process of its own: how much others left free shows in what is resident."""
    scanfile.save(tmp_path / "scan.h5", planted.escape(31, 21))
    command = [sys.executable, "-c", FIGURES, str(tmp_path / "scan.h5"), str(tmp_path / "a")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    used = np.array(done.stdout.split(), float)
    assert len(used) == 40
    # A plotter that isn't closed keeps 134 MB; the first ten fill caches and free lists.
    assert np.median(used[-10:]) - np.median(used[5:15]) < 120e6


def test_every_caption_says_how_to_read_its_figure():
    for name, kind in KINDS.items():
        assert kind.reading is not FigureKind("run", None, "").reading, name

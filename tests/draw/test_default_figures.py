"""Which pictures are planned of what was given, and what is refused before any is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landscape.draw import default_figures
from landscape.draw.kinds import KINDS, FigureKind
from landscape.draw.look.style import PLAIN, Style
from landscape.draw.solid import opengl
from landscape.errors import LandscapeError
from landscape.store.scans import scanfile


@pytest.fixture
def plane(planted, tmp_path):
    scanfile.save(tmp_path / "a.h5", planted.bowl(5, 5))
    return tmp_path / "a.h5"


def never(scan):
    raise AssertionError(scan)


def planned(paths, *, style=PLAIN, **more):
    return default_figures.plan_pictures(paths, style=style, guess=never, **more)


def refused(*args, **more) -> str:
    with pytest.raises(LandscapeError) as caught:
        planned(*args, **more)
    return str(caught.value)


def test_a_new_kind_is_a_row(plane, tmp_path, monkeypatch):
    flip = FigureKind(
        "plane",
        None,
        "a flip book",
        lambda scan: True,
        write=lambda *_, **__: [],
        takes=("levels",),
        formats=("flp",),
        default=("flp",),
    )
    monkeypatch.setitem(KINDS, "flip", flip)
    [one] = planned([plane], asked=("flip",), style=Style(levels=3)).pictures
    assert (one.kind, one.stem) == ("flip", tmp_path / "figures" / "a-flip")
    [one] = planned([plane], asked=("flip",), output=tmp_path / "b.flp").pictures
    assert (one.stem, one.formats) == (tmp_path / "b", ("flp",))
    assert [one.kind for one in planned([plane]).pictures] == ["contour", "surface", "flip"]
    assert refused([plane], asked=("flip",), style=Style(title="A title")) == (
        "--title is for contour, surface, curve, measures, path, film, valley, slats, map, loss, "
        "distances, two-time, msd, barriers, sharpness, units, trainings, layers, coefficient, "
        "instability, outcomes, got flip; leave it out"
    )


def test_an_option_must_show_in_one_of_the_pictures(plane):
    style = Style(camera=(20.0, 70.0), renderer="matplotlib")
    assert [one.kind for one in planned([plane], style=style).pictures] == ["contour", "surface"]
    assert refused([plane], asked=("contour",), style=style) == (
        "--camera is for surface, film, slats, got contour; leave it out"
    )


@pytest.mark.parametrize(("log", "option"), [(True, "--log"), (False, "--linear")])
def test_an_option_is_called_as_it_was_given(plane, monkeypatch, log, option):
    monkeypatch.setitem(KINDS, "bare", FigureKind("plane", lambda scan, **_: None, "nothing"))
    message = refused([plane], asked=("bare",), style=Style(log=log))
    assert message.startswith(f"{option} is for contour, surface, ")
    assert message.endswith(", got bare; leave it out")


def test_without_opengl_surfaces_come_with_a_note(plane, no_gl):
    assert planned([plane]).notes == [f"{no_gl}; surfaces are drawn by matplotlib instead"]
    assert planned([plane], asked=("contour",)).notes == []
    assert planned([plane], style=Style(renderer="matplotlib")).notes == []
    assert not opengl.probe().ok


def test_several_kinds_are_planned_in_the_order_they_are_asked_for(plane, tmp_path):
    found = planned([plane], asked=("surface", "contour"))
    assert [(one.kind, one.stem.name) for one in found.pictures] == [
        ("surface", "a-surface"),
        ("contour", "a-contour"),
    ]
    assert refused([plane], asked=("surface", "contour"), output=tmp_path / "one.png") == (
        f"--output {tmp_path}/one.png holds one figure, got 2; "
        "choose with --kind and --scan, or give a folder"
    )
    assert refused([plane], asked=("contour", "none")).endswith(", got none")


def test_of_several_runs_the_planes_that_each_has_are_compared(planted, tmp_path):
    works = []
    for kind in ("drift", "event", "random", "along"):
        scan = planted.bowl(3, 3)
        scanfile.save(tmp_path / f"{kind}.h5", replace(scan, plane=replace(scan.plane, kind=kind)))
        works.append(default_figures.open_work(tmp_path / f"{kind}.h5"))
    places = {one.path.stem: default_figures.comparable(one) for one in works}
    assert places == {"along": 0, "random": 1, "drift": 2, "event": 2}

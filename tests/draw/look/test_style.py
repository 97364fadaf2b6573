from __future__ import annotations

import re
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.text import Text
from PIL import Image

from landscape import draw
from landscape.draw.look import style, theme
from landscape.draw.look.style import Style
from landscape.draw.solid import film_frames, stage, view
from landscape.errors import LandscapeError


def drawn(scan, folder, *, kind="contour", formats=("png",), **more):
    chosen = Style(**more)
    figure = draw.KINDS[kind](scan, style=chosen)
    return figure, draw.save(figure, folder / kind, formats=formats, caption="c", style=chosen)


def pixels(path):
    return np.asarray(Image.open(path).convert("RGBA"))


@pytest.mark.parametrize(
    ("text", "inches"),
    [("3.25in", 3.25), ("8.5cm", 8.5 / 2.54), ("85 mm", 8.5 / 2.54), ("72pt", 1)],
)
def test_lengths(text, inches):
    assert style.length(text) == pytest.approx(inches)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "make"),
    [("contour", "bowl"), ("surface", "bowl"), ("curve", "line"), ("path", "bowl")],
)
@pytest.mark.parametrize(("width", "dpi", "look"), [(3.25, 80, "paper"), (5.6, 50, "talk")])
def test_a_figure_has_the_width_asked_for(planted, tmp_path, no_gl, kind, make, width, dpi, look):
    scan = planted.bowl(5, 5) if make == "bowl" else planted.line(5)
    _, files = drawn(
        scan, tmp_path, kind=kind, width=width, dpi=dpi, theme=look, formats=("png", "pdf", "svg")
    )
    with Image.open(files[0]) as picture:
        assert picture.width == pytest.approx(width * dpi, abs=1)
        assert picture.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)
    box = re.search(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", files[1].read_bytes())
    assert float(box[1]) == pytest.approx(72 * width, abs=0.1)
    head = files[2].read_text()[:3000]
    assert float(re.search(r'<svg [^>]*width="([0-9.]+)pt"', head)[1]) == pytest.approx(
        72 * width, abs=0.1
    )


def test_nothing_is_cut_off_in_a_column(planted, tmp_path, no_gl):
    for kind, scan in (("contour", planted.escape(15, 9)), ("curve", planted.line(9))):
        _, files = drawn(scan, tmp_path, kind=kind, width=3.25, dpi=150)
        picture = pixels(files[0])[..., :3]
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert (edge == 255).all()


def panels_of(figure):
    """Return the axes that show a plane."""
    return [axes for axes in figure.axes if axes.images]


def test_in_a_column_panels_stand_beneath_each_other(planted):
    both = ("train", "validation")
    wide, narrow = (
        draw.contour(planted.bowl(9, 9), style=Style(width=w, panels=both)) for w in (7, 3.25)
    )
    (a, b), (c, d) = (panels_of(figure) for figure in (wide, narrow))
    assert a.get_position().y0 == pytest.approx(b.get_position().y0)
    assert c.get_position().x0 == pytest.approx(d.get_position().x0)
    assert c.get_position().y0 > d.get_position().y1


def test_a_talk_is_the_paper_enlarged(planted, tmp_path):
    """Letters and lines with it: a talk of 1.4 times a paper's width has its pixels."""
    paper = drawn(planted.bowl(9, 9), tmp_path / "a", width=5, dpi=140)[1]
    talk = drawn(planted.bowl(9, 9), tmp_path / "b", width=7, dpi=100, theme="talk")[1]
    np.testing.assert_array_equal(pixels(paper[0]), pixels(talk[0]))


def test_a_talk_s_pdf_is_drawn_enlarged(planted, tmp_path):
    _, (pdf, *_) = drawn(
        planted.line(5), tmp_path, kind="curve", theme="talk", width=7, formats=("pdf",)
    )
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf.read_bytes(), re.DOTALL)
    pages = [text for text in map(_inflated, streams) if text.startswith(b"/DeviceRGB")]
    assert len(pages) == 1
    assert b"\n1.4 0 0 1.4 0 0 cm\n" in pages[0][:200]


def _inflated(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_dark_pages_have_light_letters(planted, tmp_path):
    figure, files = drawn(planted.bowl(9, 9), tmp_path, theme="dark", dpi=60)
    look = theme.LOOKS["dark"]
    picture = pixels(files[0])
    np.testing.assert_allclose(picture[0, 0, :3], 255 * np.array(to_rgb(look.page)), atol=1)
    on_the_page = [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and not text.get_path_effects() and text.get_visible()
    ]
    inset = {text for axes in figure.axes for child in axes.child_axes for text in child.texts}
    for text in set(on_the_page) - inset:
        assert min(to_rgb(text.get_color())) > 0.6, text.get_text()


def test_a_transparent_page_has_no_colour_but_the_surface_does(planted, tmp_path, gl):
    for kind in ("contour", "surface"):
        _, files = drawn(planted.bowl(15, 15), tmp_path, kind=kind, transparent=True, dpi=60)
        picture = pixels(files[0])
        assert picture[0, 0, 3] == 0
        assert (picture[..., 3] == 255).mean() > 0.15
        # Half transparent is the edge of things, not a veil over the page.
        assert ((picture[..., 3] > 0) & (picture[..., 3] < 255)).mean() < 0.25


def test_a_colour_map(planted):
    scan = replace(planted.bowl(9, 9), paths=(), points=())
    figure = draw.contour(scan, style=Style(cmap="magma"))
    picture = panels_of(figure)[0].images[0].get_array()
    # The lowest losses have the map's first colour.
    darkest = picture.reshape(-1, 4)[picture.reshape(-1, 4)[:, :3].sum(axis=1).argmin(), :3]
    assert np.abs(darkest - 255 * np.array(theme.matplotlib.colormaps["magma"](0.0)[:3])).max() < 30


def test_no_path(planted):
    figure = draw.contour(planted.bowl(9, 9), style=Style(path=False))
    assert not [text for text in figure.findobj(Text) if "start" in text.get_text()]
    assert any(
        "start" in text.get_text() for text in draw.contour(planted.bowl(9, 9)).findobj(Text)
    )
    assert len(draw.contour(planted.bowl(9, 9)).axes) > len(figure.axes)  # the strip goes too


def test_no_contour_lines(planted):
    figure = draw.contour(planted.bowl(9, 9), style=Style(levels=0))

    def lines(drawn):
        every = panels_of(drawn)[0].collections
        # The border of what is above the cap is no contour line.
        return [part for part in every if part.get_zorder() == 2 and list(part.levels) != [1.0]]

    assert not lines(figure)
    assert lines(draw.contour(planted.bowl(9, 9)))


def test_a_surface_without_contour_lines(planted, gl):
    scan = replace(planted.bowl(15, 15), paths=(), points=())
    shown, without = (
        np.asarray(
            panels_of(draw.surface(scan, style=Style(levels=n, dpi=80)))[0].images[0].get_array()
        )
        for n in (14, 0)
    )
    assert without.astype(int).mean() > shown.astype(int).mean() + 0.5


def test_a_title_stands_above(planted):
    plain = draw.curve(planted.line(9))
    titled = draw.curve(planted.line(9), style=Style(title="What SGD did"))
    assert titled.get_figheight() > plain.get_figheight()
    assert titled.axes[0].get_window_extent().height == pytest.approx(
        plain.axes[0].get_window_extent().height
    )
    [title] = [text for text in titled.texts if text.get_text() == "What SGD did"]
    assert title.get_position()[1] > titled.axes[0].get_position().y1


def test_a_camera(planted):
    box = stage.box_of(planted.bowl(9, 9))
    seen = view.best_view(box, None, 400, Style(camera=(20.0, 70.0)))
    back = (seen.eye - seen.target) / np.linalg.norm(seen.eye - seen.target)
    assert np.degrees(np.arcsin(back[2])) == pytest.approx(70)
    assert np.degrees(np.arctan2(back[1], back[0])) == pytest.approx(20)


def test_what_was_chosen_is_found_again():
    chosen = Style(theme="dark", width=3.25, cap=np.inf, camera=(-60.0, 35.0), log=False)
    assert style.chosen(chosen.chosen()) == chosen
    assert Style().chosen() == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"theme": "neon"}, "theme must be one of paper, talk, dark, got neon"),
        ({"dpi": 5}, "dpi must be from 50 to 1200, got 5"),
        ({"levels": -1}, "levels must be from 0 to 60, got -1"),
        ({"width": 1.0}, "width must be from 2.5 to 40 inches with theme paper, got 1"),
        (
            {"width": 3.0, "theme": "talk"},
            "width must be from 3.5 to 40 inches with theme talk, got 3",
        ),
        (
            {"cmap": "virids"},
            "cmap must be a colour map of matplotlib's, got virids; even in lightness are "
            "viridis, cividis, magma, inferno, plasma",
        ),
        (
            {"camera": (0.0, 120.0)},
            "a camera's elevation must be from 5 to 89 degrees, got 120",
        ),
        ({"cap": np.nan}, "cap must be a number other than NaN, got nan"),
    ],
)
def test_what_can_not_be(values, message):
    with pytest.raises(LandscapeError) as refused:
        Style(**values)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: style.length("3"), "a width must be a number with in, cm, mm or pt, got 3"),
        (
            lambda: style.angles("30"),
            "a camera must be AZIMUTH,ELEVATION in degrees such as -60,35, got 30",
        ),
        (lambda: style.chosen({"glow": 1}), "a style has no glow; install a newer landscape"),
    ],
)
def test_what_can_not_be_read(call, message):
    with pytest.raises(LandscapeError) as refused:
        call()
    assert str(refused.value) == message


def test_scales_that_were_asked_for(planted):
    scan = planted.bowl(9, 9)
    linear = draw.contour(scan, style=Style(log=False, cap=3.0, explain=True))
    names = [axes.get_xlabel() for axes in linear.axes]
    assert "loss (linear scale)" in names
    assert any("loss above 3: the cap asked for" in t.get_text() for t in linear.findobj(Text))
    below = planted.with_losses(scan, scan.measures["train_loss"] - 1)
    with pytest.raises(LandscapeError) as refused:
        draw.contour(below, style=Style(log=True))
    assert str(refused.value).startswith("a logarithmic scale needs losses above 0, the lowest is ")
    with pytest.raises(LandscapeError) as refused:
        draw.contour(scan, style=Style(cap=0.001))
    assert re.fullmatch(
        r"cap must be above the lowest loss 0\.0\d+, got 0\.001", str(refused.value)
    )


def subject_of(kind, planted):
    bowl = planted.bowl(9, 9)
    values = np.linspace(1, 50, 81).reshape(9, 9)
    return {
        "curve": planted.line(9),
        "measures": replace(bowl, measures={**bowl.measures, "sharpness": values}),
        "map": [bowl, planted.escape(9, 7)],
        "valley": planted.valley(),
        "slats": planted.valley(4, jump=2),
    }.get(kind, bowl)


CHANGED = {
    "theme": "dark",
    "width": 6.1,
    "dpi": 77,
    "cmap": "magma",
    "log": False,
    "cap": 1.7,
    "floor": 0.9,
    "levels": 5,
    "camera": (20.0, 70.0),
    "transparent": True,
    "path": False,
    "title": "A title",
    "panels": ("validation",),
    "explain": True,
    "bare": True,
    "renderer": "pyvista",
    "unit": "distance",
}
"""A value other than the default of each field of a style."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["curve", "measures", "contour", "path", "valley", "film", "surface", "slats", "map"],
)
def test_what_a_kind_says_it_takes_shows_and_nothing_else(planted, tmp_path, no_gl, kind):
    subject = subject_of(kind, planted)

    def drawn_as(**more) -> bytes:
        chosen = Style(**{"dpi": 60, **more})  # a picture differs at any resolution
        try:
            if kind == "film":
                frames = film_frames.frames(subject, 2, chosen)
                return b"".join(frame.tobytes() for frame in frames)
            figure = draw.KINDS[kind](subject, style=chosen)
        except LandscapeError as refused:
            return str(refused).encode()
        [file, *_] = draw.save(figure, tmp_path / "a", formats=("png",), caption="", style=chosen)
        return file.read_bytes()

    plain = drawn_as()
    assert set(CHANGED) == {field.name for field in fields(Style)}
    shows = {name for name, value in CHANGED.items() if drawn_as(**{name: value}) != plain}
    assert shows == set(draw.KINDS[kind].takes)


def test_a_look_is_worn_while_drawing_only(planted, tmp_path):
    before = theme.now()
    drawn(planted.line(5), tmp_path, kind="curve", theme="dark", dpi=60)
    assert theme.now() is before
    assert imread(tmp_path / "curve.png")[0, 0, :3].max() < 0.2

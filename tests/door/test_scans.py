from __future__ import annotations

import re
from dataclasses import fields, replace

import matplotlib
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from landscape.door.scans import HeldScan
from landscape.draw.interactive import explorer_data
from landscape.draw.kinds import KINDS
from landscape.draw.look.style import Style
from landscape.draw.solid import opengl
from landscape.errors import LandscapeError


@pytest.fixture
def plane(planted):
    """Losses 100 + x + 10 y at 4 x 3 points: which index is which can be told."""
    where = planted.plane("random", ("one", "other"), "filter-normalized units", (2.0, 3.0))
    x, y = np.linspace(-1.0, 2.0, 4), np.linspace(-0.5, 0.5, 3)
    return HeldScan("mine", stored=planted.scan(where, x, y, lambda x, y: 100 + x + 10 * y))


@pytest.fixture
def line(planted):
    return HeldScan("cut", stored=planted.line(5))


@pytest.fixture
def valley(planted):
    return HeldScan("walls", stored=planted.valley())


def test_the_first_index_is_x(plane):
    assert list(plane.axes) == ["x", "y"]
    for i, x in enumerate(plane.axes["x"]):
        for j, y in enumerate(plane.axes["y"]):
            assert plane.loss[i, j] == 100 + x + 10 * y


def test_xarray_labels_the_axes(plane):
    found = plane.to_xarray()
    assert found.train_loss.dims == ("x", "y")
    assert float(found.train_loss.sel(x=2.0, y=-0.5)) == 100 + 2 - 5
    assert found.x.attrs == {"long_name": "one", "units": "filter-normalized units"}
    assert found.y.attrs["long_name"] == "other"
    assert set(found.data_vars) == {*plane.measures, "measured"}


def test_pandas_has_a_row_a_point(plane):
    found = plane.to_pandas()
    assert found.index.names == ["x", "y"]
    assert len(found) == 12
    assert found.train_loss.loc[(1.0, 0.5)] == 106
    assert bool(found.measured.all())


def test_a_valleys_axes_are_steps_and_y(valley):
    found = valley.to_xarray()
    stored = valley.stored
    assert found.train_loss.dims == ("step", "y")
    np.testing.assert_array_equal(found.step, stored.slices.step)
    np.testing.assert_array_equal(found.travelled, stored.slices.travelled)
    np.testing.assert_array_equal(found.train_loss.sel(y=0.0), stored.loss)
    assert valley.to_pandas().index.names == ["step", "y"]


def test_it_says_what_it_is_in_a_line(plane, line, valley):
    # They are a run's, whose path isn't traced on them.
    assert repr(plane) == "<scan mine: plane random, 4 x 3, training loss 94 to 107, not complete>"
    still = HeldScan("mine", stored=replace(plane.stored, run_id=""))
    assert repr(still) == "<scan mine: plane random, 4 x 3, training loss 94 to 107>"
    assert re.fullmatch(r"<scan cut: line, 5, training loss \S+ to \S+, not complete>", repr(line))
    assert re.fullmatch(r"<scan walls: valley, \d+ x \d+, training loss \S+ to \S+>", repr(valley))


def test_figures_are_ordinary_and_shown_without_pyplot(plane, line, valley):
    shown = DisplayFormatter()
    for figure in (plane.contour(width=3.25), plane.surface(), line.curve(), valley.contour()):
        assert isinstance(figure, Figure)
        data, metadata = shown.format(figure)
        assert data["image/png"][:4] == b"\x89PNG"
        width, height = figure.get_size_inches()
        assert metadata["image/png"] == {
            "width": round(144 * width),
            "height": round(144 * height),
        }
    assert plane.contour(width=3.25).get_size_inches()[0] == 3.25


def test_a_person_draws_into_axes_of_their_own(plane, line):
    figure = Figure(figsize=(8, 3.5), dpi=80)
    left, right = figure.subplots(1, 2)
    assert plane.contour(ax=left) is figure
    assert left.get_xlim() == (-1.0, 2.0)
    assert left.get_ylim() == (-0.5, 0.5)
    assert left.get_xlabel() == "one (filter-normalized units)"
    assert len(left.images) == 1
    line.curve(ax=right)
    drawn = {tuple(one.get_ydata()) for one in right.lines}
    assert tuple(line.loss) in drawn
    left.set_title("added")
    figure.canvas.draw()


def test_a_notebook_shows_the_picture_with_its_words(plane):
    data, _ = DisplayFormatter().format(plane)
    html = data["text/html"]
    assert html.startswith('<img src="data:image/png;base64,')
    assert 'alt="Training loss on the plane through the final weights (step 4,500)' in html


def test_the_page_stands_within_a_notebook(plane):
    page = plane.view()
    data, _ = DisplayFormatter().format(page)
    assert data["text/html"].startswith('<iframe srcdoc="&lt;!')
    assert 'sandbox="allow-scripts"' in data["text/html"]
    assert re.fullmatch(r'<page of mine, \S+ MB; \.save\("FILE\.html"\) writes it>', repr(page))


def test_the_page_is_the_explorers(plane, tmp_path):
    page = plane.view()
    assert page.save(tmp_path / "page.html").read_text(encoding="utf-8") == page.html


def test_a_surface_can_be_added_to(plane):
    if not opengl.probe().ok:
        pytest.skip(opengl.probe().reason)
    import pyvista

    plotter = plane.plotter(off_screen=True)
    try:
        assert isinstance(plotter, pyvista.Plotter)
        before = plotter.screenshot(return_img=True)
        plotter.add_mesh(pyvista.Sphere(radius=0.3, center=(0, 0, 0.6)), color="red")
        after = plotter.screenshot(return_img=True)
        assert before.std() > 10
        assert (before != after).any()
    finally:
        plotter.close()


def test_figures_are_saved_with_their_captions(plane, tmp_path):
    files = plane.save(tmp_path / "mine", title="a title")
    assert {file.name for file in files} == {
        *("mine.png", "mine.pdf", "mine.caption.txt", "mine.caption.tex")
    }


def test_a_name_with_a_format_is_written_in_that_alone(plane, tmp_path):
    files = plane.savefig(tmp_path / "mine.v2.pdf")
    assert {file.name for file in files} == {
        *("mine.v2.pdf", "mine.v2.caption.txt", "mine.v2.caption.tex")
    }
    assert files[0].read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_a_valleys_surface_is_its_slats(valley):
    drawn = valley.surface(renderer="matplotlib", dpi=60)
    slats = KINDS["slats"](valley.stored, style=Style(renderer="matplotlib", dpi=60))
    assert drawn.shown() == slats.shown()
    axes = drawn.axes[-1]
    assert "training step" in {text.get_text() for text in axes.texts}


def test_a_valley_is_on_the_page_slice_by_slice(valley):
    page = valley.view()
    [entry] = explorer_data.page(page._entries)["scans"]
    assert (entry["kind"], entry["name"]) == ("valley", "walls")
    assert entry["steps"] == valley.stored.slices.step.tolist()
    assert '"kind":"valley"' in page.html.replace(" ", "")


def test_pyplot_is_left_alone(plane):
    import matplotlib.pyplot as plt

    backend, open_before = matplotlib.get_backend(), plt.get_fignums()
    plane.contour()
    assert plt.get_fignums() == open_before
    assert matplotlib.get_backend() == backend


@pytest.mark.parametrize(
    ("kind", "draw", "message"),
    [
        (
            "valley",
            lambda scan: scan.contour(ax=Figure().subplots()),
            "a contour in axes of one's own needs a plane or a line, walls is a valley, whose "
            "figure has several axes, one above the other; leave out ax",
        ),
        (
            "valley",
            lambda scan: scan.curve(ax=Figure().subplots()),
            "a curve needs a plane or a line, walls is a valley, which contour() and surface() "
            "draw",
        ),
        (
            "valley",
            lambda scan: scan.plotter(),
            "a plotter needs a plane or a line, walls is a valley, which surface() draws",
        ),
        (
            "plane",
            lambda scan: scan.curve(),
            "a curve figure needs a scan along a line, got one of a plane: draw its contour",
        ),
        (
            "plane",
            lambda scan: scan.contour(colour="red"),
            f"a figure's style has {', '.join(one.name for one in fields(Style))}, got colour",
        ),
        (
            "plane",
            lambda scan: scan.contour(camera=(30.0, 40.0)),
            f"a contour's style has {', '.join(KINDS['contour'].takes)}, got camera; leave it out",
        ),
        (
            "plane",
            lambda scan: scan.figure("hologram"),
            f"kind must be one of {', '.join(KINDS)}, got hologram",
        ),
    ],
)
def test_what_cant_be_drawn_is_refused(request, kind, draw, message):
    scan = request.getfixturevalue(kind)
    with pytest.raises(LandscapeError) as caught:
        draw(scan)
    assert str(caught.value) == message

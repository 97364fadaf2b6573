from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from landscape.draw.elements import marks
from landscape.draw.figures.explained_contour import contour
from landscape.draw.look import theme
from landscape.errors import LandscapeError


def pixels(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


def colour_at(figure: Figure, axes, x: float, y: float) -> np.ndarray:
    column, row = axes.transData.transform((x, y))
    picture = pixels(figure)
    return picture[picture.shape[0] - 1 - round(row), round(column)]


def texts(figure: Figure) -> list[str]:
    import matplotlib.text

    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def tilted(planted, nx=51, ny=31):
    """A loss that rises along x only, fastest at the right, on a plane longer in x."""
    where = planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0))
    return planted.scan(
        where,
        np.linspace(-8, 45, nx),
        np.linspace(-15, 15, ny),
        lambda x, y: 10 ** ((x + 8) / 53 + 0 * y),
        constant_loss=float("nan"),
        samples={},
        measures={
            "train_loss": 10 ** ((np.linspace(-8, 45, nx)[:, None] + 8) / 53 + np.zeros((1, ny)))
        },
    )


@pytest.mark.parametrize(("x", "position"), [(-7.0, 1 / 53), (18.0, 26 / 53), (44.0, 52 / 53)])
def test_x_runs_along_the_horizontal(planted, x, position):
    figure = contour(tilted(planted))
    wanted = 255 * np.array(theme.LOSS(position)[:3])
    for y in (-13.2, 2.3, 12.4):
        np.testing.assert_allclose(colour_at(figure, figure.axes[0], x, y), wanted, atol=12)


def test_y_runs_upwards(planted):
    scan = tilted(planted)
    upright = replace(
        scan,
        x=np.linspace(-1, 1, 31),
        y=np.linspace(-1, 1, 51),
        measures={"train_loss": scan.measures["train_loss"].T},
        measured=scan.measured.T,
    )
    figure = contour(upright)
    for y in (-0.95, 0.93):
        wanted = 255 * np.array(theme.LOSS((y + 1) / 2)[:3])
        np.testing.assert_allclose(colour_at(figure, figure.axes[0], 0.31, y), wanted, atol=12)


def test_distances_are_to_one_scale(planted):
    figure = contour(planted.escape())
    width, height = figure.axes[0].get_window_extent().size
    assert width / height == pytest.approx(53 / 30, rel=0.01)


def test_a_ribbon_is_not_and_says_so(planted):
    scan = replace(planted.escape(), y=np.linspace(-1, 1, 31))
    assert "the axes are not to one scale" in "\n".join(texts(contour(scan)))


def test_training_and_validation_share_a_scale(planted):
    figure = contour(planted.bowl())
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:2] == ["training loss (1,437 samples)", "validation loss (360 samples)"]
    assert figure.get_size_inches()[0] == 7
    names = [axes.get_xlabel() for axes in figure.axes]
    assert names.count("loss (log scale)") == 1
    assert names.count("training step") == 1


def test_without_validation_there_is_one_panel(planted):
    bowl = planted.bowl()
    nothing = np.full_like(bowl.measures["train_loss"], np.nan)
    for measures in ({}, {"validation_loss": nothing}):
        measures = {"train_loss": bowl.measures["train_loss"], **measures}
        figure = contour(replace(bowl, measures=measures))
        titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        assert titles == ["training loss (1,437 samples)"]


def test_axes_say_what_they_are_and_their_unit(planted):
    random, along = contour(planted.bowl()), contour(planted.escape())
    assert random.axes[0].get_xlabel() == (
        "random direction 1\n(filter-normalized units; 1 = 3.21 in weight space)"
    )
    assert random.axes[0].get_ylabel() == (
        "random direction 2\n(filter-normalized units; 1 = 3.18 in weight space)"
    )
    assert along.axes[0].get_xlabel() == "best → end\n(distance in weight space)"


def test_the_path_s_share_is_beside_chance(planted):
    assert (
        "path: 0.004 % of its variance lies in this plane (chance 0.0083 %), up to 44 away from "
        "it in weight space"
    ) in "\n".join(texts(contour(planted.random())))


def test_the_legend_names_all_that_is_drawn(planted):
    assert labels(contour(planted.bowl())) == [
        "start (step 0)",
        "end (step 4,500)",
        "best (step 3,960)",
        "lowest on the grid: 0.0261, validation 0.13",
        "pale: over 10 % off the plane's loss",
        "loss above 20: twice that of ignoring the input",
    ]


def test_the_constant_loss_is_marked_on_the_colour_bar(planted):
    assert "2.30 ignoring the input" in texts(contour(planted.escape()))
    high = replace(planted.random(), constant_loss=50.0)
    assert "ignoring the input 50: above this scale" in texts(contour(high))


def test_what_is_not_a_loss_is_drawn_and_named(planted):
    bowl = planted.bowl(21, 21)
    loss = bowl.measures["train_loss"].copy()
    loss[3:7, 3:9] = loss[14, 14] = np.nan
    loss[14:17, 3:6] = np.inf
    measured = np.ones_like(bowl.measured)
    measured[3:7, 3:9] = False
    figure = contour(planted.with_losses(bowl, loss, measured=measured))
    assert labels(figure)[-3:] == ["not measured", "loss is NaN", "loss is infinite"]
    axes = figure.axes[0]
    grey = colour_at(figure, axes, *(bowl.x[5], bowl.y[6]))
    np.testing.assert_array_equal(grey, [0xDE] * 3)


def test_a_zero_loss_makes_the_scale_linear_and_says_so(planted):
    bowl = planted.bowl(21, 21)
    loss = bowl.measures["train_loss"].copy()
    loss[10, 10] = 0
    names = [axes.get_xlabel() for axes in contour(planted.with_losses(bowl, loss)).axes]
    assert "loss (linear scale: losses ≤ 0 have no logarithm)" in names


def test_a_tiny_path_has_an_inset_in_a_corner(planted):
    figure = contour(planted.random())
    [inset] = figure.axes[0].child_axes
    low, high = inset.get_xlim()
    assert high - low == pytest.approx(0.03, rel=0.3)
    box = inset.get_window_extent().transformed(figure.axes[0].transAxes.inverted())
    assert box.x0 > 0.5
    assert box.y0 > 0.5
    assert any("path at its own scale, ground\ninterpolated" in text for text in texts(figure))
    assert figure.axes[1].child_axes == []
    assert contour(planted.bowl()).axes[0].child_axes == []


def test_the_lowest_point_is_the_grid_s(planted):
    bowl = planted.bowl()
    loss, at = marks.lowest(bowl)
    i, j = np.argwhere(bowl.measures["train_loss"] == loss)[0]
    assert at.tolist() == [bowl.x[i], bowl.y[j]]


def test_marks_at_one_place_are_all_seen(planted):
    bowl = planted.bowl()
    least = marks.lowest(bowl)[1]
    points = tuple(replace(p, xy=(float(least[0]), float(least[1]) + 0.01)) for p in bowl.points)
    axes = contour(replace(bowl, points=points)).axes[0]
    looks = [theme.MARKS[point.name] for point in points] + [theme.LOWEST]
    stamps = [
        next(
            line
            for line in axes.lines
            if line.get_marker() == look.marker and look.size == line.get_markersize()
        )
        for look in looks
    ]
    at = np.array([axes.transData.transform(line.get_xydata()[0]) for line in stamps])
    gaps = np.linalg.norm(at[:, None] - at[None], axis=2) + 1e9 * np.eye(4)
    radii = np.array([look.size for look in looks]) / 72 * theme.DPI / 2
    assert (gaps >= 0.89 * (radii[:, None] + radii[None])).all()
    # A leader joins each moved mark to its place.
    dots = [line.get_xydata()[0] for line in axes.lines if line.get_markersize() == 2.6]
    assert any(np.allclose(dot, least) for dot in dots)


def test_an_end_outside_stands_at_the_edge_and_is_said(planted):
    bowl = planted.bowl()
    points = tuple(replace(p, xy=tuple(1.6 * c for c in p.xy)) for p in bowl.points)
    wide = replace(bowl.paths[0], xy=1.6 * bowl.paths[0].xy)
    figure = contour(replace(bowl, paths=(wide,), points=points))
    assert labels(figure)[0] == "start (step 0; outside, at −1.38, 1.25)"
    green = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "#2ca02c"]
    [(x, y)] = [line.get_xydata()[0] for line in green]
    assert (x, y) == (pytest.approx(-0.84), pytest.approx(0.84 * 1.25 / 1.376, abs=0.01))


def test_a_line_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        contour(planted.line())
    assert str(refused.value) == (
        "a contour figure needs a scan of a plane, got one along a line: draw its curve"
    )


def test_a_single_row_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        contour(planted.escape(5, 1))
    assert str(refused.value) == "a contour figure needs at least 2 × 2 points, got 5 × 1"

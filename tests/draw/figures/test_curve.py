from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from landscape import draw
from landscape.errors import LandscapeError


def line_of(axes, label):
    return next(line for line in axes.lines if line.get_label() == label)


def test_losses_above_accuracies_on_one_x(planted):
    scan = planted.line()
    upper, lower = draw.curve(scan).axes
    for axes, kind in ((upper, "loss"), (lower, "accuracy")):
        for name, label in (("train", "training"), ("validation", "validation")):
            drawn = line_of(axes, label).get_xydata()
            np.testing.assert_array_equal(drawn[:, 0], scan.x)
            np.testing.assert_array_equal(drawn[:, 1], scan.measures[f"{name}_{kind}"])
    assert upper.get_xlim() == lower.get_xlim()
    assert (upper.get_yscale(), lower.get_yscale()) == ("log", "linear")
    assert lower.get_xlabel() == "best → end\n(distance in weight space)"
    assert [upper.get_ylabel(), lower.get_ylabel()] == ["loss (log scale)", "accuracy"]


def test_points_and_the_constant_loss_are_named(planted):
    texts = [text.get_text() for text in draw.curve(planted.line()).axes[0].findobj(Text)]
    for wanted in ("best (step 1,800)", "end (step 5,355)", "2.30 ignoring the input"):
        assert wanted in texts


def test_without_points_the_origin_is_marked(planted):
    figure = draw.curve(replace(planted.line(), points=()))
    assert "origin" in [text.get_text() for text in figure.axes[0].findobj(Text)]


def test_without_accuracies_there_is_one_panel(planted):
    scan = planted.line()
    nothing = np.full(len(scan.x), np.nan)
    for more in ({}, {"train_accuracy": nothing}):
        figure = draw.curve(
            replace(scan, measures={"train_loss": scan.measures["train_loss"], **more})
        )
        assert len(figure.axes) == 1


def test_a_loss_of_zero_makes_the_scale_linear(planted):
    loss = np.linspace(0, 1, 51)
    figure = draw.curve(planted.with_losses(planted.line(), loss))
    assert figure.axes[0].get_yscale() == "linear"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 2.3, 1e300])
@pytest.mark.parametrize("all_of_it", [True, False])
def test_odd_losses_are_drawn(planted, value, all_of_it):
    loss = planted.line(21).measures["train_loss"].copy()
    loss[0 if all_of_it else 10 :: 1 if all_of_it else 40] = value
    figure = draw.curve(planted.with_losses(planted.line(21), loss))
    figure.canvas.draw()
    assert draw.caption(planted.with_losses(planted.line(21), loss)).startswith(
        "Training loss on the line through "
    )


def test_a_plane_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        draw.curve(planted.bowl(5, 5))
    assert str(refused.value) == (
        "a curve figure needs a scan along a line, got one of a plane: draw its contour"
    )


def test_a_single_point_is_refused(planted):
    with pytest.raises(LandscapeError) as refused:
        draw.curve(planted.line(1))
    assert str(refused.value) == "a curve figure needs at least 2 points, got 1"

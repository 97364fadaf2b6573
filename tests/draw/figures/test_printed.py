"""A contour as it is printed: how much is data, what is said where, what dashes and hollows mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from landscape import draw
from landscape.draw.elements import columns
from landscape.draw.figures import printed
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError


def said(figure) -> list[Text]:
    figure.canvas.draw()
    found = figure.findobj(lambda one: isinstance(one, Text) and one.get_text().strip())
    return [one for one in found if one.get_visible() and one.get_window_extent().width > 0]


def labels(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("name", ["bowl", "escape", "random"])
def test_most_of_it_is_data(planted, name):
    figure = draw.contour(getattr(planted, name)())
    boxes = [axes.get_position() for axes in figure.axes]
    assert sum(box.width * box.height for box in boxes) > 0.70
    assert not figure.legends


@pytest.mark.parametrize("name", ["bowl", "escape", "random"])
@pytest.mark.parametrize("width", [3.25, None])
def test_no_label_covers_another_or_leaves_the_page(planted, name, width):
    figure = draw.contour(getattr(planted, name)(), style=Style(width=width))
    found = [(one.get_text(), one.get_window_extent()) for one in said(figure)]
    page = figure.bbox
    for k, (text, box) in enumerate(found):
        assert page.x0 - 1 <= box.x0, text
        assert box.x1 <= page.x1 + 1, text
        assert page.y0 - 1 <= box.y0, text
        assert box.y1 <= page.y1 + 1, text
        for other, beside in found[:k]:
            across = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            along = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert min(across, along) <= 2, (text, other)


def test_marks_are_named_with_their_own_loss_where_they_are(planted):
    axes = draw.contour(planted.escape()).axes[0]
    texts = labels(axes)
    assert any(text.startswith("best 0.501") for text in texts)
    assert any(text.startswith("end 2.51") for text in texts)
    assert "start 2.31" in texts
    # The start's loss isn't the plane's there: it is hollow, and the path to it dashed.
    marked = {line.get_marker(): line for line in axes.lines if line.get_marker() in "os*"}
    assert marked["o"].get_markerfacecolor() == "white"
    assert marked["*"].get_markerfacecolor() != "white"
    lines = [line for line in axes.lines if line.get_color() == printed.PATH]
    assert {line.get_linestyle() for line in lines} == {"-", "--"}


def test_one_line_says_what_share_is_in_the_plane(planted):
    figure = draw.contour(planted.escape())
    assert [text.get_text() for text in figure.texts] == [
        "93 % of the path lies in this plane; dashed, hollow: its loss isn't the plane's"
    ]
    assert not draw.contour(planted.escape(), style=Style(bare=True)).texts


def test_above_the_cap_is_one_grey_without_hatching(planted):
    figure = draw.contour(planted.bowl())
    axes = figure.axes[0]
    image = np.asarray(axes.images[0].get_array())[..., :3] / 255
    grey = np.array(to_rgb(columns.BEYOND))
    np.testing.assert_allclose(image[3, 3], grey, atol=0.01)
    assert "loss > 20" in labels(axes)
    assert not any(getattr(one, "get_hatch", lambda: None)() for one in axes.collections)


def test_validation_has_a_panel_where_it_is_visibly_another(planted):
    bowl = planted.bowl()
    train = bowl.measures["train_loss"]
    alike = replace(bowl, measures={"train_loss": train, "validation_loss": 1.02 * train})
    other = replace(bowl, measures={"train_loss": train, "validation_loss": 3 * train})
    assert len(draw.contour(alike).axes) == 2
    figure = draw.contour(other)
    assert len(figure.axes) == 3
    assert "validation loss" in labels(figure.axes[1])
    assert len(draw.contour(alike, style=Style(panels="train,validation")).axes) == 3
    [panel, _] = draw.contour(other, style=Style(panels="validation")).axes
    assert "validation loss" in labels(panel)
    with pytest.raises(LandscapeError) as caught:
        draw.contour(
            replace(bowl, measures={"train_loss": train}), style=Style(panels="validation")
        )
    assert str(caught.value) == (
        "panels must be losses that were measured, got validation: this scan has no validation loss"
    )
    with pytest.raises(LandscapeError) as caught:
        Style(panels="both")
    assert str(caught.value) == ("panels must be train, validation or train,validation, got both")


def test_a_path_that_is_a_dot_is_its_end(planted):
    axes = draw.contour(planted.random()).axes[0]
    assert [text for text in labels(axes) if "all of the path" in text] != []
    assert not any(text.startswith(("start", "best")) for text in labels(axes))


def test_bare_has_no_labels(planted):
    figure = draw.contour(planted.escape(), style=Style(bare=True))
    assert all(not labels(axes) for axes in figure.axes)

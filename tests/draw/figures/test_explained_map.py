from __future__ import annotations

from dataclasses import replace

from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from landscape import draw
from landscape.draw.look import theme
from landscape.draw.look.style import Style


def explained(*scans):
    return draw.KINDS["map"](list(scans), style=Style(explain=True))


def entries(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_all_marks_events_and_what_is_above_the_cap_are_in_one_legend(planted):
    capped = planted.with_losses(
        planted.escape(9, 9), 3 * planted.escape(9, 9).measures["train_loss"]
    )
    figure = explained(capped, planted.random(9, 9))
    said = entries(figure)
    assert said[:3] == ["start", "best", "end"]
    assert "lowest on the grid" in said
    assert "loss above 4.61: twice that of ignoring the input" in said
    assert "around the path: a dot or little more here" in said
    small = "\n".join(text.get_text() for text in figure.texts)
    assert small.count("of its variance lies in this plane") == 2
    # One bar for the losses of both, one for their steps.
    assert [axes.get_xlabel() for axes in figure.axes][-2:] == ["loss (log scale)", "training step"]


def test_a_legend_has_nothing_that_no_panel_shows(planted):
    still = replace(planted.random(9, 9), paths=(), points=())
    assert entries(explained(still, still)) == ["lowest on the grid"]


def test_nothing_above_the_cap_is_hatched(planted):
    losses = 3 * planted.escape(9, 9).measures["train_loss"]
    capped = planted.with_losses(planted.escape(9, 9), losses)
    for figure in (explained(capped, capped), draw.contour(capped, style=Style(explain=True))):
        patches = figure.findobj(Patch)
        assert not [patch for patch in patches if patch.get_hatch()]
        grey = to_hex(theme.LOOKS["paper"].beyond)
        # In the bar and in the legend.
        assert sum(to_hex(patch.get_facecolor()) == grey for patch in patches) == 2
        drawn = [one for axes in figure.axes for one in axes.collections]
        assert not [one for one in drawn if any(getattr(one, "hatches", ()) or ())]

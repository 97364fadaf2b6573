from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from landscape.draw.diagnosis.two_time import caption, two_time
from landscape.draw.look.style import Style
from landscape.store.measured.networks import Functions
from landscape.store.measured.weights import Distances, LagCurve, WeightDistances

STEP = np.array([0, 50, 100, 200])


@pytest.fixture
def weights():
    squared = (STEP[:, None] - STEP) ** 2 / 100.0
    curve = LagCurve(np.array([50.0]), np.array([5.0]), *np.array([[4.0], [6.0]]), np.array([3]))
    return WeightDistances(Distances(STEP, squared), curve)


@pytest.fixture
def functions():
    differ = np.abs(STEP[:, None] - STEP) / 400
    return Functions(STEP, differ, differ, 2 * differ, 1437, "training")


def maps(figure):
    return [
        np.asarray(axes.collections[0].get_array()).reshape(4, 4)
        for axes in figure.axes
        if axes.get_xlabel() == "training step N"
    ]


def test_two_maps_on_their_own_scales(found, weights, functions):
    figure = two_time(found(distances=weights, functions=functions))
    apart, differing = maps(figure)
    assert apart[0].tolist() == [0, 5, 10, 20]
    assert differing[0] == pytest.approx([0, 12.5, 25, 50])
    assert "predictions at 4 of the 1,437 training samples" in " ".join(
        text.get_text() for text in figure.findobj(Text)
    ).replace("\n", " ")


def test_a_narrow_one_stands_in_a_column(found, weights, functions):
    figure = two_time(found(distances=weights, functions=functions), style=Style(width=3.25))
    one, two = (axes.get_position() for axes in figure.axes if axes.get_xlabel())
    assert one.y0 > two.y1
    assert one.x0 == pytest.approx(two.x0)


def test_without_classes_it_is_the_outputs_distance(found, weights, functions):
    plain = replace(functions, disagreement=np.full((4, 4), np.nan))
    shown = found(distances=weights, functions=plain)
    assert maps(two_time(shown))[1][0] == pytest.approx(2 * STEP / 400)
    assert caption(shown).endswith("to the last, 200, the weights moved by 10.")


def test_the_caption_says_how_much_changed_since_half_way(found, weights, functions):
    assert caption(found(distances=weights, functions=functions)).endswith(
        "From step 100 to the last, 200, the weights moved by 10 and 25 % of the training "
        "predictions changed."
    )

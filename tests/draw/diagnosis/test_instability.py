from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from landscape.draw.diagnosis.instability import caption, instability
from landscape.store.measured.instability import COOLED, KEPT, Instability


@pytest.fixture
def part():
    values, errors = np.array([8.0, 2.0, 0.1, 0.0]), np.array([1.0, 0.5, 0.2, 0.0])
    return Instability(
        step=np.array([0, 20, 100, 100]),
        kind=(COOLED, COOLED, COOLED, KEPT),
        children=np.array([3, 3, 3, 4]),
        steps=np.array([200, 180, 100, 90]),
        has_state=(True, False, False, False),
        loss=values / 10,
        loss_error=errors / 10,
        error=values,
        error_error=errors,
        distance=values + 1,
        distance_error=errors,
        disagreement=values / 100,
        disagreement_error=errors / 100,
        connected=(False, True, True, None),
    )


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def drawn(axes):
    return [list(container[0].get_ydata()) for container in axes.containers]


def test_barriers_and_predictions_by_the_step_of_parting(found, part):
    figure = instability(found(instability=part))
    first, second, _ = figure.axes
    assert drawn(first) == [[8, 2, 0.1], [0]]
    assert drawn(second) == [pytest.approx([8, 2, 0.1]), [0]]
    [bars] = first.containers[0][2]
    # Two errors, cut off at zero.
    assert bars.get_segments()[0][:, 1] == pytest.approx([6, 10])
    assert bars.get_segments()[2][:, 1] == pytest.approx([0, 0.5])
    text = words(figure)
    assert "3 to 4 children a step; each trained for 90 to 200 steps" in text
    assert "at steps 20, 100 they began with no velocity" in text


def test_without_classes_it_is_the_loss_and_the_distance(found, part):
    nothing = np.full(4, np.nan)
    plain = replace(part, error=nothing, disagreement=nothing)
    first, second, _ = instability(found(instability=plain)).axes
    assert drawn(first)[0] == pytest.approx([0.8, 0.2, 0.01])
    assert drawn(second)[0] == pytest.approx([9, 3, 1.1])
    assert "0 (0.8 in loss)" in caption(found(instability=plain))


def test_the_caption_gives_the_cooled_ones(found, part):
    assert caption(found(instability=part)).endswith(
        "Mean barrier by the step of parting: 0 (0.8 in loss, 8 points), 20 (0.2 in loss, "
        "2 points), 100 (0.01 in loss, 0.1 points)."
    )

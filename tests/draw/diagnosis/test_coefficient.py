from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from landscape.draw.diagnosis.coefficient import caption, coefficient
from landscape.errors import LandscapeError
from landscape.store.measured.complexity import CoefficientCheck, LearningCoefficient


@pytest.fixture
def part():
    three = np.ones(3)
    return LearningCoefficient(
        step=np.array([40, 100, 200]),
        floor_loss=three,
        moved=three,
        value=np.array([30.0, 42.0, 51.0]),
        error=np.array([2.0, 1.0, 0.5]),
        null=np.array([29.0, 41.0, 47.0]),
        null_error=three,
        undetermined=("the chains drift", "", ""),
        by_chain=np.ones((3, 4)),
        effective=100 * three,
        top=three,
        step_size=1e-3 * three,
        burn_in=np.array([10, 10, 10]),
        draws=np.array([20, 20, 20]),
        samples=1437,
        inverse_temperature=1 / np.log(1437),
        tether=3.0,
        batch_size=256,
        parameters=910,
        unit="nats",
        checks=(
            CoefficientCheck("twice the step", 50.0, 0.6, 47.0, 1437, 0.1, 3.0, 2e-3, 256, True),
        ),
    )


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def test_values_errors_and_the_null(found, part):
    figure = coefficient(found(learning_coefficient=part))
    upper = figure.axes[0]
    dots = [container[0] for container in upper.containers[:3]]
    assert [float(dot.get_ydata()[0]) for dot in dots] == [30, 42, 51]
    # Hollow where it is undetermined.
    faces = [to_hex(dot.get_markerfacecolor()) for dot in dots]
    assert faces[0] != faces[1] == faces[2] == to_hex(dots[1].get_color())
    [bars] = upper.containers[1][2]
    assert bars.get_segments()[0][:, 1] == pytest.approx([40, 44])
    [null] = [
        line for line in upper.lines if line.get_marker() == "_" and len(line.get_xdata()) == 3
    ]
    assert list(null.get_ydata()) == [29, 41, 47]
    [bars] = upper.containers[3][2]
    assert bars.get_segments()[0][:, 1] == pytest.approx([27, 31])
    assert "undetermined: the chains drift" in words(figure)


def test_it_differs_from_its_null_beyond_two_errors_of_both(part):
    # 51 ± 0.5 and 47 ± 1: 4 against 2 √1.25.
    assert [part.differs(k) for k in range(3)] == [None, False, True]
    assert part.scale == pytest.approx(np.log(1437) / 1437)
    assert part.flat_below == pytest.approx(3 * np.log(1437) / 1437)


def test_the_caption_has_the_last_floors(found, part):
    said = caption(found(learning_coefficient=part))
    assert "51 ± 0.5 at the last one, where a quadratic of the same curvatures has 47 ± 1" in said
    assert "Undetermined" not in said
    last = replace(part, undetermined=("", "", "why"))
    assert caption(found(learning_coefficient=last)).endswith("Undetermined: why.")
    unsampled = replace(part, draws=np.array([20, 20, 0]), value=np.array([30.0, 42.0, np.nan]))
    assert "42 ± 1 at the one below step 100, where" in caption(
        found(learning_coefficient=unsampled)
    )


def test_where_all_chains_left_there_is_nothing_to_draw(found, part):
    nothing = np.full(3, np.nan)
    lost = replace(part, value=nothing, undetermined=("a", "b", "a chain left"))
    with pytest.raises(LandscapeError) as refused:
        coefficient(found(learning_coefficient=lost))
    assert str(refused.value) == (
        "a figure of the learning coefficient needs a value, run high-lr has none: a chain left"
    )

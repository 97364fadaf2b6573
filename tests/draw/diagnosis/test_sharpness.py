from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.text import Text

from landscape.draw.diagnosis.sharpness import caption, sharpness
from landscape.draw.figures.loss_curves import loss
from landscape.draw.figures.valley import valley
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.store.measured.curvature import Curvature, Sharpness
from landscape.store.trajectories.trajectory import Event

STEP = np.array([0, 120, 200])


@pytest.fixture
def batch():
    return Sharpness(
        STEP, np.array([5.0, 8.0, 0.5]), np.array([0.5, 1.0, 0.1]), np.full(3, 0.8), 32, 16
    )


@pytest.fixture
def top():
    eigenvalues = np.array([[3.0, 1.0], [9.0, 2.0], [0.1, 0.05]])
    one, rows = np.ones(3), np.ones((3, 2))
    return Curvature(
        step=STEP,
        loss=one,
        gradient_norm=one,
        gradient_curvature=one,
        critical_step=one,
        eigenvalues=eigenvalues,
        eigenvalue_errors=0 * rows,
        lowest=-one,
        lowest_error=0 * one,
        trace=one,
        trace_error=one,
        products=np.ones(3, int),
        samples=256,
        total=1437,
        parameters=10,
    )


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def flat(axes):
    return [float(line.get_ydata()[0]) for line in axes.lines if len(line.get_xdata()) == 200]


def test_measured_values_and_both_bounds(found, batch, top):
    figure = sharpness(found(sharpness=batch, curvature=top))
    axes = figure.axes[0]
    # 2 (1 - 0.9)/0.1 and 2 (1 + 0.9)/0.1.
    assert flat(axes) == pytest.approx([2, 38])
    lines = {tuple(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 3}
    assert {(5.0, 8.0, 0.5), (3.0, 9.0, 0.1)} <= lines
    _, _, [bars] = axes.containers[0]
    np.testing.assert_allclose([s[:, 1] for s in bars.get_segments()][1], [6, 10])
    assert "stability bound of small batches, 2(1−β)/η" in words(figure)
    assert "λ_max of 256 samples" in words(figure)


def test_bounds_follow_the_learning_rate(found, batch):
    rates = np.repeat([0.1, 0.01], 100)
    axes = sharpness(found(rates=rates, sharpness=batch)).axes[0]
    [noisy] = [line for line in axes.lines if line.get_ydata()[0] == pytest.approx(2)]
    np.testing.assert_allclose(noisy.get_ydata()[[0, 99, 100, 199]], [2, 2, 20, 20])
    assert "λ_max: not measured" in words(axes.figure)


def test_nesterovs_bound_is_another(found, batch):
    subject = found(sharpness=batch, settings={"nesterov": True})
    # (2 + 1.8)/(2.8 · 0.1)
    assert flat(sharpness(subject).axes[0]) == pytest.approx([2, 3.8 / 0.28])
    assert "Stability bound of the full batch, (2+2β)/((1+2β)η): 13.6." in caption(subject)


@pytest.mark.parametrize("settings", [{}, {"optimizer": "adam"}, {"clip": 0.1}], ids=str)
def test_other_optimizers_have_no_bounds(found, batch, settings):
    subject = found(sharpness=batch, settings=settings)
    if not settings:  # a loop of one's own
        subject.history.settings.pop("momentum")
    figure = sharpness(subject, style=Style(width=3.25))
    assert not flat(figure.axes[0])
    assert "no bounds: not plain SGD" in words(figure)


def test_nothing_curved(found):
    nothing = np.full(3, np.nan)
    bare = Sharpness(STEP, nothing, nothing, nothing, 32, 16)
    subject = found(sharpness=bare)
    subject.history.settings.pop("momentum")
    with pytest.raises(LandscapeError) as refused:
        sharpness(subject)
    assert str(refused.value) == (
        "a sharpness figure needs a curvature above 0, run high-lr has none"
    )


def test_the_caption_has_the_highest_values_and_the_last(found, batch, top):
    said = caption(found(sharpness=batch, curvature=top))
    assert "± two standard errors: at most 8 ± 2 at step 120, 0.5 ± 0.2 at step 200." in said
    assert "Hessian: at most 9 at step 120, 0.1 at step 200." in said


def test_a_bar_reaches_as_far_down_as_its_error(found, batch, top):
    wide = replace(batch, error=np.full(len(batch.step), 1e3))
    axes = sharpness(found(sharpness=wide, curvature=top)).axes[0]
    assert axes.get_yscale() == "log"
    [bars] = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
    lowest = min(point[1] for bar in bars[2][0].get_segments() for point in bar)
    assert lowest < axes.get_ylim()[0]


def test_a_curvature_has_one_mark_and_colour_here_and_beneath_a_valley(found, batch, top, planted):
    here = sharpness(found(sharpness=batch, curvature=top)).axes[0]
    known = {"λ": (STEP * 1.0, top.eigenvalues[:, 0]), "batch": (STEP * 1.0, batch.value)}
    [strip] = [
        axes
        for axes in valley(planted.valley(known=known)).axes
        if axes.get_ylabel() == "sharpness"
    ]
    looks = [
        {
            tuple(line.get_ydata()): (line.get_marker(), line.get_color())
            for line in axes.lines
            if line.get_marker() not in ("None", "_", None)
        }
        for axes in (here, strip)
    ]
    both = [tuple(top.eigenvalues[:, 0]), tuple(batch.value)]
    for values in both:
        assert looks[0][values] == looks[1][values]
    assert len({looks[0][values] for values in both}) == 2


def test_its_steps_are_those_of_the_loss_figure(found, batch):
    subject = found(sharpness=batch)
    bent = replace(subject.history, events=(Event("plateau", 40, 200, ""),))
    for history in (subject.history, bent):
        upper, lower = sharpness(replace(subject, history=history)).axes[:2]
        [wanted] = loss(history).axes
        places = [
            axes.transAxes.inverted().transform(axes.transData.transform((step, 1.0)))[0]
            for axes in (wanted, upper, lower)
            for step in (0, 30, 50, 200)
        ]
        first, *others = np.reshape(places, (3, 4))
        np.testing.assert_allclose(others, [first] * 2)
        assert lower.get_xlabel() == wanted.get_xlabel()
    assert "log scale from 40" in lower.get_xlabel()


def test_the_caption_names_no_value_where_there_is_none(found, batch, top):
    lost = replace(batch, value=np.array([5.0, 8.0, np.nan]), error=np.array([0.5, 1.0, np.nan]))
    last = "undefined at step 200, where a gradient is 0 or not finite"
    assert f"at most 8 ± 2 at step 120, {last}." in caption(found(sharpness=lost, curvature=top))
    nothing = replace(batch, value=np.full(3, np.nan), error=np.full(3, np.nan))
    assert f"two standard errors: {last}." in caption(found(sharpness=nothing, curvature=top))
    one = replace(batch, error=np.full(3, np.nan))
    assert ": at most 8 at step 120, 0.5 at step 200." in caption(found(sharpness=one))

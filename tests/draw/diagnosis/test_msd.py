from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from landscape.diagnose.motion import diffusion
from landscape.draw.diagnosis.msd import caption, msd
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.measured.weights import Distances


def moved(w):
    """Diffusion of positions (T, D)."""
    gram = w @ w.T
    diagonal = np.diag(gram)
    squared = np.maximum(diagonal[:, None] + diagonal - 2 * gram, 0)
    return diffusion.measure(Distances(np.arange(len(w)), squared, np.sqrt(diagonal)))


@pytest.fixture
def drift():
    return moved(np.outer(np.arange(257.0), np.ones(4)))


@pytest.fixture
def walk():
    return moved(np.cumsum(np.random.default_rng(0).normal(size=(513, 200)), axis=0))


def nulls(axes):
    """Each null at half the window over what it is at an eighth."""
    bold = [
        line for line in axes.lines if line.get_linewidth() == 1.5 and len(line.get_xdata()) == 2
    ]
    return [float(line.get_ydata()[1] / line.get_ydata()[0]) for line in bold]


def test_a_drift_lies_on_the_drifts_null(found, drift):
    axes = msd(found(diffusion=drift)).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    # R of the three: 1, 4, 16.
    assert nulls(axes) == pytest.approx([1, 4, 16])
    line = axes.containers[0].lines[0]
    lag, values = line.get_data()
    null = next(
        one for one in axes.lines if one.get_linestyle() == "-." and len(one.get_xdata()) == 2
    )
    x, y = null.get_data()
    assert x == pytest.approx([32, 128])
    np.testing.assert_allclose(values, 4 * lag**2)
    np.testing.assert_allclose(y, 4 * x**2, rtol=0.01)


def test_the_fitted_line_has_the_exponent(found, walk):
    figure = msd(found(diffusion=walk))
    line = next(one for one in figure.axes[0].lines if one.get_linewidth() == 2.2)
    x, y = line.get_data()
    assert x[-1] <= 512 / 10
    slope = np.log(y[-1] / y[0]) / np.log(x[-1] / x[0])
    assert slope == pytest.approx(walk.exponent)
    assert slope == pytest.approx(1, abs=0.1)
    written = " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")
    assert f"exponent {number(walk.exponent)} ±" in written
    assert f"D_eff = {number(walk.dimension, 2)}" in written
    assert "(−½ confined, 0 walk, 1 drift)" in written


def test_errors_are_bars(found, walk):
    axes = msd(found(diffusion=walk)).axes[0]
    _, _, [bars] = axes.containers[0]
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends[:, 1], walk.msd + walk.msd_error)
    np.testing.assert_allclose(ends[:, 0], walk.msd - walk.msd_error)


def test_without_aging_or_exponent_and_narrow(found, walk):
    bare = replace(walk, ages=np.empty(0), aging=np.empty((0, 0)), exponent=float("nan"))
    figure = msd(found(diffusion=bare), style=Style(width=3.25))
    assert figure.get_figwidth() == pytest.approx(3.25)
    assert not [line for line in figure.axes[0].lines if line.get_linewidth() == 2.2]


def test_a_bare_one_has_no_small_print_and_its_caption_has_it(found, walk):
    shown = found(diffusion=walk)

    def printed(style):
        figure = msd(shown, style=style)
        return figure, [text.get_text() for text in figure.texts]

    whole, full = printed(Style())
    bare, few = printed(Style(bare=True))
    assert any("window of T = 512 steps" in text for text in full)
    assert not any("window of T" in text for text in few)
    assert bare.get_figheight() < whole.get_figheight()
    assert "Window of T = 512 steps" in caption(shown)


def test_weights_that_do_not_move(found):
    still = moved(np.ones((65, 3)))
    with pytest.raises(LandscapeError) as refused:
        msd(found(diffusion=still))
    assert str(refused.value) == (
        "an msd figure needs two lags with an MSD above 0, run high-lr has 0"
    )


def test_its_caption(found, drift):
    text = caption(found(diffusion=drift))
    assert text.startswith("Mean squared displacement by lag of the weights of run high-lr.")
    assert "Window of T = 256 steps, 0 to 256, 100 % of the run: c½ = " in text
    assert "R = MSD(T/2)/MSD(T/8) = 16 (1, 4, 16)" in text
    assert "decide" not in text
    undecided = replace(found(diffusion=drift), motion_open="nothing moves")
    assert caption(undecided).endswith("This doesn't decide how the weights move: nothing moves.")


def test_an_overshoot_is_named_beside_the_growth(found, walk):
    lags = walk.lags
    rises = np.minimum(lags / lags[-1], 0.5)
    peaked = np.where(np.arange(len(lags)) == len(lags) // 2, 2.0, rises)
    there = replace(walk, msd=peaked, msd_error=np.full(len(lags), 0.01))
    peak, back = lags[len(lags) // 2], np.median(peaked[len(lags) // 2 + 1 :]) / 2
    said = (
        f"with an overshoot: a peak at a lag of {peak:.0f} steps, {100 * back:.2g} % of it beyond"
    )
    assert said in caption(found(diffusion=there))
    assert "overshoot" not in caption(found(diffusion=walk))

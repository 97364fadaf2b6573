from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from landscape import draw
from landscape.draw.elements import steps
from landscape.store.history import History
from landscape.store.trajectories.trajectory import Event

PLATEAU = (Event("escape", 120, 1800, ""), Event("plateau", 210, 1800, ""))


@pytest.mark.parametrize(
    ("first", "last", "since"),
    [(210, 1800, 210), (450, 1795, 450), (460, 1800, None), (210, 1500, None), (0, 1800, None)],
)
def test_only_a_plateau_over_most_of_a_run_up_to_its_end_bends_the_axis(first, last, since):
    assert steps.bend((Event("plateau", first, last, ""),), 1800) == since
    assert steps.bend((Event("spike", first, last, ""),), 1800) is None


def test_half_of_the_axis_is_linear_and_half_logarithmic():
    axes = Figure((5, 3)).add_axes((0.1, 0.1, 0.8, 0.8))
    steps.bent(axes, 200, 0, 2000)
    to = axes.xaxis.get_transform().transform
    np.testing.assert_allclose(to(np.array([0.0, 50, 100, 200, 2000])), [0, 0.125, 0.25, 0.5, 1])
    assert to(np.array([200 * np.sqrt(10)])) == pytest.approx(0.75)
    every = np.linspace(0, 2000, 101)
    np.testing.assert_allclose(axes.xaxis.get_transform().inverted().transform(to(every)), every)
    ticks = axes.get_xticks()
    assert {0, 100, 1000} <= set(ticks)
    assert (ticks > 200).sum() >= 2


def test_losses_before_a_long_plateau_have_half_of_the_figure_and_it_says_so():
    step = np.arange(0, 1801, 10)
    some = {"train_loss": np.where(step < 210, 1 + 0.001 * step, 2.3)}
    history = History("a", "1f2e", step, some, np.full(1800, 2.0), PLATEAU, 2.302585)
    figure = draw.KINDS["loss"](history)
    [axes] = figure.axes
    assert axes.get_xlabel() == "training step (log scale from 210)"
    middle = axes.transAxes.inverted().transform(axes.transData.transform((210, 2.0)))[0]
    assert middle == pytest.approx(0.5, abs=0.04)
    assert "bent" in figure.drawn
    plain = draw.KINDS["loss"](replace(history, events=()))
    assert plain.axes[0].get_xlabel() == "training step"
    assert "bent" not in plain.drawn

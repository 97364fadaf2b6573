from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.text import Text

from landscape.draw.diagnosis.units import caption, units
from landscape.draw.look.style import Style
from landscape.draw.making import caption_of
from landscape.store.measured.networks import Units
from landscape.store.trajectories.trajectory import Event


@pytest.fixture
def part():
    return Units(
        step=np.array([0, 100, 200]),
        layers=("conv1", "hidden"),
        kinds=("dead", "dead"),
        sizes=np.array([16, 64]),
        stuck=np.array([[0, 8], [4, 16], [0, 64]]),
        loss=np.array([2.3, 0.5, 2.3]),
        constant_loss=2.302585,
        spread=np.array([0.01, 4.0, 0.0]),
        scale=np.array([0.1, 5.0, 0.1]),
        start_spread=0.01,
        tensors=("conv1.weight", "hidden.weight", "output.bias"),
        gradient_norms=np.array([[3.0, 4.0, 0.0], [0.3, 0.4, 0.0], [0.0, 0.0, 0.03]]),
    )


def words(figure):
    return [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]


def test_cells_are_shares_of_each_layers_units(found, part):
    figure = units(found(units=part), style=Style(width=16))
    low, high = figure.axes[0].get_xlim()
    far = 0.025 * (high - low)
    [mesh] = [one for one in figure.axes[0].collections if isinstance(one, QuadMesh)]
    # Cells at the steps measured; between these nothing is known, and none has a colour there.
    gap = np.nan
    shares = np.ma.filled(mesh.get_array().reshape(2, 5), np.nan)
    np.testing.assert_allclose(shares, [[0, gap, 0.25, gap, 0], [0.125, gap, 0.25, gap, 1]])
    np.testing.assert_allclose(
        mesh.get_coordinates()[0, :, 0],
        [max(low, -far), far, 100 - far, 100 + far, 200 - far, min(high, 200 + far)],
    )
    assert mesh.get_clim() == (0, 1)
    assert "unmeasured" in figure.drawn
    said = caption_of("units", found(units=part), figure.drawn)
    assert "triangles: the steps measured, 0, 100, 200; hatched: measured at no step near" in said
    assert {"4 of 16", "16 of 64", "64 of 64"} <= set(words(figure))
    assert not {"0 of 16", "0"} & {text.get_text() for text in figure.axes[0].texts}


def test_cells_of_neighbouring_steps_meet_halfway(found, part):
    """Steps a hundredth of the axis apart, as where a run is recorded closely."""
    steps = np.arange(0, 201, 2)
    many = replace(
        part,
        step=steps,
        stuck=np.tile([3, 60], (101, 1)),
        **{name: np.ones(101) for name in ("loss", "spread", "scale")},
        gradient_norms=np.ones((101, 3)),
    )
    figure = units(found(units=many))
    [mesh] = [one for one in figure.axes[0].collections if isinstance(one, QuadMesh)]
    low, high = figure.axes[0].get_xlim()
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [low, *np.arange(1, 200, 2), high])
    assert "unmeasured" not in figure.drawn
    said = caption_of("units", found(units=many), figure.drawn)
    assert "triangles: the steps measured, 101 of them from 0 to 200; beneath" in said


def test_spread_and_gradient_and_their_zeros(found, part):
    figure = units(found(units=part))
    spread, _, gradient, _ = figure.axes[1].lines[:4]
    np.testing.assert_allclose(spread.get_ydata()[:2], [0.1, 0.8])
    np.testing.assert_allclose(gradient.get_ydata(), [5, 0.5, 0.03])
    # Zero has no place on a logarithmic axis: it stands at its lower edge, with its name.
    assert spread.get_ydata()[2] == figure.axes[1].get_ylim()[0]
    [zero] = [text for text in figure.axes[1].texts if text.get_text() == "0"]
    assert zero.xy[0] == 200
    said = "at step 200 only output.bias has a gradient, all others' is exactly 0"
    assert said in " ".join(words(figure))
    # One spread, the relative one, in the axis' name and in the legend's.
    assert [text for text in words(figure) if "spread" in text] == [
        "relative spread, gradient norm",
        "relative spread: outputs' standard deviation over inputs / size",
    ]


@pytest.mark.parametrize(
    ("norms", "said"),
    [
        ((1.0, 1.0, 1.0), "At step 200 every parameter has a gradient."),
        ((0.0, 0.0, 0.0), "At step 200 the gradient of every parameter is exactly 0."),
    ],
)
def test_what_still_moves(found, part, norms, said):
    text = caption(found(units=replace(part, gradient_norms=np.tile(norms, (3, 1)))))
    assert said in text.split("\n\n")[0]
    assert "hidden: 8, 16, 64 of 64 dead. Steps: 0, 100, 200." in text


def test_many_layers_stay_within_the_page(found, part):
    names = tuple(f"stages.{k}.convolution" for k in range(60))
    many = replace(
        part,
        layers=names,
        kinds=("dead", "saturated") * 30,
        sizes=np.full(60, 8),
        stuck=np.tile(np.arange(60) % 9, (3, 1)),
    )
    figure = units(found(units=many), style=Style(width=3.25))
    assert figure.get_figheight() < 9
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert 10 <= len(labels) <= 17
    assert "units dead or saturated on all data" in figure.axes[0].get_title(loc="left")


def test_a_network_without_such_units(found, part):
    bare = replace(part, layers=(), kinds=(), sizes=np.empty(0, int), stuck=np.empty((3, 0), int))
    figure = units(found(units=bare))
    assert len(figure.axes) == 2
    assert "no activation was seen" in " ".join(words(figure))


def test_on_a_bent_axis_a_cell_still_surrounds_its_step_and_holds_its_number(found, part):
    subject = found(units=part)
    subject = replace(
        subject, history=replace(subject.history, events=(Event("plateau", 50, 200, ""),))
    )
    figure = units(subject, style=Style(width=16))
    [rows] = [axes for axes in figure.axes if axes.get_title(loc="left")]
    [count] = [text for text in rows.texts if text.get_text() == "4 of 16"]
    x = rows.transData.inverted().transform(count.get_transform().transform(count.get_position()))
    [mesh] = [one for one in rows.collections if isinstance(one, QuadMesh)]
    edges = mesh.get_coordinates()[0, :, 0]
    left, right = edges[edges < 100].max(), edges[edges > 100].min()
    # In the middle of what is seen of the cell, which isn't that of its steps.
    assert x[0] == pytest.approx(np.sqrt(left * right))
    assert "bent" in figure.drawn
